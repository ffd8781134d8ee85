"""
Tests for L{ktcp.load.schedule}.
"""

from __future__ import annotations

from itertools import chain, islice, pairwise, takewhile

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load.schedule import SECOND_NS, arrivals, constant, poisson


class ScheduleTests(SynchronousTestCase):
    """
    Tests for the planned times of requests.
    """

    def test_constant(self) -> None:
        """
        A thousand a second is one in each millisecond.
        """
        self.assertEqual(list(islice(constant(1000), 4)), [0, 1_000_000, 2_000_000, 3_000_000])

    def test_constantOverProcesses(self) -> None:
        """
        The requests of all processes together are as evenly planned as one process's.
        """
        parts = [list(islice(arrivals("constant", 300, index, 3), 10)) for index in range(3)]
        self.assertEqual(sorted(chain.from_iterable(parts)), list(islice(constant(300), 30)))

    def test_constantDoesNotDrift(self) -> None:
        """
        A rate whose interval is no whole number of nanoseconds is still that rate after an hour.
        """
        number = 3600 * 7
        self.assertEqual(next(islice(constant(7), number, None)), 3600 * SECOND_NS)

    def test_poisson(self) -> None:
        """
        As many requests come as the rate says, within five standard deviations, and the times
        between them vary as much as they are long: that is what Poisson arrivals are.
        """
        times = list(takewhile(lambda time: time < 20 * SECOND_NS, poisson(1000)))
        self.assertLess(abs(len(times) - 20_000), 5 * 20_000**0.5)
        gaps = [later - time for time, later in pairwise(times)]
        mean = sum(gaps) / len(gaps)
        deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
        self.assertApproximates(deviation / mean, 1.0, 0.05)

    def test_poissonOfProcesses(self) -> None:
        """
        Processes do not send in step, and a run can be repeated.
        """
        first, second = (list(islice(arrivals("poisson", 10, i, 2), 5)) for i in range(2))
        self.assertNotEqual(first, second)
        self.assertEqual(first, list(islice(arrivals("poisson", 10, 0, 2), 5)))

    def test_stallAsPredicted(self) -> None:
        """
        A server that stalls a second in ten: of evenly planned requests a tenth wait, evenly up
        to a second, so the corrected p99 is 0.9 s; this is what bench/macro/loadcheck.py expects.
        """
        times = list(takewhile(lambda time: time < 10 * SECOND_NS, constant(1000)))
        waits = sorted(max(6 * SECOND_NS - t, 0) if t >= 5 * SECOND_NS else 0 for t in times)
        self.assertApproximates(waits[int(0.99 * len(waits))] / SECOND_NS, 0.9, 0.002)
