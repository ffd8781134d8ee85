# -*- test-case-name: ktcp.test.test_load_report_outputs -*-
"""
Where a result goes: the report, the files asked for, and the exit status.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TextIO

from ktcp.load import goals
from ktcp.load.report import page, tables, words
from ktcp.load.result import Result

# The exit statuses of ktcp-load; docs/reference/ktcp-load.rst tells them.
OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

# The options that name a file, and what is written to it; PNG apart, which is drawn.
_FILES = {
    "json": "all of the result, schema ktcp-load/1",
    "csv": "all figures, one on each line",
    "dat": "columns for gnuplot; of --barrier kecho's",
    "html": "one page with curves that opens without a network",
}


class Output(NamedTuple):
    """
    What there is to give out, of one run or of many.

    @ivar report: For the terminal.
    @ivar files: What makes the content of a file, by the name of its option.
    @ivar draw: Draws a PNG.
    @ivar runs: What is to be judged, each by itself.
    """

    report: str
    files: Mapping[str, Callable[[], str]]
    draw: Callable[[Path], None]
    runs: Sequence[goals.Run]


def ofResult(result: Result, format: str) -> Output:
    """
    What there is to give out of one run.

    @param format: One of L{words.FORMATS}.
    """

    def draw(path: Path) -> None:
        # matplotlib takes a second to import, and most runs draw nothing.
        from ktcp.load.report.picture import drawResult

        drawResult(result, path)

    files: dict[str, Callable[[], str]] = {
        "json": result.toJSON,
        "csv": partial(tables.asCSV, result),
        "dat": partial(tables.asDat, result),
        "html": partial(page.html, result),
    }
    return Output(words.FORMATS[format](result), files, draw, [[result]])


def conditionOption(text: str) -> goals.Condition:
    """
    Read a condition.
    """
    try:
        return goals.condition(text)
    except goals.BadCondition as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def fileOption(text: str) -> Path:
    """
    Read the name of a file to write: it must be possible, now and not after the run.
    """
    path = Path(text)
    reason = ""
    if path.is_dir():
        reason = "it is a directory"
    elif not path.parent.is_dir():
        reason = f"no directory {path.parent}"
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        reason = "permission denied"
    if reason:
        raise argparse.ArgumentTypeError(f"cannot write {text!r}: {reason}")
    return path


def pictureOption(text: str) -> Path:
    """
    Read the name of a PNG to write; needs matplotlib, and says so before the run.
    """
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError("needs matplotlib: pip install 'ktcp[plot]'")
    return fileOption(text)


def addOutputOptions(parser: argparse.ArgumentParser) -> None:
    """
    Add the options that say what becomes of a result.
    """
    group = parser.add_argument_group("output")
    group.add_argument(
        "--format",
        choices=sorted(words.FORMATS, reverse=True),
        default="text",
        help="of the report: ktcp-load's own or htstress's (%(default)s)",
    )
    group.add_argument("--quiet", action="store_true", help="no report and no progress")
    for name, what in _FILES.items():
        group.add_argument(f"--{name}", type=fileOption, metavar="FILE", help=f"write {what}")
    group.add_argument(
        "--png", type=pictureOption, metavar="FILE", help="draw it (needs ktcp[plot])"
    )
    group.add_argument(
        "--fail-if",
        dest="failIf",
        type=_ownCondition,
        action="append",
        default=[],
        metavar="CONDITION",
        help="exit status 1 if it is so: 'p99>5ms', 'rate<10k', 'share>0.1%%'; may be repeated",
    )


def _ownCondition(text: str) -> goals.Condition:
    """
    Read a condition on the one run there is.
    """
    found = conditionOption(text)
    if found.runs:
        named = ", ".join(sorted(found.runs))
        raise argparse.ArgumentTypeError(f"{text!r} names {named}: that is for ktcp-load compare")
    return found


def _write(output: Output, args: argparse.Namespace) -> bool:
    """
    Write the files that were asked for; one that cannot be written keeps no other back.

    @return: Whether all were written; of each that was not, one line has said why.
    """
    done = True
    for name, render in output.files.items():
        path: Path | None = getattr(args, name)
        if path is not None:
            done &= _attempt(partial(path.write_text, render(), encoding="utf-8"))
    if args.png is not None:
        done &= _attempt(partial(output.draw, args.png))
    return done


def _attempt(writing: Callable[[], object]) -> bool:
    try:
        writing()
    except OSError as error:
        why = f"{error.filename}: {error.strerror}" if error.filename else error
        print(f"ktcp-load: {why}", file=sys.stderr)
        return False
    return True


def broken(
    conditions: Iterable[goals.Condition], run: goals.Run, runs: goals.Runs, out: TextIO
) -> bool:
    """
    Judge conditions, and say which are so.

    One that cannot be judged, as there is nothing to judge, counts as broken:
    a CI must not pass because nothing was answered.
    """
    failed = False
    for condition in conditions:
        try:
            so, why = condition.judge(run, runs), "is so"
        except goals.BadCondition as error:
            so, why = True, f"cannot be judged: {error}"
        if so:
            print(f"FAILED: {condition.text} {why}", file=out)
        failed |= so
    return failed


# What to look at where every request ended like that.
_HINTS = {
    "refused": "start the server, or correct the port",
    "tls": "for an authority of your own give --cacert FILE, for plain HTTP write http://",
    "short": "if the server speaks TLS, write https://",
    "reset": "if the server speaks TLS, write https://; if it expects PROXY, ask its proxy",
    "framing": "see that the server speaks HTTP",
    "status": "see the statuses above; --expect-status says which are good",
    "timeout": "give it longer with --timeout",
}


def _hint(results: Sequence[Result]) -> str:
    """
    Say what to do, where all that went wrong is of one kind.
    """
    kinds = {each for result in results for each in result.errors}
    found = [_HINTS[each] for each in kinds if each in _HINTS]
    return f"; {found[0]}" if len(found) == len(kinds) == 1 else ""


def emit(output: Output, args: argparse.Namespace, out: TextIO | None = None) -> int:
    """
    Print the report, write the files, judge the conditions.

    @return: The exit status.
    """
    out = out or sys.stdout
    if not args.quiet:
        out.write(output.report)
    written = _write(output, args)
    failed = False
    for run in output.runs:
        failed |= broken(args.failIf, run, {}, out)
    results = [result for run in output.runs for result in run]
    interrupted = any(result.interrupted for result in results)
    if not interrupted and not any(result.counts.good for result in results):
        print(f"FAILED: not one good answer{_hint(results)}", file=out)
        failed = True
    if not written:
        return USAGE
    if failed:
        return FAILED
    return INTERRUPTED if interrupted else OK
