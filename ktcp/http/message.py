# -*- test-case-name: ktcp.test.test_http_message -*-
"""
What a handler receives and gives: L{Request}, L{Response}, L{Headers}, and the
errors that stand for an answer.  No Twisted and no h11 here.

What goes over the wire is bytes; where a handler writes, C{str} will do.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from ktcp.http.flow import RequestBody

Text: TypeAlias = "str | bytes"
HeadersLike: TypeAlias = "Headers | Mapping[Any, Text] | Iterable[tuple[Text, Text]]"

# field-name = token (RFC 9110, 5.1 and 5.6.2)
_NAME = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
# field-value = *field-content, of VCHAR, obs-text, SP and HTAB (RFC 9110, 5.5).
# Controls are refused altogether: CR, LF and NUL would split the header.
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")


class HTTPError(Exception):
    """
    A request that cannot be answered as it wishes.  A handler that raises one
    has the client answered with its status, and nothing is logged.

    @ivar status: The status of the answer, 400 to 599.
    @ivar reason: One sentence for the client.
    """

    def __init__(self, status: int, reason: str = "") -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason


class BadRequest(HTTPError):
    """
    What came in is no HTTP/1.1 request that can be understood without doubt:
    answer L{status}, then close (RFC 9112, 2.2 and 9.6).
    """

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(status, reason)


class IncompleteBody(BadRequest):
    """
    The peer closed its side before the end of the body.
    """


class BodyTooLarge(HTTPError):
    """
    The body is larger than its reader takes (413).
    """

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"The body may have {limit} bytes at most.")
        self.limit = limit


def _encoded(text: Text) -> bytes:
    if isinstance(text, bytes):
        return text
    if isinstance(text, str):
        return text.encode("latin-1")
    raise TypeError(f"neither str nor bytes: {text!r}")


class Headers:
    """
    An immutable collection of C{(name, value)} pairs of bytes, in order.

    Names are compared without regard to case.  A request's names are in lower
    case; a response's go out as the handler wrote them.
    """

    __slots__ = ("_hash", "_pairs")

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """
        @param pairs: Pairs that are known to be valid; L{of} checks.
        """
        self._pairs = tuple(pairs)
        self._hash: int | None = None

    @classmethod
    def of(cls, headers: HeadersLike | None) -> Headers:
        """
        Check headers written by a handler.

        @raise ValueError: A name is no token, or a value holds a control
            character such as CR, LF or NUL (RFC 9110, 5.5).
        @raise TypeError: A name or value is neither C{str} nor C{bytes}.
        """
        # Exact classes first: instances of abstract classes are dear to find
        # (bench/micro/http_path.py).
        if headers.__class__ is dict:
            return _checked(tuple(headers.items()))
        if headers is None:
            return _NO_HEADERS
        if isinstance(headers, Headers):
            return headers
        items: Any = headers.items() if isinstance(headers, Mapping) else headers
        return _checked(tuple((name, value) for name, value in items))

    def get(self, name: Text, default: bytes | None = None) -> bytes | None:
        """
        @return: The value; where there are several, all of them in order with
            C{b", "} between (RFC 9110, 5.2), which is right for every header
            but Set-Cookie.
        """
        values = self.getAll(name)
        return b", ".join(values) if values else default

    def getAll(self, name: Text) -> list[bytes]:
        """
        @return: The values of all headers of that name, in order.
        """
        wanted = _encoded(name).lower()
        return [value for key, value in self._pairs if key.lower() == wanted]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, (str, bytes)) and bool(self.getAll(name))

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return self._pairs == other._pairs

    def __hash__(self) -> int:
        # Kept, since the heads of answers are looked up by their headers; and
        # not before it is asked for, since a request's never are.
        if self._hash is None:
            self._hash = hash(self._pairs)
        return self._hash

    def __repr__(self) -> str:
        return f"Headers({list(self._pairs)!r})"


_NO_HEADERS = Headers()


# A server writes few different headers, many times each.  Not kept: a header
# that changes with each answer pushes out the oldest, and costs what it costs.
@lru_cache(maxsize=512)
def _checked(items: tuple[tuple[Text, Text], ...]) -> Headers:
    pairs = []
    for name, value in items:
        pair = _encoded(name), _encoded(value)
        if not _NAME.fullmatch(pair[0]):
            raise ValueError(f"not a header name: {name!r}")
        if not _VALUE.fullmatch(pair[1]):
            raise ValueError(f"not a value for header {name!r}: {value!r}")
        if pair[0].lower() == b"transfer-encoding":
            raise ValueError("Transfer-Encoding is decided for the handler")
        pairs.append((pair[0], pair[1].strip(b" \t")))
    return Headers(pairs)


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


class RequestHead(NamedTuple):
    """
    A request head; shared by all requests whose heads have the same bytes.

    @ivar method: Such as C{b"GET"}, in the case it came in.
    @ivar target: The request target as it came in (RFC 9112, 3.2).
    @ivar httpVersion: C{b"1.0"} or C{b"1.1"}.
    @ivar headers: Names in lower case.
    @ivar framing: Where the request ends, and what happens then.
    """

    method: bytes
    target: bytes
    httpVersion: bytes
    headers: Headers
    framing: Framing


class Request:
    """
    One request, as a handler gets it.

    @ivar head: The L{RequestHead}.
    @ivar peer: The client's address, an C{IAddress}.
    @ivar body: The body, a L{RequestBody}: C{await request.body.read()}, or
        C{async for chunk in request.body}.
    """

    __slots__ = ("body", "head", "peer")

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

    def __repr__(self) -> str:
        return f"<Request {self.method!r} {self.target!r} from {self.peer}>"


Trailers: TypeAlias = "HeadersLike | Callable[[], HeadersLike] | None"

# Answers without content (RFC 9110, 15.3.5 and 15.4.5).
BODILESS = frozenset((204, 304))


class Response:
    """
    One answer, as a handler gives it.  Immutable by agreement: a handler may
    give the same object again and again as long as its body is bytes.

    @ivar status: 200 to 599.
    @ivar body: Bytes, an asynchronous iterable of bytes, or a producer of the
        L{twisted.web.iweb.IBodyProducer} kind.  Bytes go out with their
        Content-Length.  So does a producer that knows its C{length}, and
        anything whose headers name a Content-Length; the connection is closed
        on a body that turns out longer or shorter.  Everything else is chunked,
        or ended by closing for a client of HTTP/1.0.
    @ivar headers: L{Headers}.
    @ivar trailers: Sent after a chunked body (RFC 9110, 6.5): headers, or a
        function called when the body has gone out.  With trailers, bytes go
        out chunked too.
    """

    __slots__ = ("body", "headers", "status", "trailers")

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
        if not isinstance(status, int):
            raise TypeError(f"not a status: {status!r}")
        if not 200 <= status <= 599:
            raise ValueError(f"not a final status: {status!r}")
        self.status = int(status)
        self.body: Any = body
        self.headers = headers = Headers.of(headers)
        self.trailers = trailers if trailers is None or callable(trailers) else Headers.of(trailers)
        if trailers is not None and b"content-length" in headers:
            raise ValueError("trailers need a chunked body, Content-Length rules that out")
        if status in BODILESS and (trailers is not None or body.__class__ is not bytes):
            raise ValueError(f"a {status} answer has no body")
        if body.__class__ is bytes:
            if headers is not _NO_HEADERS or body:
                _agree(status, len(body), headers)
        elif isinstance(body, (bytearray, memoryview)):
            self.body = bytes(body)
            _agree(status, len(self.body), headers)
        elif not (hasattr(body, "__aiter__") or hasattr(body, "startProducing")):
            raise TypeError(f"not a response body: {body!r}")

    def __repr__(self) -> str:
        return f"<Response {self.status}>"


def _agree(status: int, length: int, headers: Headers) -> None:
    """
    Refuse a Content-Length that is not the body's, and a body where none goes.
    """
    if length and status in BODILESS:
        raise ValueError(f"a {status} answer has no body")
    declared = _declaredLength(headers)
    if declared is not None and declared != length and length:
        raise ValueError(f"Content-Length is {declared}, but the body has {length} bytes")


@lru_cache(maxsize=512)
def _declaredLength(headers: Headers) -> int | None:
    """
    @raise ValueError: Content-Length is given twice or is no number.
    """
    values = headers.getAll(b"content-length")
    if not values:
        return None
    if len(values) > 1 or not values[0].isdigit():
        raise ValueError(f"not a Content-Length: {b', '.join(values)!r}")
    return int(values[0])


def reasonPhrase(status: int) -> bytes:
    """
    @return: Such as C{b"Not Found"}; empty for a status nobody registered
        (RFC 9112, 4 allows that).
    """
    try:
        return HTTPStatus(status).phrase.encode("ascii")
    except ValueError:
        return b""
