# -*- test-case-name: ktcp.test.test_load_schedule -*-
"""
When the requests of an open loop are planned.

Pure: numbers in, numbers out.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from random import Random

SECOND_NS = 10**9

ARRIVALS = ("constant", "poisson")


def constant(rate: float, index: int = 0, of: int = 1) -> Iterator[int]:
    """
    Give the times of requests that come evenly.

    Process C{index} has every C{of}th of them, so all together are even too.

    @param rate: Requests a second of all processes.
    @return: Nanoseconds after the start, rising, without end.
    """
    return (round(number * SECOND_NS / rate) for number in count(index, of))


def poisson(rate: float, index: int = 0, of: int = 1, seed: int = 0) -> Iterator[int]:
    """
    Give the times of requests that come independently of one another.

    Processes of rates that add up make a Poisson process of the sum, so each
    has its own.

    @return: Nanoseconds after the start, rising, without end.
    """
    chance = Random(f"{seed}/{index}/{of}")
    each = rate / of / SECOND_NS
    time = 0.0
    while True:
        time += chance.expovariate(each)
        yield round(time)


def arrivals(kind: str, rate: float, index: int = 0, of: int = 1) -> Iterator[int]:
    """
    Give the times of one process's requests by the name of their kind.

    @param kind: One of L{ARRIVALS}.
    """
    return (poisson if kind == "poisson" else constant)(rate, index, of)
