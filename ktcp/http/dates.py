# -*- test-case-name: ktcp.test.test_http_dates -*-
"""
The Date header (RFC 9110, 6.6.1), formatted once a second.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from time import time


class DateClock:
    """
    Tells the time as an IMF-fixdate (RFC 9110, 5.6.7).
    """

    __slots__ = ("_second", "_seconds", "_text")

    def __init__(self, seconds: Callable[[], float] = time) -> None:
        """
        @param seconds: Tells the seconds since the epoch.
        """
        self._seconds = seconds
        self._second = -1
        self._text = b""

    def now(self) -> bytes:
        """
        @return: Such as C{b"Sun, 06 Nov 1994 08:49:37 GMT"}; within one second
            always the same object, so that identity tells whether it changed.
        """
        second = int(self._seconds())
        if second != self._second:
            self._second = second
            self._text = formatdate(second, usegmt=True).encode("ascii")
        return self._text
