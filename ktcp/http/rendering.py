# -*- test-case-name: ktcp.test.test_http_rendering -*-
"""
Responses to bytes.  h11 renders every head, and what it rendered is kept: a
server writes few different heads, so a L{_Template} is a head with two holes,
one for the Date and one for the Content-Length, which h11 copies as they are.

What h11 makes of a response depends on no more of the request than its method
being HEAD, its version, and whether it lets the connection live; so h11 is told
of a request that has only these (L{_told}).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

import h11

from ktcp.http.door import briefHead
from ktcp.http.message import (
    BODILESS,
    Framing,
    Headers,
    RequestHead,
    Response,
    Trailers,
    reasonPhrase,
)

# Stand where the real values will.  h11 copies a value as it is, and lets pass
# the control character that L{Headers.of} refuses to handlers.  A length has to
# be a number, which a handler's value may hold too: so its hole is the whole
# line, which no value can hold, and only this module writes.
_DATE = b"\x01"
_DATE_HOLE = b"Date: " + _DATE
_LENGTH = b"18446744073709551557"
_LENGTH_HOLE = b"\r\nContent-Length: " + _LENGTH + b"\r\n"

# A client of HTTP/1.0 that asked for it by name (RFC 9112, C.2.2) is promised
# persistence by name; h11 knows none, so it hears of HTTP/1.1.
_PERSISTENT = (b"Connection", b"keep-alive")


def _interim(status: int) -> bytes:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(briefHead(b"POST", b"1.1", b"Expect: 100-continue\r\n"))
    connection.next_event()
    reason = reasonPhrase(status)
    return connection.send(h11.InformationalResponse(status_code=status, headers=[], reason=reason))


CONTINUE = _interim(100)


def _told(isHead: bool, version: bytes, keepAlive: bool) -> h11.Connection:
    """
    @return: A connection that has heard a request of this kind and waits for
        the response.
    """
    connection = h11.Connection(h11.SERVER)
    method = b"HEAD" if isHead else b"GET"
    framing = b"" if keepAlive else b"Connection: close\r\n"
    connection.receive_data(briefHead(method, version, framing))
    connection.next_event()
    connection.next_event()
    return connection


def _closing(headers: Headers) -> bool:
    """
    @return: Whether the handler wants the connection closed after its answer.
    """
    tokens = (headers.get(b"connection") or b"").lower().split(b",")
    return b"close" in [token.strip() for token in tokens]


class _Template:
    """
    A response head with holes, and whether the connection ends with it.
    """

    __slots__ = ("after", "before", "between", "closes", "date", "declared", "prefix", "sized")

    def __init__(self, head: bytes, closes: bool, declared: int | None) -> None:
        top, sized, after = head.partition(_LENGTH_HOLE)
        if sized:
            top, after = top + b"\r\nContent-Length: ", b"\r\n" + after
        self.after = after
        self.before, dated, self.between = top.partition(_DATE_HOLE)
        self.sized = bool(sized)
        self.closes = closes
        self.declared = declared
        self.date = b"" if dated else None
        self.prefix = top

    def fill(self, date: bytes) -> None:
        """
        Write the date that stands from now on into what comes before the length.
        """
        self.date = date
        self.prefix = self.before + b"Date: " + date + self.between


# Stands for a request that could not be read, so that it can be answered.
_UNREAD = RequestHead(b"GET", b"/", b"1.1", Headers(), Framing(b"", False, False, 0, False))


class Renderer:
    """
    Renders the responses of one server.
    """

    def __init__(self, server: bytes | None, date: Callable[[], bytes]) -> None:
        """
        @param server: The Server header (RFC 9110, 10.2.4); L{None} for none.
        @param date: Gives the Date header; the same object while it is the same.
        """
        self._server = server
        self._date = date
        # A handler with ever changing headers costs h11's price each time and
        # no more memory than this many heads.
        self._template = lru_cache(maxsize=1024)(self._makeTemplate)

    def whole(self, request: RequestHead, response: Response) -> tuple[bytes, bool]:
        """
        Render a response whose body is bytes.

        @return: The bytes to send, and whether the connection must then close.
        @raise ValueError: The Content-Length given is not the body's.
        """
        template = self._template(
            response.headers,
            response.status,
            request.method == b"HEAD",
            request.httpVersion,
            request.framing.keepAlive,
        )
        date = template.date
        if date is not None and date is not (now := self._date()):
            template.fill(now)
        body = response.body
        length = len(body)
        if template.declared is not None:
            length = self._trusted(request, response, template.declared)
        if request.method == b"HEAD":
            body = b""
        if not template.sized:
            return template.prefix, template.closes
        return b"%b%d%b%b" % (template.prefix, length, template.after, body), template.closes

    def begin(self, request: RequestHead, response: Response) -> tuple[bytes, Sender]:
        """
        Render the head of a response whose body is yet to come.

        @return: The bytes to send, and what renders the rest.
        """
        isHead = request.method == b"HEAD"
        length = getattr(response.body, "length", None)
        extra = self._extra(response.headers)
        if response.trailers is None and isinstance(length, int):
            extra.append((b"Content-Length", b"%d" % length))
        sized = any(name.lower() == b"content-length" for name, _ in [*response.headers, *extra])
        version, keepAlive = request.httpVersion, request.framing.keepAlive
        if version == b"1.0" and keepAlive:
            keepAlive = sized and not _closing(response.headers)
            if keepAlive:
                version = b"1.1"
                extra.append(_PERSISTENT)
        connection = _told(isHead, version, keepAlive)
        pairs = [
            (name, self._date() if value == _DATE else value)
            for name, value in [*response.headers, *extra]
        ]
        event = _event(response.status, pairs)
        delimited = sized or isHead or version == b"1.1"
        chunked = delimited and not sized and not isHead
        return connection.send(event), Sender(connection, response.trailers, chunked, delimited)

    def error(self, status: int, text: bytes) -> bytes:
        """
        Render an answer to what could not be read as a request; the connection
        must close after it.
        """
        headers = [(b"Content-Type", b"text/plain; charset=utf-8"), (b"Connection", b"close")]
        return self.whole(_UNREAD, Response(status, text, headers))[0]

    def _makeTemplate(
        self, headers: Headers, status: int, isHead: bool, version: bytes, keepAlive: bool
    ) -> _Template:
        pairs = [(name, value) for name, value in headers if name.lower() != b"content-length"]
        declared = headers.get(b"content-length")
        if version == b"1.0" and keepAlive:
            keepAlive = not _closing(headers)
            if keepAlive:
                version = b"1.1"
                pairs.append(_PERSISTENT)
        pairs += self._extra(headers)
        # A 204 must not have one (RFC 9110, 8.6), a 304 may.
        if status not in BODILESS or (status == 304 and declared is not None):
            pairs.append((b"Content-Length", _LENGTH))
        connection = _told(isHead, version, keepAlive)
        head = connection.send(_event(status, pairs))
        return _Template(
            head,
            connection.their_state is h11.MUST_CLOSE,
            None if declared is None else int(declared),
        )

    def _extra(self, headers: Headers) -> list[tuple[bytes, bytes]]:
        """
        @return: The headers that every answer has, unless the handler set them.
        """
        extra = []
        if self._server is not None and b"server" not in headers:
            extra.append((b"Server", self._server))
        if b"date" not in headers:
            extra.append((b"Date", _DATE))
        return extra

    def _trusted(self, request: RequestHead, response: Response, declared: int) -> int:
        """
        A handler may tell the length of a body it does not give where none is
        sent, after HEAD or with 304; else it must be the body's.
        """
        if request.method == b"HEAD" or response.status in BODILESS:
            return declared
        if declared != len(response.body):
            raise ValueError(
                f"Content-Length is {declared}, but the body has {len(response.body)} bytes"
            )
        return declared


def _event(status: int, pairs: Iterable[tuple[bytes, bytes]]) -> h11.Response:
    return h11.Response(status_code=status, headers=list(pairs), reason=reasonPhrase(status))


class Sender:
    """
    Renders the body of one response as it comes, with h11 counting.

    @ivar delimited: The client can tell a complete body from one cut short: it
        has a length or is chunked.  Otherwise closing ends it.
    """

    __slots__ = ("_chunked", "_connection", "_trailers", "delimited")

    def __init__(
        self, connection: h11.Connection, trailers: Trailers, chunked: bool, delimited: bool
    ) -> None:
        self._connection = connection
        self._trailers = trailers
        self._chunked = chunked
        self.delimited = delimited

    def data(self, data: bytes) -> list[bytes]:
        """
        @param data: The next bytes of the body.
        @return: What to send: C{data} itself is among it, not copied.
        @raise h11.LocalProtocolError: More than the Content-Length given.
        """
        if not data:
            # An empty chunk would end the body.
            return []
        sent = self._connection.send_with_data_passthrough(h11.Data(data=data))
        assert sent is not None
        return sent

    def end(self) -> tuple[bytes, bool]:
        """
        @return: What to send, and whether the connection must then close.
        @raise h11.LocalProtocolError: Less came than the Content-Length given.
        """
        trailers: list[tuple[bytes, bytes]] = []
        if self._chunked and self._trailers is not None:
            given = self._trailers() if callable(self._trailers) else self._trailers
            trailers = list(Headers.of(given))
        sent = self._connection.send(h11.EndOfMessage(headers=trailers))
        return sent, self._connection.our_state is not h11.DONE
