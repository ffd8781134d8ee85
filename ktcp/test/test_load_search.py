"""
Tests for many runs in one command.
"""

from __future__ import annotations

import argparse
import io
import json
import random
from contextlib import redirect_stderr
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load import search
from ktcp.load.buckets import countsOf
from ktcp.load.example import exampleResult
from ktcp.load.histogram import histogramOf
from ktcp.load.report import outputs
from ktcp.load.result import Counts, Generator, Plan, Result

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


class OptionTests(SynchronousTestCase):
    """
    The options, and what is done with them.
    """

    def parse(self, *arguments: str) -> argparse.Namespace:
        """
        Read a command line.
        """
        parser = argparse.ArgumentParser(prog="test")
        search.addSearchOptions(parser)
        outputs.addOutputOptions(parser)
        args = parser.parse_args(arguments)
        search.checkSearchOptions(parser, args)
        return args

    def test_refused(self) -> None:
        """
        What cannot be meant is one line before anything runs.
        """
        for arguments, reason in [
            (["--find-max"], "needs a goal"),
            (["--p99", "5ms"], "needs a goal"),
            (["--find-max", "--p99", "5"], "no time above zero"),
            (["--find-max", "--p99", "5ms", "--sweep", "c=1"], "one of them at a time"),
            (["--find-max", "--p99", "5ms", "--csv", "x.csv"], "writes no files"),
            (["--sweep", "c"], "no sweep"),
            (["--sweep", "c=0"], "no sweep"),
            (["--sweep", "c=1.5"], "no sweep"),
            (["--sweep", "c=1,,2"], "no sweep"),
            (["--sweep", "rate=nan"], "no sweep"),
            (["--sweep", "rate=inf"], "no sweep"),
            (["--sweep", "d=1"], "no sweep"),
            (["--repeats", "0"], "1 to 1000"),
        ]:
            stream = io.StringIO()
            with redirect_stderr(stream):
                error = self.assertRaises(SystemExit, self.parse, *arguments)
            self.assertEqual(error.code, 2)
            self.assertIn(reason, stream.getvalue().splitlines()[-1])

    def test_wanted(self) -> None:
        """
        Without these options a command is one run.
        """
        self.assertFalse(search.wanted(self.parse()))
        self.assertTrue(search.wanted(self.parse("--sweep", "c=1,2")))
        self.assertTrue(search.wanted(self.parse("--find-max", "--p99", "1ms")))

    def test_sweep(self) -> None:
        """
        A sweep goes over all values again and again, and each file has a line for each.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        names = ("json", "csv", "dat", "html", "png")
        files = [part for n in names for part in (f"--{n}", str(folder / f"s.{n}"))]
        server, out = Server(1000), io.StringIO()
        args = self.parse("--sweep", "c=1,100,10", "--repeats", "2", *files)
        self.assertEqual(search.command(server.run, Plan(processes=4), args, out), 0)
        self.assertEqual([plan.connections for plan in server.plans], [1, 100, 10] * 2)
        self.assertEqual([plan.processes for plan in server.plans], [1, 4, 4] * 2)
        self.assertIn("swept over c, 2 runs each", out.getvalue())
        made = json.loads((folder / "s.json").read_text())
        self.assertEqual(made["schema"], "ktcp-load-sweep/1")
        self.assertEqual([point["value"] for point in made["points"]], [1, 100, 10])
        Result.fromJSON(json.dumps(made["points"][0]["results"][1]))
        csv = (folder / "s.csv").read_text().splitlines()
        self.assertEqual(csv[0].split(",")[:3], ["c", "rate", "rateLow"])
        self.assertEqual(csv[1].split(",")[:2], ["1", "1000.0"])
        self.assertEqual((folder / "s.dat").read_text().splitlines()[1].split()[:2], ["1", "1000"])
        self.assertIn('<polygon class="band', (folder / "s.html").read_text())
        self.assertEqual((folder / "s.png").read_bytes()[:4], b"\x89PNG")

    def test_sweepOfRates(self) -> None:
        """
        Rates are swept too, and a condition is judged at each of them.
        """
        server, out = Server(1000), io.StringIO()
        args = self.parse("--sweep", "rate=500,2000", "--repeats", "1", "--fail-if", "p99>10ms")
        self.assertEqual(search.command(server.run, Plan(), args, out), 1)
        self.assertEqual([plan.rate for plan in server.plans], [500, 2000])
        self.assertEqual(out.getvalue().count("FAILED"), 1)

    def test_sweepInterrupted(self) -> None:
        """
        Ctrl-C ends a sweep with what was measured so far.
        """
        server, out = Server(1000), io.StringIO()
        server.stopAfter = 2
        args = self.parse("--sweep", "c=1,2,3")
        self.assertEqual(search.command(server.run, Plan(), args, out), 130)
        self.assertEqual(len(server.plans), 2)
