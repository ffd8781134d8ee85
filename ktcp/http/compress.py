# -*- test-case-name: ktcp.test.test_http_compress -*-
"""
Answers compressed on their way out, for clients that say they take it.

Whether one is: L{Compression}, which the files of L{ktcp.http.static} ask too.
L{Compressing} is a handler around a handler, so that a server that does not
compress pays nothing.  An answer is left alone that is short, of a type that
does not shrink, a part of something (RFC 9110, 14.4), coded already, with a
digest of its bytes, or not to be transformed (RFC 9110, 7.7).

What is compressed is another representation with a tag of its own (RFC 9110,
8.8.3.3).  The handler's strong tag is made weak here: it is sent back as
C{W/"x"}, which a handler that compares as it should (8.8.3.2) knows for its
own, and no range of ours can be asked for under it.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from ktcp.http.accept import bestCoding
from ktcp.http.codings import CHEAPEST, coders, compressed
from ktcp.http.headers import Headers
from ktcp.http.message import BODILESS, Request, Response, ResponseHead

# Bytes that are compressed between two turns of others: a millisecond with the
# slowest of the codings.  What is longer goes slice by slice through a thread.
SLICE = 32 * 1024

TYPES = frozenset(
    (
        "text/*",
        "*+json",
        "*+xml",
        "application/javascript",
        "application/json",
        "application/wasm",
        "application/xml",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/x-icon",
    )
)

# Events are read one by one as they come; a buffer anywhere between holds them.
_NEVER = frozenset(("text/event-stream",))

# An answer with one of these is coded already, is a part, or vouches for the
# very bytes that it has (RFC 9530; RFC 3230; RFC 1864).
_REFUSES = frozenset(
    (
        b"content-encoding",
        b"content-range",
        b"content-digest",
        b"repr-digest",
        b"digest",
        b"content-md5",
    )
)

VARY = (b"Vary", b"Accept-Encoding")

InThread = Callable[..., Awaitable[Any]]


@dataclass(frozen=True)
class Compression:
    """
    What is compressed, of files and of a handler's answers.

    @ivar minimum: Bytes; below that a body fits a packet as it is.
    @ivar largest: Bytes of a file, which is compressed anew for each client
        unless it is small; a larger one goes out by sendfile(2), at a
        hundredth of the cost.
    @ivar types: Media types: C{"text/css"}, C{"text/*"} or C{"*+json"}.
    """

    minimum: int = 1024
    largest: int = 16 * 1024 * 1024
    types: frozenset[str] = TYPES

    def __post_init__(self) -> None:
        """
        @raise ValueError: A size is negative, or a type is none.
        """
        if self.minimum < 0 or self.largest < 0:
            raise ValueError("sizes for compression are 0 or more")
        for each in self.types:
            if "/" not in each and not each.startswith("*+"):
                raise ValueError(f"not a media type: {each!r}")

    def takes(self, contentType: bytes | None) -> bool:
        """
        @param contentType: The header, with or without parameters.
        """
        kind = (contentType or b"").partition(b";")[0].strip().lower().decode("latin-1")
        major, slash, _ = kind.partition("/")
        if not slash or kind in _NEVER:
            return False
        return not self.types.isdisjoint((kind, f"{major}/*", f"*+{kind.rpartition('+')[2]}"))


def forbidsTransform(headers: Headers) -> bool:
    """
    @return: Whether they say C{no-transform} (RFC 9111, 5.2.2.6).
    """
    directives = (headers.get(b"cache-control") or b"").lower().split(b",")
    return b"no-transform" in [directive.strip() for directive in directives]


async def codedSlices(
    coding: bytes, slices: Iterable[bytes], inThread: InThread
) -> AsyncIterator[bytes]:
    """
    Compress a body, in a thread but for taking the next slice.
    """
    coder = coders[coding]()
    for each in slices:
        yield await inThread(coder.compress, each)
    yield await inThread(coder.finish)


async def codedChunks(
    coding: bytes, chunks: AsyncIterable[bytes], inThread: InThread
) -> AsyncIterator[bytes]:
    """
    Compress a body as it comes: what has come can be read at once, so that a
    handler that shows its progress still does.
    """
    coder = coders[coding]()
    iterator = chunks.__aiter__()
    budget = SLICE
    try:
        async for chunk in iterator:
            budget -= len(chunk)
            if budget > 0:
                yield coder.compress(chunk) + coder.flush()
                continue
            # A thread for what takes long, and for others to have their turn.
            budget = SLICE
            for at in range(0, len(chunk), SLICE):
                yield await inThread(coder.compress, chunk[at : at + SLICE])
            yield coder.flush()
        yield coder.finish()
    finally:
        close: Any = getattr(iterator, "aclose", None)
        if close is not None:
            await close()


async def nothing() -> AsyncIterator[bytes]:
    """
    The body of an answer to HEAD whose length would take compressing to tell.
    """
    return
    yield b""


class _Plan(NamedTuple):
    """
    The headers of an answer that may be compressed.

    @ivar varied: Of one that is not.
    @ivar coded: Of one that is, but for Content-Encoding.
    """

    varied: Headers
    coded: Headers


# Plans that are kept, by heads that answers share.
_PLANS = 512


class Compressing:
    """
    A handler that compresses what another answers.
    """

    def __init__(
        self,
        handler: Callable[[Request], Any],
        compression: Compression,
        reactor: Callable[[], Any],
    ) -> None:
        """
        @param reactor: Gives the reactor whose threads compress what is long.
        """
        self._handler = handler
        self._compression = compression
        self._reactor = reactor
        self._plans: dict[ResponseHead, _Plan | None] = {}

    def __call__(self, request: Request) -> Any:
        """
        Answer a request.
        """
        answer = self._handler(request)
        if isinstance(answer, Response):
            return self._answer(request, answer)
        if not isinstance(answer, Deferred):
            if not hasattr(answer, "__await__"):
                return answer  # Who asked knows what to say of it.
            answer = Deferred.fromCoroutine(answer)
        return answer.addCallback(partial(self._answer, request))

    def _answer(self, request: Request, response: Any) -> Any:
        if not isinstance(response, Response):
            return response
        head = response.head
        if head.status == 304:
            return _unchanged(request, response)
        plan = self._plans[head] if head in self._plans else self._newPlan(head)
        if plan is None or hasattr(response.body, "startProducing"):
            return response
        body = response.body
        # A HEAD may tell the length of the body that it does not have.
        length = (head.declared or len(body)) if isinstance(body, bytes) else None
        if length is not None and length < self._compression.minimum:
            return response
        coding = bestCoding(request.headers.get(b"accept-encoding"), CHEAPEST)
        if coding is not None:
            body = self._coded(coding, body)
        if coding is None or body is None:
            return Response(head.status, response.body, plan.varied, response.trailers)
        headers = Headers([*plan.coded, (b"Content-Encoding", coding)])
        return Response(head.status, body, headers, response.trailers)

    def _coded(self, coding: bytes, body: Any) -> Any:
        """
        @return: L{None} if that makes it no shorter.
        """
        if not isinstance(body, bytes):
            return codedChunks(coding, body, self._inThread)
        if not body:
            return nothing()
        if len(body) > SLICE:
            return codedSlices(coding, slicesOf(body), self._inThread)
        made = compressed(coding, body)
        return made if len(made) < len(body) else None

    def _newPlan(self, head: ResponseHead) -> _Plan | None:
        """
        Make a plan, and keep it in place of the oldest.
        """
        if len(self._plans) == _PLANS:
            del self._plans[next(iter(self._plans))]
        self._plans[head] = plan = self._plan(head)
        return plan

    def _plan(self, head: ResponseHead) -> _Plan | None:
        """
        @return: L{None} for an answer that is left alone.
        """
        headers = head.headers
        if (
            head.status in BODILESS
            or head.status == 206
            or any(name.lower() in _REFUSES for name, _ in headers)
            or forbidsTransform(headers)
            or not self._compression.takes(headers.get(b"content-type"))
        ):
            return None
        varied = _varied(headers)
        coded = []
        for name, value in varied:
            lowered = name.lower()
            if lowered == b"etag" and not value.startswith(b"W/"):
                value = b"W/" + value
            # Ranges would be of what is not sent.
            if lowered not in (b"content-length", b"accept-ranges"):
                coded.append((name, value))
        return _Plan(varied, Headers(coded))

    def _inThread(self, call: Callable[..., Any], *arguments: object) -> Deferred[Any]:
        reactor = self._reactor()
        return deferToThreadPool(reactor, reactor.getThreadPool(), call, *arguments)


def slicesOf(body: bytes) -> Iterable[bytes]:
    """
    Cut bytes into what one turn may take.
    """
    return (body[at : at + SLICE] for at in range(0, len(body), SLICE))


def _varied(headers: Headers) -> Headers:
    """
    Say that the answer depends on what codings the client takes.
    """
    members = (headers.get(b"vary") or b"").lower().replace(b" ", b"").split(b",")
    if b"*" in members or b"accept-encoding" in members:
        return headers
    return Headers([*headers, VARY])


def _unchanged(request: Request, response: Response) -> Response:
    """
    A 304 says what the 200 would have said (RFC 9110, 15.4.5): of the weak tag
    where that is what the client has.
    """
    given = request.headers.get(b"if-none-match") or b""
    headers = [
        (name, b"W/" + value if name.lower() == b"etag" and b"W/" + value in given else value)
        for name, value in _varied(response.headers)
    ]
    return Response(304, b"", Headers(headers))
