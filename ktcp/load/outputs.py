# -*- test-case-name: ktcp.test.test_load_outputs -*-
"""
What becomes of a result.
"""

from __future__ import annotations

import argparse

from ktcp.load.result import Result


def addOutputOptions(parser: argparse.ArgumentParser) -> None:
    """
    Add the options that say where results go.
    """


def emit(result: Result, args: argparse.Namespace) -> int:
    """
    Tell of a result.

    @return: The exit status.
    """
    print(
        f"{result.rate:.0f} req/s",
        result.counts,
        dict(result.errors),
        dict(result.statuses),
        result.elapsed,
    )
    for name, h in result.histograms.items():
        print(name, h.count, {k: v / 1000 for k, v in h.percentiles.items()}, h.max / 1000)
    for second in result.series:
        print(second)
    print(result.generator)
    return 0
