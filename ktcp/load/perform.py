# -*- test-case-name: ktcp.test.test_load_perform -*-
"""
From a job to an exit status: one run or many, with progress beside them, and the options
that say which.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace

from ktcp.load import live, sweep
from ktcp.load.arguments import positive
from ktcp.load.goals import duration
from ktcp.load.job import Job
from ktcp.load.report import outputs
from ktcp.load.result import Plan, Progress, Result
from ktcp.load.search import findMax

Run = Callable[[Job, Callable[[Progress], None]], Result]


def addRunOptions(parser: argparse.ArgumentParser) -> None:
    """
    Add the options that make many runs of one command.
    """
    group = parser.add_argument_group("many runs")
    group.add_argument(
        "--find-max",
        dest="findMax",
        action="store_true",
        help="search for the highest rate that holds --p99, from --rate or what a closed loop gets",
    )
    group.add_argument(
        "--p99",
        type=_durationOption,
        metavar="TIME",
        help="the goal of --find-max: 99%% of the answers within it, such as 10ms",
    )
    group.add_argument(
        "--sweep",
        type=sweep.sweepOption,
        metavar="c=1,10,100",
        help="a run for each value of c (connections) or rate, and a curve",
    )
    group.add_argument(
        "--repeats",
        type=positive,
        default=3,
        metavar="N",
        help="runs of each value of --sweep (%(default)s)",
    )


def _durationOption(text: str) -> int:
    """
    Read a time with its unit: C{500us}, C{10ms}, C{1s}.
    """
    try:
        return duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def checkRunOptions(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """
    Refuse combinations that mean nothing.
    """
    if args.findMax and args.sweep is not None:
        parser.error("--find-max and --sweep: one of them at a time")
    if args.findMax != (args.p99 is not None):
        parser.error("--find-max needs a goal, and --p99 is one: --find-max --p99 10ms")
    rates = args.findMax or (args.sweep is not None and args.sweep.parameter == "rate")
    # As --rate itself: each command has some of these.
    without = vars(args).get("barrier") or vars(args).get("bulk")
    if rates and (without or vars(args).get("pipeline", 1) > 1):
        parser.error(
            "--find-max and --sweep rate= have a rate: not with --pipeline, --bulk or --barrier"
        )
    if args.findMax and any((args.json, args.csv, args.dat, args.html, args.png)):
        parser.error("--find-max writes no files: run its rate again with --rate")


def perform(run: Run, job: Job, args: argparse.Namespace) -> int:
    """
    Do what a command line asks for.

    @param run: L{ktcp.load.engine.run}, or a double.
    @param args: As the parsers of L{addRunOptions} and L{outputs} filled it.
    @return: The exit status.
    """

    def runPlan(plan: Plan) -> Result:
        with live.display(sys.stderr, args.quiet) as tell:
            return run(replace(job, plan=plan), tell)

    if args.findMax:
        return findMax(runPlan, job.plan, args.p99, sys.stdout)
    if args.sweep is not None:
        points = sweep.measure(runPlan, job.plan, args.sweep, args.repeats)
        return outputs.emit(sweep.outputOf(args.sweep, points), args)
    return outputs.emit(outputs.ofResult(runPlan(job.plan), args.format), args)
