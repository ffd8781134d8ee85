"""
Tests for L{ktcp.counters}, and for what is counted where.
"""

from errno import ECONNABORTED, EMFILE

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ktcp import HTTPFactory
from ktcp.counters import BOUNDS, HANDLER_SECONDS, REASONS, Census, Counters, Histogram, Layout
from ktcp.testing import MemoryConnection, request


class FakeReactor:
    """
    What the reactor of L{ktcp.reactor} is to counters.
    """

    counters = None


class CountersTests(SynchronousTestCase):
    """
    What one process counts.
    """

    def setUp(self) -> None:
        self.counters = Counters(Layout(["http", "echo"]))

    def test_begins(self) -> None:
        """
        Nothing has been counted, and khttpd's seven are listed all the same, first.
        """
        lines = list(self.counters.snapshot().lines())
        names = "accept_err cthread_err kmalloc_err recvmsg sendmsg send_err recv_err"
        self.assertEqual(lines[:7], [f"ktcp: {name} : 0" for name in names.split()])
        self.assertEqual(set(self.counters.snapshot().values), {0})

    def test_slotsApart(self) -> None:
        """
        No two counters share a slot, and every slot is a counter's.
        """
        layout = self.counters.layout
        slots = [
            layout.starts[family.name] + at
            for family in layout.families
            for at in range(family.slots)
        ]
        self.assertEqual(slots, list(range(layout.size)))

    def test_folds(self) -> None:
        """
        What transports add up is seen in each snapshot, once.
        """
        self.counters.reads += 2
        self.counters.bytesIn += 100
        self.counters.sends += 1
        self.counters.bytesOut += 70
        for _ in range(2):
            snapshot = self.counters.snapshot()
            found = [snapshot.value(n) for n in ("recvmsg", "bytes_in", "sendmsg", "bytes_out")]
            self.assertEqual(found, [2, 100, 1, 70])

    def test_reactorWithTurns(self) -> None:
        """
        Requests of a turn are added at its end, each to its own, with the time that the
        turn has taken.
        """
        reactor = FakeReactor()
        self.assertTrue(self.counters.attach(reactor))
        self.assertIs(reactor.counters, self.counters)
        factory = HTTPFactory(counters=self.counters, reactor=Clock())
        connection = MemoryConnection(factory)
        self.counters.began = self.counters.turn()
        connection.send(request() * 3 + request(method="POST"))
        self.assertEqual(sum(self.counters.row), 2)  # The heads that were read.
        snapshot = self.counters.snapshot()
        self.assertEqual(snapshot.value("requests", "GET", "2xx"), 3)
        self.assertEqual(snapshot.value("requests", "POST", "5xx"), 1)
        self.assertEqual(snapshot.value("requests"), 4)
        self.assertEqual(snapshot.value("heads_read"), 2)
        self.assertEqual(snapshot.histogram("response_seconds").count, 4)
        connection.lose()

    def test_reactorWithout(self) -> None:
        """
        With another reactor nothing waits to be counted.
        """
        self.assertFalse(self.counters.attach(Clock()))
        self.assertEqual(self.counters.count, self.counters.add)

    def test_acceptFailed(self) -> None:
        """
        A shortage is told from a client that has left again.
        """
        self.counters.acceptFailed(EMFILE)
        self.counters.acceptFailed(ECONNABORTED)
        snapshot = self.counters.snapshot()
        self.assertEqual(snapshot.value("accept_err"), 2)
        self.assertEqual(snapshot.value("kmalloc_err"), 1)

    def test_census(self) -> None:
        """
        Connections are counted for each protocol, and those that there are follow.
        """
        census = Census(self.counters, 1)
        for _ in REASONS:
            census.accepted()
        census.accepted()
        for reason in REASONS:
            census.ended(reason)
        snapshot = self.counters.snapshot()
        self.assertEqual(snapshot.value("accepted", "echo"), 6)
        self.assertEqual(snapshot.value("accepted", "http"), 0)
        self.assertEqual(snapshot.value("closed", "echo", "lost"), 1)
        self.assertEqual(snapshot.open("echo"), 1)
        self.assertIn("ktcp: closed echo aborted : 1", list(snapshot.lines()))

    def test_difference(self) -> None:
        """
        Snapshots are added, and taken from one another.
        """
        first = self.counters.snapshot()
        self.counters.limited("idle")
        second = self.counters.snapshot()
        self.assertEqual(second.minus(first).value("limits", "idle"), 1)
        self.assertEqual(second.plus(second).value("limits"), 2)


class HistogramTests(SynchronousTestCase):
    """
    How long things took.
    """

    def test_buckets(self) -> None:
        """
        A time is in the first bucket whose bound it does not exceed.
        """
        counters = Counters()
        counters.observe(HANDLER_SECONDS, BOUNDS[0])
        counters.observe(HANDLER_SECONDS, BOUNDS[0] * 1.01)
        counters.observe(HANDLER_SECONDS, BOUNDS[-1] * 2, 3)
        histogram = counters.snapshot().histogram("handler_seconds")
        self.assertEqual(histogram.buckets, [1, 1, *[0] * (len(BOUNDS) - 2), 3])
        self.assertAlmostEqual(histogram.sum, BOUNDS[0] * 2.01 + BOUNDS[-1] * 6, 6)
        self.assertEqual(histogram.count, 5)

    def test_quantile(self) -> None:
        """
        A quantile is the bound of the bucket that it lies in.
        """
        histogram = Histogram([1, 0, 98, *[0] * (len(BOUNDS) - 3), 1], 0.0)
        self.assertEqual(histogram.quantile(0.0), BOUNDS[0])
        self.assertEqual(histogram.quantile(0.5), BOUNDS[2])
        self.assertEqual(histogram.quantile(0.99), BOUNDS[2])
        self.assertEqual(histogram.quantile(1.0), BOUNDS[-1])
        self.assertIsNone(Histogram([0] * (len(BOUNDS) + 1), 0.0).quantile(0.5))
