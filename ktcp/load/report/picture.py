# -*- test-case-name: ktcp.test.test_load_report_picture -*-
"""
Results as PNG, by matplotlib (the extra C{plot}).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot  # after the choice of a backend without a display
from matplotlib.ticker import FuncFormatter, NullFormatter

from ktcp.load.report import tables, words
from ktcp.load.report.page import percentileCurves, tick
from ktcp.load.report.svg import Line
from ktcp.load.result import Result

_DPI = 110


def _finish(figure: Any, title: str, path: Path) -> None:
    figure.suptitle(title, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=_DPI, format="png")
    pyplot.close(figure)


def _timeAxis(axis: Any) -> None:
    """
    Label a logarithmic axis of nanoseconds.
    """
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, place: tick(value)))
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.grid(True, alpha=0.3)


def _percentiles(axis: Any, result: Result) -> None:
    for line in percentileCurves(result):
        axis.plot(*zip(*line.points, strict=True), label=line.label)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, place: f"{100 - 100 / x:.6g}%"))
    _timeAxis(axis)
    axis.set_xlabel("percentile")
    axis.legend(fontsize=8)
    axis.set_title("latency by percentile", fontsize=9)


def _series(axis: Any, result: Result) -> None:
    seconds = [each.second for each in result.series]
    axis.plot(seconds, [each.requests for each in result.series], label="good answers")
    axis.plot(seconds, [each.errors for each in result.series], color="tab:red", label="errors")
    axis.set_ylim(bottom=0)
    axis.set_xlabel("second")
    axis.grid(True, alpha=0.3)
    axis.legend(fontsize=8)
    axis.set_title("a second", fontsize=9)


def _barrier(axis: Any, result: Result) -> None:
    times = tables.barrierTimes(result)
    axis.plot(range(len(times)), times, ".", markersize=3)
    axis.set_xlim(left=0)
    axis.set_ylim(bottom=0)
    axis.set_xlabel("connection, in the order of the answers")
    axis.set_ylabel("time (us)")
    axis.grid(True, alpha=0.3)
    axis.set_title(f"mean of {words.some(len(result.rounds), 'round')}", fontsize=9)


def drawResult(result: Result, path: Path) -> None:
    """
    Draw a run: its percentile curve beside its seconds, or a barrier's connections.
    """
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.2))
    _percentiles(axes[0], result)
    (_barrier if result.mode == "barrier" else _series)(axes[1], result)
    title = (
        f"{result.target}: {words.planText(result.plan, result.mode)}\n"
        f"{words.rateText(result)}; errors: {words.errorsText(result)}\n"
        f"{words.machineText(result)}"
    )
    _finish(figure, title, path)


def drawSweep(title: str, parameter: str, rate: Line, times: Sequence[Line], path: Path) -> None:
    """
    Draw a sweep: rate and latencies with their intervals, over a parameter.
    """
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.2))
    for axis, lines in zip(axes, ([rate], times), strict=True):
        for line in lines:
            axis.plot(*zip(*line.points, strict=True), ".-", label=line.label)
            values = [value for value, _ in line.points]
            axis.fill_between(values, *zip(*line.band, strict=True), alpha=0.2)
        axis.set_xscale("log")
        axis.set_xlabel(parameter)
        axis.legend(fontsize=8)
    axes[0].set_ylim(bottom=0)
    axes[0].grid(True, alpha=0.3)
    _timeAxis(axes[1])
    _finish(figure, title, path)
