# -*- test-case-name: bench.macro.test_compare -*-
"""
Compare ktcp with itself: this checkout beside another commit, interleaved.

For commit messages: it prints both medians and the ratio with its spread.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.macro import report
from bench.macro.compare import stopOnTerm
from bench.macro.figures import summarise
from bench.macro.measure import Options, measureRow
from bench.macro.peers import CHECKOUT, moved
from bench.macro.workloads import ROWS


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """
    Read the command line.
    """
    parser = argparse.ArgumentParser(prog="paired", description=__doc__.strip().split("\n")[0])
    rows = [row.name for row in ROWS]
    parser.add_argument("--row", choices=rows, default=rows[0], help="the work (%(default)s)")
    parser.add_argument(
        "--base", default="HEAD", metavar="COMMIT", help="compare with this commit (%(default)s)"
    )
    parser.add_argument(
        "--head", metavar="COMMIT", help="and measure this one, not the working tree"
    )
    parser.add_argument("--rounds", type=int, default=7, help="timed rounds (%(default)s)")
    parser.add_argument("--seconds", type=float, default=1.5, help="of one timed run (%(default)s)")
    return parser.parse_args(arguments)


@contextmanager
def checkedOut(commit: str) -> Iterator[Path]:
    """
    Have a commit's files in a folder of their own until the block ends.

    @raise SystemExit: There is no such commit.
    """

    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", str(CHECKOUT), *arguments], check=True)

    with TemporaryDirectory(prefix="ktcp-paired-") as folder:
        tree = Path(folder, "tree")
        try:
            git("worktree", "add", "--quiet", "--detach", str(tree), commit)
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"paired: cannot check out {commit}") from error
        try:
            yield tree
        finally:
            git("worktree", "remove", "--force", str(tree))


@contextmanager
def tree(commit: str | None) -> Iterator[Path]:
    """
    Give the folder of a commit's files; of none, the working tree.
    """
    if commit is None:
        yield CHECKOUT
        return
    with checkedOut(commit) as folder:
        yield folder


def main(arguments: Sequence[str]) -> int:
    """
    Be the command C{paired}.
    """
    options = parse(arguments)
    stopOnTerm()
    row = next(row for row in ROWS if row.name == options.row)
    head = options.head or "working tree"
    with tree(options.base) as before, tree(options.head) as after:
        ours = row.table[row.subject]
        pair = [moved(ours, head, after), moved(ours, options.base, before)]
        pairing = replace(row, peers=(head, options.base), subject=head, absent={})
        outcome = measureRow(pairing, pair, Options(options.rounds, options.seconds))
    print(report.rowText(summarise(outcome)))
    return int(bool(outcome.failures))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
