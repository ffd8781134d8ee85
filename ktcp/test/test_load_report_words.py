"""
Tests for results in words.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load.buckets import countsOf
from ktcp.load.histogram import histogramOf
from ktcp.load.report import words
from ktcp.load.result import Counts, Generator, Plan, Result, Round
from ktcp.test.loadresults import exampleResult

RESULT = exampleResult(rate=1000, seconds=2)


def failing() -> Result:
    """
    Make a result in which some went wrong.
    """
    errors = {"reset": 3, "body": 6, "status": 1}
    return replace(RESULT, counts=replace(RESULT.counts, good=1990), errors=errors)


def open_() -> Result:
    """
    Make a result of an open loop, whose server stalled.
    """
    return replace(
        RESULT,
        plan=replace(RESULT.plan, rate=1000.0, arrivals="poisson"),
        counts=replace(RESULT.counts, late=7, unsent=5),
        histograms={
            **RESULT.histograms,
            "total": histogramOf(countsOf([10**9] * 50 + [10**6] * 50)),
            "uncorrected": histogramOf(countsOf([10**9] + [10**6] * 99)),
        },
    )


class WordsTests(SynchronousTestCase):
    """
    Numbers are written to be read.
    """

    def test_times(self) -> None:
        """
        Three digits, and the unit in which they are fewest.
        """
        for nanoseconds, text in [
            (0, "0 ns"),
            (950, "950 ns"),
            (1500, "1.50 us"),
            (99_960, "100 us"),
            (123_456, "123 us"),
            (999_600, "1.00 ms"),
            (12_345_678, "12.3 ms"),
            (1_234_567_890, "1.23 s"),
            (75_000_000_000, "75.0 s"),
        ]:
            self.assertEqual(words.timeText(nanoseconds), text)

    def test_bytes(self) -> None:
        """
        Bytes are counted as networks count them.
        """
        for count, text in [(12, "12 B"), (1500, "1.50 kB"), (2.5e6, "2.50 MB"), (3e12, "3.00 TB")]:
            self.assertEqual(words.bytesText(count), text)

    def test_plans(self) -> None:
        """
        What was asked for is told, and what is as usual is not.
        """
        for plan, mode, expected in [
            (Plan(), "http", "10 connections, closed loop, kept alive, 10 s, timeout 10 s"),
            (
                Plan(1, 2, 1, None, keepAlive=False, pipeline=4, warmup=0.5, size=64),
                "echo",
                "1 connection, 2 processes, closed loop, a connection for each request, 1 request,"
                " pipelined by 4, 64 B each, warm-up 0.5 s, timeout 10 s",
            ),
            (
                Plan(rate=1500.0, arrivals="poisson", tls="insecure"),
                "http",
                "10 connections, open loop of 1,500 a second (poisson arrivals), kept alive, 10 s,"
                " TLS, SERVER NOT VERIFIED, timeout 10 s",
            ),
            (
                Plan(1000, rounds=1),
                "barrier",
                "1,000 connections, held until all are ready, 1 round, timeout 10 s",
            ),
        ]:
            self.assertEqual(words.planText(plan, mode), expected)


class TextTests(SynchronousTestCase):
    """
    ktcp-load's own report.
    """

    def test_rateHasErrorsAndPlan(self) -> None:
        """
        Above the rate stands what was asked for, below it what went wrong.
        """
        lines = words.text(RESULT).splitlines()
        self.assertEqual(lines[0], "ktcp-load http http://127.0.0.1:8081/ -d 2")
        self.assertIn("10 connections, closed loop", lines[1])
        self.assertEqual(lines[4], "rate      1,000 good answers a second (2,000 in 2.00 s)")
        self.assertEqual(lines[5], "errors    none")

    def test_errors(self) -> None:
        """
        Each kind has its count and its meaning, the most frequent first.
        """
        line = words.errorsText(failing())
        self.assertTrue(line.startswith("10 of 2,000 (0.5%): 6 body (another body than"), line)
        self.assertIn("3 reset (the connection was reset), 1 status", line)

    def test_openLoop(self) -> None:
        """
        Corrected and uncorrected stand side by side, with what the difference means.
        """
        text = words.text(open_())
        rows = {line.split("  ")[0]: line.split() for line in text.splitlines() if "ms" in line}
        self.assertEqual(rows["corrected"][5:7], ["1.00", "s"])
        self.assertEqual(rows["uncorrected"][5:7], ["1.00", "ms"])
        self.assertIn(words.CORRECTED, text)
        self.assertIn("7 sent over 1 ms late, 5 planned but not sent", text)

    def test_closedLoop(self) -> None:
        """
        Where nothing is corrected, nothing is called so.
        """
        text = words.text(RESULT)
        self.assertNotIn("orrected", text)
        self.assertIn("latency", text)

    def test_notes(self) -> None:
        """
        What the generator says of itself is in the report; so is an interruption.
        """
        noted = replace(RESULT, generator=Generator((1.0,), True, ("Busy.",)), interrupted=True)
        text = words.text(noted)
        self.assertIn("note: Busy.", text)
        self.assertIn("INTERRUPTED", text)

    def test_rounds(self) -> None:
        """
        A barrier has mean and worst over its rounds, each with an interval.
        """
        rounds = tuple(
            Round((1000, mean * 2000 - 1000), mean * 1000.0, mean * 2000 - 1000)
            for mean in (1, 2, 3)
        )
        text = words.text(replace(RESULT, mode="barrier", rounds=rounds))
        self.assertIn("time of a connection, over 3 rounds", text)
        # 2 us, and 4.303 / sqrt(3) us to each side: below zero there is no time.
        self.assertIn("mean   2.00 us (95%: 0 ns to 4.48 us)", text)
        self.assertIn("worst  3.00 us (95%: 1.00 us to 5.00 us), of all 5.00 us", text)

    def test_nothing(self) -> None:
        """
        A run without an answer is reported too.
        """
        text = words.text(replace(RESULT, counts=Counts(), histograms={}, errors={"refused": 9}))
        self.assertIn("0 good answers a second", text)
        self.assertIn("9 of 9 (100%): 9 refused (nobody listens there)", text)


class HtstressTests(SynchronousTestCase):
    """
    The report that scripts of the course read.
    """

    def test_good(self) -> None:
        """
        Line by line as htstress prints it.
        """
        self.assertEqual(
            words.htstress(RESULT),
            "\n"
            "requests:      2000\n"
            "good requests: 2000 [100%]\n"
            "bad requests:  0 [0%]\n"
            "socket errors: 0 [0%]\n"
            "seconds:       2.000\n"
            "requests/sec:  1000.000\n"
            "\n",
        )

    def test_bad(self) -> None:
        """
        A wrong answer is a bad request, a lost connection a socket error.
        """
        lines = words.htstress(failing()).splitlines()
        self.assertEqual(
            lines[1:5],
            [
                "requests:      2000",
                "good requests: 1990 [99%]",
                "bad requests:  7 [0%]",
                "socket errors: 3 [0%]",
            ],
        )

    def test_nothing(self) -> None:
        """
        A run without a request divides by nothing.
        """
        text = words.htstress(replace(RESULT, counts=Counts(), elapsed=0.0))
        self.assertIn("good requests: 0 [0%]", text)
