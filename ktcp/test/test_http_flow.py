"""
Tests for L{ktcp.http.flow}.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IConsumer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ktcp.http.errors import BadRequest, BodyTooLarge
from ktcp.http.flow import BodyConsumer, Gate, RequestBody, pour
from ktcp.http.headers import Headers


class Source:
    """
    Chunks, as a connection would give them.
    """

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = list(chunks)
        self.asked = 0
        self.held: list[int] = []

    def availableChunk(self, body: RequestBody) -> bytes | None:
        """
        Nothing has come yet for every other chunk.
        """
        return None if len(self.chunks) % 2 else self._take(body)

    def nextChunk(self, body: RequestBody) -> Deferred[bytes]:
        return succeed(self._take(body))

    def holding(self, count: int) -> None:
        self.held.append(count)

    def _take(self, body: RequestBody) -> bytes:
        self.asked += 1
        if self.chunks:
            return self.chunks.pop(0)
        body.finish(Headers([(b"x", b"y")]))
        return b""


class Broken:
    """
    A body whose framing is broken, seen at once or later.
    """

    def __init__(self, atOnce: bool) -> None:
        self.atOnce = atOnce

    def availableChunk(self, body: RequestBody) -> bytes | None:
        if self.atOnce:
            raise BadRequest("broken")
        return None

    def nextChunk(self, body: RequestBody) -> Deferred[bytes]:
        return fail(BadRequest("broken"))

    def holding(self, count: int) -> None:
        """
        Nothing is.
        """


class RequestBodyTests(SynchronousTestCase):
    """
    A body, as a handler reads it.
    """

    def test_none(self) -> None:
        """
        A request without a body has an empty one, as often as one asks.
        """
        body = RequestBody(None, 0, 10)
        self.assertEqual(b"", self.successResultOf(body.read()))
        self.assertEqual(b"", self.successResultOf(body.read(0)))
        self.assertEqual([], list(body.trailers))

    def test_holding(self) -> None:
        """
        What is collected is told, until it is handed on; a little, or a body
        that is there in one piece, is not worth it.
        """
        much, little = b"x" * 10_000, b"x" * 6_000
        for chunks, length, held in (
            ([much], 10_000, []),
            ([much, much], 20_000, [10_000, -10_000]),
            ([much, much], None, [10_000, 10_000, -20_000]),
            ([little, little, little], None, [12_000, -12_000]),
            ([much, much, much], None, [10_000, 10_000, -20_000]),
        ):
            source = Source(*chunks)
            reading = RequestBody(source, length, 25_000).read()
            reading.addErrback(lambda failure: failure.trap(BodyTooLarge))
            self.assertEqual(held, source.held)

    def test_read(self) -> None:
        """
        The chunks come as one.
        """
        body = RequestBody(Source(b"he", b"llo"), 5, 10)
        self.assertEqual(b"hello", self.successResultOf(body.read()))

    def test_iterate(self) -> None:
        """
        C{async for} gives the chunks, and ends for good.
        """

        async def collect() -> list[bytes]:
            return [chunk async for chunk in body]

        source = Source(b"he", b"llo")
        body = RequestBody(source, None, 10)
        self.assertEqual([b"he", b"llo"], self.successResultOf(Deferred.fromCoroutine(collect())))
        self.assertEqual([], self.successResultOf(Deferred.fromCoroutine(collect())))
        self.assertEqual(3, source.asked)

    def test_nothingBeforeItIsWanted(self) -> None:
        """
        Nothing is asked of the client before the handler reads.
        """
        source = Source(b"a")
        body = RequestBody(source, 1, 10)
        self.assertEqual(0, source.asked)
        self.successResultOf(body.read())

    def test_declaredTooLarge(self) -> None:
        """
        A declared length over the bound fails before anything is read.
        """
        source = Source(b"x" * 11)
        failure = self.failureResultOf(RequestBody(source, 11, 10).read(), BodyTooLarge)
        self.assertEqual((413, 10), (failure.value.status, failure.value.limit))
        self.assertEqual(0, source.asked)

    def test_chunkedTooLarge(self) -> None:
        """
        A chunked body fails as soon as it is over the bound.
        """
        source = Source(b"x" * 6, b"x" * 5, b"never asked for")
        self.failureResultOf(RequestBody(source, None, 10).read(), BodyTooLarge)
        self.assertEqual(2, source.asked)

    def test_limit(self) -> None:
        """
        A body of the bound passes; the handler may name another bound, 0 too.
        """
        for length in (10, None):
            body = RequestBody(Source(b"x" * 10), length, 10)
            self.assertEqual(b"x" * 10, self.successResultOf(body.read()))
            body = RequestBody(Source(b"x" * 10), length, 1)
            self.assertEqual(b"x" * 10, self.successResultOf(body.read(10)))
            self.failureResultOf(RequestBody(Source(b"x"), length, 10).read(0), BodyTooLarge)

    def test_broken(self) -> None:
        """
        A broken body fails with what is wrong.
        """
        for atOnce in (True, False):
            self.failureResultOf(RequestBody(Broken(atOnce), 5, 10).read(), BadRequest)

    def test_finish(self) -> None:
        """
        Trailers are there once the end has been read; nothing more is asked.
        """
        source = Source(b"late")
        body = RequestBody(source, None, 10)
        trailers = Headers([(b"x", b"y")])
        body.finish(trailers)
        self.assertIs(trailers, body.trailers)
        self.assertEqual(b"", self.successResultOf(body.read()))
        self.assertEqual(0, source.asked)


class GateTests(SynchronousTestCase):
    """
    Open or shut.
    """

    def test_open(self) -> None:
        """
        A new gate lets pass.
        """
        gate = Gate()
        self.assertTrue(gate.isOpen)
        self.successResultOf(gate.passed())

    def test_shut(self) -> None:
        """
        A shut gate holds until it opens.
        """
        gate = Gate()
        gate.shut()
        waiting = gate.passed()
        self.assertNoResult(waiting)
        gate.open()
        self.assertTrue(gate.isOpen)
        self.successResultOf(waiting)
        gate.open()

    def test_leave(self) -> None:
        """
        Who waits may be called off, and the gate still works.
        """
        gate = Gate()
        gate.shut()
        waiting = gate.passed()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        again = gate.passed()
        gate.open()
        self.successResultOf(again)

    def test_shutAgainByTheOneWhoPasses(self) -> None:
        """
        The first to pass may fill the buffer again: the gate is shut then.
        """
        gate = Gate()
        gate.shut()
        waiting = gate.passed()
        waiting.addCallback(lambda _: gate.shut())
        gate.open()
        self.assertFalse(gate.isOpen)


class PourTests(SynchronousTestCase):
    """
    Pouring an asynchronous iterable out.
    """

    def setUp(self) -> None:
        self.gate = Gate()
        self.written: list[bytes] = []
        self.closed = 0

    async def chunks(self, *chunks: bytes) -> AsyncIterator[bytes]:
        try:
            for chunk in chunks:
                yield chunk
        finally:
            self.closed += 1

    def pour(self, chunks: object) -> Deferred[None]:
        return Deferred.fromCoroutine(pour(chunks, self.written.append, self.gate))

    def test_all(self) -> None:
        """
        With an open gate all goes out at once.
        """
        self.successResultOf(self.pour(self.chunks(b"a", b"b")))
        self.assertEqual(([b"a", b"b"], 1), (self.written, self.closed))

    def test_bytes(self) -> None:
        """
        Bytes go out as they are: a body that is chunked for its trailers.
        """
        self.successResultOf(self.pour(b"body"))
        self.assertEqual([b"body"], self.written)

    def test_waitsAtTheGate(self) -> None:
        """
        A client that does not take what was written is waited for, with one
        chunk gone.
        """
        self.gate.shut()
        pouring = self.pour(self.chunks(b"a", b"b"))
        self.assertNoResult(pouring)
        self.assertEqual([b"a"], self.written)
        self.gate.open()
        self.successResultOf(pouring)
        self.assertEqual([b"a", b"b"], self.written)

    def test_cancelledAtTheGate(self) -> None:
        """
        When the client leaves, the generator's C{finally} runs.
        """
        self.gate.shut()
        pouring = self.pour(self.chunks(b"a", b"b"))
        pouring.cancel()
        self.failureResultOf(pouring, CancelledError)
        self.assertEqual(([b"a"], 1), (self.written, self.closed))

    def test_cancelledInTheGenerator(self) -> None:
        """
        Also when it waits for something of its own.
        """
        own: Deferred[bytes] = Deferred()

        async def slow() -> AsyncIterator[bytes]:
            try:
                yield await own
            finally:
                self.closed += 1

        pouring = self.pour(slow())
        pouring.cancel()
        self.failureResultOf(pouring, CancelledError)
        self.assertEqual(1, self.closed)

    def test_writeRaises(self) -> None:
        """
        When more comes than was announced, the generator is closed too.
        """

        def refuse(data: bytes) -> None:
            raise ValueError(data)

        pouring = Deferred.fromCoroutine(pour(self.chunks(b"a", b"b"), refuse, self.gate))
        self.failureResultOf(pouring, ValueError)
        self.assertEqual(1, self.closed)

    def test_generatorRaises(self) -> None:
        """
        What a generator raises comes out.
        """

        async def failing() -> AsyncIterator[bytes]:
            yield b"a"
            raise RuntimeError("no more")

        self.failureResultOf(self.pour(failing()), RuntimeError)
        self.assertEqual([b"a"], self.written)

    def test_plainIterator(self) -> None:
        """
        An iterable need not be a generator: a request's body will do.
        """
        self.successResultOf(self.pour(RequestBody(Source(b"a", b"b"), None, 10)))
        self.assertEqual([b"a", b"b"], self.written)


class BodyConsumerTests(SynchronousTestCase):
    """
    What an C{IBodyProducer} writes to.
    """

    def test_interface(self) -> None:
        """
        It is a consumer.
        """
        self.assertTrue(verifyObject(IConsumer, BodyConsumer(lambda data: None)))

    def test_writes(self) -> None:
        """
        Writing writes; registering, which such a producer does not, is harmless.
        """
        written: list[bytes] = []
        consumer = BodyConsumer(written.append)
        consumer.registerProducer(self, True)
        consumer.write(b"a")
        consumer.unregisterProducer()
        self.assertEqual([b"a"], written)
