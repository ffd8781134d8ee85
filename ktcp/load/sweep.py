# -*- test-case-name: ktcp.test.test_load_sweep -*-
"""
C{--sweep}: the same run over several numbers of connections or rates, as a curve.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from html import escape
from pathlib import Path
from typing import NamedTuple

from ktcp.load.report import outputs, page, svg
from ktcp.load.report.words import columns, errorsText, machineText, planText, some, timeText
from ktcp.load.result import Plan, Result
from ktcp.load.stats import Estimate, Interval, meanEstimate

SCHEMA = "ktcp-load-sweep/1"

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

    @property
    def failed(self) -> int:
        """
        How much went wrong in all of them.
        """
        return sum(result.failed for result in self.results)

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
    Read C{c=1,10,100} or C{rate=1000,2000}: a parameter, and up to 100 values.
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


def rateOf(result: Result) -> float:
    """
    The rate, for L{Point.estimate}.
    """
    return result.rate


def p50Of(result: Result) -> float:
    """
    The median latency, likewise.
    """
    return result.percentile("p50")


def p99Of(result: Result) -> float:
    """
    The 99th percentile, likewise.
    """
    return result.percentile("p99")


def _between(estimate: Estimate, text: Callable[[float], str]) -> str:
    """
    Where the mean lies; of a single run nobody can tell.
    """
    low, high = estimate.interval
    return f"{text(low)} to {text(high)}" if low < high else "-"


def _heading(sweep: Sweep, points: Sequence[Point]) -> str:
    first = points[0].results[0]
    plan = planText(first.plan, first.mode, PARAMETERS[sweep.parameter])
    runs = some(len(points[0].results), "run")
    return f"{first.target}: {plan}, swept over {sweep.parameter}, {runs} each"


def text(sweep: Sweep, points: Sequence[Point]) -> str:
    """
    Report a sweep.
    """
    rows = [[sweep.parameter, "a second", "95%", "p50", "p99", "95%", "errors"]]
    for point in points:
        rate, p99 = point.estimate(rateOf), point.estimate(p99Of)
        rows.append(
            [
                f"{point.value:g}",
                f"{rate.value:,.0f}",
                _between(rate, "{:,.0f}".format),
                timeText(point.estimate(p50Of).value),
                timeText(p99.value),
                _between(p99, timeText),
                f"{point.failed:,}",
            ]
        )
    head = [_heading(sweep, points), machineText(points[0].results[0]), ""]
    notes = dict.fromkeys(
        f"note, at {sweep.parameter}={point.value:g}: {words}"
        for point in points
        for result in point.results
        for words in result.generator.words
    )
    return "\n".join([*head, *columns(rows), *notes]) + "\n"


def asJSON(sweep: Sweep, points: Sequence[Point]) -> str:
    """
    All results, by value: each as C{ktcp-load/1} has it.
    """
    made = {
        "schema": SCHEMA,
        "parameter": sweep.parameter,
        "points": [
            {"value": point.value, "results": [json.loads(r.toJSON()) for r in point.results]}
            for point in points
        ],
    }
    return json.dumps(made, indent=1) + "\n"


_COLUMNS = ("rate", "rateLow", "rateHigh", "p50Us", "p99Us", "p99LowUs", "p99HighUs", "errors")


def _figures(point: Point) -> list[float]:
    rate, p50, p99 = (point.estimate(take) for take in (rateOf, p50Of, p99Of))
    return [
        rate.value,
        *rate.interval,
        p50.value / 1000,
        *(value / 1000 for value in (p99.value, *p99.interval)),
        point.failed,
    ]


def asCSV(sweep: Sweep, points: Sequence[Point]) -> str:
    """
    A line for each value.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow((sweep.parameter, *_COLUMNS))
    writer.writerows([point.value, *_figures(point)] for point in points)
    return stream.getvalue()


def asDat(sweep: Sweep, points: Sequence[Point]) -> str:
    """
    The same for gnuplot.
    """
    lines = [f"# {' '.join((sweep.parameter, *_COLUMNS))}"]
    lines += [" ".join(f"{v:.10g}" for v in (point.value, *_figures(point))) for point in points]
    return "\n".join(lines) + "\n"


