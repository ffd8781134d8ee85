# -*- test-case-name: ktcp.test.test_http_dates -*-
"""
Dates as HTTP writes them (RFC 9110, 5.6.7); the Date header is formatted once a
second (RFC 9110, 6.6.1).
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Callable
from datetime import datetime
from email.utils import formatdate
from functools import lru_cache
from time import time

_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_TIME = rb"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_MONTH = rb"(?P<month>[A-Z][a-z][a-z])"
# The three forms, newest first; the day of the week is not looked at.
_FORMS = tuple(
    re.compile(form)
    for form in (
        rb"[A-Z][a-z]{2}, (?P<day>\d\d) %b (?P<year>\d{4}) %b GMT" % (_MONTH, _TIME),
        rb"[A-Z][a-z]{5,8}, (?P<day>\d\d)-%b-(?P<year>\d\d) %b GMT" % (_MONTH, _TIME),
        rb"[A-Z][a-z]{2} %b (?P<day>[ \d]\d) %b (?P<year>\d{4})" % (_MONTH, _TIME),
    )
)


def formatDate(seconds: float) -> bytes:
    """
    @return: Such as C{b"Sun, 06 Nov 1994 08:49:37 GMT"}.
    """
    return formatdate(int(seconds), usegmt=True).encode("ascii")


# Clients repeat the date that they were told.
@lru_cache(maxsize=256)
def parseDate(text: bytes) -> int | None:
    """
    @return: Seconds since the epoch; L{None} for what is no HTTP-date.
    """
    for form in _FORMS:
        found = form.fullmatch(text)
        if found is not None and found["month"] in _MONTHS:
            year = int(found["year"])
            if year < 100:
                # The century of a year of two digits (RFC 9110, 5.6.7): theirs
                # who wrote so, since few dates of files are in the future.
                year += 1900 if year >= 70 else 2000
            day, hour, minute, second = map(int, found.group("day", "hour", "minute", "second"))
            month = _MONTHS.index(found["month"]) + 1
            try:
                moment = datetime(year, month, day, hour, minute, second)
            except ValueError:
                return None
            return timegm(moment.timetuple())
    return None


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
            self._text = formatDate(second)
        return self._text
