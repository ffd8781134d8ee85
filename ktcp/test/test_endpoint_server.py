"""
Tests for L{ktcp.endpoint.server} and L{ktcp.endpoint.port}.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from ktcp.endpoint.port import BATCH
from ktcp.endpoint.server import KTCPServerEndpoint, listenOn
from ktcp.endpoint.sockets import SocketOptions, openListener


class EndpointTests(SynchronousTestCase):
    """
    L{KTCPServerEndpoint} without connections.
    """

    def test_interface(self) -> None:
        """
        It is what Twisted calls a server endpoint, and what it gives is what
        Twisted calls a port.
        """
        endpoint = KTCPServerEndpoint(MemoryReactorClock(), 0, "127.0.0.1")
        verifyObject(IStreamServerEndpoint, endpoint)
        port = self.successResultOf(endpoint.listen(Factory()))
        self.addCleanup(port.connectionLost, Failure(connectionDone.value))
        verifyObject(IListeningPort, port)
        self.assertEqual(port.getHost().host, "127.0.0.1")

    def test_bad(self) -> None:
        """
        A bad port or interface is a ValueError when the endpoint is made.
        """
        for port, interface in ((-1, ""), (65536, ""), ("80", ""), (True, ""), (80, "localhost")):
            self.assertRaises(ValueError, KTCPServerEndpoint, None, port, interface)

    def test_portTaken(self) -> None:
        """
        A port that is taken fails the Deferred with Twisted's own error, on
        one line that has the address.
        """
        taken = openListener(0, "127.0.0.1")
        self.addCleanup(taken.close)
        port = taken.getsockname()[1]
        endpoint = KTCPServerEndpoint(MemoryReactorClock(), port, "127.0.0.1")
        failure = self.failureResultOf(endpoint.listen(Factory()), CannotListenError)
        self.assertIn(f"127.0.0.1:{port}: [Errno 98]", str(failure.value))

    def test_sharedListener(self) -> None:
        """
        A port that is closed leaves another process's copy of its socket
        listening, with the connections that wait in it.
        """
        listener = openListener(0, "127.0.0.1")
        copy = listener.dup()
        self.addCleanup(copy.close)
        clock = MemoryReactorClock()
        port = listenOn(clock, listener, Factory(), SocketOptions())
        client = socket.create_connection(copy.getsockname())
        self.addCleanup(client.close)
        port.stopListening()
        clock.advance(0)
        copy.settimeout(10)
        accepted, _ = copy.accept()
        accepted.close()


class PortTests(SynchronousTestCase):
    """
    The accept loop, a turn at a time.
    """

    def listen(self, buildProtocol: Any) -> Any:
        """
        Listen with a factory that makes its protocols as given.
        """
        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = buildProtocol
        self.made: list[Protocol] = []
        port: Any = listenOn(
            MemoryReactorClock(), openListener(0, "127.0.0.1"), factory, SocketOptions()
        )
        self.addCleanup(port.connectionLost, connectionDone)
        self.addCleanup(self.dropAll)
        return port

    def dropAll(self) -> None:
        """
        Close the server's side of every connection.
        """
        for protocol in self.made:
            protocol.transport.connectionLost(connectionDone)

    def make(self, address: object) -> Protocol:
        """
        Make a protocol and remember it.
        """
        self.made.append(Protocol())
        return self.made[-1]

    def connect(self, port: Any) -> socket.socket:
        """
        Connect a client, which also waits in the accept queue after that.
        """
        client = socket.create_connection(port.socket.getsockname(), timeout=10)
        self.addCleanup(client.close)
        return client

    def test_batch(self) -> None:
        """
        One turn accepts no more than a batch, so that others have theirs.
        """
        port = self.listen(self.make)
        for _ in range(BATCH + 1):
            self.connect(port)
        port.doRead()
        self.assertEqual(len(self.made), BATCH)
        port.doRead()
        self.assertEqual(len(self.made), BATCH + 1)
        port.doRead()
        self.assertEqual(len(self.made), BATCH + 1)

    def test_refuse(self) -> None:
        """
        A factory that makes no protocol refuses the connection, and only it.
        """
        answers = [None, self.make]
        port = self.listen(lambda address: (answer := answers.pop(0)) and answer(address))
        refused = self.connect(port)
        self.connect(port)
        port.doRead()
        self.assertEqual(refused.recv(1), b"")
        self.assertEqual(len(self.made), 1)

    def test_factoryRaises(self) -> None:
        """
        A factory that raises is logged, and the next connection is served.
        """
        answers = [lambda address: 1 // 0, self.make]
        port = self.listen(lambda address: answers.pop(0)(address))
        self.connect(port)
        self.connect(port)
        port.doRead()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        port.doRead()
        self.assertEqual(len(self.made), 1)

    def test_takenOver(self) -> None:
        """
        A protocol may take its socket out of the reactor and close it.
        """

        class Taking(Protocol):
            def connectionMade(self) -> None:
                port.reactor.removeReader(self.transport)
                self.transport.socket.close()

        def make(address: object) -> Protocol:
            self.made.append(Taking())
            return self.made[-1]

        port = self.listen(make)
        self.connect(port)
        port.doRead()
        self.assertEqual(port.reactor.getReaders(), [port])


class ServeTests(TestCase):
    """
    The endpoint on the reactor that runs the tests, whichever it is.
    """

    def test_echo(self) -> None:
        """
        A megabyte comes back, and both sides see the end.
        """

        class Echo(Protocol):
            def dataReceived(self, data: bytes) -> None:
                self.transport.write(data)

        class Client(Protocol):
            def __init__(self) -> None:
                self.received = bytearray()
                self.done: Deferred[bytes] = Deferred()

            def connectionMade(self) -> None:
                self.transport.write(sent)

            def dataReceived(self, data: bytes) -> None:
                self.received += data
                if len(self.received) == len(sent):
                    self.transport.loseConnection()

            def connectionLost(self, reason: Failure = connectionDone) -> None:
                self.done.callback(bytes(self.received))

        sent = bytes(range(256)) * 4096
        endpoint = KTCPServerEndpoint(reactor, 0, "127.0.0.1")
        factory = Factory.forProtocol(Echo)
        factory.noisy = False

        async def run() -> None:
            port = await endpoint.listen(factory)
            self.addCleanup(port.stopListening)
            client = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
            protocol = await connectProtocol(client, Client())
            self.assertTrue(await protocol.done == sent)

        return Deferred.fromCoroutine(run())
