"""
Tests for L{ktcp.endpoint.transport}: what it does within a turn of the reactor, and at its end.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.error import (
    ConnectionDone,
)
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure

from ktcp.test.transports import (
    HUGE,
    TransportTestCase,
)


def writeAll(pieces: list[bytes], transport: Any) -> None:
    """
    Write one after the other.
    """
    for piece in pieces:
        transport.write(piece)


class TurnTests(TransportTestCase):
    """
    What a protocol wishes for while it is called is done when it returns.
    """

    def test_close(self) -> None:
        """
        A connection closed while data is handled is closed right after, with
        everything written before and after the wish.
        """

        def answer(transport: Any) -> None:
            transport.write(b"answer")
            transport.loseConnection()
            transport.write(b", and more")

        self.protocol.onData = staticmethod(answer)
        transport, client = self.pair()
        client.sendall(b"ask")
        self.arrived(transport)
        self.assertIdentical(transport.doRead(), None)
        while transport in self.reactor.writers:
            self.assertIdentical(transport.doWrite(), CONNECTION_DONE)
            transport.connectionLost(Failure(CONNECTION_DONE))
        self.assertEqual(self.protocols[0].events, ["made", b"ask", "handled", ConnectionDone])
        self.assertEqual(self.receive(client), b"answer, and more")
        self.assertEqual(self.reactor.getReaders(), [self.port])

    def test_closeOutsideTurn(self) -> None:
        """
        Any other time the reactor closes it, as it does Twisted's own.
        """
        transport, _client = self.pair()
        transport.write(b"bye")
        transport.loseConnection()
        self.assertEqual(self.protocols[0].events, ["made"])
        self.assertEqual(self.reactor.getReaders(), [self.port])
        self.assertIdentical(transport.doWrite(), CONNECTION_DONE)

    def test_closeWithRestQueued(self) -> None:
        """
        A connection is not closed before everything is sent.
        """

        def answer(transport: Any) -> None:
            transport.write(HUGE)
            transport.loseConnection()

        self.protocol.onData = staticmethod(answer)
        transport, client = self.pair()
        client.sendall(b"ask")
        self.arrived(transport)
        transport.doRead()
        self.assertEqual(self.protocols[0].events[-1], "handled")
        self.assertEqual(self.reactor.getReaders(), [self.port])
        received = bytearray()
        while transport.doWrite() is None:
            received += client.recv(2**20)
        transport.connectionLost(Failure(CONNECTION_DONE))
        received += self.receive(client)
        self.assertTrue(received == HUGE)

    def test_pause(self) -> None:
        """
        A protocol that pauses gets nothing more until it resumes; one that
        thinks better of it never stopped.
        """
        transport, client = self.pair()
        self.protocol.onData = staticmethod(lambda transport: transport.pauseProducing())
        client.sendall(b"a")
        self.arrived(transport)
        transport.doRead()
        self.assertEqual(self.reactor.getReaders(), [self.port])

        def waver(transport: Any) -> None:
            transport.pauseProducing()
            transport.resumeProducing()

        self.protocol.onData = staticmethod(waver)
        transport.resumeProducing()
        self.assertIn(transport, self.reactor.getReaders())
        client.sendall(b"b")
        self.arrived(transport)
        transport.doRead()
        self.assertIn(transport, self.reactor.getReaders())

    def test_raise(self) -> None:
        """
        An exception while data is handled reaches the reactor, and what the
        protocol wished for before does not keep the connection half alive.
        """

        def fail(transport: Any) -> None:
            transport.loseConnection()
            raise ZeroDivisionError

        self.protocol.onData = staticmethod(fail)
        transport, client = self.pair()
        client.sendall(b"a")
        self.arrived(transport)
        self.assertRaises(ZeroDivisionError, transport.doRead)
        transport.connectionLost(Failure(ZeroDivisionError()))
        self.assertEqual(self.reactor.getReaders(), [self.port])
        self.assertEqual(self.receive(client), b"")


class GatheringTests(TransportTestCase):
    """
    On a reactor whose turns have an end, little data waits for it.
    """

    def setUp(self) -> None:
        """
        Let the reactor's turns have an end.
        """
        super().setUp()
        self.reactor.atEndOfTurn = []

    def answering(self, answer: Callable[[Any], object]) -> tuple[Any, socket.socket]:
        """
        A connection whose protocol has just handled something; its client.
        """
        self.protocol.onData = staticmethod(answer)
        transport, client = self.pair()
        client.sendall(b"ask")
        self.arrived(transport)
        self.assertIdentical(transport.doRead(), None)
        return transport, client

    def endTurn(self) -> None:
        """
        End the reactor's turn.
        """
        for function in self.reactor.atEndOfTurn:
            function()
        self.reactor.atEndOfTurn.clear()

    def assertNothingFor(self, client: socket.socket) -> None:
        """
        The kernel has nothing for the client; loopback delivers at once.
        """
        self.assertEqual(select.select([client], [], [], 0)[0], [])

    def test_little(self) -> None:
        """
        What one turn writes leaves at its end, in order and together.
        """

        def answer(transport: Any) -> None:
            transport.write(b"one ")
            transport.writeSequence([b"two ", b"three"])

        _transport, client = self.answering(answer)
        self.assertNothingFor(client)
        self.assertEqual(len(self.reactor.atEndOfTurn), 1)
        self.endTurn()
        self.assertEqual(client.recv(100), b"one two three")

    def test_much(self) -> None:
        """
        Much does not wait, and what waits before it goes first.
        """
        much = b"x" * 5000
        for pieces in ([much], [b"little", much], [much, b"little", much]):
            _transport, client = self.answering(partial(writeAll, pieces))
            expected = b"".join(pieces)
            self.assertEqual(client.recv(20000), expected)
            self.endTurn()
            self.assertNothingFor(client)

    def test_fromOutside(self) -> None:
        """
        What somebody else writes in the same turn comes after it.
        """
        transport, client = self.answering(lambda transport: transport.write(b"mine, "))
        transport.write(b"theirs")
        self.endTurn()
        self.assertEqual(client.recv(100), b"mine, theirs")

    def test_outsideTurn(self) -> None:
        """
        Written at any other time, it is sent at once.
        """
        transport, client = self.pair()
        self.endTurn()
        transport.write(b"now")
        self.assertEqual(self.reactor.atEndOfTurn, [])
        self.assertEqual(client.recv(100), b"now")

    def test_thenPulled(self) -> None:
        """
        A pull producer's data comes after it.
        """

        def answer(transport: Any) -> None:
            transport.write(b"first, ")
            transport.write(b"then ")
            transport.disconnecting = 1
            transport.write(b"queued")
            transport.disconnecting = 0

        transport, client = self.answering(answer)
        transport.doWrite()
        self.endTurn()
        self.assertEqual(client.recv(100), b"first, then queued")

    def test_close(self) -> None:
        """
        Closing sends it first.
        """

        def answer(transport: Any) -> None:
            transport.write(b"bye")
            transport.loseConnection()

        _transport, client = self.answering(answer)
        self.assertEqual(self.receive(client), b"bye")
        self.endTurn()

    def test_abort(self) -> None:
        """
        Aborting drops it, as it drops all that was not sent.
        """

        def answer(transport: Any) -> None:
            transport.write(b"never")
            transport.abortConnection()

        _transport, client = self.answering(answer)
        self.endTurn()
        self.reactor.advance(0)
        self.assertRaises(ConnectionResetError, client.recv, 100)

    def test_lost(self) -> None:
        """
        A connection that is lost meanwhile has nothing sent.
        """
        transport, _client = self.answering(lambda transport: transport.write(b"never"))
        transport.connectionLost(Failure(CONNECTION_DONE))
        self.endTurn()
        self.assertEqual(self.protocols[0].events[-1], ConnectionDone)


class FirstTurnTests(TransportTestCase):
    """
    A connection is accepted, and read from, in one turn.
    """

    def setUp(self) -> None:
        """
        Have connections accepted only when they have sent something, so that
        the test does not depend on when it arrives.
        """
        super().setUp()
        self.listen(deferaccept=5)
        self.reactor.asked = 0

    def test_comesAndGoes(self) -> None:
        """
        A connection that asks, is answered and closes never bothers the
        reactor.
        """

        def answer(transport: Any) -> None:
            transport.write(b"answer")
            transport.loseConnection()

        self.protocol.onData = staticmethod(answer)
        client = self.connect(b"ask")
        self.accept()
        self.assertEqual(self.protocols[0].events, ["made", b"ask", "handled", ConnectionDone])
        self.assertEqual(self.receive(client), b"answer")
        self.assertEqual(self.reactor.asked, 0)

    def test_greetsAndGoes(self) -> None:
        """
        Nor does one that is closed when it is made; nothing is read from it.
        """

        def greet(transport: Any) -> None:
            transport.write(b"12:00")
            transport.loseConnection()

        self.protocol.onMade = staticmethod(greet)
        client = self.connect(b"ignored")
        self.accept()
        self.assertEqual(self.protocols[0].events, ["made", ConnectionDone])
        self.assertEqual(client.recv(10), b"12:00")
        self.assertEqual(self.reactor.asked, 0)

    def test_stays(self) -> None:
        """
        One that stays is watched.
        """
        self.connect(b"ask")
        transport = self.accept()
        self.assertEqual(self.protocols[0].events, ["made", b"ask", "handled"])
        self.assertEqual(self.reactor.getReaders().count(transport), 1)

    def test_paused(self) -> None:
        """
        One that pauses when it is made gets its first data when it resumes.
        """
        self.protocol.onMade = staticmethod(lambda transport: transport.pauseProducing())
        self.connect(b"ask")
        transport = self.accept()
        self.assertEqual(self.protocols[0].events, ["made"])
        self.assertNotIn(transport, self.reactor.getReaders())
        transport.resumeProducing()
        transport.doRead()
        self.assertEqual(self.protocols[0].events, ["made", b"ask", "handled"])

    def test_taken(self) -> None:
        """
        A protocol that takes its descriptor away from the reactor when it is
        made keeps what the client sent for itself, and is not watched again.
        """

        def take(transport: Any) -> None:
            descriptors.append(transport.fileno())
            self.reactor.removeReader(transport)

        descriptors: list[int] = []
        self.protocol.onMade = staticmethod(take)
        self.connect(b"ask")
        self.accept()
        self.assertEqual(self.protocols[0].events, ["made"])
        self.assertNotIn(self.protocols[0].transport, self.reactor.getReaders())
        self.assertEqual(os.read(descriptors[0], 10), b"ask")

    def test_raise(self) -> None:
        """
        An exception in the first turn is logged once and ends that connection
        alone.
        """

        def fail(transport: Any) -> None:
            if len(self.protocols) == 2 and transport is self.protocols[0].transport:
                raise ZeroDivisionError

        self.protocol.onData = staticmethod(fail)
        self.connect(b"one")
        self.connect(b"two")
        self.arrived(self.port)
        while len(self.protocols) < 2 or "handled" not in self.protocols[1].events:
            self.accept()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.protocols[0].events, ["made", b"one", ZeroDivisionError])
        self.assertEqual(self.protocols[1].events, ["made", b"two", "handled"])

    def test_reset(self) -> None:
        """
        A client that resets before it is accepted is lost, not done, though
        the kernel tells of it only once.
        """
        self.listen()
        client = self.connect()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        transport = self.accept()
        self.arrived(transport)
        self.assertEqual(self.protocols[0].events, ["made"])
        self.assertIdentical(transport.doRead(), CONNECTION_LOST)

    def test_end(self) -> None:
        """
        A client that asks and shuts down its side gets its answer.
        """
        self.protocol.onData = staticmethod(lambda transport: transport.write(b"answer"))
        client = self.connect(b"ask")
        client.shutdown(socket.SHUT_WR)
        transport = self.accept()
        self.assertEqual(client.recv(10), b"answer")
        self.arrived(transport)
        self.assertIdentical(transport.doRead(), CONNECTION_DONE)
