"""
Tests for L{ktcp.load.tally}.
"""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load.buckets import countsOf
from ktcp.load.process.frames import FRAME_NS, Frame
from ktcp.load.result import Plan, Progress, Second
from ktcp.load.schedule import SECOND_NS
from ktcp.load.tally import Reporter, Tally


def frame(number: int, good: int, **more: object) -> Frame:
    """
    Make a frame with answers that took a microsecond each.
    """
    return Frame(number, good=good, total=countsOf([1000] * good), **more)


class TallyTests(SynchronousTestCase):
    """
    Tests for L{Tally}.
    """

    def test_seconds(self) -> None:
        """
        Frames of all processes are added up to seconds; one in which nothing happened is there too.
        """
        tally = Tally(2)
        tally.add(0, frame(0, 3, received=30, cpu=0.25))
        tally.add(1, frame(3, 2, received=20, cpu=0.5, errors=Counter(reset=1)))
        tally.add(1, frame(8, 1))
        self.assertEqual(
            tally.series(),
            (Second(0, 5, 1, 1000, 1000, 50), Second(1, 0, 0, 0, 0), Second(2, 1, 0, 1000, 1000)),
        )
        self.assertEqual((tally.all.good, tally.cpu), (6, [0.25, 0.5]))
        self.assertEqual([tally.p99(second) for second in range(4)], [None, 1000, None, 1000])

    def test_warmUp(self) -> None:
        """
        Of the warm-up only the connections count.
        """
        tally = Tally(1)
        tally.add(0, frame(-1, 9, connects=4, cpu=1.0))
        self.assertEqual((tally.all, tally.connects, tally.cpu), (Frame(), 4, [0.0]))
        self.assertEqual(tally.series(), ())


class ReporterTests(SynchronousTestCase):
    """
    Tests for L{Reporter}.
    """

    def setUp(self) -> None:
        """
        Report to this test, by its clock.
        """
        self.now = 0
        self.told: list[Progress] = []
        self.tally = Tally(1)

    def reporter(self, plan: Plan, start: int = 0) -> Reporter:
        """
        Make a reporter.
        """
        return Reporter(plan, self.tally, start, self.told.append, lambda: self.now)

    def test_pace(self) -> None:
        """
        However often it is asked, it tells once in a quarter of a second, with the rate since then.
        """
        reporter = self.reporter(Plan(seconds=10.0))
        self.tally.add(0, frame(0, 100))
        for self.now in range(0, SECOND_NS // 2 + 1, SECOND_NS // 100):
            reporter.report()
        self.assertEqual([each.elapsed for each in self.told], [0.0, 0.25, 0.5])
        self.assertEqual([each.share for each in self.told], [0.0, 0.025, 0.05])
        self.assertEqual([each.rate for each in self.told], [0.0, 0.0, 0.0])
        self.tally.add(0, frame(3, 50))
        self.now += FRAME_NS
        reporter.report()
        self.assertEqual((self.told[-1].rate, self.told[-1].requests), (200.0, 150))

    def test_numbered(self) -> None:
        """
        Of a run that has a number of requests, it is these that tell how far it is.
        """
        reporter = self.reporter(Plan(seconds=None, requests=200))
        self.tally.add(0, frame(0, 40, errors=Counter(reset=10)))
        reporter.report()
        self.assertEqual((self.told[0].share, self.told[0].errors), (0.25, 10))

    def test_warmUp(self) -> None:
        """
        In the warm-up the time is negative, and nothing is done yet.
        """
        reporter = self.reporter(Plan(seconds=10.0), start=SECOND_NS)
        reporter.report()
        self.assertEqual((self.told[0].elapsed, self.told[0].share), (-1.0, 0.0))
