"""
Tests for L{ktcp.endpoint.transport}: first what Twisted asks of TCP and TLS.
"""

# Longer than other modules: it is as its module, whose ways of writing, gathering and closing
# are each tried with the same few peers.

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Callable
from errno import ENOBUFS, EPIPE
from functools import partial
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
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ktcp.endpoint.server import listenOn
from ktcp.endpoint.sockets import SocketOptions, openListener
from ktcp.endpoint.transport import SLICE
from ktcp.test.twistedsuites import suites


def writeAll(pieces: list[bytes], transport: Any) -> None:
    """
    Write one after the other.
    """
    for piece in pieces:
        transport.write(piece)


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


class CountingReactor(MemoryReactorClock):
    """
    A reactor that only remembers what it was asked to watch, and how often.
    """

    asked = 0

    def addReader(self, reader: Any) -> None:
        """
        Count, and watch.
        """
        self.asked += 1
        super().addReader(reader)

    def addWriter(self, writer: Any) -> None:
        """
        Count, and watch.
        """
        self.asked += 1
        super().addWriter(writer)


class Scripted(Protocol):
    """
    A protocol that does what the test says and remembers what happened.
    """

    onMade: Callable[[Any], object] = staticmethod(lambda transport: None)
    onData: Callable[[Any], object] = staticmethod(lambda transport: None)

    def __init__(self) -> None:
        """
        Begin with nothing.
        """
        self.events: list[Any] = []

    def connectionMade(self) -> None:
        """
        Do the test's bidding.
        """
        self.onMade(self.transport)
        self.events.append("made")

    def dataReceived(self, data: bytes) -> None:
        """
        Do the test's bidding.
        """
        self.events.append(data)
        self.onData(self.transport)
        self.events.append("handled")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Remember why.
        """
        self.events.append(reason.type)


class PushProducer:
    """
    A push producer that remembers what it is told.
    """

    def __init__(self, onPause: Callable[[], object] = lambda: None) -> None:
        """
        @param onPause: Called when told to pause.
        """
        self.told: list[str] = []
        self.onPause = onPause

    def pauseProducing(self) -> None:
        """
        Remember.
        """
        self.told.append("pause")
        self.onPause()

    def resumeProducing(self) -> None:
        """
        Remember.
        """
        self.told.append("resume")

    def stopProducing(self) -> None:
        """
        Remember.
        """
        self.told.append("stop")


class Refusing:
    """
    A socket whose next C{send} fails.
    """

    def __init__(self, skt: socket.socket, error: int) -> None:
        """
        @param error: The errno.
        """
        self._socket = skt
        self._error = error

    def __getattr__(self, name: str) -> Any:
        """
        Be the socket otherwise.
        """
        return getattr(self._socket, name)

    def send(self, data: bytes) -> int:
        """
        Fail once.
        """
        if self._error:
            error, self._error = self._error, 0
            raise OSError(error, "refused by the test")
        return self._socket.send(data)


# More than the kernel's buffers of both ends take, at their largest.
HUGE = bytes(range(256)) * 2**16


class TransportTestCase(SynchronousTestCase):
    """
    A real connection whose server's side runs only when the test says so.
    """

    interface = "127.0.0.1"

    def setUp(self) -> None:
        """
        Listen.
        """
        self.reactor = CountingReactor()
        self.protocols: list[Scripted] = []
        self.listen()

    def listen(self, **options: Any) -> None:
        """
        Listen, with other options.
        """
        test = self

        class Remembering(Factory):
            noisy = False

            def buildProtocol(self, addr: object) -> Protocol:
                protocol = test.protocol()
                test.protocols.append(protocol)
                return protocol

        self.protocol: type[Scripted] = type("Case", (Scripted,), {})
        made = SocketOptions(**options)
        try:
            listener = openListener(0, self.interface, made)
        except OSError as e:
            raise SkipTest(f"needs {self.interface}: {e}") from None
        self.port: Any = listenOn(self.reactor, listener, Remembering(), made)
        self.addCleanup(self.closePort, self.port)

    def closePort(self, port: Any) -> None:
        """
        Stop listening and drop what is still connected.
        """
        for protocol in self.protocols:
            protocol.transport.connectionLost(Failure(ConnectionLost()))
        port.stopListening()
        self.reactor.advance(0)

    def connect(self, *sends: bytes) -> socket.socket:
        """
        Connect a blocking client and let it send.
        """
        client = socket.create_connection(self.port.socket.getsockname()[:2], timeout=10)
        self.addCleanup(client.close)
        for data in sends:
            client.sendall(data)
        return client

    def accept(self) -> Any:
        """
        Run one turn of the accept loop; the newest transport.
        """
        self.arrived(self.port)
        self.port.doRead()
        return self.protocols[-1].transport

    def arrived(self, descriptor: Any) -> None:
        """
        Wait until the kernel calls a descriptor readable.
        """
        self.assertTrue(select.select([descriptor], [], [], 10)[0])

    def pair(self) -> tuple[Any, socket.socket]:
        """
        Make a connection: the transport and the client.
        """
        client = self.connect()
        return self.accept(), client

    def receive(self, client: socket.socket) -> bytes:
        """
        All that the client gets until the end.
        """
        received = bytearray()
        while data := client.recv(2**20):
            received += data
        return bytes(received)

    def drain(self, transport: Any, client: socket.socket, size: int) -> bytes:
        """
        Receive so many bytes, letting the server write what waits.
        """
        received = bytearray()
        while len(received) < size:
            if transport in self.reactor.writers:
                self.assertIdentical(transport.doWrite(), None)
            received += client.recv(2**20)
        return bytes(received)


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


class QuickAckTests(TransportTestCase):
    """
    C{quickack=yes}.
    """

    def test_renewed(self) -> None:
        """
        It is set again with each read, because the kernel forgets it.
        """
        self.listen(quickack=True)
        transport, client = self.pair()
        transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        client.sendall(b"x")
        self.arrived(transport)
        transport.doRead()
        self.assertEqual(transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK), 1)
