# -*- test-case-name: ktcp.test.test_load_compare -*-
"""
C{ktcp-load compare}: is the one faster than the other, or is that the machine?

A side is a run, or the same run several times over.  Several runs of each side are one
measurement each; taken in turns, A B A B, they are compared turn by turn.  Of one run
of each side its seconds are the measurements, which cannot show what differs from one
run to the next, and the report says so.
"""

from __future__ import annotations

import argparse
import string
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from ktcp.commandline import Parser
from ktcp.load.report import outputs
from ktcp.load.report.words import columns, errorsText, planText, some, timeText
from ktcp.load.result import NotAResult, Result
from ktcp.load.stats import (
    CONFIDENCE,
    Estimate,
    Interval,
    effectiveCount,
    outliers,
    pairedRatio,
    ratio,
    verdict,
)

# Of fewer values an interval is too wide to say anything.
FEWEST = 3

_LETTERS = string.ascii_uppercase


class Side(NamedTuple):
    """
    One side of a comparison.

    @ivar names: Of the files, one for each run.
    """

    letter: str
    names: tuple[str, ...]
    results: tuple[Result, ...]


class Values(NamedTuple):
    """
    Measurements of a figure, each with the name of what it is of.
    """

    values: list[float]
    names: list[str]

    def outlying(self) -> list[str]:
        """
        Name those far from the others.
        """
        return [self.names[place] for place in outliers(self.values)]


class Comparison(NamedTuple):
    """
    What came of comparing a figure.

    @ivar sides: The base's and the other's measurements.
    @ivar estimate: The ratio of the other to the base; L{None}: nothing to compare.
    """

    figure: str
    sides: tuple[Values, Values]
    estimate: Estimate | None


class Figure(NamedTuple):
    """
    Something to compare.

    @ivar ofRun: From a run.
    @ivar ofSeconds: From a run's seconds.
    @ivar resolution: Of a measurement, as a share of it.
    """

    name: str
    ofRun: Callable[[Result], float]
    ofSeconds: Callable[[Result], Iterator[tuple[int, float]]]
    text: Callable[[float], str]
    resolution: float = 0.0


def _seconds(name: str) -> Callable[[Result], Iterator[tuple[int, float]]]:
    def take(result: Result) -> Iterator[tuple[int, float]]:
        # The last second may be a part of one.
        whole = [each for each in result.series if each.second + 1 <= result.elapsed + 0.01]
        return ((each.second, float(getattr(each, name))) for each in whole)

    return take


# Three digits: two equal latencies may fall into neighbouring buckets.
_HDR = 0.001

FIGURES = (
    Figure("rate", lambda result: result.rate, _seconds("requests"), "{:,.0f}".format),
    Figure("p50", lambda result: result.percentile("p50"), _seconds("p50"), timeText, _HDR),
    Figure("p99", lambda result: result.percentile("p99"), _seconds("p99"), timeText, _HDR),
)


def inTurns(a: Side, b: Side) -> bool:
    """
    Whether the runs of two sides were made in turns.
    """
    if len(a.results) != len(b.results):
        return False
    order = sorted([(r.started, 0) for r in a.results] + [(r.started, 1) for r in b.results])
    sides = [side for _, side in order]
    pairs = zip(sides[::2], sides[1::2], strict=True)
    return all(one != other for one, other in pairs)


def _values(side: Side, figure: Figure, alone: bool) -> Values:
    """
    Take the measurements of a figure that are above zero: of none a ratio can be made.
    """
    if alone:
        found = [(f"second {n}", value) for n, value in figure.ofSeconds(side.results[0])]
    else:
        byTime = sorted(zip(side.names, side.results, strict=True), key=lambda x: x[1].started)
        found = [(name, figure.ofRun(result)) for name, result in byTime]
    kept = [(name, value) for name, value in found if value > 0]
    return Values([value for _, value in kept], [name for name, _ in kept])


def compareSides(base: Side, other: Side, confidence: float = CONFIDENCE) -> list[Comparison]:
    """
    Compare all figures of two sides.
    """
    alone = len(base.results) == len(other.results) == 1
    turns = not alone and inTurns(base, other)
    found = []
    for figure in FIGURES:
        a, b = (_values(side, figure, alone) for side in (base, other))
        estimate = None
        if min(len(a.values), len(b.values)) >= FEWEST:
            if turns and len(a.values) == len(b.values):
                estimate = pairedRatio(b.values, a.values, confidence)
            else:
                count = effectiveCount if alone else len
                estimate = ratio(b.values, a.values, confidence, count)
            value, (low, high) = estimate
            blurred = Interval(low / (1 + figure.resolution), high * (1 + figure.resolution))
            estimate = Estimate(value, blurred)
        found.append(Comparison(figure.name, (a, b), estimate))
    return found


