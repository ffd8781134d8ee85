"""
Tests for L{ktcp.endpoint.transport}: first what Twisted asks of TCP and TLS.
"""

from __future__ import annotations

import os
import socket
import struct
from errno import ENOBUFS, EPIPE
from typing import Any

from twisted.internet.address import IPv6Address
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import (
    CannotListenError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
)
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.main import CONNECTION_LOST
from twisted.python.failure import Failure

from ktcp.endpoint.server import listenOn
from ktcp.endpoint.sockets import SocketOptions, openListener
from ktcp.endpoint.transport import SLICE
from ktcp.test.transports import (
    HUGE,
    PushProducer,
    Refusing,
    TransportTestCase,
)
from ktcp.test.twistedsuites import suites


class WriteThroughReactor(EPollReactor):
    """
    Twisted's epoll reactor, but what it listens with is ktcp's.
    """

    def listenTCP(
        self, port: Any, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """
        See L{IReactorTCP.listenTCP}.
        """
        if not isinstance(port, int):
            # A Binding: Twisted's own way to choose socket options.
            plain: IListeningPort = super().listenTCP(port, factory, backlog, interface)
            return plain
        options = SocketOptions(backlog=backlog)
        try:
            listener = openListener(port, interface, options)
        except OSError as e:
            raise CannotListenError(interface, port, e) from None
        return listenOn(self, listener, factory, options)


globals().update(
    suites(WriteThroughReactor, __name__, ["test_tcp", "test_tls", "test_endpoints"], {})
)


class WriteTests(TransportTestCase):
    """
    What is written goes out at once, and always in order.
    """

    def test_atOnce(self) -> None:
        """
        The client has the data without a turn of the reactor.
        """
        transport, client = self.pair()
        transport.write(b"now")
        self.assertEqual(client.recv(10), b"now")
        self.assertEqual(self.reactor.getWriters(), [])

    def test_atOnceFromConnectionMade(self) -> None:
        """
        So it is with a greeting.
        """
        self.protocol.onMade = staticmethod(lambda transport: transport.write(b"hello"))
        _, client = self.pair()
        self.assertEqual(client.recv(10), b"hello")

    def test_refusedRest(self) -> None:
        """
        What the kernel refuses follows when it can, and what is written
        meanwhile comes after it.
        """
        transport, client = self.pair()
        transport.write(HUGE)
        self.assertIn(transport, self.reactor.getWriters())
        transport.write(b"and")
        transport.writeSequence([b" then", b" some"])
        received = self.drain(transport, client, len(HUGE) + 13)
        self.assertTrue(received == HUGE + b"and then some")
        while transport in self.reactor.writers:
            transport.doWrite()
        transport.write(b"again at once")
        self.assertEqual(client.recv(20), b"again at once")

    def test_noBuffers(self) -> None:
        """
        When the kernel is out of buffers the data follows later.
        """
        transport, client = self.pair()
        transport.socket = Refusing(transport.socket, ENOBUFS)
        transport.write(b"later")
        self.assertEqual(self.reactor.getWriters(), [transport])
        self.assertIdentical(transport.doWrite(), None)
        self.assertEqual(client.recv(10), b"later")

    def test_brokenPipe(self) -> None:
        """
        An error on the immediate send is not raised; the reactor finds it.
        """
        transport, _client = self.pair()
        transport.socket = Refusing(transport.socket, EPIPE)
        transport.write(b"lost")
        self.assertEqual(self.protocols[0].events, ["made"])
        self.assertEqual(self.reactor.getWriters(), [transport])
        # The base class sends it again, and this kernel has changed its mind.
        self.assertIdentical(transport.doWrite(), None)

    def test_resetFoundByWriting(self) -> None:
        """
        A reset that the immediate send runs into is a lost connection also
        when the reactor reads first, though the kernel tells of it only once.
        """
        transport, client = self.pair()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        self.arrived(transport)
        transport.write(b"lost")
        self.assertEqual(self.protocols[0].events, ["made"])
        self.assertIdentical(transport.doRead(), CONNECTION_LOST)
        self.assertIdentical(transport.doWrite(), CONNECTION_LOST)

    def test_afterLoss(self) -> None:
        """
        Writing to a lost connection does nothing.
        """
        transport, _ = self.pair()
        transport.connectionLost(Failure(ConnectionDone()))
        transport.write(b"x")
        transport.writeSequence([b"x", b"y"])
        self.assertEqual(self.reactor.getWriters(), [])

    def test_onlyBytes(self) -> None:
        """
        Anything but bytes is a TypeError, and nothing of it is sent.
        """
        transport, client = self.pair()
        for data in ("text", bytearray(b"x"), None):
            self.assertRaises(TypeError, transport.write, data)
            self.assertRaises(TypeError, transport.writeSequence, [b"a", data])
        transport.write(b"")
        transport.write(b"end")
        self.assertEqual(client.recv(10), b"end")

    def test_sequence(self) -> None:
        """
        Pieces arrive together, from any iterable.
        """
        transport, client = self.pair()
        transport.writeSequence(iter([b"a", b"b", b"c"]))
        self.assertEqual(client.recv(10), b"abc")


class SendFileTests(TransportTestCase):
    """
    Parts of files go out by the kernel, in order with what is written.
    """

    CONTENT = bytes(range(256)) * 64 * 1024

    def setUp(self) -> None:
        """
        Make a file of 16 MiB, and a connection with a push producer.
        """
        super().setUp()
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(self.CONTENT)
        self.file = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, self.file)
        self.transport, self.client = self.pair()
        self.producer = PushProducer()
        self.transport.registerProducer(self.producer, True)

    def test_order(self) -> None:
        """
        What was written before comes before, what is written after comes after.
        """
        self.transport.write(b"<")
        self.assertEqual(self.transport.sendFile(self.file, 1, 3), 3)
        self.transport.write(b">")
        self.assertEqual(self.client.recv(10), b"<\x01\x02\x03>")
        self.assertEqual(self.reactor.getWriters(), [])

    def test_slices(self) -> None:
        """
        A large part goes in slices, with a turn of the reactor between them, and
        stops while the client does not read.
        """
        at = 0

        def send() -> None:
            nonlocal at
            at += self.transport.sendFile(self.file, at, len(self.CONTENT) - at)

        self.producer.resumeProducing = send
        send()
        self.assertLessEqual(at, SLICE)
        before = 0
        while before < at:
            before = at
            self.transport.doWrite()
        self.assertLess(at, len(self.CONTENT))
        received = self.drain(self.transport, self.client, len(self.CONTENT))
        self.assertTrue(received == self.CONTENT)
        self.transport.doWrite()
        self.assertEqual(self.reactor.getWriters(), [])

    def test_behindTheQueue(self) -> None:
        """
        Nothing of a file overtakes what the kernel refused.
        """
        data = b"x" * 16 * 2**20
        self.transport.write(data)
        self.assertEqual(self.transport.sendFile(self.file, 0, 10), 0)
        self.assertTrue(self.transport.producerPaused)
        self.assertTrue(self.drain(self.transport, self.client, len(data)) == data)

    def test_end(self) -> None:
        """
        Where the file has nothing more is an error of its own.
        """
        self.assertRaises(EOFError, self.transport.sendFile, self.file, len(self.CONTENT), 1)

    def test_notThisWay(self) -> None:
        """
        Under TLS, for a pull producer and from what is no file, it is refused.
        """
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        self.assertRaises(OSError, self.transport.sendFile, reading, 0, 1)
        self.transport.TLS = True
        self.assertRaises(OSError, self.transport.sendFile, self.file, 0, 1)
        self.transport.TLS = False
        self.transport.unregisterProducer()
        self.assertRaises(OSError, self.transport.sendFile, self.file, 0, 1)

    def test_afterLoss(self) -> None:
        """
        A connection that is over takes nothing.
        """
        self.transport.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.transport.sendFile(self.file, 0, 1), 0)

    def test_reset(self) -> None:
        """
        A connection that the client has reset is lost, not ended.
        """
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()
        self.arrived(self.transport)
        self.assertRaises(OSError, self.transport.sendFile, self.file, 0, 1)
        self.assertIs(self.transport.doRead(), CONNECTION_LOST)


