"""
Tests for L{ktcp.http.dates}.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ktcp.http.dates import DateClock


class DateClockTests(SynchronousTestCase):
    """
    The Date header.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.dates = DateClock(self.clock.seconds)

    def test_format(self) -> None:
        """
        The example of RFC 9110, 5.6.7.
        """
        self.clock.advance(784111777.9)
        self.assertEqual(b"Sun, 06 Nov 1994 08:49:37 GMT", self.dates.now())

    def test_beginning(self) -> None:
        """
        A clock that starts at 0 tells the epoch.
        """
        self.assertEqual(b"Thu, 01 Jan 1970 00:00:00 GMT", self.dates.now())

    def test_sameWithinASecond(self) -> None:
        """
        Within a second the date is the same object; then it is another.
        """
        first = self.dates.now()
        self.clock.advance(0.999)
        self.assertIs(first, self.dates.now())
        self.clock.advance(0.001)
        self.assertEqual(b"Thu, 01 Jan 1970 00:00:01 GMT", self.dates.now())

    def test_setBack(self) -> None:
        """
        A clock that is set back is believed.
        """
        self.clock.advance(10)
        self.dates.now()
        self.clock.advance(-5)
        self.assertEqual(b"Thu, 01 Jan 1970 00:00:05 GMT", self.dates.now())

    def test_days(self) -> None:
        """
        Each month and weekday is written so that it reads back.
        """
        for day in range(0, 400, 7):
            self.clock.rightNow = float(day * 86400 + day * 3600)
            read = parsedate_to_datetime(self.dates.now().decode("ascii"))
            self.assertEqual(self.clock.seconds(), read.timestamp())
