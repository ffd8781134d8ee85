# -*- test-case-name: ktcp.test.test_load_search -*-
"""
C{--find-max}: the highest rate that holds a goal.

What makes a run is an argument, so the search itself is tested without a server.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TextIO

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
    p99 = result.percentile("p99")
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


def _tryText(made: Try) -> str:
    result = made.result
    p99 = timeText(result.percentile("p99"))
    verdict = f"no: {made.why}" if made.why else "holds"
    return (
        f"{made.rate:12,.0f} a second: {result.rate:,.0f} answered, p99 {p99},"
        f" {result.failed:,} errors: {verdict}\n"
    )


def findMax(run: Run, plan: Plan, goal: int, out: TextIO) -> int:
    """
    Search, telling of each run, and report.

    @return: The exit status.
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