class ProducerTests(TransportTestCase):
    """
    Producers are told what Twisted tells them.
    """

    def test_push(self) -> None:
        """
        A push producer pauses when much has been refused, and resumes when
        all of it is gone.
        """
        transport, client = self.pair()
        producer = PushProducer()
        transport.registerProducer(producer, True)
        transport.write(b"little")
        self.assertEqual(producer.told, [])
        transport.write(HUGE)
        self.assertEqual(producer.told, ["pause"])
        self.drain(transport, client, len(HUGE) + 6)
        while transport in self.reactor.writers:
            transport.doWrite()
        self.assertEqual(producer.told, ["pause", "resume"])

    def test_reentrantPush(self) -> None:
        """
        What a producer writes while it is being paused comes last.
        """
        transport, client = self.pair()
        words = [b"last words"]
        producer = PushProducer(lambda: transport.write(words.pop() if words else b""))
        transport.registerProducer(producer, True)
        transport.write(HUGE)
        received = self.drain(transport, client, len(HUGE) + 10)
        self.assertTrue(received.endswith(HUGE[-100:] + b"last words"))

    def test_pull(self) -> None:
        """
        A pull producer is asked for more each time its data has gone.
        """
        transport, client = self.pair()
        pieces = [b"one", b"two", b"three"]

        class Pull:
            def resumeProducing(self) -> None:
                transport.write(pieces.pop(0))
                if not pieces:
                    transport.unregisterProducer()

        transport.registerProducer(Pull(), False)
        while transport in self.reactor.writers:
            transport.doWrite()
        self.assertEqual(client.recv(20), b"onetwothree")

    def test_stoppedByLoss(self) -> None:
        """
        A producer is stopped when the connection is lost.
        """
        transport, _ = self.pair()
        producer = PushProducer()
        transport.registerProducer(producer, True)
        transport.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(producer.told, ["stop"])


