"""
What tests of the transport share: a real connection, and a reactor that waits for the test.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.error import (
    ConnectionLost,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ktcp.endpoint.server import listenOn
from ktcp.endpoint.sockets import SocketOptions, openListener


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
