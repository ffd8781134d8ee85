# -*- test-case-name: ktcp.test.test_http_accessformats -*-
"""
The formats of the access log: lines from parts, each of which is made once and
kept by a L{Recorder<ktcp.http.accesslog.Recorder>}.

C{combined} is the format of Apache and nginx by that name, and nothing but it,
so that what reads theirs reads this.  C{json} is an object on each line, and
has the version, the time taken and whether the answer was complete, too.

A client decides what is in most fields, so quotes, backslashes and all that is
not printable ASCII are escaped: a line is one answer, whoever asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache
from time import gmtime, strftime
from typing import NamedTuple, Protocol

from ktcp.http.headers import Headers
from ktcp.http.message import RequestHead

# In a field of the combined format: what would end it, or is not to be shown
# to a terminal.
_UNSAFE = re.compile(rb'[^\x20-\x7e]|["\\]')

# Heads up to so many bytes have their client's part kept: see L{Parts}.
_LONGEST = 2048


class Parts(NamedTuple):
    """
    What a line says of a request, escaped: before and behind the status.
    """

    before: bytes
    behind: bytes


class Format(Protocol):
    """
    Makes lines.

    @cvar isTimed: Lines tell how long the answer took, so that no two are alike.
    """

    isTimed: bool

    def moment(self, seconds: float) -> bytes:
        """
        @return: A time of day, from seconds since the epoch.
        """

    def peer(self, host: str | None) -> bytes:
        """
        @return: The client's address.
        """

    def request(self, head: RequestHead | None) -> Parts:
        """
        @param head: L{None}: it could not be read.
        """

    def line(
        self,
        moment: bytes,
        peer: bytes,
        parts: Parts,
        status: int,
        sent: int,
        complete: bool,
    ) -> bytes:
        """
        @param sent: Bytes of the body.
        @return: The line; for a timed one, all but what L{timed} adds.
        """

    def timed(self, line: bytes, seconds: float) -> bytes:
        """
        @param seconds: From when the handler got the request.
        @return: The whole line.
        """


def _escaped(text: bytes | None) -> bytes:
    """
    Escape as Apache does; what is missing is a hyphen.
    """
    if not text:
        return b"-"
    return _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[bytes]) -> bytes:
    byte = match[0]
    return b"\\" + byte if byte in b'"\\' else b"\\x%02x" % ord(byte)


class Combined:
    """
    C{%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i"}, times in UTC.
    """

    isTimed = False

    def moment(self, seconds: float) -> bytes:
        """
        See L{Format.moment}.
        """
        # Not strftime("%b"), whose months depend on the locale.
        when = gmtime(seconds)
        month = "JanFebMarAprMayJunJulAugSepOctNovDec"[when.tm_mon * 3 - 3 : when.tm_mon * 3]
        return strftime(f"%d/{month}/%Y:%H:%M:%S +0000", when).encode()

    def peer(self, host: str | None) -> bytes:
        """
        See L{Format.peer}.
        """
        return (host or "-").encode("ascii", "backslashreplace")

    def request(self, head: RequestHead | None) -> Parts:
        """
        See L{Format.request}.
        """
        if head is None:
            return Parts(b"-", b'"-" "-"')
        # A method is a token (RFC 9110, 5.6.2): nothing in it to escape.
        line = b"%b %b HTTP/%b" % (head.method, _escaped(head.target), head.httpVersion)
        behind = _kept if len(head.raw) <= _LONGEST else _client
        return Parts(line, behind(head.headers))

    def line(
        self,
        moment: bytes,
        peer: bytes,
        parts: Parts,
        status: int,
        sent: int,
        complete: bool,
    ) -> bytes:
        """
        See L{Format.line}.
        """
        return b'%b - - [%b] "%b" %d %d %b\n' % (
            peer,
            moment,
            parts.before,
            status,
            sent,
            parts.behind,
        )

    def timed(self, line: bytes, seconds: float) -> bytes:
        """
        See L{Format.timed}.
        """
        return line


def _client(headers: Headers) -> bytes:
    return b'"%b" "%b"' % (_escaped(headers.get(b"referer")), _escaped(headers.get(b"user-agent")))


# Clients vary their target, and send the same headers with it.
_kept = lru_cache(maxsize=512)(_client)


class JSONLines:
    """
    One JSON object a line, pure ASCII; bytes above that are read as Latin-1.
    """

    isTimed = True

    def moment(self, seconds: float) -> bytes:
        """
        See L{Format.moment}.
        """
        return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(seconds)).encode()

    def peer(self, host: str | None) -> bytes:
        """
        See L{Format.peer}.
        """
        return _quoted(host)

    def request(self, head: RequestHead | None) -> Parts:
        """
        See L{Format.request}.
        """
        if head is None:
            values: list[bytes | None] = [None] * 5
        else:
            get = head.headers.get
            values = [head.method, head.target, head.httpVersion]
            values += [get(b"referer"), get(b"user-agent")]
        texts = [_quoted(None if value is None else value.decode("latin-1")) for value in values]
        before = b'"method": %b, "target": %b, "version": %b' % tuple(texts[:3])
        return Parts(before, b'"referer": %b, "userAgent": %b' % tuple(texts[3:]))

    def line(
        self,
        moment: bytes,
        peer: bytes,
        parts: Parts,
        status: int,
        sent: int,
        complete: bool,
    ) -> bytes:
        """
        See L{Format.line}.
        """
        return (
            b'{"time": "%b", "peer": %b, %b, "status": %d, "bytes": %d, "complete": %b, %b, '
            b'"durationUs": '
            % (
                moment,
                peer,
                parts.before,
                status,
                sent,
                b"true" if complete else b"false",
                parts.behind,
            )
        )

    def timed(self, line: bytes, seconds: float) -> bytes:
        """
        See L{Format.timed}.
        """
        durationUs = int(seconds * 1e6)
        return line + (_TAILS[durationUs] if durationUs < _SHORT else b"%d}\n" % durationUs)


# The ends of most lines, which are of handlers that answer at once: formatting a
# number each time would cost as much again as the rest of the line.
_SHORT = 1000
_TAILS = tuple(b"%d}\n" % durationUs for durationUs in range(_SHORT))


def _quoted(text: str | None) -> bytes:
    return json.dumps(text).encode("ascii")


FORMATS: dict[str, Callable[[], Format]] = {"combined": Combined, "json": JSONLines}