def _row(comparison: Comparison, figure: Figure) -> list[str]:
    middles = [
        figure.text(sorted(side.values)[len(side.values) // 2]) if side.values else "-"
        for side in comparison.sides
    ]
    if comparison.estimate is None:
        return [comparison.figure, *middles, "", "", "too few measurements to tell"]
    value, (low, high) = comparison.estimate
    return [
        comparison.figure,
        *middles,
        f"{value:.3f}",
        f"{low:.3f} to {high:.3f}",
        verdict(comparison.estimate).value,
    ]


def differences(base: Side, other: Side) -> list[str]:
    """
    Say what else differs than what is to be compared.
    """
    a, b = base.results[0], other.results[0]
    lines = []
    for name, one, another in (
        ("mode", a.mode, b.mode),
        *((name, value, getattr(b.plan, name)) for name, value in vars(a.plan).items()),
        *((name, value, getattr(b.machine, name)) for name, value in vars(a.machine).items()),
    ):
        if one != another:
            lines.append(
                f"careful: {name} is {one} in {base.letter} and {another} in {other.letter}"
            )
    return lines


def _method(base: Side, other: Side, confidence: float) -> str:
    if len(base.results) == len(other.results) == 1:
        what = (
            "the seconds of one run each; what differs from run to run is not in them,"
            " so repeat both runs to be sure"
        )
    elif inTurns(base, other):
        what = f"{some(len(base.results), 'turn')}, compared turn by turn"
    else:
        what = f"{len(base.results)} and {len(other.results)} runs, not in turns"
    return f"intervals of {100 * confidence:g}%, from {what}"


def text(base: Side, other: Side, confidence: float = CONFIDENCE) -> str:
    """
    Report a comparison.
    """
    found = compareSides(base, other, confidence)
    head = ["", base.letter, other.letter, f"{other.letter}/{base.letter}", "interval", "verdict"]
    table = columns([head, *map(_row, found, FIGURES)])
    lines = [*table, _method(base, other, confidence)]
    for comparison in found:
        for side, values in zip((base, other), comparison.sides, strict=True):
            if far := values.outlying():
                lines.append(f"outliers in {comparison.figure} of {side.letter}: {', '.join(far)}")
    return "\n".join([*lines, *differences(base, other)]) + "\n"


def sideText(side: Side) -> str:
    """
    Say what a side is.
    """
    first = side.results[0]
    errors = [errorsText(result) for result in side.results if result.failed]
    lines = [
        f"{side.letter}  {', '.join(side.names)}",
        f"   {first.target}: {planText(first.plan, first.mode)}",
        *(f"   errors: {each}" for each in errors or ["none"]),
    ]
    return "\n".join(lines) + "\n"


def read(argument: str, letter: str) -> Side:
    """
    Read a side: a file, or several with commas.

    @raise OSError: One cannot be read.
    @raise NotAResult: One is something else.
    """
    names = tuple(filter(None, argument.split(",")))
    results = []
    for name in names:
        try:
            results.append(Result.fromJSON(Path(name).read_bytes()))
        except NotAResult as error:
            raise NotAResult(f"{name}: {error}") from error
    if not results:
        raise NotAResult("a file's name is empty")
    return Side(letter, names, tuple(results))


def _confidence(text: str) -> float:
    """
    Read a share from 0.5 to less than 1.
    """
    value = float(text)
    if not 0.5 <= value < 1:
        raise argparse.ArgumentTypeError("must be at least 0.5 and below 1")
    return value


def parser() -> Parser:
    """
    Make the parser of the command line.
    """
    made = Parser(
        prog="ktcp-load compare",
        description="Compare runs, from what --json wrote. The first is A, the base.",
        epilog="Exit status: 0, 1 if a condition is so, 2 if a file cannot be read.",
        allow_abbrev=False,
    )
    made.add_argument(
        "runs",
        nargs="+",
        metavar="FILE[,FILE...]",
        help="a run; with commas: the same run several times",
    )
    made.add_argument(
        "--confidence",
        type=_confidence,
        default=CONFIDENCE,
        metavar="SHARE",
        help="of the intervals, and so of the verdicts (%(default)s)",
    )
    made.add_argument(
        "--fail-if",
        dest="failIf",
        type=outputs.conditionOption,
        action="append",
        default=[],
        metavar="CONDITION",
        help="exit status 1 if it is so of any run after A: 'p99>5ms', 'rate<0.95*A';"
        " may be repeated",
    )
    return made


def main(arguments: Sequence[str], out: TextIO | None = None) -> int:
    """
    Be the command C{ktcp-load compare}.

    @return: The exit status.
    """
    out = out or sys.stdout
    reader = parser()
    args = reader.parse_args(arguments)
    if not 2 <= len(args.runs) <= len(_LETTERS):
        reader.error(f"two runs at least are to be compared, and {len(_LETTERS)} at most")
    try:
        sides = [read(name, letter) for name, letter in zip(args.runs, _LETTERS, strict=False)]
    except (OSError, NotAResult) as error:
        why = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else error
        print(f"ktcp-load compare: {why}", file=sys.stderr)
        return outputs.USAGE
    runs = {side.letter: side.results for side in sides}
    for condition in args.failIf:
        if unknown := condition.runs - set(runs):
            reader.error(f"{condition.text!r} names {', '.join(sorted(unknown))}; no such run")
    out.write("".join(map(sideText, sides)))
    failed = False
    for side in sides[1:]:
        out.write("\n" + text(sides[0], side, args.confidence))
        failed |= outputs.broken(args.failIf, side.results, runs, out)
    return outputs.FAILED if failed else outputs.OK
