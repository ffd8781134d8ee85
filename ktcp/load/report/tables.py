# -*- test-case-name: ktcp.test.test_load_report_tables -*-
"""
A result as tables for other programs: CSV, and C{.dat} for gnuplot.

Pure.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from ktcp.load.histogram import decoded
from ktcp.load.result import PERCENTILES, Histogram, Result
from ktcp.load.stats import mean

# Steps of each halving of the distance to 100%: as HDR's own plotter has them.
STEPS = 5


def curve(histogram: Histogram) -> list[tuple[float, int]]:
    """
    The latencies by percentile: what a percentile curve is drawn from.

    @return: Pairs of percent, below 100 but for the last, and nanoseconds.
    """
    if not histogram.count:
        return []
    points: list[tuple[float, int]] = []
    for step in decoded(histogram).get_percentile_iterator(STEPS):
        point = (float(step.percentile_level_iterated_to), int(step.value_iterated_to))
        if not points or point != points[-1]:
            points.append(point)
    return points


def _rows(result: Result) -> Iterator[tuple[str, str, object]]:
    """
    All figures as rows: what it is of, its name, its value.
    """
    yield "run", "mode", result.mode
    yield "run", "target", result.target
    yield "run", "started", result.started
    yield "run", "elapsed", result.elapsed
    yield "run", "rate", result.rate
    for name, value in vars(result.plan).items():
        yield "plan", name, "" if value is None else value
    for name, value in vars(result.counts).items():
        yield "counts", name, value
    for name, value in result.errors.items():
        yield "errors", name, value
    for name, value in result.statuses.items():
        yield "statuses", name, value
    for name, histogram in result.histograms.items():
        for key in ("count", "min", "max", "mean", "stdev"):
            yield f"{name} ns", key, getattr(histogram, key)
        for key in PERCENTILES:
            yield f"{name} ns", key, histogram.percentiles[key]
    for second in result.series:
        for key in ("requests", "errors", "p50", "p99", "bytes"):
            yield f"second {second.second}", key, getattr(second, key)


def asCSV(result: Result) -> str:
    """
    All figures, one a line: C{of,name,value}.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("of", "name", "value"))
    writer.writerows(_rows(result))
    return stream.getvalue()


def _number(line: Iterable[float]) -> str:
    return " ".join(f"{value:.10g}" for value in line)


def barrierTimes(result: Result) -> list[float]:
    """
    The time of each connection, mean over the rounds, microseconds: kecho's C{bench.txt}.

    The first is the mean of those answered first in their rounds, and so on.
    """
    rounds = [each.times for each in result.rounds]
    longest = max(map(len, rounds), default=0)
    return [
        mean([times[place] for times in rounds if place < len(times)]) / 1000
        for place in range(longest)
    ]


def asDat(result: Result) -> str:
    """
    Columns for gnuplot.

    Of a barrier kecho's own: the number of the connection and its time in
    microseconds.  Of other runs three blocks, C{index} 0 to 2: latency by
    percentile, the seconds, and errors by kind.
    """
    if result.mode == "barrier":
        lines = [f"{place} {value:.0f}" for place, value in enumerate(barrierTimes(result))]
        return "\n".join(["# connection us", *lines]) + "\n"
    total = result.histograms.get("total")
    blocks = [["# percentile us"], ["# second good errors p50us p99us"], ["# errors kind"]]
    if total is not None:
        blocks[0] += [_number((percent, value / 1000)) for percent, value in curve(total)]
    blocks[1] += [
        _number((each.second, each.requests, each.errors, each.p50 / 1000, each.p99 / 1000))
        for each in result.series
    ]
    blocks[2] += [f"{count} {kind}" for kind, count in result.errors.items()]
    return "\n\n\n".join("\n".join(block) for block in blocks) + "\n"
