"""
A result that no run made: for the tests of what reads results.
"""

from __future__ import annotations

import random
from typing import Any

from ktcp.load.buckets import countsOf
from ktcp.load.histogram import histogramOf
from ktcp.load.result import Counts, Generator, Machine, Plan, Result, Second


def exampleResult(
    *, rate: float = 1000.0, seconds: int = 5, p50Us: float = 200.0, seed: int = 1, **fields: Any
) -> Result:
    """
    Make up a result: log-normal latencies around a median, at a steady rate.

    @param p50Us: The median latency, microseconds.
    @param seed: The same seed, the same result.
    @param fields: Replace fields of the L{Result}.
    """
    chance = random.Random(seed)
    number = int(rate * seconds)
    total = [int(p50Us * 1000 * chance.lognormvariate(0.0, 0.3)) for _ in range(number)]
    counts = countsOf(total)
    whole = histogramOf(counts)
    second = number // seconds
    made: dict[str, Any] = {
        "version": "0.1.0",
        "started": "2026-11-22T03:00:00+00:00",
        "command": ("ktcp-load", "http", "http://127.0.0.1:8081/", "-d", str(seconds)),
        "mode": "http",
        "target": "http://127.0.0.1:8081/",
        "plan": Plan(seconds=float(seconds)),
        "machine": Machine("A CPU", 2, "Linux 6.1", "CPython 3.11"),
        "elapsed": float(seconds),
        "counts": Counts(number, number, number * 40, number * 150, 10),
        "statuses": {"200": number},
        "histograms": {
            "total": whole,
            "firstByte": whole,
            "connect": histogramOf(countsOf([90_000] * 10)),
        },
        "series": tuple(
            Second(i, second, 0, whole.percentiles["p50"], whole.percentiles["p99"], second * 150)
            for i in range(seconds)
        ),
        "generator": Generator((seconds * 0.3,)),
    }
    return Result(**{**made, **fields})
