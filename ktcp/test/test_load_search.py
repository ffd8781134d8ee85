"""
Tests for L{ktcp.load.search}.
"""

from __future__ import annotations

import io
import random
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load import search
from ktcp.load.buckets import countsOf
from ktcp.load.histogram import histogramOf
from ktcp.load.result import Counts, Generator, Plan, Result
from ktcp.test.loadresults import exampleResult

RESULT = exampleResult(rate=100, seconds=1)
FAST, SLOW = (
    {**RESULT.histograms, "total": histogramOf(countsOf([time] * 100))}
    for time in (1_000_000, 50_000_000)
)
GOAL = 10_000_000


class Server:
    """
    A server that holds a rate and is slow above it.

    @ivar noise: How likely it is that a run below is slow all the same.
    """

    def __init__(self, capacity: float, noise: float = 0.0) -> None:
        self.capacity = capacity
        self.noise = noise
        self.plans: list[Plan] = []
        self.stopAfter = 0
        self._chance = random.Random(2)

    def run(self, plan: Plan) -> Result:
        self.plans.append(plan)
        asked = self.capacity if plan.rate is None else plan.rate
        rate = min(asked, self.capacity)
        slow = asked > self.capacity or self._chance.random() < self.noise
        return replace(
            RESULT,
            plan=plan,
            elapsed=10.0,
            counts=Counts(good=int(rate * 10)),
            histograms=SLOW if slow else FAST,
            interrupted=len(self.plans) == self.stopAfter,
        )


class FindMaxTests(SynchronousTestCase):
    """
    The highest rate that holds the goal is found.
    """

    def find(self, server: Server, start: float) -> search.Found:
        """
        Search from a rate on.
        """
        return search.Search(server.run, Plan(seconds=10.0), GOAL).find(start)

    def test_found(self) -> None:
        """
        From below, from above and from far away the bracket ends around the capacity, within 5%.
        """
        for start in (1000, 5000, 9000, 20_000, 300_000, 10):
            found = self.find(Server(9100), start)
            assert found.broke is not None
            self.assertTrue(found.held <= 9100 < found.broke <= found.held * 1.05, found)

    def test_noise(self) -> None:
        """
        One run in ten that is slow for no reason moves the answer by a tenth at most.
        """
        found = self.find(Server(9100, noise=0.1), 5000)
        self.assertTrue(0.9 * 9100 < found.held <= 9100, found.held)

    def test_never(self) -> None:
        """
        Where no rate holds, the search ends and says so.
        """
        found = self.find(Server(0.5), 1000)
        self.assertEqual(found.held, 0.0)
        self.assertIn("no rate held p99 <= 10.0 ms", search.foundText(found, GOAL))

    def test_always(self) -> None:
        """
        Where every rate holds, the search ends after so many runs and says what it knows.
        """
        found = self.find(Server(float("inf")), 1000)
        self.assertEqual(len(found.tries), search.MOST_RUNS)
        self.assertIn("no rate broke it", search.foundText(found, GOAL))

    def test_broken(self) -> None:
        """
        Errors, answers that are missing and slow answers each break a goal.
        """
        whole = replace(RESULT, histograms=FAST)
        for result, rate, reason in [
            (whole, 100, ""),
            (replace(whole, errors={"reset": 2}), 100, "2 errors"),
            (whole, 110, "only 100 a second were answered"),
            (replace(RESULT, histograms=SLOW), 100, "p99 50.0 ms"),
        ]:
            self.assertEqual(search.broken(result, rate, GOAL), reason)

    def test_generatorWasTheLimit(self) -> None:
        """
        If the generator could do no more, the answer is called a lower bound.
        """
        server = Server(1000)

        def run(plan: Plan) -> Result:
            return replace(server.run(plan), generator=Generator(limited=True))

        found = search.Search(run, Plan(), GOAL).find(600)
        self.assertIn("the server may hold more", search.foundText(found, GOAL))

    def test_command(self) -> None:
        """
        Without a rate a closed loop says where to begin; each run is a line.
        """
        server, out = Server(1000), io.StringIO()
        self.assertEqual(search.findMax(server.run, Plan(seconds=10.0), GOAL, out), 0)
        self.assertIsNone(server.plans[0].rate)
        self.assertEqual(server.plans[1].rate, 500)
        lines = out.getvalue().splitlines()
        self.assertEqual(lines[0], "closed loop: 1,000 a second, 0 errors")
        self.assertIn("500 a second: 500 answered, p99 1.00 ms, 0 errors: holds", lines[1])
        self.assertIn("highest rate that held p99 <= 10.0 ms: ", lines[-2])

    def test_dead(self) -> None:
        """
        A server that answers nothing is not searched.
        """
        out = io.StringIO()
        self.assertEqual(search.findMax(Server(0).run, Plan(), GOAL, out), 1)
        self.assertIn("not one good answer", out.getvalue())

    def test_interrupted(self) -> None:
        """
        Ctrl-C ends the search with what it knows.
        """
        server, out = Server(1000), io.StringIO()
        server.stopAfter = 3
        self.assertEqual(search.findMax(server.run, Plan(), GOAL, out), 130)
        self.assertEqual(len(server.plans), 3)
