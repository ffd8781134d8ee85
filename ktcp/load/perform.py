# -*- test-case-name: ktcp.test.test_load_perform -*-
"""
From a job to an exit status: one run or many, with progress beside them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace

from ktcp.load import live, search
from ktcp.load.job import Job
from ktcp.load.report import outputs
from ktcp.load.result import Plan, Progress, Result

Run = Callable[[Job, Callable[[Progress], None]], Result]


def perform(run: Run, job: Job, args: argparse.Namespace) -> int:
    """
    Do what a command line asks for.

    @param run: L{ktcp.load.engine.run}, or a double.
    @param args: As the parsers of L{outputs} and L{search} filled it.
    @return: The exit status.
    """

    def runPlan(plan: Plan) -> Result:
        with live.display(sys.stderr, args.quiet) as tell:
            return run(replace(job, plan=plan), tell)

    if search.wanted(args):
        return search.command(runPlan, job.plan, args)
    return outputs.emit(runPlan(job.plan), args)
