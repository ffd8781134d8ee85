"""
Tests for the way from a job to an exit status.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load.job import Job
from ktcp.load.options import echoParser, httpParser
from ktcp.load.perform import addRunOptions, checkRunOptions, perform
from ktcp.load.report import outputs
from ktcp.load.result import Plan, Progress, Result
from ktcp.load.targets import targetOfAddress
from ktcp.test.loadresults import exampleResult

RESULT = exampleResult(rate=100, seconds=2)


class PerformTests(SynchronousTestCase):
    """
    One run or many, each with its progress.
    """

    def perform(self, *arguments: str) -> tuple[int, list[Plan], str, str]:
        """
        Do what a command line asks for with runs that are made up.
        """
        parser = argparse.ArgumentParser()
        addRunOptions(parser)
        outputs.addOutputOptions(parser)
        args = parser.parse_args(arguments)
        plans = []

        def run(job: Job, tell: Callable[[Progress], None]) -> Result:
            plans.append(job.plan)
            tell(Progress(1.0, 0.5, 50, 0, 50.0))
            rate = RESULT.rate if job.plan.rate is None else min(job.plan.rate, 100)
            good = int(rate * RESULT.elapsed)
            return replace(RESULT, plan=job.plan, counts=replace(RESULT.counts, good=good))

        out, err = io.StringIO(), io.StringIO()
        job = Job("echo", targetOfAddress("127.0.0.1:7"), Plan())
        with redirect_stdout(out), redirect_stderr(err):
            status = perform(run, job, args)
        return status, plans, out.getvalue(), err.getvalue()

    def test_one(self) -> None:
        """
        Without more, a command is one run and its report.
        """
        status, plans, out, _ = self.perform()
        self.assertEqual((status, plans), (0, [Plan()]))
        self.assertIn("100 good answers a second", out)

    def test_failIf(self) -> None:
        """
        A condition on the run decides the status.
        """
        self.assertEqual(self.perform("--fail-if", "rate<101")[0], 1)

    def test_sweep(self) -> None:
        """
        A sweep is a run for each value, with the plan's other parts as they were.
        """
        status, plans, out, _ = self.perform("--sweep", "c=1,5", "--repeats", "1")
        self.assertEqual((status, plans), (0, [Plan(1), Plan(5)]))
        self.assertIn("swept over c", out)

    def test_findMax(self) -> None:
        """
        A search ends near what the server can do.
        """
        status, plans, out, _ = self.perform("--find-max", "--p99", "1s")
        self.assertEqual(status, 0)
        self.assertIsNone(plans[0].rate)
        self.assertRegex(out, r"highest rate that held p99 <= 1.00 s: (9[7-9]|10[0-2]) a second")


class OptionTests(SynchronousTestCase):
    """
    Tests for the options that ask for many runs.
    """

    def parse(
        self, *arguments: str, fill: Callable[[argparse.ArgumentParser], None] = lambda parser: None
    ) -> argparse.Namespace:
        """
        Read a command line.

        @param fill: Adds a command's own options.
        """
        parser = argparse.ArgumentParser(prog="test")
        fill(parser)
        addRunOptions(parser)
        outputs.addOutputOptions(parser)
        args = parser.parse_args(arguments)
        checkRunOptions(parser, args)
        return args

    def test_refused(self) -> None:
        """
        What cannot be meant is one line before anything runs.
        """
        for arguments, reason in [
            (["--find-max"], "needs a goal"),
            (["--p99", "5ms"], "needs a goal"),
            (["--find-max", "--p99", "5"], "no time above zero"),
            (["--find-max", "--p99", "5ms", "--sweep", "c=1"], "one of them at a time"),
            (["--find-max", "--p99", "5ms", "--csv", "x.csv"], "writes no files"),
            (["--sweep", "c"], "no sweep"),
            (["--sweep", "c=0"], "no sweep"),
            (["--sweep", "c=1.5"], "no sweep"),
            (["--sweep", "c=1,,2"], "no sweep"),
            (["--sweep", "rate=nan"], "no sweep"),
            (["--sweep", "rate=inf"], "no sweep"),
            (["--sweep", "d=1"], "no sweep"),
            (["--repeats", "0"], "from 1 on"),
        ]:
            stream = io.StringIO()
            with redirect_stderr(stream):
                error = self.assertRaises(SystemExit, self.parse, *arguments)
            self.assertEqual(error.code, 2)
            self.assertIn(reason, stream.getvalue().splitlines()[-1])

    def test_noRate(self) -> None:
        """
        What has no rate cannot be searched for one, nor swept over rates; over connections it can.
        """
        rates = (["--find-max", "--p99", "5ms"], ["--sweep", "rate=10,20"])
        for fill, given in (
            (httpParser, ["http://127.0.0.1/", "--pipeline", "2"]),
            (echoParser, ["127.0.0.1:7", "--bulk"]),
            (echoParser, ["127.0.0.1:7", "--barrier", "5"]),
        ):
            for more in rates:
                stream = io.StringIO()
                with redirect_stderr(stream):
                    error = self.assertRaises(SystemExit, self.parse, *given, *more, fill=fill)
                self.assertEqual(error.code, 2)
                self.assertIn("have a rate: not with", stream.getvalue().splitlines()[-1])
            self.parse(*given, "--sweep", "c=1,2", fill=fill)
