# -*- test-case-name: ktcp.test.test_load_buckets -*-
"""
Counting latencies by HDR's buckets, in place.

C{HdrHistogram.record_value} of the hdrhistogram library takes 1.8 us, a fifth of
what a request may cost.  The number of a value's bucket is three operations on
whole numbers, so the loops count by that number itself, and the library gets the
counts when the run is over (L{ktcp.load.histogram}).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

LONGEST_NS = 3600 * 10**9

# Three digits: 2 * 10**3 distinct values need 11 bits, and a bucket's upper half has 2**10 of them.
SUB_BITS = 11
HALF_BITS = SUB_BITS - 1

Counts = Mapping[int, int]


def bucketOf(value: int) -> int:
    """
    Find the number of a value's bucket: where HDR's C{counts} has it.

    The loops have this inline; keep them the same.
    """
    shift = value.bit_length() - SUB_BITS
    return (shift << HALF_BITS) + (value >> shift) if shift > 0 else value


# How many buckets there are; a longer value counts as the longest.
BUCKETS = bucketOf(LONGEST_NS) + 1


def bucketEnd(bucket: int) -> int:
    """
    Find the highest value of a bucket, as HDR reports it.
    """
    shift = (bucket >> HALF_BITS) - 1
    if shift <= 0:
        return bucket
    return (((bucket & ((1 << HALF_BITS) - 1)) + (1 << HALF_BITS) + 1) << shift) - 1


def percentile(counts: Counts, percent: float) -> int:
    """
    Find a percentile of counts by bucket, as HDR does it.

    @return: The highest value of the bucket; 0 if nothing is counted.
    """
    due = max(int(percent * sum(counts.values()) / 100 + 0.5), 1)
    seen = 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= due:
            return bucketEnd(bucket)
    return 0


def add(counts: dict[int, int], more: Counts) -> None:
    """
    Add counts to counts, bucket by bucket.
    """
    for bucket, count in more.items():
        counts[bucket] = counts.get(bucket, 0) + count


def countsOf(values: Iterable[int]) -> dict[int, int]:
    """
    Count values by their buckets.
    """
    counts: dict[int, int] = {}
    for value in values:
        add(counts, {bucketOf(value): 1})
    return counts
