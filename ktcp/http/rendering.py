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
from typing import Any, NamedTuple

import h11

from ktcp.http.door import briefHead
from ktcp.http.errorpages import errorResponse
from ktcp.http.errors import HTTPError
from ktcp.http.headers import Headers
from ktcp.http.message import (
    BODILESS,
    KINDS,
    Framing,
    RequestHead,
    Response,
    ResponseHead,
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

# Stands for every value of the handler's that h11 does not look into.
_VALUE = b"\x02"

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

    @ivar isPlain: The head is followed by the body, whose length is in it.
    @ivar prefix: What comes before the length, with C{date} in it.
    @ivar body: The last body, if it was short, and
    @ivar whole: what it was rendered to with C{date}.
    """

    __slots__ = (
        "_before",
        "_between",
        "after",
        "body",
        "closes",
        "date",
        "isDated",
        "isPlain",
        "isSized",
        "prefix",
        "whole",
    )

    def __init__(self, head: bytes, closes: bool) -> None:
        top, sized, after = head.partition(_LENGTH_HOLE)
        if sized:
            top, after = top + b"\r\nContent-Length: ", b"\r\n" + after
        self.after = after
        self._before, dated, self._between = top.partition(_DATE_HOLE)
        self.isSized = bool(sized)
        self.isDated = bool(dated)
        self.isPlain = False
        self.closes = closes
        self.date: bytes | None = None
        self.prefix = top
        self.body: bytes | None = None
        self.whole = b""

    def fill(self, date: bytes) -> None:
        """
        Write the date that stands from now on into what comes before the length.
        """
        self.date = date
        self.body = None
        if self.isDated:
            self.prefix = self._before + b"Date: " + date + self._between


# Stands for a request that could not be read, so that it can be answered.
_UNREAD = RequestHead(b"", 0, b"GET", b"/", b"1.1", Headers(), Framing(b"", False, False, 0, False))

# Kept rendered: so many heads of each kind of request, and bodies of so many
# bytes.  Some 2 MiB at the worst.
_HEADS = 512
_BODY = 256

# More answers than that are alike but for their values: a tag, a date, a
# cookie.  So h11 is asked once for each shape, which for 5,000 files in turn
# costs a sixth of asking it for each (bench/micro/files.py).
_SHAPES = 128


class _Shape(NamedTuple):
    """
    A head as h11 rendered it, in parts that values of the handler's go between.
    """

    parts: tuple[bytes, ...]
    closes: bool


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
        self.date = date
        self._templates: list[dict[ResponseHead, _Template]] = [{} for _ in KINDS]
        self._shapes: list[dict[Any, _Shape]] = [{} for _ in KINDS]

    def whole(
        self, request: RequestHead, response: Response, date: bytes | None = None
    ) -> tuple[bytes, bool]:
        """
        Render a response whose body is bytes.

        @param date: What C{self.date} gave, for who renders many at once.
        @return: The bytes to send, and whether the connection must then close.
        @raise ValueError: The Content-Length given is not the body's.
        """
        template = self._templates[request.kind].get(response.head)
        if template is None:
            template = self._newTemplate(request, response.head)
        if date is None:
            date = self.date()
        if template.date is not date:
            template.fill(date)
        body = response.body
        if body is template.body:
            # A literal of the handler's, most likely.
            return template.whole, template.closes
        if not template.isPlain:
            return self._unusual(template, request, response), template.closes
        length = len(body)
        data = b"%b%d%b%b" % (template.prefix, length, template.after, body)
        if length <= _BODY:
            template.body = body
            template.whole = data
        return data, template.closes

    def _unusual(self, template: _Template, request: RequestHead, response: Response) -> bytes:
        """
        Render what has no body, or a length that the handler told.
        """
        length, declared = len(response.body), response.head.declared
        bodiless = request.method == b"HEAD" or response.status in BODILESS
        if declared is not None:
            if not bodiless and declared != length:
                raise ValueError(f"Content-Length is {declared}, but the body has {length} bytes")
            length = declared
        size = b"%d" % length if template.isSized else b""
        return template.prefix + size + template.after + (b"" if bodiless else response.body)

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
            (name, self.date() if value == _DATE else value)
            for name, value in [*response.headers, *extra]
        ]
        event = _event(response.status, pairs)
        delimited = sized or isHead or version == b"1.1"
        chunked = delimited and not sized and not isHead
        return connection.send(event), Sender(connection, response.trailers, chunked, delimited)

    def error(self, error: HTTPError, request: RequestHead | None = None) -> bytes:
        """
        Render the last answer of a connection, which must close after it.

        @param request: What is refused; L{None} if it could not even be read.
        """
        head = _UNREAD if request is None else request.closing()
        return self.whole(head, errorResponse(error, head.headers.get(b"accept")))[0]

    def _newTemplate(self, request: RequestHead, response: ResponseHead) -> _Template:
        """
        Render a head, and keep it in place of the oldest.
        """
        names, values = [], []
        for name, value in response.headers:
            lowered = name.lower()
            if lowered == b"content-length":
                continue
            # What h11 looks into is part of the shape.
            isCopied = lowered != b"connection"
            names.append((name, None if isCopied else value))
            if isCopied:
                values.append(value)
        shapes = self._shapes[request.kind]
        key = response.status, response.declared is None, tuple(names)
        shape = shapes.get(key)
        if shape is None:
            shape = self._makeShape(request, response)
            _keep(shapes, key, shape, _SHAPES)
        parts = [*shape.parts]
        # Each value after its part.
        parts[1:] = [part for pair in zip(values, parts[1:], strict=True) for part in pair]
        template = _Template(b"".join(parts), shape.closes)
        isHead = request.method == b"HEAD"
        template.isPlain = template.isSized and not isHead and not response.isUnusual
        _keep(self._templates[request.kind], response, template, _HEADS)
        return template

    def _makeShape(self, request: RequestHead, response: ResponseHead) -> _Shape:
        """
        Have h11 render a head.
        """
        status, declared = response.status, response.declared
        isHead = request.method == b"HEAD"
        version, keepAlive = request.httpVersion, request.framing.keepAlive
        pairs = [
            (name, value if name.lower() == b"connection" else _VALUE)
            for name, value in response.headers
            if name.lower() != b"content-length"
        ]
        if version == b"1.0" and keepAlive:
            keepAlive = not _closing(response.headers)
            if keepAlive:
                version = b"1.1"
                pairs.append(_PERSISTENT)
        pairs += self._extra(response.headers)
        # A 204 must not have one (RFC 9110, 8.6), a 304 may.
        if status not in BODILESS or (status == 304 and declared is not None):
            pairs.append((b"Content-Length", _LENGTH))
        connection = _told(isHead, version, keepAlive)
        head = connection.send(_event(status, pairs))
        return _Shape(tuple(head.split(_VALUE)), connection.their_state is h11.MUST_CLOSE)

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


def _keep(kept: dict[Any, Any], key: object, value: object, most: int) -> None:
    """
    Keep a value in place of the oldest.
    """
    if len(kept) == most:
        del kept[next(iter(kept))]
    kept[key] = value


def _event(status: int, pairs: Iterable[tuple[bytes, bytes]]) -> h11.Response:
    return h11.Response(status_code=status, headers=list(pairs), reason=reasonPhrase(status))


class Sender:
    """
    Renders the body of one response as it comes, with h11 counting.

    @ivar chunked: There is something around each piece of the body.
    @ivar delimited: The client can tell a complete body from one cut short: it
        has a length or is chunked.  Otherwise closing ends it.
    """

    __slots__ = ("_connection", "_trailers", "chunked", "delimited")

    def __init__(
        self, connection: h11.Connection, trailers: Trailers, chunked: bool, delimited: bool
    ) -> None:
        self._connection = connection
        self._trailers = trailers
        self.chunked = chunked
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

    def passed(self, count: int) -> None:
        """
        Hear of bytes of a body that is not chunked that went out another way.
        """
        # h11 wants nothing of the data but its length, for sendfile(2)'s sake.
        counted: Any = range(count)
        self._connection.send_with_data_passthrough(h11.Data(data=counted))

    def end(self) -> tuple[bytes, bool]:
        """
        @return: What to send, and whether the connection must then close.
        @raise h11.LocalProtocolError: Less came than the Content-Length given.
        """
        trailers: list[tuple[bytes, bytes]] = []
        if self.chunked and self._trailers is not None:
            given = self._trailers() if callable(self._trailers) else self._trailers
            trailers = list(Headers.of(given))
        sent = self._connection.send(h11.EndOfMessage(headers=trailers))
        return sent, self._connection.our_state is not h11.DONE
