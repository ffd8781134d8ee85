"""
Tests for results as tables.
"""

from __future__ import annotations

import csv
import io
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load.buckets import countsOf
from ktcp.load.histogram import histogramOf
from ktcp.load.report import tables
from ktcp.load.result import Round
from ktcp.test.loadresults import exampleResult

RESULT = exampleResult(rate=100, seconds=3)


class TablesTests(SynchronousTestCase):
    """
    Other programs read what was measured.
    """

    def test_csv(self) -> None:
        """
        Every figure has its line, whatever commas its value has.
        """
        result = replace(RESULT, target="http://a,b/", errors={"reset": 2})
        rows = list(csv.reader(io.StringIO(tables.asCSV(result))))
        self.assertEqual(rows[0], ["of", "name", "value"])
        found = {(of, name): value for of, name, value in rows[1:]}
        self.assertEqual(len(found), len(rows) - 1)
        self.assertEqual(found["run", "target"], "http://a,b/")
        self.assertEqual(float(found["run", "rate"]), 100)
        self.assertEqual(found["plan", "requests"], "")
        self.assertEqual(found["errors", "reset"], "2")
        self.assertEqual(found["second 2", "requests"], "100")
        p99 = RESULT.histograms["total"].percentiles["p99"]
        self.assertEqual(found["total ns", "p99"], str(p99))

    def test_curve(self) -> None:
        """
        The curve rises to the highest value and ends at 100%.
        """
        points = tables.curve(histogramOf(countsOf([1000 * n for n in range(1, 1001)])))
        self.assertEqual(points, sorted(points))
        self.assertEqual(points[-1][0], 100.0)
        self.assertApproximates(points[-1][1], 1_000_000, 1000)
        for percent, value in points:
            self.assertApproximates(value, percent * 10_000, 1500)
        self.assertEqual(tables.curve(histogramOf({})), [])

    def test_dat(self) -> None:
        """
        gnuplot's blocks stand two empty lines apart, and their columns are numbers.
        """
        text = tables.asDat(replace(RESULT, errors={"reset": 2}))
        latency, seconds, errors = text.split("\n\n\n")
        self.assertEqual(latency.splitlines()[0], "# percentile us")
        for line in latency.splitlines()[1:]:
            self.assertEqual(len(list(map(float, line.split()))), 2)
        self.assertEqual(len(seconds.splitlines()), 4)
        self.assertTrue(seconds.splitlines()[1].startswith("0 100 0 "))
        self.assertEqual(errors, "# errors kind\n2 reset\n")

    def test_barrier(self) -> None:
        """
        A barrier's columns are kecho's: the connection, and its mean time over the rounds.
        """
        rounds = (Round((1000, 3000, 9000), 0.0, 0), Round((2000, 5000), 0.0, 0, 1))
        result = replace(RESULT, mode="barrier", rounds=rounds)
        self.assertEqual(tables.barrierTimes(result), [1.5, 4.0, 9.0])
        self.assertEqual(tables.asDat(result), "# connection us\n0 2\n1 4\n2 9\n")
