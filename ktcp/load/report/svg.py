# -*- test-case-name: ktcp.test.test_load_report_svg -*-
"""
Line charts as SVG, to stand in a page.

Pure.  A chart carries what a reader may ask of it in C{data-rows}, a JSON list of
C{[x, text]} with x in the chart's own units, so a script needs no arithmetic of scales.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape

# Small on purpose: a telephone shows it at two thirds of its size, and 14 stays readable.
WIDTH, HEIGHT = 460, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 24, 12, 44

# How many ticks an axis has at most, about.
_TICKS = 6

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """
    A scale.

    @ivar low: What stands at its beginning; above zero if it is C{log}.
    @ivar ticks: Values and their texts.
    """

    label: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    log: bool = False

    def share(self, value: float) -> float:
        """
        How far along the axis a value stands, 0 to 1.
        """
        low, high = self.low, self.high
        if self.log:
            low, high, value = (math.log10(each) for each in (low, high, max(value, low)))
        return (value - low) / (high - low)


@dataclass(frozen=True)
class Line:
    """
    A line of a chart.

    @ivar band: A low and a high end for each point, or nothing.
    @ivar dots: Draw points, not a line through them.
    """

    label: str
    points: Sequence[Point]
    band: Sequence[Point] = field(default=())
    dots: bool = False


def linear(
    label: str, values: Sequence[float], text: Callable[[float], str] = "{:,g}".format
) -> Axis:
    """
    An axis from zero to the highest of some values, with round ticks.
    """
    highest = max(values, default=0.0) or 1.0
    rough = highest / _TICKS
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(m * magnitude for m in (1, 2, 5, 10) if m * magnitude >= rough)
    count = math.ceil(highest / step - 1e-9)
    ticks = [(step * number, text(step * number)) for number in range(count + 1)]
    return Axis(label, 0.0, step * count, ticks)


def logarithmic(
    label: str, values: Sequence[float], text: Callable[[float], str] = "{:,g}".format
) -> Axis:
    """
    An axis over the decades that some values are in.
    """
    positive = [value for value in values if value > 0] or [1.0]
    first = math.floor(math.log10(min(positive)) + 1e-9)
    last = max(math.ceil(math.log10(max(positive)) - 1e-9), first + 1)
    steps = (1, 2, 5) if last - first <= 2 else (1,)
    marks = [m * 10.0**decade for decade in range(first, last) for m in steps] + [10.0**last]
    # What lies below the lowest value or far above the highest only takes room.
    low = max((mark for mark in marks if mark <= min(positive)), default=marks[0])
    high = min((mark for mark in marks if mark >= max(positive)), default=marks[-1])
    if low == high:
        low, high = marks[0], marks[-1]
    ticks = [(mark, text(mark)) for mark in marks if low <= mark <= high]
    return Axis(label, low, high, ticks, log=True)


def _x(axis: Axis, value: float) -> float:
    return round(_LEFT + axis.share(value) * (WIDTH - _LEFT - _RIGHT), 1)


def _y(axis: Axis, value: float) -> float:
    return round(HEIGHT - _BOTTOM - axis.share(value) * (HEIGHT - _BOTTOM - _TOP), 1)


def _path(points: Sequence[Point]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)


def _grid(x: Axis, y: Axis) -> list[str]:
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    parts = []
    for value, text in y.ticks:
        at = _y(y, value)
        parts.append(f'<path class="grid" d="M{_LEFT} {at:g}H{right}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{at + 5:g}" class="end">{escape(text)}</text>')
    for value, text in x.ticks:
        at = _x(x, value)
        parts.append(f'<path class="grid" d="M{at:g} {_TOP}V{bottom}"/>')
        parts.append(f'<text x="{at:g}" y="{bottom + 18}" class="middle">{escape(text)}</text>')
    middle = (_LEFT + right) / 2
    parts.append(f'<text x="{middle:g}" y="{HEIGHT - 6}" class="middle">{escape(x.label)}</text>')
    return parts


def _line(place: int, line: Line, x: Axis, y: Axis) -> list[str]:
    points = [(_x(x, a), _y(y, b)) for a, b in line.points]
    parts = []
    if line.band:
        lows = [
            (_x(x, a), _y(y, low)) for (a, _), (low, _) in zip(line.points, line.band, strict=True)
        ]
        highs = [
            (_x(x, a), _y(y, top)) for (a, _), (_, top) in zip(line.points, line.band, strict=True)
        ]
        parts.append(
            f'<polygon class="band s{place}" points="{_path([*lows, *reversed(highs)])}"/>'
        )
    # A line through one point would not be seen.
    if line.dots or len(points) == 1:
        parts += [
            f'<circle class="dot s{place}" cx="{a:g}" cy="{b:g}" r="2.5"/>' for a, b in points
        ]
    else:
        parts.append(f'<polyline class="line s{place}" points="{_path(points)}"/>')
    return parts


def chart(
    title: str,
    x: Axis,
    y: Axis,
    lines: Sequence[Line],
    rows: Sequence[tuple[float, str]] = (),
) -> str:
    """
    Draw a chart.

    @param rows: Values of the x axis and what is to be read there.
    """
    readable = [(_x(x, value), text) for value, text in rows]
    parts = [
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" tabindex="0"'
        f' aria-label="{escape(title)}, arrow keys read it"'
        f' data-rows="{escape(json.dumps(readable))}">',
        *_grid(x, y),
    ]
    # The first line is what the chart is about: it lies above the others.
    for place, line in reversed(list(enumerate(lines))):
        parts += _line(place, line, x, y)
    parts.append(f'<path class="cursor" d="M0 {_TOP}V{HEIGHT - _BOTTOM}" hidden=""/></svg>')
    names = "".join(
        f'<span class="key s{place}">{escape(line.label)}</span>'
        for place, line in enumerate(lines)
    )
    parts.append(f'<p class="keys">{names}</p><output aria-live="polite"></output></figure>')
    return "".join(parts)
