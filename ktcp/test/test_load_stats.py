"""
Tests for what is concluded from measurements.
"""

from __future__ import annotations

import math
import random

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ktcp.load import stats
from ktcp.load.stats import Estimate, Interval, Verdict

try:
    import numpy
except ImportError:
    numpy = None  # type: ignore[assignment]  # the tests that need it say so


class ByHandTests(SynchronousTestCase):
    """
    Values that can be worked out on paper or looked up in a table.
    """

    def test_meanAndVariance(self) -> None:
        """
        The deviations of 2 4 4 4 5 5 7 9 from their mean 5 have squares that add up to 32.
        """
        values = [2, 4, 4, 4, 5, 5, 7, 9]
        self.assertEqual(stats.mean(values), 5)
        self.assertEqual(stats.variance(values), 32 / 7)

    def test_studentTable(self) -> None:
        """
        Quantiles of Student's t are those of the printed tables.
        """
        for confidence, degrees, table in [
            (0.95, 1, 12.706),
            (0.95, 2, 4.303),
            (0.99, 1, 63.657),
            (0.99, 9, 3.250),
            (0.95, 10, 2.228),
            (0.90, 30, 1.697),
            (0.95, 1e6, 1.960),
        ]:
            found = stats.studentQuantile(confidence, degrees)
            self.assertAlmostEqual(found, table, 3, (confidence, degrees))

    def test_studentClosedForm(self) -> None:
        """
        With one degree of freedom t is Cauchy's, with two it has a formula: both agree.
        """
        for t in (0.1, 1.0, 3.0, 50.0):
            self.assertAlmostEqual(stats.studentTail(t, 1), 1 - 2 / math.pi * math.atan(t), 12)
            self.assertAlmostEqual(stats.studentTail(t, 2), 1 - t / math.sqrt(2 + t * t), 12)
        self.assertEqual(stats.studentTail(0.0, 5), 1.0)

    def test_meanInterval(self) -> None:
        """
        Of 1 2 3 the standard error is 1/sqrt(3), and t is 4.303.
        """
        value, (low, high) = stats.meanEstimate([1, 2, 3])
        self.assertEqual(value, 2)
        self.assertAlmostEqual(high - 2, 4.3027 / math.sqrt(3), 3)
        self.assertAlmostEqual(2 - low, high - 2, 12)

    def test_oneValueTellsNothing(self) -> None:
        """
        One measurement has no interval, and no verdict.
        """
        self.assertEqual(stats.meanEstimate([7]), (7, (-math.inf, math.inf)))
        self.assertIs(stats.verdict(stats.ratio([7], [8])), Verdict.UNKNOWN)
        self.assertIs(stats.verdict(stats.pairedRatio([7], [8])), Verdict.UNKNOWN)

    def test_pairedRatio(self) -> None:
        """
        Ratios of 1/2, 1 and 2 have the geometric mean 1; the other way round it is the same.
        """
        value, (low, high) = stats.pairedRatio([1, 3, 8], [2, 3, 4], 0.95)
        self.assertAlmostEqual(value, 1)
        self.assertAlmostEqual(high, math.exp(4.3027 * math.log(2) / math.sqrt(3)), 3)
        self.assertAlmostEqual(low * high, 1)

    def test_commonDisturbanceCancels(self) -> None:
        """
        Turns that were slow for both sides do not widen a paired interval.
        """
        slow = [1, 10, 100, 1000]
        value, interval = stats.pairedRatio([0.9 * x for x in slow], slow)
        self.assertAlmostEqual(value, 0.9)
        self.assertAlmostEqual(interval.high, 0.9)
        self.assertIs(stats.verdict(Estimate(value, interval)), Verdict.LOWER)

    def test_ratio(self) -> None:
        """
        Welch by hand: logarithms 0 and 2 against 5 and 7: difference -5, error sqrt(2), 2 degrees.
        """
        value, (low, high) = stats.ratio(
            [math.exp(0), math.exp(2)], [math.exp(5), math.exp(7)], 0.95
        )
        self.assertAlmostEqual(math.log(value), -5)
        self.assertAlmostEqual(math.log(high) + 5, 4.3027 * math.sqrt(2), 3)
        self.assertAlmostEqual(math.log(low) + 5, -4.3027 * math.sqrt(2), 3)

    def test_ratioOfConstants(self) -> None:
        """
        Values that never vary have a ratio that is sure.
        """
        self.assertEqual(stats.ratio([2, 2], [1, 1]).interval, Interval(2.0, 2.0))

    def test_effectiveCount(self) -> None:
        """
        Steps of ten seconds are worth far less than twenty values; a zigzag is worth all.
        """
        self.assertEqual(stats.effectiveCount([1, 2] * 10), 20)
        self.assertEqual(stats.effectiveCount([5.0] * 8), 8)
        self.assertEqual(stats.effectiveCount([1, 9]), 2)
        # r = (9 * 0.25 - 0.25 + 9 * 0.25) / (20 * 0.25) = 0.85; 20 * 0.15 / 1.85 = 1.6, at least 2
        self.assertEqual(stats.effectiveCount([1] * 10 + [2] * 10), 2.0)
        # around the mean -1 -1 0 0 1 1: r = (1 + 0 + 0 + 0 + 1) / 4
        self.assertAlmostEqual(stats.effectiveCount([1, 1, 2, 2, 3, 3]), 2.0)
        # -2 -1 0 1 2: r = (2 + 0 + 0 + 2) / 10; 5 * 0.6 / 1.4
        self.assertAlmostEqual(stats.effectiveCount([1, 2, 3, 4, 5]), 5 * 0.6 / 1.4)

    def test_outliers(self) -> None:
        """
        One run far from its like is named; an even spread names nobody.
        """
        self.assertEqual(stats.outliers([10, 11, 10, 12, 11, 30]), [5])
        self.assertEqual(stats.outliers([10, 11, 12, 13, 14, 15]), [])
        self.assertEqual(stats.outliers([5, 5, 5, 5, 6]), [4])
        self.assertEqual(stats.outliers([1, 1, 1, 90]), [])

    def test_verdicts(self) -> None:
        """
        Only an interval that leaves 1 out shows a difference.
        """
        for low, high, expected in [
            (0.90, 0.99, Verdict.LOWER),
            (1.01, 1.10, Verdict.HIGHER),
            (0.90, 1.00, Verdict.NONE),
            (0.00, math.inf, Verdict.UNKNOWN),
        ]:
            self.assertIs(stats.verdict(Estimate(1.0, Interval(low, high))), expected)

    def test_bootstrap(self) -> None:
        """
        A bootstrap of equal values is sure, of others stays among them, and is
        the same each time.
        """
        self.assertEqual(stats.bootstrap([4, 4, 4]), (4, (4, 4)))
        once = stats.bootstrap([1, 2, 3, 4, 9], max)
        self.assertEqual(once, stats.bootstrap([1, 2, 3, 4, 9], max))
        self.assertEqual((once.value, once.interval.high), (9, 9))
        self.assertTrue(once.interval.holds(4))


