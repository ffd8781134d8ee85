# -*- test-case-name: ktcp.test.test_load_stats -*-
"""
What may be concluded from a few measurements: means with intervals, ratios with
intervals, outliers, and whether a difference was shown.

Pure, and of the standard library: the numbers are few (rounds, runs, seconds),
and whoever only measures need not have numpy.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from enum import Enum
from functools import lru_cache
from itertools import pairwise
from statistics import median
from typing import NamedTuple

# Of the interval behind a verdict.  At 0.95 one comparison in twenty of a server with
# itself would raise a false alarm, and who runs CI twenty times a day would stop looking.
CONFIDENCE = 0.99

# A value so many robust standard deviations from the median is named (Iglewicz and
# Hoaglin, "How to Detect and Handle Outliers", 1993).
OUTLYING = 3.5

# The median absolute deviation of a normal distribution is so much of its standard deviation.
_MAD_OF_NORMAL = 0.6745

# Resamples of a bootstrap: enough for two digits of a 95% interval (Efron and Tibshirani).
RESAMPLES = 2000


class Interval(NamedTuple):
    """
    Where a value lies, as far as is known.
    """

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """
        Whether a value is within.
        """
        return self.low <= value <= self.high


class Estimate(NamedTuple):
    """
    A value and its interval.
    """

    value: float
    interval: Interval


class Verdict(Enum):
    """
    What a comparison shows.
    """

    LOWER = "lower"
    HIGHER = "higher"
    NONE = "no difference shown"
    UNKNOWN = "too few measurements to tell"


def mean(values: Sequence[float]) -> float:
    """
    The arithmetic mean.
    """
    return math.fsum(values) / len(values)


def variance(values: Sequence[float]) -> float:
    """
    The unbiased variance, over n - 1.

    @param values: Two at least.
    """
    centre = mean(values)
    return math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1)


def _betaFraction(a: float, b: float, x: float) -> float:
    """
    The continued fraction of the incomplete beta function, by Lentz's method
    (DLMF 8.17.22).
    """
    tiny = 1e-300
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1) or tiny)
    result = d
    for m in range(1, 500):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / (1.0 + numerator * d or tiny)
            c = 1.0 + numerator / c or tiny
            result *= c * d
        if abs(c * d - 1.0) < 1e-14:
            break
    return result


def _beta(a: float, b: float, x: float) -> float:
    """
    The regularised incomplete beta function.
    """
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    logs = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(logs + a * math.log(x) + b * math.log1p(-x))
    # The fraction converges fast on this side only; the function is symmetric.
    if x < (a + 1) / (a + b + 2):
        return front * _betaFraction(a, b, x) / a
    return 1.0 - front * _betaFraction(b, a, 1.0 - x) / b


def studentTail(t: float, degrees: float) -> float:
    """
    How likely Student's t is to be further from zero than this.
    """
    return _beta(degrees / 2, 0.5, degrees / (degrees + t * t))


@lru_cache(maxsize=256)
def studentQuantile(confidence: float, degrees: float) -> float:
    """
    How far from zero Student's t is with the probability 1 - C{confidence}.

    @param degrees: Of freedom, above 0; need not be whole (Welch).
    """
    low, high = 0.0, 1.0
    while studentTail(high, degrees) > 1 - confidence:
        low, high = high, high * 2
    for _ in range(100):
        middle = (low + high) / 2
        if studentTail(middle, degrees) > 1 - confidence:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def meanEstimate(values: Sequence[float], confidence: float = 0.95) -> Estimate:
    """
    The mean with Student's interval; of one value the interval is without end.
    """
    centre = mean(values)
    if len(values) < 2:
        return Estimate(centre, Interval(-math.inf, math.inf))
    error = math.sqrt(variance(values) / len(values))
    reach = studentQuantile(confidence, len(values) - 1) * error
    return Estimate(centre, Interval(centre - reach, centre + reach))


def bootstrap(
    values: Sequence[float],
    statistic: Callable[[Sequence[float]], float] = median,
    confidence: float = 0.95,
    seed: int = 1,
) -> Estimate:
    """
    A statistic with its percentile bootstrap interval: for those that have no
    formula, such as a median or a worst case.

    @param seed: The same seed gives the same interval: a report does not change
        when it is made again.
    """
    source = random.Random(seed)
    found = sorted(statistic(source.choices(values, k=len(values))) for _ in range(RESAMPLES))
    cut = (1 - confidence) / 2
    low = found[math.floor(cut * (RESAMPLES - 1))]
    high = found[math.ceil((1 - cut) * (RESAMPLES - 1))]
    return Estimate(statistic(values), Interval(low, high))


def effectiveCount(values: Sequence[float]) -> float:
    """
    How many independent values a series is worth.

    One second of a server resembles the next.  The count is cut by the
    correlation of neighbours, n (1 - r) / (1 + r), as of an autoregressive
    series of first order.
    """
    count = len(values)
    if count < 3:
        return float(count)
    centre = mean(values)
    around = [value - centre for value in values]
    power = math.fsum(a * a for a in around)
    if power == 0.0:
        return float(count)
    correlation = math.fsum(a * b for a, b in pairwise(around)) / power
    correlation = min(max(correlation, 0.0), 0.99)
    return max(2.0, count * (1 - correlation) / (1 + correlation))


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf


def pairedRatio(
    mine: Sequence[float], others: Sequence[float], confidence: float = CONFIDENCE
) -> Estimate:
    """
    The ratio of values taken in turns: what disturbs a turn disturbs both.

    @param mine: Above zero, in the order of the turns, as are C{others}.
    @return: The geometric mean of the ratios: that of A to B is one over that
        of B to A.
    """
    logs = [math.log(a / b) for a, b in zip(mine, others, strict=True)]
    value, (low, high) = meanEstimate(logs, confidence)
    return Estimate(math.exp(value), Interval(_exp(low), _exp(high)))


def ratio(
    mine: Sequence[float],
    others: Sequence[float],
    confidence: float = CONFIDENCE,
    count: Callable[[Sequence[float]], float] = len,
) -> Estimate:
    """
    The ratio of two independent samples of values above zero (Welch's interval
    for the difference of the logarithms).

    @param count: What a sample is worth: L{effectiveCount} for a series.
    """
    a, b = ([math.log(value) for value in values] for values in (mine, others))
    difference = mean(a) - mean(b)
    if min(len(a), len(b)) < 2:
        return Estimate(math.exp(difference), Interval(0.0, math.inf))
    counts = count(a), count(b)
    shares = variance(a) / counts[0], variance(b) / counts[1]
    error = sum(shares)
    if error == 0.0:
        return Estimate(math.exp(difference), Interval(*(2 * (math.exp(difference),))))
    degrees = error**2 / sum(
        share**2 / (size - 1) for share, size in zip(shares, counts, strict=True)
    )
    reach = studentQuantile(confidence, degrees) * math.sqrt(error)
    return Estimate(
        math.exp(difference), Interval(_exp(difference - reach), _exp(difference + reach))
    )


def outliers(values: Sequence[float]) -> list[int]:
    """
    The places of values far from the others.

    None is left out of anything: they are named, so that somebody asks why.
    Of fewer than five values no one can be said to be far.
    """
    if len(values) < 5:
        return []
    centre = median(values)
    spread = median(abs(value - centre) for value in values)
    if spread == 0.0:
        return [place for place, value in enumerate(values) if value != centre]
    return [
        place
        for place, value in enumerate(values)
        if _MAD_OF_NORMAL * abs(value - centre) / spread > OUTLYING
    ]


def verdict(estimate: Estimate) -> Verdict:
    """
    What an estimated ratio shows.
    """
    low, high = estimate.interval
    if high == math.inf:
        return Verdict.UNKNOWN
    if high < 1.0:
        return Verdict.LOWER
    return Verdict.HIGHER if low > 1.0 else Verdict.NONE
