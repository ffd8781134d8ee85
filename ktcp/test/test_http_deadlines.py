"""
Tests for L{ktcp.http.deadlines}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ktcp.http.deadlines import Wheel


class Watched:
    """
    Something with a deadline of so many seconds since it was last of use.

    @ivar expired: When, by the clock.
    """

    def __init__(self, clock: Clock, wheel: Wheel, seconds: float | None) -> None:
        self.clock = clock
        self.wheel = wheel
        self.seconds = seconds
        self.since = 0
        self.expired: list[float] = []

    def use(self) -> None:
        self.since = self.wheel.now
        self.used = self.clock.seconds()

    def due(self) -> Any:
        return None if self.seconds is None else self.wheel.after(self.since, self.seconds)

    def expire(self) -> None:
        self.expired.append(self.clock.seconds())


class WheelTests(SynchronousTestCase):
    """
    One timer for all.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.25)
        self.wheel = Wheel(self.clock)

    def watched(self, seconds: float | None) -> Any:
        watched = Watched(self.clock, self.wheel, seconds)
        self.wheel.watch(watched)
        watched.use()
        return watched

    def run_(self, seconds: float, step: float = 0.1) -> None:
        for _ in range(round(seconds / step)):
            self.clock.advance(step)

    def test_expires(self) -> None:
        """
        Whenever it is noted, a deadline is met within a second, and not before.
        """
        for tenths in range(20):
            self.clock.advance(tenths / 10)
            watched = self.watched(5)
            self.run_(5 - 0.1)
            self.assertEqual(watched.expired, [])
            self.run_(1.2)
            (at,) = watched.expired
            self.assertTrue(4.99 < at - watched.used < 6.11)

    def test_use(self) -> None:
        """
        What is used in time lives on, with no timer made for it.
        """
        watched = self.watched(5)
        for _ in range(10):
            self.run_(4)
            watched.use()
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.assertEqual(watched.expired, [])
        self.run_(6)
        self.assertEqual(len(watched.expired), 1)

    def test_sooner(self) -> None:
        """
        A deadline that becomes sooner is met, if the wheel is told.
        """
        watched = self.watched(50)
        watched.seconds = 2
        self.wheel.watch(watched)
        self.run_(3)
        self.assertEqual(len(watched.expired), 1)

    def test_nothingDue(self) -> None:
        """
        What has nothing due is held, and may have something due later.
        """
        watched = self.watched(None)
        self.run_(200, 1)
        self.assertEqual(watched.expired, [])
        watched.seconds = 2
        watched.use()
        self.wheel.watch(watched)
        self.run_(4)
        self.assertEqual(len(watched.expired), 1)

    def test_forget(self) -> None:
        """
        The timer ends with the last that is held.
        """
        first, second = self.watched(5), self.watched(7)
        self.wheel.forget(first)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.wheel.forget(second)
        self.wheel.forget(second)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.run_(10)
        self.assertEqual(first.expired + second.expired, [])

    def test_endsWithTheLast(self) -> None:
        """
        So it does when that expires; and begins anew.
        """
        self.watched(1)
        self.run_(3)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        again = self.watched(1)
        self.run_(3)
        self.assertEqual(len(again.expired), 1)

    def test_busyReactor(self) -> None:
        """
        A reactor that was busy for long makes up for all of it.
        """
        watched = [self.watched(seconds) for seconds in (1, 2, 3, 60)]
        self.clock.advance(10)
        self.assertEqual([len(each.expired) for each in watched], [1, 1, 1, 0])

    def test_forgottenByAnother(self) -> None:
        """
        One that expires may have another forgotten that is due with it.
        """
        first, second = self.watched(1), self.watched(1)
        first.expire = lambda: self.wheel.forget(second)
        second.expire = lambda: self.wheel.forget(first)
        expired = []
        for each, other in ((first, second), (second, first)):
            each.expire = lambda each=each, other=other: (
                expired.append(each),
                self.wheel.forget(other),
            )
        self.run_(3)
        self.assertEqual(len(expired), 1)

    def test_manyAtOnce(self) -> None:
        """
        Many that are due together go a few at a time, so that what comes
        meanwhile is served, and all within a second.
        """
        watched = [self.watched(5) for _ in range(100)]
        order = []
        for each in watched:
            each.expire = lambda: order.append("expired")
        self.run_(5)
        self.assertEqual(order, [])
        turn = self.wheel._reap

        def serve() -> None:
            order.append("served")
            turn()

        self.patch(Wheel, "_reap", lambda wheel: serve())
        self.run_(1)
        self.assertEqual(order.count("expired"), len(watched))
        longest = max(map(len, "".join(each[0] for each in order).split("s")))
        self.assertLessEqual(longest, 10)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_forgottenWhileItWaits(self) -> None:
        """
        One whose time has come and whose connection is lost before it is its
        turn is left alone.
        """
        watched = [self.watched(5) for _ in range(100)]
        expired = []
        for each in watched:
            each.expire = lambda each=each: (
                expired.append(each),
                [self.wheel.forget(other) for other in watched],
            )
        self.run_(7)
        self.assertEqual(len(expired), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
