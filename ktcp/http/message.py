# -*- test-case-name: ktcp.test.test_http_message -*-
"""
What a handler receives and gives: L{Request} and L{Response}.  No Twisted and no h11
here.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Callable
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from ktcp.counters import UNREAD, statusColumn
from ktcp.http.headers import Headers, HeadersLike, Text, checked, itemsOf

if TYPE_CHECKING:
    from ktcp.certificates import PeerIdentity
    from ktcp.http.flow import RequestBody
    from ktcp.http.forwarded import Forwarding


class Framing(NamedTuple):
    """
    What h11 made of the lines of a head that decide where the request ends and
    whether the connection lives on.

    @ivar lines: These lines: all that h11 needs to hear to read the body.
    @ivar keepAlive: The client lets the connection live after the answer.
    @ivar hasBody: Bytes of a body follow the head.
    @ivar length: The body's length in bytes; L{None} where it is chunked.
    @ivar expectsContinue: The client waits for C{100 Continue} before it sends
        the body (RFC 9110, 10.1.1).
    """

    lines: bytes
    keepAlive: bool
    hasBody: bool
    length: int | None
    expectsContinue: bool


def kindOf(method: bytes, httpVersion: bytes, keepAlive: bool) -> int:
    """
    @return: A number from 0 to 7 for all of a request that its answer's head
        depends on: HEAD or not, HTTP/1.0 or 1.1, and whether the client lets the
        connection live.
    """
    return (method == b"HEAD") << 2 | (httpVersion == b"1.0") << 1 | keepAlive


KINDS = range(8)


class RequestHead(NamedTuple):
    """
    A request head; shared by all requests whose heads have the same bytes.

    @ivar raw: These bytes, from the request line to the empty line.
    @ivar kind: See L{kindOf}.
    @ivar method: Such as C{b"GET"}, in the case it came in.
    @ivar target: The request target as it came in (RFC 9112, 3.2).
    @ivar httpVersion: C{b"1.0"} or C{b"1.1"}.
    @ivar headers: Names in lower case.
    @ivar framing: Where the request ends, and what happens then.
    @ivar row: Where L{ktcp.counters} has its method.
    """

    raw: bytes
    kind: int
    method: bytes
    target: bytes
    httpVersion: bytes
    headers: Headers
    framing: Framing
    row: int = UNREAD

    def closing(self) -> RequestHead:
        """
        @return: This head, had its client asked to close the connection.
        """
        return self._replace(
            kind=kindOf(self.method, self.httpVersion, False),
            framing=self.framing._replace(keepAlive=False),
        )


class Request:
    """
    One request, as a handler gets it.

    @ivar head: The L{RequestHead}.
    @ivar peer: The address of who is connected, an C{IAddress}: the client, or a
        proxy that passes its requests on; see L{client}.
    @cvar peerIdentity: Who the client is, by its verified certificate, a
        L{ktcp.certificates.PeerIdentity}; L{None} where none was asked for.
    @cvar isSecure: The connection is over TLS.
    @cvar forwarding: Reads what the peer, a trusted proxy, says in headers.
    @ivar body: The body, a L{RequestBody}: C{await request.body.read()}, or
        C{async for chunk in request.body}.
    """

    __slots__ = ("body", "head", "peer")

    # Of the class, for they are the connection's, and a slot costs each request;
    # connections with others have a class of their own (L{requestsOf}).
    peerIdentity: PeerIdentity | None = None
    isSecure = False
    forwarding: Forwarding | None = None

    def __init__(self, head: RequestHead, peer: Any, body: RequestBody) -> None:
        self.head = head
        self.peer = peer
        self.body = body

    @property
    def method(self) -> bytes:
        """
        Such as C{b"GET"}; methods are case-sensitive (RFC 9110, 9.1).
        """
        return self.head.method

    @property
    def target(self) -> bytes:
        """
        The request target as it came over the wire, nothing decoded.
        """
        return self.head.target

    @property
    def httpVersion(self) -> bytes:
        """
        C{b"1.0"} or C{b"1.1"}.
        """
        return self.head.httpVersion

    @property
    def headers(self) -> Headers:
        """
        The request's headers, names in lower case.
        """
        return self.head.headers

    @property
    def client(self) -> str | None:
        """
        The address of the client: the peer's, or what a trusted proxy says;
        L{None} where there is none, as on a UNIX socket.
        """
        told = self.forwarding and self.forwarding.read(self.headers).client
        return told or getattr(self.peer, "host", None)

    @property
    def scheme(self) -> bytes:
        """
        C{b"http"} or C{b"https"}: of the connection, or of that of the client to
        a trusted proxy.  An absolute target's is what somebody wrote.
        """
        told = self.forwarding and self.forwarding.read(self.headers).scheme
        return told or (b"https" if self.isSecure else b"http")

    @property
    def host(self) -> bytes:
        """
        The host, perhaps with a port, that the client asked: an absolute target's
        before Host (RFC 9112, 3.2.2), and before both what a trusted proxy says.
        Empty if there is none, as HTTP/1.0 allows.
        """
        told = self.forwarding and self.forwarding.read(self.headers).host
        if told:
            return told
        if b"://" in self.target[:8]:
            return re.split(rb"[/?]", self.target.partition(b"://")[2], maxsplit=1)[0]
        return self.headers.get(b"host", b"") or b""

    def __repr__(self) -> str:
        return f"<Request {self.method!r} {self.target!r} from {self.peer}>"


@lru_cache(maxsize=16)
def requestsOf(
    identity: PeerIdentity | None, isSecure: bool, forwarding: Forwarding | None
) -> type[Request]:
    """
    Make the class of a connection's requests.
    """
    attributes = {"peerIdentity": identity, "isSecure": isSecure, "forwarding": forwarding}
    return type("Request", (Request,), {"__slots__": (), **attributes})


Trailers: TypeAlias = "HeadersLike | Callable[[], HeadersLike] | None"

# Answers without content (RFC 9110, 15.3.5 and 15.4.5).
BODILESS = frozenset((204, 304))


class Response:
    """
    One answer, as a handler gives it.  Immutable by agreement: a handler may
    give the same object again and again as long as its body is bytes.

    @ivar status: 200 to 599 (RFC 9110, 15).
    @ivar body: Bytes, an asynchronous iterable of bytes, or a producer of the
        L{twisted.web.iweb.IBodyProducer} kind.  Bytes go out with their
        Content-Length.  So does a producer that knows its C{length}, and
        anything whose headers name a Content-Length; the connection is closed
        on a body that turns out longer or shorter.  Everything else is chunked,
        or ended by closing for a client of HTTP/1.0.
    @ivar headers: L{Headers}; given as a mapping or as pairs, C{bytes} or C{str} of
        latin-1.  Server, Date and what frames the body are added to them.
    @ivar trailers: Sent after a chunked body (RFC 9110, 6.5): headers, or a
        function called when the body has gone out.  With trailers, bytes go
        out chunked too.
    """

    __slots__ = ("body", "head", "trailers")

    def __init__(
        self,
        status: int = 200,
        body: bytes | AsyncIterable[bytes] | Any = b"",
        headers: HeadersLike | None = None,
        trailers: Trailers = None,
    ) -> None:
        """
        @raise ValueError: The status is out of range, a header or trailer
            would split or is not the handler's to set, or the Content-Length
            given is not the body's.
        @raise TypeError: The body is none of the three kinds, or something else
            is not of its type.
        """
        # An exact class is cheaper to tell than a Mapping, and the usual one
        # (bench/micro/http_path.py).
        items = tuple(headers.items()) if headers.__class__ is dict else itemsOf(headers)
        self.head = head = _checkedHead(status, items)
        self.body: Any = body
        self.trailers: Headers | Callable[[], HeadersLike] | None = None
        if body.__class__ is not bytes or head.isUnusual or trailers is not None:
            self._checkRest(trailers)

    @property
    def status(self) -> int:
        """
        200 to 599.
        """
        return self.head.status

    @property
    def headers(self) -> Headers:
        """
        As the handler wrote them.
        """
        return self.head.headers

    def _checkRest(self, trailers: Trailers) -> None:
        head, body = self.head, self.body
        if isinstance(body, (bytearray, memoryview)):
            self.body = body = bytes(body)
        isBytes = isinstance(body, bytes)
        if not (isBytes or hasattr(body, "__aiter__") or hasattr(body, "startProducing")):
            raise TypeError(f"not a response body: {body!r}")
        if head.status in BODILESS and (trailers is not None or not isBytes or body):
            raise ValueError(f"a {head.status} answer has no body")
        if head.declared is not None:
            if trailers is not None:
                raise ValueError("trailers need a chunked body, Content-Length rules that out")
            # None is a lie too, but where no body is sent (HEAD, 304) the
            # handler may tell the length of the one that it does not give.
            if isBytes and body and len(body) != head.declared:
                raise ValueError(
                    f"Content-Length is {head.declared}, but the body has {len(body)} bytes"
                )
        if trailers is not None:
            self.trailers = trailers if callable(trailers) else Headers.of(trailers)

    def __repr__(self) -> str:
        return f"<Response {self.status}>"


class Lease(Protocol):
    """
    What an answer rests on.

    @ivar until: How long it is good, on the clock of its owner, who may end it
        sooner.
    """

    until: float


class Standing(Response):
    """
    An answer that stands, for every request with the same head, until its lease
    ends: the protocol gives it again without asking the handler, and the bytes
    it was rendered to are shared by all connections (bench/macro, C{file1k}).
    """

    __slots__ = ("_data", "_date", "_lease", "_seconds")

    def __init__(self, answer: Response, lease: Lease, seconds: Callable[[], float]) -> None:
        """
        @param answer: With a body of bytes.
        @param seconds: Tells the time for the lease.
        """
        self.head = answer.head
        self.body = answer.body
        self.trailers = None
        self._lease = lease
        self._seconds = seconds
        self._data = b""
        self._date: bytes | None = None

    @property
    def isCurrent(self) -> bool:
        """
        Whether it still stands.
        """
        return self._lease.until > self._seconds()

    def again(self, date: bytes) -> bytes | None:
        """
        @return: What it was rendered to on this C{date}, if it still stands.
        """
        if date is self._date and self._lease.until > self._seconds():
            return self._data
        return None

    def keep(self, data: bytes, date: bytes) -> None:
        """
        Remember what it was rendered to.
        """
        self._data = data
        self._date = date


class ResponseHead:
    """
    The status and headers of an answer, checked.  Answers that are alike share
    one, so that what was rendered of it can be kept by its identity.

    @ivar declared: The Content-Length that the headers name.
    @ivar isUnusual: They do name one, or the status forbids a body.
    @ivar column: Where L{ktcp.counters} has its status, in a method's row.
    """

    __slots__ = ("column", "declared", "headers", "isUnusual", "status")

    def __init__(self, status: int, headers: Headers) -> None:
        """
        @raise ValueError: Content-Length is given twice or is no number.
        """
        self.status = status
        self.headers = headers
        lengths = headers.getAll(b"content-length")
        if len(lengths) > 1 or not all(length.isdigit() for length in lengths):
            raise ValueError(f"not a Content-Length: {b', '.join(lengths)!r}")
        self.declared = int(lengths[0]) if lengths else None
        self.isUnusual = bool(lengths) or status in BODILESS
        self.column = statusColumn(status)


# A server writes few different heads, many times each.  One with a header that
# changes each time pushes out the oldest, and costs what it costs.
@lru_cache(maxsize=512)
def _checkedHead(status: int, items: tuple[tuple[Any, Text], ...]) -> ResponseHead:
    if not isinstance(status, int):
        raise TypeError(f"not a status: {status!r}")
    if not 200 <= status <= 599:
        raise ValueError(f"not a final status: {status!r}")
    return ResponseHead(int(status), checked(items))


def reasonPhrase(status: int) -> bytes:
    """
    @return: Such as C{b"Not Found"}; empty for a status nobody registered
        (RFC 9112, 4 allows that).
    """
    try:
        return HTTPStatus(status).phrase.encode("ascii")
    except ValueError:
        return b""
