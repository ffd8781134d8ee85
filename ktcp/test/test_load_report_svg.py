"""
Tests for charts.
"""

from __future__ import annotations

import json
import re
from html import unescape

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load.report import svg


class AxisTests(SynchronousTestCase):
    """
    Axes hold their values, with round ticks.
    """

    def test_linear(self) -> None:
        """
        From zero to just above the highest, in steps of 1, 2 or 5.
        """
        for values, ticks in [
            ([5], ["0", "1", "2", "3", "4", "5"]),
            ([11], ["0", "2", "4", "6", "8", "10", "12"]),
            ([0.6], ["0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6"]),
            ([50_100], ["0", "10,000", "20,000", "30,000", "40,000", "50,000", "60,000"]),
            ([0], ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
            ([], ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        ]:
            axis = svg.linear("x", values)
            self.assertEqual([text for _, text in axis.ticks], ticks)
            self.assertEqual(axis.share(0), 0)
            self.assertEqual(axis.share(axis.high), 1)

    def test_logarithmic(self) -> None:
        """
        Whole decades where there are many, steps within where there are few.
        """
        for values, ticks in [
            ([1, 100_000], ["1", "10", "100", "1,000", "10,000", "100,000"]),
            ([3, 40], ["2", "5", "10", "20", "50"]),
            ([7], ["5", "10"]),
            ([10], ["10", "20", "50", "100"]),
            ([0], ["1", "2", "5", "10"]),
        ]:
            axis = svg.logarithmic("x", values)
            self.assertEqual([text for _, text in axis.ticks], ticks, values)
        self.assertEqual(svg.logarithmic("x", [1, 100]).share(10), 0.5)
        self.assertEqual(svg.logarithmic("x", [1, 100]).share(0), 0)


class ChartTests(SynchronousTestCase):
    """
    Charts show their lines.
    """

    def draw(self, *lines: svg.Line, **more: object) -> str:
        """
        Draw lines over 0 to 10.
        """
        axis = svg.linear("<x>", [10])
        return svg.chart("A & B", axis, axis, lines, [(5.0, 'five "5"')])

    def test_line(self) -> None:
        """
        A line goes from corner to corner, upwards.
        """
        text = self.draw(svg.Line("up", [(0, 0), (10, 10)]))
        found = re.search(r'points="([\d.]+),([\d.]+) ([\d.]+),([\d.]+)"', text)
        assert found is not None
        left, bottom, right, top = map(float, found.groups())
        self.assertTrue(left < 70 and right > 430 and top < 20 and bottom > 250)

    def test_onePoint(self) -> None:
        """
        A line of one point is a dot.
        """
        self.assertIn("<circle", self.draw(svg.Line("one", [(5, 5)])))
        self.assertIn("<circle", self.draw(svg.Line("dots", [(5, 5), (6, 6)], dots=True)))

    def test_band(self) -> None:
        """
        A band goes along the low ends and back along the high ones.
        """
        text = self.draw(svg.Line("b", [(0, 5), (10, 5)], [(4, 6), (3, 7)]))
        found = re.search(r'class="band s0" points="([^"]*)"', text)
        assert found is not None
        self.assertEqual(len(found[1].split()), 4)

    def test_rows(self) -> None:
        """
        What is to be read out comes with its place in the picture; all text is escaped.
        """
        text = self.draw(svg.Line("<up>", [(0, 0), (10, 10)]))
        found = re.search(r'data-rows="([^"]*)"', text)
        assert found is not None
        self.assertEqual(json.loads(unescape(found[1]))[0][1], 'five "5"')
        self.assertIn("A &amp; B", text)
        self.assertIn("&lt;up&gt;", text)
        self.assertIn("&lt;x&gt;", text)
