"""
Tests for comparing runs.
"""

from __future__ import annotations

import io
import math
import random
from contextlib import redirect_stderr
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load import compare
from ktcp.load.result import Counts, Result
from ktcp.load.stats import Verdict, verdict
from ktcp.test.loadresults import exampleResult

PLAIN = exampleResult(rate=100, seconds=2)


def run(rate: float, minute: int = 0, spread: float = 0.0, seed: int = 1) -> Result:
    """
    Make a run of ten seconds at a rate, started at some minute, its seconds spread.
    """
    chance = random.Random(seed)
    seconds = tuple(
        replace(
            PLAIN.series[0], second=n, requests=round(rate * chance.uniform(1 - spread, 1 + spread))
        )
        for n in range(10)
    )
    good = sum(each.requests for each in seconds) if spread else round(rate * 10)
    return replace(
        PLAIN,
        started=f"2026-11-22T03:{minute:02}:00+00:00",
        elapsed=10.0,
        counts=Counts(good, good),
        series=seconds,
    )


def side(letter: str, *results: Result) -> compare.Side:
    """
    Make a side of runs.
    """
    names = tuple(f"{letter}{n}.json" for n in range(len(results)))
    return compare.Side(letter, names, results)


def rates(a: compare.Side, b: compare.Side) -> compare.Comparison:
    """
    Compare the rates.
    """
    return compare.compareSides(a, b)[0]


class ComparisonTests(SynchronousTestCase):
    """
    A difference is shown where there is one, and only there.
    """

    def test_turns(self) -> None:
        """
        Turns that drifted together show a difference of 5% that plain means would not.
        """
        drift = (1000, 1200, 900, 1100, 700)
        a = side("A", *(run(rate, 2 * n) for n, rate in enumerate(drift)))
        b = side("B", *(run(0.95 * rate, 2 * n + 1) for n, rate in enumerate(drift)))
        self.assertTrue(compare.inTurns(a, b))
        found = rates(a, b).estimate
        assert found is not None
        self.assertAlmostEqual(found.value, 0.95, 3)
        self.assertIs(verdict(found), Verdict.LOWER)

        later = side("B", *(run(0.95 * rate, 20 + n) for n, rate in enumerate(drift)))
        self.assertFalse(compare.inTurns(a, later))
        found = rates(a, later).estimate
        assert found is not None
        self.assertIs(verdict(found), Verdict.NONE)

    def test_turnsEitherWayRound(self) -> None:
        """
        A B B A is in turns too; A A B B is not.
        """
        a, b = side("A", run(1, 0), run(1, 3)), side("B", run(1, 1), run(1, 2))
        self.assertTrue(compare.inTurns(a, b))
        a, b = side("A", run(1, 0), run(1, 1)), side("B", run(1, 2), run(1, 3))
        self.assertFalse(compare.inTurns(a, b))
        self.assertFalse(compare.inTurns(side("A", run(1)), b))

    def test_oneRunEach(self) -> None:
        """
        Of one run each the seconds are compared, and it is said what they cannot show.
        """
        a, b = side("A", run(1000, 0, 0.02, 1)), side("B", run(900, 1, 0.02, 2))
        found = rates(a, b).estimate
        assert found is not None
        self.assertIs(verdict(found), Verdict.LOWER)
        self.assertIn("repeat both runs to be sure", compare.text(a, b))

    def test_same(self) -> None:
        """
        Two runs of the same server show no difference.
        """
        a, b = side("A", run(1000, 0, 0.05, 1)), side("B", run(1000, 1, 0.05, 2))
        row = compare.text(a, b).splitlines()[1]
        self.assertTrue(row.startswith("rate"), row)
        self.assertTrue(row.endswith("no difference shown"), row)

    def test_partSecondIsNoRate(self) -> None:
        """
        The last second of a run that ended within it is not compared.
        """
        a = replace(run(1000), elapsed=9.4)
        self.assertEqual(len(rates(side("A", a), side("B", a)).sides[0].values), 9)

    def test_tooFew(self) -> None:
        """
        Two runs of each side, or two seconds, are too few.
        """
        a, b = side("A", run(1, 0), run(1, 2)), side("B", run(9, 1), run(9, 3))
        self.assertIsNone(rates(a, b).estimate)
        self.assertIn("too few measurements to tell", compare.text(a, b))
        self.assertIsNone(rates(side("A", PLAIN), side("B", PLAIN)).estimate)

    def test_deadRun(self) -> None:
        """
        A run without an answer is no measurement, and divides nothing.
        """
        dead = replace(run(1, 9), counts=Counts(), histograms={}, series=())
        a = side("A", *(run(1000, n) for n in range(4)), dead)
        self.assertEqual(len(rates(a, a).sides[0].values), 4)
        self.assertIn("too few", compare.text(side("A", dead), side("B", dead)))

    def test_outliersAreNamed(self) -> None:
        """
        A run far from the others of its side is named by its file.
        """
        a = side("A", *(run(rate, n) for n, rate in enumerate((100, 101, 99, 100, 500))))
        self.assertIn("outliers in rate of A: A4.json", compare.text(a, a))

    def test_latencyResolution(self) -> None:
        """
        Latencies that differ by less than a histogram tells apart show no difference.
        """
        p50 = compare.compareSides(side("A", run(1)), side("B", run(1)))[1].estimate
        assert p50 is not None
        self.assertTrue(p50.interval.holds(1.0009))
        self.assertFalse(p50.interval.holds(1.002))

    def test_otherPlan(self) -> None:
        """
        Runs that were not asked for the same are called so.
        """
        other = replace(PLAIN, plan=replace(PLAIN.plan, connections=50))
        said = compare.differences(side("A", PLAIN), side("B", other))
        self.assertEqual(said, ["careful: connections is 10 in A and 50 in B"])

    def test_falseAlarms(self) -> None:
        """
        Of 200 comparisons of a server with itself, at 99%, 2 cry wolf; more than 8 would be odd.
        """
        chance = random.Random(11)
        alarms = 0
        for _ in range(200):
            drawn = [[chance.lognormvariate(7, 0.05) for _ in range(6)] for _ in "AB"]
            found = compare.ratio(*drawn)
            alarms += verdict(found) is not Verdict.NONE
        self.assertTrue(alarms <= 8, alarms)
        self.assertFalse(math.isnan(found.value))


