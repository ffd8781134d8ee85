# -*- test-case-name: ktcp.test.test_load_buckets -*-
"""
From counts by bucket to the histogram of a result, and back to the library's own.
"""

from __future__ import annotations

from math import sqrt

from hdrh.histogram import HdrHistogram

from ktcp.load.buckets import BUCKETS, LONGEST_NS, Counts, bucketEnd
from ktcp.load.result import PERCENTILES, Histogram

DIGITS = 3


def histogramOf(counts: Counts) -> Histogram:
    """
    Make the result's histogram of counts by bucket.
    """
    hdr = HdrHistogram(1, LONGEST_NS, DIGITS)
    middles: list[tuple[int, int]] = []
    for bucket, count in sorted(counts.items()):
        bucket = min(bucket, BUCKETS - 1)
        lowest = hdr.get_value_from_index(bucket)
        hdr.record_value(lowest, count)
        middles.append(((lowest + bucketEnd(bucket) + 1) // 2, count))
    if not hdr.total_count:
        return Histogram(hdr.encode().decode(), 0, 0, 0, 0.0, 0.0, dict.fromkeys(PERCENTILES, 0))
    # The library's own mean and deviation look at each of its 33,000 buckets, three times in all:
    # 0.13 s for a histogram, and a result has several.
    mean = sum(middle * count for middle, count in middles) / hdr.total_count
    variance = sum((middle - mean) ** 2 * count for middle, count in middles) / hdr.total_count
    found = hdr.get_percentile_to_value_dict(list(PERCENTILES.values()))
    return Histogram(
        hdr.encode().decode(),
        hdr.total_count,
        hdr.get_min_value(),
        hdr.get_max_value(),
        mean,
        sqrt(variance),
        {name: int(found[percent]) for name, percent in PERCENTILES.items()},
    )


def decoded(histogram: Histogram) -> HdrHistogram:
    """
    Give the library's own histogram back, to ask it for more.
    """
    return HdrHistogram.decode(histogram.encoded)
