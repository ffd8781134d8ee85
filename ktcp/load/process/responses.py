# -*- test-case-name: ktcp.test.test_load_process_responses -*-
"""
Answers of an HTTP server: where each ends, and whether it is what was to be expected.

No I/O.  Strict, and held to h11's opinion by a test.  h11 itself takes 60 us for an
answer, six times what a request may cost in all, and remembering heads by their
bytes, as the server does, is no help against a server that numbers its answers.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple, Protocol

from ktcp.load.job import Checks

LONGEST_HEAD = 65536

# RFC 9112 4; the blank before an empty reason is often left out, and h11 lets it.
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\x00\r\n]*)?")
# RFC 9112 5, RFC 9110 5.6.2; no obsolete folding.
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00\r\n]*?)[ \t]*")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00\r\n]*)?")
_LONGEST_LINE = 4096


class BadAnswer(Exception):
    """
    Bytes after which nothing more can be read from this connection.

    @ivar kind: The name under which it is counted (L{ktcp.load.result.ERRORS}).
    """

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


class Answer(NamedTuple):
    """
    A whole answer.

    @ivar bad: C{None}, or under which name of error it is counted.
    @ivar keep: The connection may be used again.
    """

    status: int
    bad: str | None
    keep: bool


class Head(NamedTuple):
    """
    What matters of an answer's head.

    @ivar length: The Content-Length, or C{None}.
    """

    status: int
    keep: bool
    chunked: bool
    length: int | None


@lru_cache(maxsize=64)
def parseHead(block: bytes) -> Head:
    """
    Read the head of an answer.

    @param block: From the status line to the last field, without the line end after it.
    @raise BadAnswer: It is none.
    """
    first, *lines = block.split(b"\r\n")
    status = _STATUS_LINE.fullmatch(first)
    if status is None:
        raise BadAnswer("framing", f"not a status line: {first[:80]!r}")
    keep = status[1] == b"1"
    lengths: set[bytes] = set()
    codings: list[bytes] = []
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise BadAnswer("framing", f"not a field line: {line[:80]!r}")
        name = match[1].lower()
        if name == b"content-length":
            lengths.update(part.strip() for part in match[2].split(b","))
        elif name == b"transfer-encoding":
            codings.append(match[2].lower())
        elif name == b"connection":
            options = {option.strip() for option in match[2].lower().split(b",")}
            keep = (keep or b"keep-alive" in options) and b"close" not in options
    if codings and codings != [b"chunked"]:
        raise BadAnswer("framing", f"Transfer-Encoding {codings!r}")
    return Head(int(status[2]), keep, bool(codings), None if codings else _length(lengths))


def _length(values: set[bytes]) -> int | None:
    if not values:
        return None
    value = values.pop()
    if values or not value.isdigit() or len(value) > 18:
        raise BadAnswer("framing", f"Content-Length {value!r}")
    return int(value)


class _Body(Protocol):
    """
    Where a body ends.
    """

    rest: bytes

    def take(self, data: bytes) -> bytes:
        """
        Give what of the data is content.  C{rest} is what comes after the body.
        """

    @property
    def whole(self) -> bool:
        """
        The body has ended.
        """

    def closed(self) -> bool:
        """
        Tell whether the end of the connection is the end of the body.
        """


class _Sized:
    def __init__(self, length: int) -> None:
        self.rest = b""
        self._left = length

    def take(self, data: bytes) -> bytes:
        content, self.rest = data[: self._left], data[self._left :]
        self._left -= len(content)
        return content

    @property
    def whole(self) -> bool:
        return not self._left

    def closed(self) -> bool:
        return False


class _UntilClosed:
    rest = b""
    whole = False

    def take(self, data: bytes) -> bytes:
        return data

    def closed(self) -> bool:
        return True


class _Line(Enum):
    """
    What a line of a chunked body has to be.
    """

    SIZE = "the length of a chunk"
    END = "nothing, after a chunk"
    TRAILER = "a field, or nothing: the end"


class _Chunked:
    """
    RFC 9112 7.1.  Trailers are looked at as fields, and dropped.
    """

    def __init__(self) -> None:
        self.rest = b""
        self.whole = False
        self._left = 0
        self._line = _Line.SIZE

    def take(self, data: bytes) -> bytes:
        data, at, pieces = self.rest + data, 0, []
        while not self.whole:
            piece = data[at : at + self._left]
            at += len(piece)
            self._left -= len(piece)
            pieces.append(piece)
            end = -1 if self._left else data.find(b"\r\n", at)
            if end < 0:
                break
            self._read(data[at:end])
            at = end + 2
        self.rest = data[at:]
        if len(self.rest) > _LONGEST_LINE and not self.whole:
            raise BadAnswer("framing", "a line without end in a chunked body")
        return b"".join(pieces)

    def _read(self, line: bytes) -> None:
        if self._line is _Line.SIZE and (match := _CHUNK_LINE.fullmatch(line)):
            self._left = int(match[1], 16)
            self._line = _Line.END if self._left else _Line.TRAILER
        elif self._line is _Line.END and not line:
            self._line = _Line.SIZE
        elif self._line is _Line.TRAILER and (not line or _FIELD.fullmatch(line)):
            self.whole = not line
        else:
            raise BadAnswer("framing", f"{line[:80]!r} is not {self._line.value}")

    def closed(self) -> bool:
        return False


class _Content:
    """
    What a body holds, looked at as it comes: kept only if a regular expression asks for all of it.
    """

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self._length = 0
        self._hash = sha256() if checks.sha256 is not None else None
        self._kept: list[bytes] = []

    def add(self, piece: bytes) -> None:
        self._length += len(piece)
        if self._hash is not None:
            self._hash.update(piece)
        if self._checks.regex is not None:
            self._kept.append(piece)

    def right(self) -> bool:
        checks = self._checks
        if checks.length is not None and self._length != checks.length:
            return False
        if self._hash is not None and self._hash.hexdigest() != checks.sha256:
            return False
        return checks.regex is None or re.search(checks.regex, b"".join(self._kept)) is not None


class AnswerReader:
    """
    The answers of one connection, one after the other.

    @ivar rest: After an answer: bytes that came behind it.
    """

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self._begin()
        self.rest = b""

    def _begin(self) -> None:
        self._waiting = b""
        self._head: Head | None = None
        self._body: _Body = _Sized(0)
        self._content = _Content(self._checks)

    def feed(self, data: bytes, isHead: bool = False) -> Answer | None:
        """
        Take bytes, and give the answer if they complete it.

        @param isHead: The request was HEAD: its answer has no body, whatever it says.
        @raise BadAnswer: They are no answer.
        """
        while self._head is None:
            head, found, data = (self._waiting + data).partition(b"\r\n\r\n")
            if not found:
                if len(head) > LONGEST_HEAD:
                    raise BadAnswer("framing", "a head without end")
                self._waiting = head
                return None
            self._waiting = b""
            self._readHead(parseHead(head), isHead)
        self._content.add(self._body.take(data))
        return self._finished(self._body.rest) if self._body.whole else None

    def _readHead(self, head: Head, isHead: bool) -> None:
        if head.status == 101:
            raise BadAnswer("framing", "101 without being asked to switch")
        if head.status < 200:
            return
        self._head = head
        if isHead or head.status in (204, 304):
            self._body = _Sized(0)
        elif head.chunked:
            self._body = _Chunked()
        elif head.length is not None:
            self._body = _Sized(head.length)
        else:
            self._body = _UntilClosed()

    def closed(self) -> Answer | None:
        """
        Take the end of the connection, and give the answer that it completes, if it does.
        """
        if self._head is None or not self._body.closed():
            return None
        return self._finished(b"")._replace(keep=False)

    def _finished(self, rest: bytes) -> Answer:
        head, content, checks = self._head, self._content, self._checks
        assert head is not None
        self._begin()
        self.rest = rest
        expected = head.status in checks.statuses if checks.statuses else head.status < 400
        bad = "status" if not expected else None if content.right() else "body"
        return Answer(head.status, bad, head.keep)