class ClosingTests(TransportTestCase):
    """
    Half-close and abort.
    """

    def test_loseWriteConnection(self) -> None:
        """
        After half-close the client has all data and the end, and may send.
        """
        transport, client = self.pair()
        transport.write(b"all")
        transport.loseWriteConnection()
        transport.doWrite()
        self.assertEqual(self.receive(client), b"all")
        transport.write(b"too late")
        self.assertEqual(self.reactor.getWriters(), [])
        client.sendall(b"still here")
        self.arrived(transport)
        transport.doRead()
        self.assertIn(b"still here", self.protocols[0].events)

    def test_abort(self) -> None:
        """
        An aborted connection sends nothing more and is reset, and the
        protocol hears of it a turn later.
        """
        transport, client = self.pair()
        transport.abortConnection()
        transport.write(b"never")
        self.assertEqual(self.protocols[0].events, ["made"])
        self.reactor.advance(0)
        self.assertEqual(self.protocols[0].events, ["made", ConnectionAborted])
        self.assertRaises(ConnectionResetError, client.recv, 10)


class NameTests(TransportTestCase):
    """
    What a connection is called.
    """

    def test_names(self) -> None:
        """
        The log prefix and C{repr} are Twisted's, during and after the
        connection.
        """
        transport, _ = self.pair()
        port = self.port.getHost().port
        self.assertEqual(repr(transport), f"<Case #0 on {port}>")
        self.assertEqual(transport.logPrefix(), "Case,0,127.0.0.1")
        other, _ = self.pair()
        other.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(repr(other), f"<Case #1 on {port}>")
        self.assertEqual(other.logPrefix(), "Case,1,127.0.0.1")


class V6Tests(TransportTestCase):
    """
    Connections over IPv6.
    """

    interface = "::1"

    def test_addresses(self) -> None:
        """
        Both addresses are IPv6 addresses.
        """
        transport, client = self.pair()
        for address, name in (
            (transport.getPeer(), client.getsockname()),
            (transport.getHost(), client.getpeername()),
        ):
            self.assertIsInstance(address, IPv6Address)
            self.assertEqual((address.host, address.port), name[:2])
