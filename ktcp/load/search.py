# -*- test-case-name: ktcp.test.test_load_search -*-
"""
Many runs in one command: the highest rate that holds a goal, and curves.

What makes a run is an argument, so the search itself is tested without a server.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TextIO

from ktcp.load import sweep
from ktcp.load.goals import duration
from ktcp.load.points import sweepOption
from ktcp.load.report import outputs
from ktcp.load.report.words import timeText
from ktcp.load.result import Plan, Result

Run = Callable[[Plan], Result]

# A rate counts as held only if so much of it was answered within the run: percentiles of
# the answers alone would say nothing of a backlog that grows.
ANSWERED = 0.98

# The search ends when the bracket is this narrow: the noise of a shared machine is wider.
PRECISION = 0.05

# Runs of a search in all.  Bracketing takes a run for each doubling, bisecting from
# a factor of 2 to 5% four or five rates, each asked up to three times.
MOST_RUNS = 40

# A rate holds when two of its runs held, and does not when three did not: what disturbs a
# machine makes a run slower and hardly ever faster, so a run that did not hold says less.
HOLDING, BREAKING = 2, 3


class Try(NamedTuple):
    """
    One run of a search.

    @ivar why: What did not hold; empty if all did.
    """

    rate: float
    result: Result
    why: str


@dataclass
class Found:
    """
    What a search found.

    @ivar held: The highest rate that held, 0 if none did.
    @ivar broke: The lowest rate above it that did not; C{None} if none was reached.
    @ivar limited: The generator was the limit where it ended.
    """

    held: float = 0.0
    broke: float | None = None
    limited: bool = False
    tries: list[Try] = field(default_factory=list)


def broken(result: Result, rate: float, goal: int) -> str:
    """
    Say what of a goal a run did not hold; empty if it held all.

    @param goal: Nanoseconds that the corrected p99 may be.
    """
    if result.failed:
        return f"{result.failed} errors"
    if result.rate < ANSWERED * rate:
        return f"only {result.rate:,.0f} a second were answered"
    p99 = result.histograms["total"].percentiles["p99"]
    return f"p99 {timeText(p99)}" if p99 > goal else ""


class Search:
    """
    The search for the highest rate that holds a goal: bracket, then bisect.

    @ivar tell: Called with each L{Try}.
    """

    def __init__(
        self, run: Run, plan: Plan, goal: int, tell: Callable[[Try], None] = lambda each: None
    ) -> None:
        self._run = run
        self._plan = plan
        self._goal = goal
        self._tell = tell
        self.found = Found()

    def _room(self) -> bool:
        return len(self.found.tries) < MOST_RUNS

    def _once(self, rate: float) -> Try:
        result = self._run(replace(self._plan, rate=rate))
        made = Try(rate, result, broken(result, rate, self._goal))
        self.found.tries.append(made)
        self._tell(made)
        if result.interrupted:
            raise KeyboardInterrupt
        return made

    def _holds(self, rate: float, holding: int = HOLDING, breaking: int = BREAKING) -> bool:
        """
        Ask until enough runs agree.
        """
        held = broke = 0
        while held < holding and broke < breaking and self._room():
            made = self._once(rate)
            if made.why:
                broke += 1
                self.found.limited = made.result.generator.limited
            else:
                held += 1
        return held >= holding

    def _bracket(self, rate: float) -> tuple[float, float | None]:
        """
        Double or halve until one rate holds and its double does not.

        Fewer runs decide here than between the two: the steps are large.
        """
        if self._holds(rate, 1, 2):
            while self._room():
                if not self._holds(2 * rate, 1, 2):
                    return rate, 2 * rate
                rate *= 2
            return rate, None
        while self._room() and rate > 1:
            rate /= 2
            if self._holds(rate, 1, 2):
                return rate, 2 * rate
        return 0.0, rate

    def find(self, start: float) -> Found:
        """
        Search from a rate on.
        """
        # What was found until Ctrl-C is worth a report.
        with suppress(KeyboardInterrupt):
            self._find(start)
        return self.found

    def _find(self, start: float) -> None:
        found = self.found
        low, high = self._bracket(start)
        found.held, found.broke = low, high
        while high is not None and low and high / low > 1 + PRECISION and self._room():
            middle = (low * high) ** 0.5
            if self._holds(middle):
                low = middle
            else:
                high = middle
            found.held, found.broke = low, high


def addSearchOptions(parser: argparse.ArgumentParser) -> None:
    """
    Add the options that make many runs of one command.
    """
    group = parser.add_argument_group("many runs")
    group.add_argument(
        "--find-max",
        dest="findMax",
        action="store_true",
        help="search for the highest rate that holds --p99, from --rate or what a closed loop gets",
    )
    group.add_argument(
        "--p99",
        type=_durationOption,
        metavar="TIME",
        help="the goal of --find-max: 99%% of the answers within it, such as 10ms",
    )
    group.add_argument(
        "--sweep",
        type=sweepOption,
        metavar="c=1,10,100",
        help="a run for each value of c (connections) or rate, and a curve",
    )
    group.add_argument(
        "--repeats",
        type=_countOption,
        default=3,
        metavar="N",
        help="runs of each value of --sweep (%(default)s)",
    )


def _durationOption(text: str) -> int:
    try:
        return duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _countOption(text: str) -> int:
    count = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= count <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of runs: 1 to 1000")
    return count


def checkSearchOptions(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """
    Refuse combinations that mean nothing.
    """
    if args.findMax and args.sweep is not None:
        parser.error("--find-max and --sweep: one of them at a time")
    if args.findMax != (args.p99 is not None):
        parser.error("--find-max needs a goal, and --p99 is one: --find-max --p99 10ms")
    if args.findMax and any((args.json, args.csv, args.dat, args.html, args.png)):
        parser.error("--find-max writes no files: run its rate again with --rate")


def wanted(args: argparse.Namespace) -> bool:
    """
    Whether many runs were asked for.
    """
    return bool(args.findMax or args.sweep is not None)


def command(run: Run, plan: Plan, args: argparse.Namespace, out: TextIO | None = None) -> int:
    """
    Make the runs, and report.

    @return: The exit status.
    """
    out = out or sys.stdout
    if args.sweep is not None:
        return sweep.command(run, plan, args, out)
    return findMax(run, plan, args.p99, out)


def _tryText(made: Try) -> str:
    result = made.result
    p99 = timeText(result.histograms["total"].percentiles["p99"])
    verdict = f"no: {made.why}" if made.why else "holds"
    return (
        f"{made.rate:12,.0f} a second: {result.rate:,.0f} answered, p99 {p99},"
        f" {result.failed:,} errors: {verdict}\n"
    )


def findMax(run: Run, plan: Plan, goal: int, out: TextIO) -> int:
    """
    Be C{--find-max}.
    """

    def tell(made: Try) -> None:
        out.write(_tryText(made))
        out.flush()

    start = plan.rate
    if start is None:
        # A closed loop finds about what the server can do, and so where to begin.
        closed = run(plan)
        if not closed.counts.good:
            out.write("FAILED: not one good answer\n")
            return outputs.FAILED
        out.write(f"closed loop: {closed.rate:,.0f} a second, {closed.failed:,} errors\n")
        start = closed.rate / 2
    found = Search(run, plan, goal, tell).find(start)
    out.write(foundText(found, goal))
    if found.tries[-1].result.interrupted:
        return outputs.INTERRUPTED
    return outputs.OK if found.held else outputs.FAILED


def foundText(found: Found, goal: int) -> str:
    """
    Report a search.
    """
    limit = timeText(goal)
    asked = f"{len(found.tries)} runs"
    if not found.held:
        return f"no rate held p99 <= {limit} ({asked})\n"
    lines = [f"highest rate that held p99 <= {limit}: {found.held:,.0f} a second ({asked})"]
    if found.broke is None:
        lines.append("note: no rate broke it, so the limit is above this")
    else:
        lines.append(f"lowest that did not: {found.broke:,.0f} a second")
    if found.limited:
        lines.append("note: the generator was the limit there; the server may hold more")
    return "\n".join(lines) + "\n"
