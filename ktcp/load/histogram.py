# -*- test-case-name: ktcp.test.test_load_histogram -*-
"""
Counting latencies: HDR's buckets, counted in place, and made a histogram at the end.

C{HdrHistogram.record_value} of the hdrhistogram library takes 1.7 us, a fifth of what
a request may cost.  The number of a value's bucket is three operations on whole
numbers, so the loop counts by that number itself, in a list as long as an
L{HdrHistogram}'s own, and the library gets the counts when the run is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hdrh.histogram import HdrHistogram

from ktcp.load.result import PERCENTILES, Histogram

LONGEST_NS = 3600 * 10**9
DIGITS = 3

# 2 * 10**3 distinct values need 11 bits: a bucket's upper half has 2**10 of them.
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


def histogramOf(counts: Counts) -> Histogram:
    """
    Make the result's histogram of counts by bucket.
    """
    hdr = HdrHistogram(1, LONGEST_NS, DIGITS)
    for bucket, count in counts.items():
        hdr.record_value(hdr.get_value_from_index(min(bucket, BUCKETS - 1)), count)
    if not hdr.total_count:
        return Histogram(hdr.encode().decode(), 0, 0, 0, 0.0, 0.0, dict.fromkeys(PERCENTILES, 0))
    found = hdr.get_percentile_to_value_dict(list(PERCENTILES.values()))
    return Histogram(
        hdr.encode().decode(),
        hdr.total_count,
        hdr.get_min_value(),
        hdr.get_max_value(),
        hdr.get_mean_value(),
        hdr.get_stddev(),
        {name: int(found[percent]) for name, percent in PERCENTILES.items()},
    )


def decoded(histogram: Histogram) -> HdrHistogram:
    """
    Give the library's own histogram back, to ask it for more.
    """
    return HdrHistogram.decode(histogram.encoded)