class CommandTests(SynchronousTestCase):
    """
    The command line.
    """

    def setUp(self) -> None:
        """
        Have files of two runs.
        """
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.a, self.b = self.write("a", run(1000, 0)), self.write("b", run(900, 1))

    def write(self, name: str, result: Result) -> str:
        """
        Write a result.
        """
        path = self.folder / f"{name}.json"
        path.write_text(result.toJSON())
        return str(path)

    def main(self, *arguments: str) -> tuple[int | str | None, str, str]:
        """
        Run the command: its status, and what it said.
        """
        out, err = io.StringIO(), io.StringIO()
        with redirect_stderr(err):
            try:
                status: int | str | None = compare.main(arguments, out)
            except SystemExit as error:
                status = error.code
        return status, out.getvalue(), err.getvalue()

    def test_compare(self) -> None:
        """
        Both sides are named with their plans, and the first is the base.
        """
        status, said, _ = self.main(self.a, self.b)
        self.assertEqual(status, 0)
        self.assertIn(f"A  {self.a}\n   http://127.0.0.1:8081/: 10 connections, closed", said)
        self.assertIn("rate   1,000     900  0.900", said)

    def test_errorsAreTold(self) -> None:
        """
        A rate that was bought with errors is not shown without them.
        """
        bad = self.write("bad", replace(run(1000), errors={"reset": 5}))
        self.assertIn("errors: 5 of 10,005", self.main(self.a, bad)[1])

    def test_failIf(self) -> None:
        """
        A condition is judged for each run after the base.
        """
        self.assertEqual(self.main(self.a, self.b, "--fail-if", "rate<0.85*A")[0], 0)
        status, said, _ = self.main(self.a, self.a, self.b, "--fail-if", "rate<0.95*A")
        self.assertEqual(status, 1)
        self.assertEqual(said.count("FAILED: rate<0.95*A is so"), 1)

    def test_repeated(self) -> None:
        """
        Files with commas are one side.
        """
        a = ",".join(self.write(f"a{n}", run(1000, 2 * n)) for n in range(3))
        b = ",".join(self.write(f"b{n}", run(950, 2 * n + 1)) for n in range(3))
        status, said, _ = self.main(a, b, "--confidence", "0.95")
        self.assertEqual(status, 0)
        self.assertIn("intervals of 95%, from 3 turns, compared turn by turn", said)

    def test_badFiles(self) -> None:
        """
        A file that is missing or something else is one line with its name.
        """
        junk = self.folder / "junk.json"
        junk.write_text("{}")
        for name, reason in [
            ("none.json", "No such file"),
            (str(junk), "not a result"),
            (",", "empty"),
        ]:
            status, said, err = self.main(self.a, name)
            self.assertEqual((status, said), (2, ""))
            self.assertEqual(len(err.splitlines()), 1)
            self.assertIn(reason, err)

    def test_badUsage(self) -> None:
        """
        One run alone, or a letter that no run has, is refused.
        """
        for arguments, reason in [
            ([self.a], "two runs at least"),
            ([self.a, self.b, "--fail-if", "rate<C"], "no such run"),
            ([self.a, self.b, "--fail-if", "p99>5"], "compares a time"),
            ([self.a, self.b, "--confidence", "1"], "below 1"),
        ]:
            status, _, err = self.main(*arguments)
            self.assertEqual(status, 2)
            self.assertIn(reason, err.splitlines()[-1])