class RandomTests(SynchronousTestCase):
    """
    Random data, with numpy as the judge.
    """

    def setUp(self) -> None:
        """
        Need numpy.
        """
        if numpy is None:
            raise SkipTest("needs numpy (pip install ktcp[test])")
        self.source = random.Random(5)

    def sample(self, count: int) -> list[float]:
        """
        Draw values as latencies are: above zero, with a long tail.
        """
        return [self.source.lognormvariate(1, 0.8) for _ in range(count)]

    def test_moments(self) -> None:
        """
        Mean and variance are numpy's.
        """
        for count in (2, 3, 17, 1000):
            values = self.sample(count)
            self.assertAlmostEqual(stats.mean(values), float(numpy.mean(values)), 9)
            self.assertAlmostEqual(stats.variance(values), float(numpy.var(values, ddof=1)), 9)

    def test_correlation(self) -> None:
        """
        What neighbours have in common is what numpy says of a random walk that returns.
        """
        value, values = 0.0, []
        for _ in range(2000):
            value = 0.6 * value + self.source.gauss(0, 1)
            values.append(value)
        around = numpy.array(values) - numpy.mean(values)
        correlation = float(numpy.dot(around[:-1], around[1:]) / numpy.dot(around, around))
        expected = 2000 * (1 - correlation) / (1 + correlation)
        self.assertAlmostEqual(stats.effectiveCount(values), expected, 6)
        self.assertTrue(400 < expected < 620)

    def test_coverage(self) -> None:
        """
        Of 400 intervals at 90%, 360 hold the truth, give or take what chance does (4 sigma: 24).
        """
        held = 0
        for _ in range(400):
            mine = [self.source.lognormvariate(0, 0.3) for _ in range(6)]
            others = [self.source.lognormvariate(0, 0.5) for _ in range(9)]
            held += stats.ratio(mine, others, 0.90).interval.holds(1.0)
        self.assertTrue(336 <= held <= 384, held)

    def test_bootstrapAgrees(self) -> None:
        """
        The bootstrap of a mean is what numpy finds by resampling on its own.
        """
        values = self.sample(60)
        ours = stats.bootstrap(values, stats.mean)
        generator = numpy.random.default_rng(7)
        means = numpy.mean(generator.choice(values, (20_000, 60)), axis=1)
        low, high = (float(x) for x in numpy.percentile(means, [2.5, 97.5]))
        width = high - low
        self.assertTrue(abs(ours.interval.low - low) < 0.08 * width, (ours, low, high))
        self.assertTrue(abs(ours.interval.high - high) < 0.08 * width, (ours, low, high))
