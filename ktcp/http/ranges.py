# -*- test-case-name: ktcp.test.test_http_ranges -*-
"""
The Range header (RFC 9110, 14): which bytes of how many.  Pure.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# More ranges than this are no one's honest wish; the whole answers them, as
# RFC 9110, 14.2 allows.  Apache takes 200; a video player asks for one, a PDF
# viewer for a dozen.
MOST = 64

# Ranges closer than this are sent as one: it is about what the lines between
# two parts cost (RFC 9110, 14.2).
GAP = 80

# range-spec = int-range / suffix-range (RFC 9110, 14.1.1)
_SPEC = re.compile(rb"[ \t]*(?:([0-9]+)-([0-9]*)|-([0-9]+))[ \t]*")

# int() takes thousands of digits badly, and no file is as long as this.
_HUGE = 10**18


class Span(NamedTuple):
    """
    Bytes from C{start} on, up to but not including C{stop}.
    """

    start: int
    stop: int

    def of(self, size: int) -> bytes:
        """
        @return: This span as the value of Content-Range (RFC 9110, 14.4).
        """
        return b"bytes %d-%d/%d" % (self.start, self.stop - 1, size)


class Unsatisfiable(Exception):
    """
    None of the ranges overlaps what there is: 416.
    """


def parseRange(value: bytes, size: int) -> list[Span] | None:
    """
    Read a Range header.

    @param size: Bytes of the whole.
    @return: What to send, in the order in which it was first asked for, with
        overlaps and small gaps closed; L{None}: the header is to be ignored,
        because its unit is unknown, it is malformed or it asks for too much.
    @raise Unsatisfiable: There is nothing to send.
    """
    unit, equals, listed = value.partition(b"=")
    if not equals or unit.strip().lower() != b"bytes":
        return None
    # A list may have empty members (RFC 9110, 5.6.1.2).
    specs = [spec for spec in listed.split(b",", MOST + 16) if spec.strip(b" \t")]
    if not specs or len(specs) > MOST:
        return None
    spans: list[Span] = []
    for spec in specs:
        matched = _SPEC.fullmatch(spec)
        if matched is None:
            return None
        first, last, suffix = matched.groups()
        if suffix is not None:
            length = _number(suffix)
            if length and not size:
                # All of nothing, which no Content-Range can tell.
                return None
            span = Span(max(size - length, 0), size)
        else:
            start = _number(first)
            stop = _number(last) + 1 if last else _HUGE
            if stop <= start and last:
                return None
            span = Span(start, min(stop, size))
        if span.start < span.stop:
            _join(spans, span)
    if not spans:
        raise Unsatisfiable()
    return spans


def _number(digits: bytes) -> int:
    digits = digits.lstrip(b"0")
    return _HUGE if len(digits) > 18 else int(digits or b"0")


def _join(spans: list[Span], span: Span) -> None:
    """
    Add a span in the place of the first one that it touches.
    """
    touched = [
        index
        for index, other in enumerate(spans)
        if span.start <= other.stop + GAP and other.start <= span.stop + GAP
    ]
    if not touched:
        spans.append(span)
        return
    joined = [span, *(spans[index] for index in touched)]
    spans[touched[0]] = Span(min(each.start for each in joined), max(each.stop for each in joined))
    for index in reversed(touched[1:]):
        del spans[index]
