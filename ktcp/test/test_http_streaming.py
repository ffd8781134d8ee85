"""
Tests for L{ktcp.http.streaming}, through connections in memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, succeed

from ktcp import Request, Response
from ktcp.test.serving import Harness, Oops, Producer
from ktcp.testing import request


class ResponseBodyTests(Harness):
    """
    Bodies that go out bit by bit.
    """

    @staticmethod
    async def chunks() -> AsyncIterator[bytes]:
        for chunk in (b"one", b"", b"two"):
            yield chunk

    def test_iterable(self) -> None:
        """
        An asynchronous iterable is chunked for HTTP/1.1, and the connection
        lives on.
        """
        self.serve(lambda request: Response(200, self.chunks())).send(request() * 2)
        for response in self.responses():
            self.assertEqual(response.body, b"onetwo")
            self.assertEqual(response.headers.get("Transfer-Encoding"), b"chunked")
        self.assertFalse(self.connection.closed)

    def test_iterableForHTTP10(self) -> None:
        """
        For HTTP/1.0 closing ends it, asked to live on or not.
        """
        for headers in ({}, {"Connection": "keep-alive"}):
            self.serve(lambda request: Response(200, self.chunks()))
            self.connection.send(request(version=b"1.0", headers=headers))
            response = self.onlyResponse()
            self.assertEqual(response.body, b"onetwo")
            self.assertIsNone(response.headers.get("Transfer-Encoding"))
            self.assertTrue(self.connection.closed)

    def test_iterableOfKnownLength(self) -> None:
        """
        With a Content-Length it goes out as it is.
        """
        self.serve(lambda request: Response(200, self.chunks(), {"Content-Length": "6"}))
        self.connection.send(request() + request(version=b"1.0"))
        for response in self.responses():
            self.assertEqual(response.body, b"onetwo")
            self.assertIsNone(response.headers.get("Transfer-Encoding"))

    def test_head(self) -> None:
        """
        HEAD gets the head of a streamed answer, and its body is not begun.
        """
        producer = Producer()
        self.serve(lambda request: Response(200, producer)).send(request(method="HEAD") * 2)
        first, second = self.responses(b"HEAD", b"HEAD")
        self.assertEqual((first.status, second.status), (200, 200))
        self.assertEqual(producer.calls, [])
        self.assertFalse(self.connection.closed)

    def test_trailers(self) -> None:
        """
        Trailers follow the chunks; a function is asked when the body has gone.
        """
        seen = []

        async def body() -> AsyncIterator[bytes]:
            for chunk in (b"a", b"b"):
                seen.append(chunk)
                yield chunk

        self.serve(
            lambda request: Response(200, body(), trailers=lambda: {"Count": str(len(seen))})
        ).send(request())
        self.assertEqual(self.onlyResponse().trailers.get("Count"), b"2")
        self.serve(lambda request: Response(200, b"abc", trailers={"X": "y"})).send(request())
        self.assertEqual(self.onlyResponse().trailers.get("X"), b"y")
        self.assertEqual(self.onlyResponse().body, b"abc")

    def test_backPressure(self) -> None:
        """
        An iterable is asked for no more than the client takes.
        """
        asked = []

        async def body() -> AsyncIterator[bytes]:
            for n in range(10):
                asked.append(n)
                yield b"x"

        self.serve(lambda request: Response(200, body()))
        transport = self.connection.transport
        write = transport.writeSequence

        def full(data: bytes) -> None:
            write(data)
            if len(asked) == 3:
                transport.producer.pauseProducing()

        transport.writeSequence = full
        self.connection.send(request())
        self.assertEqual(asked, [0, 1, 2])
        transport.producer.resumeProducing()
        self.assertEqual(asked, list(range(10)))
        self.assertEqual(self.onlyResponse().body, b"x" * 10)

    def test_producer(self) -> None:
        """
        An C{IBodyProducer} of known length needs no chunks, and hears of
        back-pressure.
        """
        producer = Producer(6)
        self.serve(lambda request: Response(200, producer)).send(request() * 1)
        producer.consumer.write(b"abc")
        self.connection.transport.producer.pauseProducing()
        self.connection.transport.producer.resumeProducing()
        self.assertEqual(producer.calls, ["pause", "resume"])
        producer.consumer.write(b"def")
        producer.done.callback(None)
        response = self.onlyResponse()
        self.assertEqual(response.body, b"abcdef")
        self.assertEqual(response.headers.get("Content-Length"), b"6")
        self.assertFalse(self.connection.closed)

    def test_producerStops(self) -> None:
        """
        A producer is stopped when the client is gone, and not heard any more.
        """
        producer = Producer()
        self.serve(lambda request: Response(200, producer)).send(request())
        self.connection.lose()
        self.assertEqual(producer.calls, ["stop"])
        before = self.connection.received
        producer.consumer.write(b"late")
        self.assertEqual(self.connection.received, before)

    def test_generatorCloses(self) -> None:
        """
        A generator's C{finally} runs when the client is gone, whether it waits
        for its own business or for the client.
        """
        ended = []

        async def body(waiting: Deferred[Any]) -> AsyncIterator[bytes]:
            try:
                yield b"x"
                await waiting
            finally:
                ended.append(True)

        self.serve(lambda request: Response(200, body(Deferred()))).send(request())
        self.connection.lose()
        self.assertEqual(ended, [True])

        self.serve(lambda request: Response(200, body(succeed(None))))
        self.connection.transport.writeSequence = lambda data: (
            self.connection.transport.producer.pauseProducing()
        )
        self.connection.send(request())
        self.assertEqual(ended, [True])
        self.connection.lose()
        self.assertEqual(ended, [True, True])

    def failing(self, version: bytes, headers: Any = None) -> Any:
        async def body() -> AsyncIterator[bytes]:
            yield b"abc"
            raise Oops("secret")

        self.serve(lambda request: Response(200, body(), headers))
        self.connection.send(request(version=version) + request())
        self.assertEqual(len(self.logged(Oops)), 1)
        self.assertTrue(self.connection.closed)
        return self.onlyResponse()

    def test_fails(self) -> None:
        """
        A body that fails half-way is logged once and cut, so that the client
        can tell: by a missing last chunk or missing bytes, or by a reset where
        closing would have been a good end.
        """
        self.assertFalse(self.failing(b"1.1").complete)
        self.assertFalse(self.failing(b"1.1", {"Content-Length": "10"}).complete)
        self.assertFalse(self.connection.transport.aborted)
        self.failing(b"1.0")
        self.assertTrue(self.connection.transport.aborted)

    def promising(self, length: str, request: Request) -> Response:
        """
        Answer with a length that is to be seen through.
        """
        return Response(200, self.chunks(), {"Content-Length": length})

    def test_lengthIsALie(self) -> None:
        """
        A body that is longer or shorter than its Content-Length is cut too.
        """
        for length in ("5", "7"):
            self.serve(partial(self.promising, length))
            self.connection.send(request() * 2)
            self.assertFalse(self.onlyResponse().complete)
            self.assertTrue(self.connection.closed)
            self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_startFails(self) -> None:
        """
        A producer that cannot start is cut as well.
        """
        producer = Producer()
        producer.startProducing = lambda consumer: 1 / 0  # type: ignore[assignment]  # it fails
        self.serve(lambda request: Response(200, producer)).send(request())
        self.assertEqual(len(self.logged(ZeroDivisionError)), 1)
        self.assertTrue(self.connection.closed)
