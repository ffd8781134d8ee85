# -*- test-case-name: ktcp.test.test_http_connection -*-
"""
One connection's bytes, as request heads and bodies: fed with what comes in,
asked for what is wanted next.  No Twisted here, and no opinion on when.

Nothing is read ahead of the question: while a request is being answered, the
bytes of the next ones wait here as they came, and L{HTTPConnection.waiting}
says how many.  A body is h11's to read; it hears the lines of the head that
decide framing and then the body's bytes, in slices, so that no more than a
slice waits inside of it.
"""

from __future__ import annotations

import re

import h11

from ktcp.http.door import Door, briefHead
from ktcp.http.message import BadRequest, Headers, IncompleteBody, RequestHead

# RFC 9112, 2.2: empty lines before the request line are skipped.
_EMPTY_LINES = re.compile(rb"(?:\r\n)*")

# Bytes given to h11 at once; what it has not understood yet is less than this.
_SLICE = 64 * 1024


class HTTPConnection:
    """
    The receiving side of a server's connection.

    @ivar trailers: The trailers of the last body that was read to its end.
    """

    __slots__ = ("_at", "_buffer", "_door", "_ended", "_reader", "trailers")

    def __init__(self, door: Door) -> None:
        self._door = door
        self._buffer = b""
        self._at = 0
        self._ended = False
        self._reader: h11.Connection | None = None
        self.trailers = Headers()

    @property
    def waiting(self) -> int:
        """
        How many bytes have come in and were not asked for yet.
        """
        return len(self._buffer) - self._at

    @property
    def ended(self) -> bool:
        """
        The peer has sent its last byte, and all of them were asked for.
        """
        return self._ended and self._at == len(self._buffer)

    @property
    def inBody(self) -> bool:
        """
        The request that was given last has a body whose end was not read yet.
        """
        return self._reader is not None

    def receive(self, data: bytes) -> None:
        """
        Take bytes from the peer; empty means that it sent FIN.
        """
        if not data:
            self._ended = True
        elif self._at == len(self._buffer):
            self._buffer = data
            self._at = 0
        else:
            self._buffer = self._buffer[self._at :] + data
            self._at = 0

    def nextRequest(self) -> RequestHead | None:
        """
        @return: The next request's head, or L{None} when it is not complete.
        @raise BadRequest: What came is no request; answer, then close.
        """
        buffer = self._buffer
        at = self._at
        if at == len(buffer):
            return None
        if buffer[at] == 13:
            skipped = _EMPTY_LINES.match(buffer, at)
            assert skipped is not None
            self._at = at = skipped.end()
        end = buffer.find(b"\r\n\r\n", at) + 4
        if end == 3:
            self._door.suspect(buffer[at:])
            if self._ended and at < len(buffer):
                raise BadRequest("The connection ended within a request head.")
            return None
        self._at = end
        head = self._door.admit(buffer[at:end])
        if head.framing.hasBody:
            self._openBody(head)
        return head

    def _openBody(self, head: RequestHead) -> None:
        # Chunk lines and trailers are bounded as a head is.
        reader = h11.Connection(h11.SERVER, self._door.limits.head)
        reader.receive_data(briefHead(b"POST", head.httpVersion, head.framing.lines))
        reader.next_event()
        self._reader = reader

    def nextBody(self) -> bytes | None:
        """
        @return: The next bytes of the body; empty at its end, whereupon
            L{trailers} are those of this body; L{None} when nothing has come.
        @raise BadRequest: The body's framing is broken; answer, then close.
        @raise IncompleteBody: The peer closed before the body's end.
        """
        while self._reader is not None:
            try:
                event = self._reader.next_event()
            except h11.RemoteProtocolError as error:
                raise BadRequest(
                    "The framing of the body is broken.", error.error_status_hint
                ) from error
            if isinstance(event, h11.Data):
                return bytes(event.data)
            if isinstance(event, h11.EndOfMessage):
                self._closeBody(event)
            elif self._at < len(self._buffer):
                end = self._at + _SLICE
                self._reader.receive_data(self._buffer[self._at : end])
                self._at = min(end, len(self._buffer))
            elif self._ended:
                raise IncompleteBody("The connection ended within a request body.")
            else:
                return None
        return b""

    def _closeBody(self, event: h11.EndOfMessage) -> None:
        assert self._reader is not None
        self.trailers = Headers(event.headers)
        # What h11 was given past the end belongs to the next request.
        rest, _ = self._reader.trailing_data
        self._buffer = rest + self._buffer[self._at :]
        self._at = 0
        self._reader = None
