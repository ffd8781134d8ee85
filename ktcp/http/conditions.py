# -*- test-case-name: ktcp.test.test_http_conditions -*-
"""
Conditional requests (RFC 9110, 13): is what the client has still right?  Pure.
"""

from __future__ import annotations

import re

from ktcp.http.dates import parseDate
from ktcp.http.headers import Headers

# entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE (RFC 9110, 8.8.3)
_TAG = re.compile(rb'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_TAGS = re.compile(rb'[ \t,]*(?:(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"[ \t]*(?:,[ \t,]*|\Z))+')

CONDITIONAL = (
    b"if-match",
    b"if-none-match",
    b"if-modified-since",
    b"if-unmodified-since",
    b"range",
)


def isPlain(headers: Headers) -> bool:
    """
    @return: Whether a request asks for neither a range nor under a condition.
    """
    return not any(name in CONDITIONAL for name, _ in headers)


def precondition(headers: Headers, etag: bytes, modified: int) -> int | None:
    """
    Evaluate the conditions of a GET or HEAD, in the order of RFC 9110, 13.2.2.

    @param etag: The strong entity tag of what would be sent.
    @param modified: Its time of change, in whole seconds since the epoch.
    @return: 412, 304, or L{None}: go on.
    """
    match = headers.get(b"if-match")
    if match is not None:
        if not _lists(match, etag, strongly=True):
            return 412
    elif (since := _dateOf(headers, b"if-unmodified-since")) is not None and modified > since:
        return 412
    noneMatch = headers.get(b"if-none-match")
    if noneMatch is not None:
        return 304 if _lists(noneMatch, etag, strongly=False) else None
    since = _dateOf(headers, b"if-modified-since")
    return 304 if since is not None and modified <= since else None


def rangeHolds(headers: Headers, etag: bytes, modified: int, now: float) -> bool:
    """
    Evaluate If-Range: may a range be sent, or has what it is part of changed?

    A date holds if it is the very one that was sent, and so long ago that no
    second change can have had it too (RFC 9110, 8.8.2.2 and 13.1.5).

    @param now: Seconds since the epoch.
    """
    value = headers.get(b"if-range")
    if value is None:
        return True
    if value.endswith(b'"'):
        return value == etag
    return parseDate(value) == modified and modified < now - 1


def _lists(value: bytes, etag: bytes, strongly: bool) -> bool:
    """
    Whether a list of entity tags has this one.  One that is no list has none.
    """
    if value == b"*":
        return True
    if not _TAGS.fullmatch(value):
        return False
    return any(tag == etag and not (strongly and weak) for weak, tag in _TAG.findall(value))


def _dateOf(headers: Headers, name: bytes) -> int | None:
    # Given twice it is no date, and is ignored as one that is malformed.
    value = headers.get(name)
    return None if value is None else parseDate(value)
