# -*- test-case-name: bench.macro.test_compare -*-
"""
Compare ktcp with other servers, side by side on this machine.

Exit status: 0 when every row was measured without an error, 1 when not; with
C{--strict} also 1 when a bar was missed.
"""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from bench.macro import machine, report
from bench.macro.figures import judge, summarise
from bench.macro.measure import Options, measureRow
from bench.macro.peers import CHECKOUT, TABLES, Peer
from bench.macro.workloads import BARS, ROWS, Row, needed

# A quick comparison ends in under three minutes and still has five rounds.
QUICK_SECONDS = 0.3
QUICK_FRESH_ROUNDS = 1


def names(known: Sequence[str]) -> Callable[[str], list[str]]:
    """
    Make a check for a list of names with commas.
    """

    def check(text: str) -> list[str]:
        chosen = text.split(",")
        for name in chosen:
            if name not in known:
                raise argparse.ArgumentTypeError(f"no {name!r}; there are {', '.join(known)}")
        return chosen

    return check


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """
    Read the command line.
    """
    everyone = list(dict.fromkeys(name for row in ROWS for name in row.peers))
    parser = argparse.ArgumentParser(prog="compare", description=__doc__.strip().split("\n")[0])
    parser.add_argument(
        "--rows",
        type=names([row.name for row in ROWS]),
        metavar="A,B",
        help="only these: " + ", ".join(row.name for row in ROWS),
    )
    parser.add_argument(
        "--peers",
        type=names(everyone),
        metavar="A,B",
        help="only these, and no others: " + ", ".join(everyone),
    )
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds (5)")
    parser.add_argument("--seconds", type=float, help="of one timed run (2)")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="every row in under three minutes: short runs, and in each row"
        " only the peers that a bar names",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results here")
    parser.add_argument("--png", type=Path, metavar="FILE", help="draw them here")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a bar is missed")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or (options.seconds is not None and not 0 < options.seconds <= 600):
        parser.error("--rounds must be at least 1 and --seconds above 0 and at most 600")
    if options.seconds is None:
        options.seconds = QUICK_SECONDS if options.quick else 2.0
    return options


def choose(options: argparse.Namespace) -> list[tuple[Row, list[Peer]]]:
    """
    Find the rows to run and who takes part in each.
    """
    chosen = []
    for row in ROWS:
        if options.rows and row.name not in options.rows:
            continue
        who = needed(row) if options.quick and not options.peers else row.peers
        peers = [row.table[name] for name in who if not options.peers or name in options.peers]
        if peers:
            chosen.append((row, peers))
    return chosen


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """
    Run the comparison.

    @return: Everything that is known of it, as it is written to JSON.
    """
    began = datetime.now(timezone.utc)
    rows: list[dict[str, Any]] = []
    served: dict[str, dict[str, Any]] = {}
    for row, peers in choose(options):
        rounds = QUICK_FRESH_ROUNDS if options.quick and row.fresh else options.rounds
        outcome = measureRow(row, peers, Options(rounds, options.seconds))
        rows.append(summarise(outcome))
        kind = next(name for name, table in TABLES.items() if table is row.table)
        served.setdefault(kind, {}).update(machine.served(peers))
        print(report.rowText(rows[-1]), "\n", flush=True)
    asked = {row["name"] for row in rows}
    return {
        "format": 1,
        "began": began.isoformat(timespec="seconds"),
        "took": round((datetime.now(timezone.utc) - began).total_seconds()),
        "command": shlex.join(["bench/macro/compare", *sys.argv[1:]]),
        "options": {"rounds": options.rounds, "seconds": options.seconds, "quick": options.quick},
        "machine": machine.machine(),
        "ktcp": machine.source(CHECKOUT),
        "tools": machine.tools(),
        "servers": served,
        "rows": rows,
        "bars": [judge(bar, rows) for bar in BARS if bar.row in asked],
    }


def stopOnTerm() -> None:
    """
    Have SIGTERM unwind the stack, as Ctrl-C does, so that every server is ended.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def main(arguments: Sequence[str]) -> int:
    """
    Be the command C{compare}.
    """
    options = parse(arguments)
    stopOnTerm()
    result = compare(options)
    print(report.barsText(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    if options.png:
        report.draw(result, options.png)
    failed = any(row["failures"] for row in result["rows"])
    missed = any(bar["met"] is not True for bar in result["bars"])
    return int(failed or (options.strict and missed))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
