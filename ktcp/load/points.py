# -*- test-case-name: ktcp.test.test_load_search -*-
"""
What a sweep is made of: values of one parameter, and what was found at each.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from ktcp.load.result import Plan, Result
from ktcp.load.stats import Estimate, Interval, meanEstimate

# Values that a sweep may have, and the field of the plan that each parameter is.
MOST = 100
PARAMETERS = {"c": "connections", "rate": "rate"}


class Sweep(NamedTuple):
    """
    What is to be swept.
    """

    parameter: str
    values: tuple[float, ...]

    def plan(self, plan: Plan, value: float) -> Plan:
        """
        The plan of one value.
        """
        if self.parameter == "rate":
            return replace(plan, rate=value)
        count = int(value)
        # A process without a connection would have nothing to do.
        return replace(plan, connections=count, processes=min(plan.processes, count))


class Point(NamedTuple):
    """
    What the runs of one value found.
    """

    value: float
    results: tuple[Result, ...]

    def estimate(self, take: Callable[[Result], float]) -> Estimate:
        """
        The mean of a figure over the runs; of a single run the interval is that value.
        """
        found = meanEstimate([take(result) for result in self.results])
        if len(self.results) < 2:
            return Estimate(found.value, Interval(found.value, found.value))
        return Estimate(found.value, Interval(max(found.interval.low, 0.0), found.interval.high))


def sweepOption(text: str) -> Sweep:
    """
    Read C{c=1,10,100} or C{rate=1000,2000} for argparse.
    """
    name, equals, rest = text.partition("=")
    try:
        if name not in PARAMETERS or not equals:
            raise ValueError
        values = tuple((int if name == "c" else float)(each) for each in rest.split(","))
        if len(values) > MOST or not all(0 < value < 1e9 for value in values):
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no sweep: c=1,10,100 or rate=1000,2000, at most {MOST} values above 0"
        ) from None
    return Sweep(name, values)


def _percentile(name: str) -> Callable[[Result], float]:
    def take(result: Result) -> float:
        total = result.histograms.get("total")
        return float(total.percentiles[name]) if total is not None else 0.0

    return take


def rateOf(result: Result) -> float:
    """
    The rate, for L{Point.estimate}.
    """
    return result.rate


p50Of, p99Of = _percentile("p50"), _percentile("p99")
