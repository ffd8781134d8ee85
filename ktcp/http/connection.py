# -*- test-case-name: ktcp.test.test_http_connection -*-
"""
One connection's bytes, as request heads and bodies: fed with what comes in,
asked for what is wanted next.  No Twisted here, and no opinion on when.

Nothing is read ahead of the question: while a request is being answered, the
bytes of the next ones wait here as they came, and L{HTTPConnection.waiting}
says how many.  Of a body whose length h11 has read from the head, bytes are
counted here: that leaves nothing to decide, and asking h11 for each made a POST
of 1 KiB take twice as long (bench/micro/http_path.py).  A chunked body is h11's
to read; it hears the lines of the head that decide framing and then the body's
bytes, as far as L{ChunkedBody} finds them good, in slices, so that no more than
a slice waits inside of it.
"""

from __future__ import annotations

import re

import h11

from ktcp.http.chunks import ChunkedBody
from ktcp.http.door import Door, briefHead
from ktcp.http.errors import BadRequest, IncompleteBody
from ktcp.http.headers import Headers
from ktcp.http.message import RequestHead

_NONE = Headers()

# RFC 9112, 2.2: empty lines before the request line are skipped.
_EMPTY_LINES = re.compile(rb"(?:\r\n)*")


class HTTPConnection:
    """
    The receiving side of a server's connection.

    @ivar finished: The peer has sent FIN.
    @ivar trailers: The trailers of the last body that was read to its end.
    """

    __slots__ = (
        "_at",
        "_buffer",
        "_chunked",
        "_door",
        "_last",
        "_left",
        "_reader",
        "finished",
        "trailers",
    )

    def __init__(self, door: Door) -> None:
        self._door = door
        self._buffer = b""
        self._at = 0
        self.finished = False
        # The last head, if no body follows it.
        self._last: RequestHead | None = None
        # Bytes still to come of a body of known length.
        self._left: int | None = None
        # Reads a chunked body, and what looks at it before.
        self._reader: h11.Connection | None = None
        self._chunked: ChunkedBody | None = None
        self.trailers = _NONE

    @property
    def waiting(self) -> int:
        """
        How many bytes have come in and were not asked for yet.
        """
        return len(self._buffer) - self._at

    @property
    def ended(self) -> bool:
        """
        The peer has sent FIN, and all that came before it was asked for.
        """
        return self.finished and self._at == len(self._buffer)

    @property
    def inBody(self) -> bool:
        """
        The request that was given last has a body whose end was not read yet.
        """
        return self._left is not None or self._reader is not None

    def receive(self, data: bytes) -> None:
        """
        Take bytes from the peer; empty means that it sent FIN.
        """
        if not data:
            self.finished = True
        elif self._at == len(self._buffer):
            self._buffer = data
            self._at = 0
        else:
            self._buffer = self._buffer[self._at :] + data
            self._at = 0

    def known(self, data: bytes) -> RequestHead | None:
        """
        Take bytes from the peer if they are one request that came before, and has
        no body: the last one over again, as from a client that polls or a load
        tool, or one that the door remembers (bench/micro/http_path.py).

        @return: That request's head; L{None} if they were not taken, and are to
            be given to L{receive}.
        """
        if self._at != len(self._buffer):
            return None
        last = self._last
        if last is not None and data == last.raw:
            return last
        if self.inBody:
            return None
        head = self._door.known(data)
        if head is None or head.framing.hasBody:
            return None
        self._last = head
        return head

    def nextRequest(self) -> RequestHead | None:
        """
        @return: The next request's head, or L{None} when it is not complete.
        @raise BadRequest: What came is no request; answer, then close.
        @raise RuntimeError: The body of the last request was not read.
        """
        buffer = self._buffer
        at = self._at
        last = self._last
        if last is not None and buffer.startswith(last.raw, at):
            # The same once more, see L{known}.
            self._at = at + len(last.raw)
            return last
        if self._left is not None or self._reader is not None:
            raise RuntimeError("the body before this request was not read to its end")
        if at == len(buffer):
            return None
        if buffer[at] == 13:
            skipped = _EMPTY_LINES.match(buffer, at)
            assert skipped is not None
            self._at = at = skipped.end()
        found = buffer.find(b"\r\n\r\n", at)
        if found < 0:
            self._door.suspect(buffer[at:])
            if self.finished and at < len(buffer):
                raise BadRequest("The connection ended within a request head.")
            return None
        self._at = end = found + 4
        head = self._door.admit(buffer[at:end])
        if head.framing.hasBody:
            self._last = None
            self._openBody(head)
        else:
            self._last = head
        return head

    def _openBody(self, head: RequestHead) -> None:
        if head.framing.length is not None:
            self._left = head.framing.length
            return
        self._chunked = ChunkedBody(self._door.limits)
        reader = h11.Connection(h11.SERVER)
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
        if self._left is not None:
            return self._nextCounted(self._left)
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
                self.trailers = Headers(event.headers)
                self._reader = self._chunked = None
            elif not self._give(self._reader):
                if self.finished:
                    raise _cutShort()
                return None
        return b""

    def _nextCounted(self, left: int) -> bytes | None:
        if not left:
            self._left = None
            self.trailers = _NONE
            return b""
        at = self._at
        data = self._buffer[at : at + left]
        if data:
            self._at = at + len(data)
            self._left = left - len(data)
            return data
        if self.finished:
            raise _cutShort()
        return None

    def _give(self, reader: h11.Connection) -> bool:
        """
        Give h11 more of the body.

        @return: Whether there was something to give.
        """
        assert self._chunked is not None
        at = self._at
        self._at = end = self._chunked.admit(self._buffer, at)
        if end > at:
            reader.receive_data(self._buffer[at:end])
        return end > at


def _cutShort() -> IncompleteBody:
    return IncompleteBody("The connection ended within a request body.")
