# -*- test-case-name: ktcp.test.test_load_buckets -*-
"""
From counts by bucket to the histogram of a result, and back to the library's own.
"""

from __future__ import annotations

from hdrh.histogram import HdrHistogram

from ktcp.load.buckets import BUCKETS, LONGEST_NS, Counts
from ktcp.load.result import PERCENTILES, Histogram

DIGITS = 3


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
