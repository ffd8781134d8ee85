"""
Tests for L{ktcp.endpoint.buffers}, and for who adds to them.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ktcp import HTTPFactory, Request, Response
from ktcp.counters import Counters
from ktcp.endpoint import transport as transportModule
from ktcp.endpoint.buffers import FEW, Buffers
from ktcp.endpoint.server import KTCPServerEndpoint
from ktcp.http import protocol as protocolModule
from ktcp.test.support import Client, stopAfter
from ktcp.testing import MemoryConnection, request


class Holder:
    """
    A connection that can be reset.
    """

    def __init__(self, buffers: Buffers) -> None:
        self._buffers = buffers
        self.held = 0
        self.aborted = False

    def add(self, count: int) -> None:
        """
        So many bytes more wait for it.
        """
        self.held += count
        self._buffers.add(self, count)

    def abortConnection(self) -> None:
        """
        Drop them, as a transport does.
        """
        self.aborted = True
        self.add(-self.held)


class BuffersTests(SynchronousTestCase):
    """
    Who goes when too much waits.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.counters = Counters()
        self.counters.attach(self.clock)
        self.buffers = Buffers()
        self.buffers.bound(1000, self.clock)
        self.logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)

    def holders(self, *counts: int) -> list[Holder]:
        """
        Connections for which so much waits.
        """
        made = [Holder(self.buffers) for _ in counts]
        for holder, count in zip(made, counts, strict=True):
            holder.add(count)
        return made

    def test_below(self) -> None:
        """
        Up to the ceiling nobody goes, and what is taken is forgotten.
        """
        holders = self.holders(400, 600)
        holders[1].add(-600)
        holders[0].add(600)
        self.assertEqual((self.buffers.total, self.buffers.reset.count), (1000, 0))
        self.assertEqual([each.aborted for each in holders], [False, False])

    def test_largest(self) -> None:
        """
        The largest of those who are stuck goes, not the one that needs a little.
        """
        holders = self.holders(100, 800, 50, 60)
        self.assertEqual([each.aborted for each in holders], [False, True, False, False])
        self.assertEqual(self.buffers.total, 210)
        self.assertEqual(self.counters.snapshot().value("limits", "buffers"), 1)

    def test_growing(self) -> None:
        """
        One that wants more than there is goes itself, and nobody with it.
        """
        holders = self.holders(100, 200, 5000)
        self.assertEqual([each.aborted for each in holders], [False, False, True])
        self.assertEqual(self.buffers.total, 300)

    def test_stuck(self) -> None:
        """
        Of many, those who make progress stay, though they hold more.
        """
        many = self.holders(*[10] * 2 * FEW)
        for holder in many[:FEW]:
            holder.add(5)
            holder.add(-1)
        self.holders(1000 - self.buffers.total, 5)[0].add(-1)
        late = Holder(self.buffers)
        late.add(5)
        self.assertEqual([each.aborted for each in many[:FEW]], [False] * FEW)
        self.assertEqual(sum(each.aborted for each in many[FEW:]), 1)
        self.assertFalse(late.aborted)

    def test_afterwards(self) -> None:
        """
        One that was reset may go on for a moment; when it is gone, what it had
        is subtracted once.
        """
        [one] = self.holders(2000)
        self.assertEqual(self.buffers.total, 0)
        one.add(30)
        one.add(-30)
        self.buffers.add(one, -2000)
        self.assertEqual(self.buffers.total, 0)

    def test_said(self) -> None:
        """
        The log says that it began, and when it is over how many were reset.
        """
        self.holders(2000, 2000, 2000)
        self.clock.pump([5, 5])
        lines = [event["log_format"].format(**event) for event in self.logged]
        self.assertEqual(
            lines,
            [
                "ktcp: more than 1000 bytes wait in memory; connections are reset",
                "ktcp: less waits in memory again; 3 connections were reset",
            ],
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Talker(Protocol):
    """
    Writes much, to who may not read it.
    """

    def __init__(self) -> None:
        self.over: Deferred[Any] = Deferred()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Tell why.
        """
        self.over.callback(reason.value)


class TransportTests(TestCase):
    """
    What the kernel does not take.
    """

    timeout = 30

    async def connect(self) -> tuple[Buffers, Talker, Client]:
        """
        A connection whose client does not read.
        """
        buffers = Buffers()
        self.patch(transportModule, "BUFFERS", buffers)
        accepted: Deferred[Talker] = Deferred()
        factory = Factory()

        def build(address: object) -> Talker:
            talker = Talker()
            talker.connectionMade = lambda: accepted.callback(talker)  # to hear of it
            return talker

        factory.buildProtocol = build  # type: ignore[assignment]  # shorter than a class
        port: Any = await KTCPServerEndpoint(reactor, 0, "127.0.0.1").listen(factory)
        stopAfter(self, port)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        client = await connectProtocol(endpoint, Client())
        self.addCleanup(client.drop)
        client.transport.pauseProducing()
        talker = await accepted
        talker.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return buffers, talker, client

    async def test_added(self) -> None:
        """
        What waits is counted however it was written, and not any more once the
        client has read it.
        """
        buffers, talker, client = await self.connect()
        transport: Any = talker.transport
        size = 16 * 2**20
        transport.write(b"x" * size)
        first = buffers.total
        self.assertTrue(0 < first < size, first)
        transport.write(b"y" * 1000)
        transport.writeSequence([b"z" * 1000, b"z" * 1000])
        self.assertEqual(buffers.total, first + 3000)
        # With the small one of connect(), it would go 4 KiB at a time, each after a delayed ACK.
        transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)
        client.transport.resumeProducing()
        await client.got(size + 3000)
        self.assertEqual(buffers.total, 0)

    async def test_taken(self) -> None:
        """
        What the kernel takes at once never waits.
        """
        buffers, talker, _ = await self.connect()
        self.patch(buffers, "add", self.fail)
        talker.transport.write(b"x" * 100)

    async def test_reset(self) -> None:
        """
        Beyond the ceiling the connection is reset, and nothing of it waits, even
        while it goes on writing.
        """
        buffers, talker, client = await self.connect()
        buffers.bound(2**20, reactor)
        buffers.reset._wait = lambda clock: None  # leaves no timer
        for _ in range(3):
            talker.transport.write(b"x" * 16 * 2**20)
        reason = await talker.over
        self.assertIn("abort", str(reason))
        self.assertEqual(buffers.total, 0)
        self.assertGreaterEqual(buffers.reset.count, 1)
        client.transport.resumeProducing()
        self.assertIsNotNone(await client.closed)

    async def test_left(self) -> None:
        """
        A client that leaves takes along what waited for it.
        """
        buffers, talker, client = await self.connect()
        talker.transport.write(b"x" * 16 * 2**20)
        self.assertGreater(buffers.total, 0)
        client.transport.abortConnection()
        await talker.over
        self.assertEqual(buffers.total, 0)


class HTTPTests(SynchronousTestCase):
    """
    What requests have waiting.
    """

    def setUp(self) -> None:
        self.buffers = Buffers()
        self.patch(protocolModule, "BUFFERS", self.buffers)
        self.answers: list[Deferred[Response]] = []
        self.connection = MemoryConnection(HTTPFactory(self.handle, reactor=Clock()))
        self.addCleanup(self.connection.lose)

    def handle(self, asked: Request) -> Any:
        """
        Echo a body; answer anything else when told to.
        """
        if asked.method == b"POST":
            return asked.body.read().addCallback(lambda body: Response(200, body))
        self.answers.append(Deferred())
        return self.answers[-1]

    def test_readAhead(self) -> None:
        """
        Requests that come while one is answered are counted until it is their
        turn.
        """
        one = request("/")
        self.connection.send(one)
        self.assertEqual(self.buffers.total, 0)
        self.connection.send(one + one)
        self.assertEqual(self.buffers.total, 2 * len(one))
        self.answers[0].callback(Response(200, b""))
        self.assertEqual(self.buffers.total, len(one))
        self.connection.lose()
        self.assertEqual(self.buffers.total, 0)

    def test_head(self) -> None:
        """
        So is a head that is not whole, and not any more when it is.
        """
        one = request("/")
        self.connection.send(one[:10])
        self.assertEqual(self.buffers.total, 10)
        self.connection.send(one[10:])
        self.assertEqual(self.buffers.total, 0)

    def test_body(self) -> None:
        """
        So is a body that is read whole, while it comes.
        """
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n"
        piece = b"x" * 10_000
        self.connection.send(head + piece)
        self.connection.send(piece)
        self.assertEqual(self.buffers.total, 20_000)
        self.connection.send(piece)
        self.assertEqual(self.buffers.total, 0)
        self.connection.send(head + piece)
        self.assertEqual(self.buffers.total, 10_000)
        self.connection.lose()
        self.assertEqual(self.buffers.total, 0)
