# -*- test-case-name: ktcp.test.test_load_goals -*-
"""
Conditions on results, such as C{p99>5ms} and C{rate<0.95*A}: read, and judged.

Pure.  The grammar, blanks free between words::

    condition  = sum ("<" | "<=" | ">" | ">=") sum
    sum        = product { ("+" | "-") product }
    product    = atom { ("*" | "/") atom }
    atom       = number [unit] | name | "-" atom | "(" sum ")"
    unit       = "ns" | "us" | "ms" | "s" | "%" | "k"
    name       = [run "."] [histogram "."] figure | run
    run        = "A" | "B" ... "Z"
    histogram  = "total" | "uncorrected" | "connect" | "firstByte"
    figure     = "rate" | "requests" | "good" | "errors" | "share"
               | "p50" "p99.9" and so on | "min" | "mean" | "max"

A figure without a run is that of the run at hand; a run without a figure has the figure
that stands first in the condition.  C{share} is that of errors: C{share>1%}.
Times are seconds inside, and a time compares with times only: C{p99>5} is refused,
as nobody can tell 5 of what it means.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import NamedTuple

from ktcp.load.histogram import decoded
from ktcp.load.result import Histogram, Result

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_UNITS = {"ns": (1e-9, 1), "us": (1e-6, 1), "ms": (1e-3, 1), "s": (1.0, 1)}
_SCALES = {**_UNITS, "%": (0.01, 0), "k": (1e3, 0), "": (1.0, 0)}

_HISTOGRAMS = ("total", "uncorrected", "connect", "firstByte")
_COUNTS: Mapping[str, Callable[[Result], float]] = {
    "rate": lambda result: result.rate,
    "requests": lambda result: result.counts.requests,
    "good": lambda result: result.counts.good,
    "errors": lambda result: result.failed,
    "share": lambda result: result.failed / (result.counts.good + result.failed or 1),
}
_TIMES: Mapping[str, Callable[[Histogram], float]] = {
    "min": lambda histogram: histogram.min,
    "mean": lambda histogram: histogram.mean,
    "max": lambda histogram: histogram.max,
}

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)(?P<unit>ns|us|ms|s|%|k)?(?![\w.])"
    r"|(?P<name>[A-Za-z][A-Za-z]*(?:\d+(?:\.\d+)?)?(?:\.[A-Za-z]+(?:\d+(?:\.\d+)?)?)*)"
    r"|(?P<sign><=|>=|[-+*/()<>]))"
)

# Parentheses and signs may nest so deep: Python's own recursion ends at about 1000 calls.
_DEEPEST = 50


class BadCondition(ValueError):
    """
    A condition cannot be read, or asks for what a result does not have.
    """


# A run measured one or more times over: of a figure its median counts.
Run = Sequence[Result]

# Runs by their letters.
Runs = Mapping[str, Run]


class Term(NamedTuple):
    """
    A part of a condition.

    @ivar value: From the run at hand and the others to its value.
    @ivar dimension: 1 of a time, 0 of a number, 2 of a time multiplied with a time.
    """

    value: Callable[[Run, Runs], float]
    dimension: int = 0


class Condition(NamedTuple):
    """
    A condition that was read.

    @ivar runs: The letters of the runs it names.
    """

    text: str
    runs: frozenset[str]
    left: Term
    compare: Callable[[float, float], bool]
    right: Term

    def judge(self, run: Run, runs: Runs | None = None) -> bool:
        """
        Whether it is so.

        @raise BadCondition: The results do not have what it asks for.
        """
        left, right = (side.value(run, runs or {}) for side in (self.left, self.right))
        return self.compare(left, right)


def _percentile(name: str) -> float | None:
    match = re.fullmatch(r"p(\d+(?:\.\d+)?)", name)
    return float(match[1]) if match and float(match[1]) <= 100 else None


class _Figure(NamedTuple):
    """
    A figure of any run.
    """

    value: Callable[[Result], float]
    dimension: int


def _figure(histogram: str, figure: str) -> _Figure:
    """
    Find how a figure is taken from a result.
    """
    if figure in _COUNTS:
        if histogram:
            raise BadCondition(f"{figure} is not a latency, so not one of {histogram}")
        return _Figure(_COUNTS[figure], 0)
    percent = _percentile(figure)
    if percent is None and figure not in _TIMES:
        known = ", ".join([*_COUNTS, *_TIMES, "p50", "p99.9"])
        raise BadCondition(f"no figure {figure!r}; there are {known} and their like")

    def take(result: Result) -> float:
        found = result.histograms.get(histogram or "total")
        if found is None or not found.count:
            raise BadCondition(f"the run has no latencies for {histogram or 'total'}.{figure}")
        if percent is None:
            return _TIMES[figure](found) / 1e9
        if figure in found.percentiles:
            return found.percentiles[figure] / 1e9
        return float(decoded(found).get_value_at_percentile(percent)) / 1e9

    return _Figure(take, 1)


def _isRun(word: str) -> bool:
    return len(word) == 1 and word.isupper()


class _Parser:
    """
    Recursive descent over a condition's words.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = list(self._split())
        self.place = 0
        self.depth = 0
        self.runs: set[str] = set()
        # The figure that a run without one has.
        self.figure: _Figure | None = None

    def _split(self) -> Iterator[re.Match[str]]:
        position = 0
        while self.text[position:].strip():
            match = _TOKEN.match(self.text, position)
            if match is None:
                raise BadCondition(f"cannot read {self.text[position:].strip()!r} in {self.text!r}")
            position = match.end()
            yield match

    def sign(self, *wanted: str) -> str | None:
        """
        Take the next word if it is one of some signs.
        """
        if self.place < len(self.words) and self.words[self.place]["sign"] in wanted:
            self.place += 1
            return self.words[self.place - 1]["sign"]
        return None

    def condition(self) -> Condition:
        left = self.sum()
        compare = self.sign(*_COMPARISONS)
        if compare is None:
            raise BadCondition(f"{self.text!r} compares nothing: p99>5ms, rate<0.95*A")
        right = self.sum()
        if self.place < len(self.words):
            rest = self.words[self.place][0].strip()
            raise BadCondition(f"{rest!r} in {self.text!r} is one too many")
        if left.dimension != right.dimension:
            raise BadCondition(f"{self.text!r} compares a time with what is none: p99>5ms")
        return Condition(self.text, frozenset(self.runs), left, _COMPARISONS[compare], right)

    def sum(self) -> Term:
        term = self.product()
        while sign := self.sign("+", "-"):
            term = self._added(term, self.product(), -1 if sign == "-" else 1)
        return term

    def _added(self, a: Term, b: Term, factor: int) -> Term:
        if a.dimension != b.dimension:
            raise BadCondition(f"{self.text!r} adds a time and what is none")
        return Term(lambda *at: a.value(*at) + factor * b.value(*at), a.dimension)

    def product(self) -> Term:
        term = self.atom()
        while sign := self.sign("*", "/"):
            term = self._multiplied(term, self.atom(), sign)
        return term

    def _multiplied(self, a: Term, b: Term, sign: str) -> Term:
        if sign == "*":
            return Term(lambda *at: a.value(*at) * b.value(*at), a.dimension + b.dimension)

        def quotient(run: Run, runs: Runs) -> float:
            divisor = b.value(run, runs)
            if not divisor:
                raise BadCondition(f"{self.text!r} divides by zero")
            return a.value(run, runs) / divisor

        return Term(quotient, a.dimension - b.dimension)

    def atom(self) -> Term:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise BadCondition(f"a condition nests deeper than {_DEEPEST}")
        try:
            return self._atom()
        finally:
            self.depth -= 1

    def _atom(self) -> Term:
        if self.sign("("):
            inner = self.sum()
            if not self.sign(")"):
                raise BadCondition(f"a ) is missing in {self.text!r}")
            return inner
        if self.sign("-"):
            negated = self.atom()
            return Term(lambda *at: -negated.value(*at), negated.dimension)
        if self.place == len(self.words) or self.words[self.place]["sign"]:
            raise BadCondition(f"a figure or a number is missing in {self.text!r}")
        word = self.words[self.place]
        self.place += 1
        if word["name"]:
            return self.name(word["name"])
        scale, dimension = _SCALES[word["unit"] or ""]
        value = float(word["number"]) * scale
        return Term(lambda run, runs: value, dimension)

    def name(self, name: str) -> Term:
        # Not at every dot: p99.9 has one.
        words = re.findall(r"p\d+\.\d+|[^.]+", name)
        run = words.pop(0) if _isRun(words[0]) else ""
        histogram = words.pop(0) if words and words[0] in _HISTOGRAMS else ""
        if run:
            self.runs.add(run)
        if not words and not histogram:
            if self.figure is None:
                raise BadCondition(f"{self.text!r} has no figure before {run}: rate<0.95*{run}")
            figure = self.figure
        elif len(words) == 1:
            figure = _figure(histogram, words[0])
            self.figure = self.figure or figure
        else:
            raise BadCondition(f"{name!r} names no figure: rate, p99, A.connect.p50")

        def take(own: Run, runs: Runs) -> float:
            if run and run not in runs:
                raise BadCondition(f"{self.text!r} names a run {run}, and there is none")
            return median(map(figure.value, runs[run] if run else own))

        return Term(take, figure.dimension)


def condition(text: str) -> Condition:
    """
    Read a condition.

    @raise BadCondition: It is none.
    """
    return _Parser(text).condition()


def duration(text: str) -> int:
    """
    Read a time such as C{10ms}.

    @return: Nanoseconds.
    @raise ValueError: It is none, or not above zero.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(ns|us|ms|s)\s*", text)
    if match is None or (value := round(float(match[1]) * _UNITS[match[2]][0] * 1e9)) <= 0:
        raise ValueError(f"{text!r} is no time above zero: 10ms, 250us, 1s")
    return value
