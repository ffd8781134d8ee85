"""
Tests for conditions on results.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ktcp.load.goals import BadCondition, condition, duration
from ktcp.load.result import Counts
from ktcp.test.loadresults import exampleResult
from ktcp.test.support import STEADY

RESULT = exampleResult(rate=1000, seconds=2)
SLOWER = exampleResult(rate=900, seconds=2, p50Us=300)

# Words of the grammar, so that the generated text gets past the first of them.
WORDS = ("p99", "p99.9", "rate", "A", "B.rate", "connect.p50", "5ms", "0.95", "10k", "1%", " ")
SIGNS = ("<", "<=", ">", ">=", "+", "-", "*", "/", "(", ")")


def judge(text: str) -> bool:
    """
    Judge a condition on C{SLOWER}, with C{RESULT} as A.
    """
    return condition(text).judge([SLOWER], {"A": [RESULT]})


class ConditionTests(SynchronousTestCase):
    """
    Conditions are so, or not, or refused with a reason.
    """

    def test_figures(self) -> None:
        """
        Each figure has its value and its unit.
        """
        for text in [
            "rate > 899",
            "rate <= 900",
            "rate < 1k",
            "p50 > 250us",
            "p50 < 0.35ms",
            "p99.9 < 1s",
            "p75>p50",
            "min < mean",
            "max >= p99.99",
            "errors <= 0",
            "share < .1%",
            "good>=1.8e3",
            "connect.p50 < 100us",
            "total.p99 <= p99",
            "requests > 1",
        ]:
            self.assertTrue(judge(text), text)

    def test_againstAnotherRun(self) -> None:
        """
        A run's letter alone is the figure that the condition began with.
        """
        for text, so in [
            ("rate<0.95*A", True),
            ("rate<0.89*A", False),
            ("p50 > A", True),
            ("p50 > 2 * A", False),
            ("A.p50 < p50", True),
            ("p50 - A > 50us", True),
            ("p50 / A > 1.4", True),
            ("A.connect.p50 >= connect.p50", True),
        ]:
            self.assertEqual(judge(text), so, text)

    def test_precedence(self) -> None:
        """
        Products come before sums, parentheses before both, from left to right.
        """
        for text in [
            "1 + 2 * 3 >= 7",
            "1 + 2 * 3 <= 7",
            "(1 + 2) * 3 >= 9",
            "8 / 4 / 2 <= 1",
            "8 - 4 - 2 <= 2",
            "- 2 + 3 >= 1",
            "--1>=1",
            "2*-1<0",
        ]:
            self.assertTrue(judge(text), text)

    def test_medianOfRepeats(self) -> None:
        """
        A run repeated three times counts with its median: one bad moment decides nothing.
        """
        slow = exampleResult(rate=100, seconds=2)
        self.assertFalse(condition("rate<950").judge([RESULT, slow, RESULT]))
        self.assertTrue(condition("rate<950").judge([slow, slow, RESULT]))

    def test_share(self) -> None:
        """
        The share is that of all that was answered or failed.
        """
        result = replace(RESULT, counts=Counts(good=99), errors={"reset": 1})
        self.assertTrue(condition("share>=1%").judge([result]))
        self.assertFalse(condition("share>1%").judge([result]))

    def test_refused(self) -> None:
        """
        What cannot be read is refused with words that say where.
        """
        for text, reason in [
            ("", "missing"),
            ("p99", "compares nothing"),
            ("p99>", "missing"),
            (">5ms", "missing"),
            ("p99>5", "a time with what is none"),
            ("rate>5ms", "a time with what is none"),
            ("p99+1>5ms", "adds a time"),
            ("p99*p99>5ms", "a time with what is none"),
            ("p99>5ms 3", "one too many"),
            ("p99>5ms>1ms", "one too many"),
            ("p99>5min", "cannot read"),
            ("p99=5ms", "cannot read"),
            ("(p99>5ms", "missing"),
            ("p101>5ms", "no figure"),
            ("speed>5", "no figure"),
            ("__import__('os')>1", "cannot read"),
            ("connect.rate>5", "not a latency"),
            ("A>5", "no figure before A"),
            ("p99.p50>1ms", "names no figure"),
            ("A.B>1", "no figure"),
            ("(" * 5000 + "1" + ")" * 5000 + ">0", "nests"),
            ("-" * 5000 + "1>0", "nests"),
        ]:
            error = self.assertRaises(BadCondition, condition, text)
            self.assertIn(reason, str(error), text)

    def test_refusedWithResults(self) -> None:
        """
        What only the results can tell is refused then.
        """
        for text, reason in [
            ("rate<B", "names a run B"),
            ("uncorrected.p99>1ms", "no latencies for uncorrected.p99"),
            ("rate/(errors-0)>1", "divides by zero"),
        ]:
            error = self.assertRaises(BadCondition, judge, text)
            self.assertIn(reason, str(error), text)

    def test_namesRuns(self) -> None:
        """
        A condition knows which runs it needs, before there are any.
        """
        self.assertEqual(condition("rate<0.95*A").runs, {"A"})
        self.assertEqual(condition("A.p99 < C.p99").runs, {"A", "C"})
        self.assertEqual(condition("p99>5ms").runs, frozenset())

    @STEADY
    @given(st.lists(st.sampled_from(WORDS + SIGNS), max_size=12).map("".join))
    def test_anyWords(self, text: str) -> None:
        """
        Whatever words follow one another: a verdict or a reason, nothing else.
        """
        try:
            found = condition(text).judge([SLOWER], {"A": [RESULT]})
        except BadCondition as error:
            self.assertTrue(str(error))
        else:
            self.assertIsInstance(found, bool)

    @STEADY
    @given(st.text(max_size=30))
    def test_anyText(self, text: str) -> None:
        """
        Whatever is typed: a condition or a reason.
        """
        try:
            condition(text)
        except BadCondition as error:
            self.assertTrue(str(error))

    @STEADY
    @given(st.lists(st.integers(-99, 99), min_size=1, max_size=6), st.data())
    def test_arithmetic(self, numbers: list[int], data: st.DataObject) -> None:
        """
        Sums and products of numbers are what Python says they are.
        """
        text = str(numbers[0])
        for number in numbers[1:]:
            sign = data.draw(st.sampled_from("+-*"))
            opening = data.draw(st.booleans())
            text = f"({text}) {sign} {number}" if opening else f"{text} {sign} {number}"
        expected = eval(text)
        self.assertTrue(judge(f"{text} <= {expected}"), text)
        self.assertTrue(judge(f"{text} >= {expected}"), text)


class DurationTests(SynchronousTestCase):
    """
    The time after C{--p99}.
    """

    def test_units(self) -> None:
        """
        Times become whole nanoseconds.
        """
        for text, nanoseconds in [
            ("10ms", 10_000_000),
            ("250us", 250_000),
            ("1.5s", 1_500_000_000),
            ("1ns", 1),
            (" .5 ms ", 500_000),
        ]:
            self.assertEqual(duration(text), nanoseconds)

    def test_refused(self) -> None:
        """
        A time needs a unit, and is above zero.
        """
        for text in ["", "10", "ms", "0ms", "-1ms", "1m", "1e3ms", "10 ms x"]:
            self.assertRaises(ValueError, duration, text)
