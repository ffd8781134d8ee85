"""
Tests for L{ktcp.load.buckets} and L{ktcp.load.histogram}.
"""

from __future__ import annotations

from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ktcp.load.buckets import BUCKETS, LONGEST_NS, add, bucketEnd, bucketOf, countsOf, percentile
from ktcp.load.histogram import decoded, histogramOf
from ktcp.test.support import STEADY, examples

# A histogram of the library's takes milliseconds to make and to search.
FEW = examples(10)

VALUES = st.integers(min_value=1, max_value=LONGEST_NS)


class BucketTests(SynchronousTestCase):
    """
    Tests for counting by bucket: it is HDR's own way, to the bucket.
    """

    @STEADY
    @given(VALUES)
    def test_asHDR(self, value: int) -> None:
        """
        A value's bucket, and what is reported for it, are the library's.
        """
        hdr = HdrHistogram(1, LONGEST_NS, 3)
        self.assertEqual(bucketOf(value), hdr._counts_index_for(value))
        self.assertEqual(bucketEnd(bucketOf(value)), hdr.get_highest_equivalent_value(value))

    @STEADY
    @given(VALUES)
    def test_threeDigits(self, value: int) -> None:
        """
        What is reported for a value is right to a thousandth.
        """
        self.assertLessEqual(value, bucketEnd(bucketOf(value)))
        self.assertLessEqual(bucketEnd(bucketOf(value)), value * 1.001)

    @FEW
    @given(st.lists(VALUES, min_size=1, max_size=50))
    def test_histogram(self, values: list[int]) -> None:
        """
        The histogram of a result is what the library counts of the same values.
        """
        hdr = HdrHistogram(1, LONGEST_NS, 3)
        for value in values:
            hdr.record_value(value)
        made = histogramOf(countsOf(values))
        self.assertEqual(made.count, len(values))
        for name, percent in (("p50", 50.0), ("p99", 99.0), ("p99.9", 99.9)):
            self.assertEqual(made.percentiles[name], hdr.get_value_at_percentile(percent))
            self.assertEqual(percentile(countsOf(values), percent), made.percentiles[name])

    def test_meanAndDeviation(self) -> None:
        """
        So are the mean and the deviation, which are not taken from the library.
        """
        values = [1, 2, 2047, 2048, 70_000, 70_000, 10**9, LONGEST_NS, 2 * LONGEST_NS]
        hdr = HdrHistogram(1, LONGEST_NS, 3)
        for value in values:
            hdr.record_value(min(value, LONGEST_NS))
        made = histogramOf(countsOf(values))
        self.assertEqual((made.mean, made.stdev), (hdr.get_mean_value(), hdr.get_stddev()))

    def test_byHand(self) -> None:
        """
        Of 1 to 1000 ns, each once, the percentiles are known.
        """
        counts = countsOf(range(1, 1001))
        self.assertEqual([percentile(counts, p) for p in (50, 90, 99, 100)], [500, 900, 990, 1000])
        self.assertEqual(histogramOf(counts).mean, 500.5)

    def test_empty(self) -> None:
        """
        Nothing counted is zeros, and no error.
        """
        self.assertEqual(percentile({}, 99), 0)
        made = histogramOf({})
        self.assertEqual((made.count, made.max, set(made.percentiles.values())), (0, 0, {0}))

    def test_tooLong(self) -> None:
        """
        What takes longer than an hour counts as an hour, and is not lost.
        """
        made = histogramOf({BUCKETS + 5000: 2})
        self.assertEqual(made.count, 2)
        self.assertApproximates(made.max, LONGEST_NS, LONGEST_NS / 1000)

    def test_encoded(self) -> None:
        """
        The encoded histogram is one that HDR's tools read, with the same counts.
        """
        hdr = decoded(histogramOf(countsOf([5, 5, 70_000])))
        self.assertEqual((hdr.get_total_count(), hdr.get_value_at_percentile(50)), (3, 5))

    def test_merged(self) -> None:
        """
        Counts of two processes added up are the counts of all values: no percentile is averaged.
        """
        counts = countsOf([1, 2, 3])
        add(counts, countsOf([3, 4_000_000]))
        self.assertEqual(counts, countsOf([1, 2, 3, 3, 4_000_000]))
