# -*- test-case-name: ktcp.test.test_http_chunks -*-
"""
The door of a chunked body: what its lines must look like before h11 hears them.

h11 takes more there than a server should: a bare CR and any control character
in an extension, a blank after the size, bare LF and obs-fold in trailers,
extensions without end.  Where a proxy before us reads another end of the body
than we do, a request is smuggled (RFC 9112, 11.2).  So a body is followed here,
a line or a chunk at a time, and h11 is given what was found good, up to the
body's end and no further.  What it means h11 says.
"""

from __future__ import annotations

import re
from enum import Enum

from ktcp.http.door import DECIDING, FIELD_LINES, hasBareLF
from ktcp.http.errors import BadRequest
from ktcp.http.limits import KIB, Limits

# chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF (RFC 9112, 7.1), or the
# beginning of its line.  64 bits are enough for a size; httparse takes 60.  Of
# the extensions only this much: no controls.  A departure: the blanks that
# 7.1.1 tolerates before the semicolon are refused, as h11 does.
_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(;[\t\x20-\x7e\x80-\xff]*)?(\r(?:\n|\Z))?")

# Bytes of extensions that a body may have beyond those of its chunks: they are
# thrown away, and small chunks with large extensions are work for nothing
# (CVE-2023-39326, CVE-2024-22019).  Go takes 4 KiB in a line.
_EXTENSIONS = 4 * KIB

# Bytes that h11 is given at once.
_SLICE = 64 * KIB


class _Within(Enum):
    """
    Where the next byte is.
    """

    LINE = "a chunk's size and extensions"
    CHUNK = "a chunk's bytes, or the CRLF after them"
    TRAILERS = "the trailers, or the empty line"
    NOTHING = "the body is at its end"


class ChunkedBody:
    """
    Follows one chunked body.
    """

    __slots__ = ("_left", "_limits", "_most", "_spare", "_within")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._within = _Within.LINE
        # Bytes to come of the chunk and its CRLF.
        self._left = 0
        self._most = self._spare = min(limits.head, _EXTENSIONS)

    def admit(self, buffer: bytes, start: int) -> int:
        """
        Find out how many of the bytes that came h11 may have, about a slice.

        @param start: Where in the buffer the bytes begin that it has not had.
        @return: Where they end; C{start} when more must come first.
        @raise BadRequest: What begins at C{start} is no part of a body.  A
            fault further on waits until it is asked for, so that what is good
            before it does not depend on how the bytes came.
        """
        at = start
        most = min(start + _SLICE, len(buffer))
        try:
            while at < most and (end := self._step(buffer, at, most)) > at:
                at = end
        except BadRequest:
            if at == start:
                raise
        return at

    def _step(self, buffer: bytes, at: int, most: int) -> int:
        """
        Go on by one line, or by as much of a chunk as there is.
        """
        if self._within is _Within.LINE:
            return self._line(buffer, at)
        if self._within is _Within.CHUNK:
            # That CRLF is what follows it, h11 sees to.
            end = min(at + self._left, most)
            self._left -= end - at
            if not self._left:
                self._within = _Within.LINE
            return end
        return self._trailers(buffer, at) if self._within is _Within.TRAILERS else at

    def _line(self, buffer: bytes, at: int) -> int:
        # As long as a line can be, so that a longer one costs no more.
        match = _LINE.match(buffer, at, at + 16 + self._spare + 2)
        extensions = len(match[2] or b"") if match else 0
        if extensions > self._spare:
            raise BadRequest("The chunk extensions are out of proportion.", 413)
        if match is None or (match[3] != b"\r\n" and match.end() < len(buffer)):
            raise BadRequest("A chunk does not begin with its size.")
        if match[3] != b"\r\n":
            return at
        size = int(match[1], 16)
        self._spare = min(self._most, self._spare - extensions + size)
        self._left = size + 2
        self._within = _Within.CHUNK if size else _Within.TRAILERS
        return match.end()

    def _trailers(self, buffer: bytes, at: int) -> int:
        if buffer.startswith(b"\r\n", at):
            self._within = _Within.NOTHING
            return at + 2
        longest = self._limits.head
        found = buffer.find(b"\r\n\r\n", at, at + longest)
        # As far as a byte-by-byte reader would have read.
        seen = buffer[at : found + 2 if found >= 0 else at + longest + 1]
        if hasBareLF(seen):
            raise BadRequest("A trailer line ends with a bare LF.")
        if found >= 0:
            self._checkTrailers(seen)
            self._within = _Within.NOTHING
            return found + 4
        if len(seen) > longest:
            raise BadRequest(f"Trailers may have {longest} bytes at most.", 431)
        return at

    def _checkTrailers(self, lines: bytes) -> None:
        if not FIELD_LINES.fullmatch(lines):
            raise BadRequest("A trailer line is malformed.")
        names = [line.partition(b":")[0].lower() for line in lines.split(b"\r\n")[:-1]]
        if len(names) > self._limits.headers:
            raise BadRequest("There are too many trailer lines.", 431)
        if not DECIDING.isdisjoint(names):
            # RFC 9110, 6.5.1: framing is not for trailers.
            raise BadRequest("A trailer would frame the body that it ends.")
