# -*- test-case-name: ktcp.test.test_http_flow -*-
"""
Back-pressure in both directions: bodies that move no faster than their reader.

A request body is pulled: bytes are asked of the connection when the handler
wants them, and wait in the kernel before that.  A response body is pushed, and
stopped when the transport has more than the client takes.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer, IProducer
from zope.interface import implementer

from ktcp.http.errors import BodyTooLarge
from ktcp.http.headers import Headers

# Bytes that are held before it is worth telling: most bodies are there at once.
_LUMP = 8 * 1024


class BodySource(Protocol):
    """
    Where a L{RequestBody} has its bytes from.
    """

    def availableChunk(self, body: RequestBody) -> bytes | None:
        """
        @return: The next bytes if they have come, empty at the end; else
            L{None}.
        """

    def nextChunk(self, body: RequestBody) -> Deferred[bytes]:
        """
        @return: Fires with the next bytes, when they come, empty at the end.
        """

    def holding(self, count: int) -> None:
        """
        Be told that more of the body is held in memory, or, below 0, less.
        """


class RequestBody:
    """
    The body of one request, read as the handler goes; reading slowly slows the
    client down.  Use L{read}, or C{async for}, once: bytes are not kept.

    @ivar length: Bytes, as declared; L{None} where the body is chunked.
    @ivar trailers: L{Headers} that came after a chunked body (RFC 9110, 6.5);
        empty until its end was read.
    """

    __slots__ = ("_limit", "_source", "length", "trailers")

    def __init__(self, source: BodySource | None, length: int | None, limit: int) -> None:
        """
        @param source: L{None} where the request has no body.
        @param length: As declared.
        @param limit: What L{read} takes when it is not told.
        """
        self._source = source
        self._limit = limit
        self.length = length
        self.trailers = Headers()

    def read(self, limit: int | None = None) -> Deferred[bytes]:
        """
        Read the whole body.

        @param limit: Bytes; by default C{limits.body}.
        @return: Fires with the body; fails with L{BodyTooLarge} as soon as it
            is known to be larger, for a declared length before any byte is
            read, with L{BadRequest} when it is broken or cut short, and with
            C{CancelledError} when the connection is lost.
        """
        if limit is None:
            limit = self._limit
        if self._source is None:
            return succeed(b"")
        return Deferred.fromCoroutine(self._gather(limit))

    async def _gather(self, limit: int) -> bytes:
        if self.length is not None and self.length > limit:
            raise BodyTooLarge(limit)
        source = self._source
        assert source is not None
        chunks: list[bytes] = []
        size = held = 0
        try:
            while chunk := await self._nextChunk():
                size += len(chunk)
                if size > limit:
                    raise BodyTooLarge(limit)
                chunks.append(chunk)
                if size - held >= _LUMP and size != self.length:
                    source.holding(size - held)
                    held = size
        finally:
            if held:
                source.holding(-held)
        return b"".join(chunks)

    async def _nextChunk(self) -> bytes:
        if self._source is None:
            return b""
        chunk = self._source.availableChunk(self)
        return await self._source.nextChunk(self) if chunk is None else chunk

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """
        @return: The next bytes, at least one.
        """
        chunk = await self._nextChunk()
        if not chunk:
            raise StopAsyncIteration
        return chunk

    def finish(self, trailers: Headers) -> None:
        """
        Nothing more will come.  For the protocol.
        """
        self._source = None
        self.trailers = trailers


class Gate:
    """
    Open or shut; those who may not pass yet wait.
    """

    __slots__ = ("_waiting", "isOpen")

    def __init__(self) -> None:
        self.isOpen = True
        self._waiting: Deferred[None] | None = None

    def shut(self) -> None:
        """
        From now on L{passed} waits.
        """
        self.isOpen = False

    def open(self) -> None:
        """
        Let the one who waits pass.
        """
        self.isOpen = True
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)

    def passed(self) -> Deferred[None]:
        """
        @return: Fires when the gate is open; one may wait at a time.
        """
        if self.isOpen:
            return succeed(None)
        self._waiting = Deferred(self._left)
        return self._waiting

    def _left(self, waiting: Deferred[None]) -> None:
        self._waiting = None


async def pour(
    chunks: bytes | AsyncIterable[bytes], write: Callable[[bytes], None], gate: Gate
) -> None:
    """
    Write what an asynchronous iterable gives, and wait at the gate in between.
    However it ends, a generator is closed, so that its C{finally} has run.

    @param chunks: Or bytes, which are written as they are: a body with trailers.
    """
    if isinstance(chunks, bytes):
        write(chunks)
        return
    iterator = chunks.__aiter__()
    try:
        async for chunk in iterator:
            write(chunk)
            if not gate.isOpen:
                await gate.passed()
    finally:
        close: Any = getattr(iterator, "aclose", None)
        if close is not None:
            await close()


@implementer(IConsumer)
class BodyConsumer:
    """
    What an C{IBodyProducer} writes to.  It was registered by being asked to
    produce, so C{registerProducer} has nothing to add.

    @ivar sendFile: Takes a descriptor, an offset and a count, and sends what it
        can of that part of a file, as
        L{ktcp.endpoint.transport.WriteThroughServer.sendFile} does; L{None}
        where bytes must be written.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        sendFile: Callable[[int, int, int], int] | None = None,
    ) -> None:
        self._write = write
        self.sendFile = sendFile

    def write(self, data: bytes) -> None:
        """
        Send the next bytes of the body.
        """
        self._write(data)

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """
        See L{IConsumer}; an C{IBodyProducer} does not call this.
        """

    def unregisterProducer(self) -> None:
        """
        See L{IConsumer}; an C{IBodyProducer} does not call this.
        """