def _lines(points: Sequence[Point]) -> list[svg.Line]:
    """
    The rate and the latencies, each with its interval.
    """
    lines = []
    for label, take in (("good answers a second", rateOf), ("p50", p50Of), ("p99", p99Of)):
        found = [(point.value, point.estimate(take)) for point in points]
        line = [(value, estimate.value) for value, estimate in found]
        lines.append(svg.Line(label, line, [estimate.interval for _, estimate in found]))
    return lines


def html(sweep: Sweep, points: Sequence[Point]) -> str:
    """
    Render the page of a sweep.
    """
    points = sorted(points)
    first = points[0].results[0]
    x = svg.logarithmic(PARAMETERS[sweep.parameter], [point.value for point in points])
    rate, *times = _lines(points)
    highest = [high for _, high in rate.band]
    latencies = [value for line in times for band in line.band for value in band]
    rows = []
    for point in points:
        middle = point.estimate(rateOf)
        rows.append(
            (
                point.value,
                f"{sweep.parameter}={point.value:g}: {middle.value:,.0f} a second"
                f" ({_between(middle, '{:,.0f}'.format)}),"
                f" p99 {timeText(point.estimate(p99Of).value)}",
            )
        )
    charts = [
        svg.chart("Throughput", x, svg.linear("a second", highest), [rate], rows),
        svg.chart("Latency", x, svg.logarithmic("latency", latencies, page.tick), times, rows),
    ]
    errors = [
        (f"{sweep.parameter}={point.value:g}", errorsText(result))
        for point in points
        for result in point.results
        if result.failed
    ]
    body = [
        f"<h1>Sweep over {sweep.parameter}: {escape(first.target)}</h1>",
        f"<code>{escape(_heading(sweep, points))}; {escape(machineText(first))}</code>",
        f'<p class="note">Lines are means of {some(len(points[0].results), "run")},'
        " bands their 95% intervals.</p>",
        f'<div class="curves">{"".join(charts)}</div>',
        "<h2>Errors</h2>",
        page.table(errors) if errors else '<p class="note">None.</p>',
        "<h2>Figures</h2>",
        page.table(
            [[f"{p.value:g}", *(f"{v:,.6g}" for v in _figures(p))] for p in points],
            [sweep.parameter, *_COLUMNS],
            "numbers",
        ),
    ]
    return page.document(f"ktcp-load sweep: {first.target}", "\n".join(body))


def _draw(sweep: Sweep, points: Sequence[Point], path: Path) -> None:
    """
    Draw a sweep as PNG.
    """
    # As with a single run: matplotlib takes a second to import.
    from ktcp.load.report.picture import drawSweep

    points = sorted(points)
    failed = sum(point.failed for point in points)
    title = f"{_heading(sweep, points)}; errors: {failed}\n{machineText(points[0].results[0])}"
    rate, *times = _lines(points)
    drawSweep(title, PARAMETERS[sweep.parameter], rate, times, path)


def measure(run: Callable[[Plan], Result], plan: Plan, sweep: Sweep, repeats: int) -> list[Point]:
    """
    Make the runs: all values once, then all again, so that what drifts meets all of them.

    @return: The values that have runs: not all of them if one was interrupted.
    """
    found: dict[float, list[Result]] = {}
    values = dict.fromkeys(sweep.values)
    for value in (each for _ in range(repeats) for each in values):
        result = run(sweep.plan(plan, value))
        found.setdefault(value, []).append(result)
        if result.interrupted:
            break
    return [Point(value, tuple(results)) for value, results in found.items()]


def outputOf(sweep: Sweep, points: Sequence[Point]) -> outputs.Output:
    """
    What there is to give out of a sweep; conditions are judged at each value.
    """
    made = {"json": asJSON, "csv": asCSV, "dat": asDat, "html": html}
    return outputs.Output(
        text(sweep, points),
        {name: partial(render, sweep, points) for name, render in made.items()},
        partial(_draw, sweep, points),
        [point.results for point in points],
    )
