# -*- test-case-name: ktcp.test.test_load_search -*-
"""
C{--sweep}: the same run over several numbers of connections or rates, as a curve.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Callable, Sequence
from html import escape
from typing import TextIO

from ktcp.load.points import PARAMETERS, Point, Sweep, p50Of, p99Of, rateOf
from ktcp.load.report import outputs, page, svg
from ktcp.load.report.words import columns, errorsText, machineText, planText, some, timeText
from ktcp.load.result import Plan, Result
from ktcp.load.stats import Estimate

SCHEMA = "ktcp-load-sweep/1"


def _between(estimate: Estimate, text: Callable[[float], str]) -> str:
    return f"{text(estimate.interval.low)} to {text(estimate.interval.high)}"


def text(sweep: Sweep, points: Sequence[Point]) -> str:
    """
    Report a sweep.
    """
    if not points:
        return "nothing was measured\n"
    first = points[0].results[0]
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
                f"{sum(result.failed for result in point.results):,}",
            ]
        )
    head = [
        f"{first.target}: {planText(first.plan, first.mode)}, swept over {sweep.parameter},"
        f" {some(len(points[0].results), 'run')} each",
        machineText(first),
        "",
    ]
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
        sum(result.failed for result in point.results),
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


def _line(label: str, points: Sequence[Point], take: Callable[[Result], float]) -> svg.Line:
    found = [(point.value, point.estimate(take)) for point in points]
    return svg.Line(
        label,
        [(value, estimate.value) for value, estimate in found],
        [(estimate.interval.low, estimate.interval.high) for _, estimate in found],
    )


def html(sweep: Sweep, points: Sequence[Point]) -> str:
    """
    Render the page of a sweep.
    """
    points = sorted(points)
    first = points[0].results[0]
    x = svg.logarithmic(PARAMETERS[sweep.parameter], [point.value for point in points])
    rate = _line("good answers a second", points, rateOf)
    times = [_line("p50", points, p50Of), _line("p99", points, p99Of)]
    highest = [high for line in (rate,) for _, high in line.band]
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
        f"<code>{escape(planText(first.plan, first.mode))}; {escape(machineText(first))}</code>",
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


_FILES = {"json": asJSON, "csv": asCSV, "dat": asDat, "html": html}


def measure(
    run: Callable[[Plan], Result], plan: Plan, sweep: Sweep, repeats: int
) -> tuple[list[Point], bool]:
    """
    Make the runs: all values once, then all again, so that what drifts meets all of them.

    @return: The values that have runs, and whether it was interrupted.
    """
    found: dict[float, list[Result]] = {}
    for _ in range(repeats):
        for value in dict.fromkeys(sweep.values):
            result = run(sweep.plan(plan, value))
            found.setdefault(value, []).append(result)
            if result.interrupted:
                return [Point(v, tuple(r)) for v, r in found.items()], True
    return [Point(v, tuple(r)) for v, r in found.items()], False


def command(
    run: Callable[[Plan], Result], plan: Plan, args: argparse.Namespace, out: TextIO
) -> int:
    """
    Be C{--sweep}.

    @return: The exit status.
    """
    sweep: Sweep = args.sweep
    points, interrupted = measure(run, plan, sweep, args.repeats)
    if not args.quiet:
        out.write(text(sweep, points))
    written = True
    for name, render in _FILES.items():
        if path := getattr(args, name):
            written &= outputs.save(path, render(sweep, points))
    if args.png is not None:
        from ktcp.load.report.picture import drawSweep

        written &= outputs.attempt(lambda: drawSweep(sweep, points, args.png))
    failed = False
    for point in points:
        failed |= outputs.broken(args.failIf, point.results, {}, out)
    failed |= not any(result.counts.good for point in points for result in point.results)
    if not written:
        return outputs.USAGE
    if failed:
        return outputs.FAILED
    return outputs.INTERRUPTED if interrupted else outputs.OK
