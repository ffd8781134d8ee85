"""
Tests for L{ktcp.http.tally}, through connections in memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ktcp import HTTPFactory, Request, Response
from ktcp.counters import Counters
from ktcp.http.limits import Limits
from ktcp.http.protocol import Handler
from ktcp.testing import MemoryConnection, request


class HTTPTests(SynchronousTestCase):
    """
    What an HTTP factory counts: each request once, however it ends.
    """

    def setUp(self) -> None:
        self.counters = Counters()
        self.clock = Clock()

    def serve(
        self, handler: Handler = lambda request: Response(200, b"x"), **limits: Any
    ) -> MemoryConnection:
        factory = HTTPFactory(
            handler, counters=self.counters, limits=Limits(**limits), reactor=self.clock
        )
        return MemoryConnection(factory)

    def value(self, *names: str) -> int:
        return self.counters.snapshot().value(*names)

    def pass_(self, seconds: float) -> None:
        for _ in range(int(seconds * 10)):
            self.clock.advance(0.1)

    def test_later(self) -> None:
        """
        A handler that answers later is timed.
        """
        answer: Deferred[Response] = Deferred()
        connection = self.serve(lambda request: answer)
        connection.send(request())
        self.assertEqual(self.value("requests"), 0)
        answer.callback(Response(404))
        self.assertEqual(self.value("requests", "GET", "4xx"), 1)
        snapshot = self.counters.snapshot()
        self.assertEqual(snapshot.histogram("handler_seconds").count, 1)
        self.assertEqual(snapshot.histogram("response_seconds").count, 1)
        connection.lose()

    def test_streamed(self) -> None:
        """
        An answer that is cut short is counted, and has no time.
        """
        bodies = iter([b"", None])

        async def body() -> AsyncIterator[bytes]:
            yield b"a"
            if next(bodies) is None:
                raise ZeroDivisionError

        connection = self.serve(lambda request: Response(200, body()))
        connection.send(request() * 2)
        self.assertEqual(self.value("requests", "GET", "2xx"), 2)
        self.assertEqual(self.counters.snapshot().histogram("response_seconds").count, 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_fails(self) -> None:
        """
        A handler's failure is a 500.
        """
        connection = self.serve(lambda request: 1 / 0)
        connection.send(request())
        self.assertEqual(self.value("requests", "GET", "5xx"), 1)
        self.flushLoggedErrors(ZeroDivisionError)
        connection.lose()

    def test_left(self) -> None:
        """
        A client that leaves before it is answered is counted as such, once.
        """
        for leave in (MemoryConnection.lose, MemoryConnection.finish):
            connection = self.serve(lambda request: Deferred())
            connection.send(request(method="PUT"))
            leave(connection)
            connection.lose()
        self.assertEqual(self.value("requests", "PUT", "none"), 2)
        self.assertEqual(self.value("requests"), 2)

    def test_unread(self) -> None:
        """
        What is no request has no method; why it was refused is counted.
        """
        for data, kind in [
            (b"\x16\x03\x01", "malformed"),
            (b"GET / HTTP/2.0\r\n\r\n", "version"),
            (b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"x" * 9000), "target-too-long"),
            (b"GET / HTTP/1.1\r\nX: %b" % (b"x" * 17_000), "head-too-large"),
            (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "not-implemented"),
        ]:
            connection = self.serve()
            connection.send(data)
            self.assertEqual(self.value("parse_errors", kind), 1, kind)
            connection.lose()
        self.assertEqual(self.value("requests", "unread"), 5)
        self.assertEqual(self.value("requests", "unread", "5xx"), 2)
        self.assertEqual(self.value("limits", "target"), 1)
        self.assertEqual(self.value("limits", "head"), 1)

    def test_deadlines(self) -> None:
        """
        Each deadline that passes is counted by the name of its limit.
        """
        late: Deferred[Response] = Deferred()
        for data, kind in [
            (b"", "headTime"),
            (b"GET / HT", "headTime"),
            (request(), "idle"),
            (request("/late"), "handlerTime"),
        ]:
            before = self.value("limits", kind)
            connection = self.serve(
                lambda request: late if request.target == b"/late" else Response(200),
                headTime=2,
                idle=2,
                handlerTime=2,
                linger=100,
            )
            if data:
                connection.send(data)
            self.pass_(4)
            self.assertEqual(self.value("limits", kind), before + 1, kind)
            connection.lose()
        self.assertEqual(self.value("requests", "GET", "5xx"), 1)

    def test_body(self) -> None:
        """
        A body that is too large, or comes too slowly.
        """

        async def read(request: Request) -> Response:
            return Response(200, await request.body.read())

        connection = self.serve(read, body=10)
        connection.send(request(method="POST", body=b"x" * 11))
        connection.lose()
        slow = self.serve(read, bodyGrace=2)
        slow.send(request(method="POST", headers={"Content-Length": "5"}))
        self.pass_(4)
        slow.lose()
        self.assertEqual(self.value("limits", "body"), 1)
        self.assertEqual(self.value("limits", "bodyRate"), 1)
        self.assertEqual(self.value("requests", "POST", "4xx"), 2)

    def test_tooMany(self) -> None:
        """
        A connection that is one too many, and one that has had its last request.
        """
        factory = HTTPFactory(
            counters=self.counters,
            connections=1,
            limits=Limits(requests=1),
            reactor=self.clock,
        )
        first, second = MemoryConnection(factory), MemoryConnection(factory)
        first.send(request())
        second.lose()
        first.lose()
        self.assertEqual(self.value("limits", "connections"), 1)
        self.assertEqual(self.value("limits", "requests"), 1)
