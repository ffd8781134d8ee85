"""
Tests for L{ktcp.endpoint.port} and L{ktcp.endpoint.reserve}: clients whom there
is nothing for.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import EventLoggingObserver, MemoryReactorClock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from ktcp.counters import Counters
from ktcp.endpoint import port as portModule
from ktcp.endpoint.episodes import LENGTH
from ktcp.endpoint.port import KTCPPort
from ktcp.endpoint.reserve import REST, Reserve
from ktcp.endpoint.sockets import SocketOptions, openListener


class Short:
    """
    A listener in a process that is short of something.

    @ivar number: What of; 0: of nothing.
    @ivar reserved: The shortage is one of descriptors, and is over while the
        reserved one is closed.
    """

    def __init__(self, listener: socket.socket, reserve: Reserve) -> None:
        self._listener = listener
        self._reserve = reserve
        self.number = 0

    def accept(self) -> Any:
        """
        Fail as the kernel does, unless there is a descriptor after all.
        """
        if self.number and (self.number != errno.EMFILE or self._reserve._spare is not None):
            raise OSError(self.number, os.strerror(self.number))
        return self._listener.accept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listener, name)


class ShortageTests(SynchronousTestCase):
    """
    What becomes of those who come, of the processor, and of the log.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.counters = Counters()
        self.counters.attach(self.reactor)
        self.reserve = Reserve()
        self.patch(portModule, "_reserve", self.reserve)
        self.protocols: list[Protocol] = []
        factory = Factory.forProtocol(Protocol)
        self.port = KTCPPort(openListener(0, "127.0.0.1", SocketOptions()), factory, self.reactor)
        self.port.startListening()
        self.addCleanup(lambda: self.port.connected and self.port.connectionLost(None))
        self.addCleanup(self.forget)
        self.kernel = Short(self.port.socket, self.reserve)
        self.port.socket = self.kernel
        self.logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)

    def forget(self) -> None:
        """
        Give the reserved descriptor back.
        """
        os.close(self.reserve._spare)  # kept again by then

    def connect(self) -> socket.socket:
        client = socket.create_connection(self.port.socket.getsockname())
        client.settimeout(10)
        self.addCleanup(client.close)
        return client

    def said(self) -> list[str]:
        """
        What the log has.
        """
        return [
            event["log_format"].format(**event) for event in self.logged if "log_format" in event
        ]

    def test_sentAway(self) -> None:
        """
        Without descriptors, clients are closed as they come.
        """
        self.kernel.number = errno.EMFILE
        clients = [self.connect() for _ in range(3)]
        self.port.doRead()
        self.assertEqual([client.recv(1) for client in clients], [b"", b"", b""])
        self.assertEqual((self.reserve.shed.count, self.port.sessionno), (3, 0))
        self.assertEqual(self.counters.snapshot().value("turned_away", "shortage"), 3)
        self.assertIn(self.port, self.reactor.getReaders())

    def test_serves(self) -> None:
        """
        When there are descriptors again, they are accepted.
        """
        self.test_sentAway()
        self.kernel.number = 0
        self.connect()
        self.port.doRead()
        self.assertEqual(self.port.sessionno, 1)

    def test_said(self) -> None:
        """
        The log says that it began, and when it is over how many were sent away,
        however many and for however long.
        """
        self.kernel.number = errno.EMFILE
        for _ in range(3):
            for _ in range(2):
                self.connect()
                self.port.doRead()
            self.reactor.advance(LENGTH)
        [begins] = self.said()
        self.assertEqual(begins, "ktcp: cannot accept: Too many open files; clients are sent away")
        self.reactor.advance(LENGTH)
        self.assertEqual(self.said()[1:], ["ktcp: accepting again; 6 clients were sent away"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.connect()
        self.port.doRead()
        self.assertEqual(len(self.said()), 3)

    def test_rests(self) -> None:
        """
        Where even the reserve does not help, the clients wait, and the reactor
        does not spin on them.
        """
        self.kernel.number = errno.ENFILE
        client = self.connect()
        self.port.doRead()
        self.assertNotIn(self.port, self.reactor.getReaders())
        self.reactor.advance(REST)
        self.assertIn(self.port, self.reactor.getReaders())
        self.kernel.number = 0
        self.port.doRead()
        self.assertEqual(self.port.sessionno, 1)
        client.setblocking(False)
        self.assertRaises(BlockingIOError, client.recv, 1)

    def test_noReserve(self) -> None:
        """
        The reserve may be gone as well: others take descriptors too.
        """
        self.forget()
        self.reserve._spare = None
        self.kernel.number = errno.EMFILE
        self.patch(self.reserve, "keep", lambda: None)
        error = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        self.assertFalse(self.reserve.meet(error, self.fail, self.reactor))
        self.reserve._spare = os.open(os.devnull, os.O_RDONLY)

    def test_stopsWhileResting(self) -> None:
        """
        A port that is closed meanwhile stays closed.
        """
        self.kernel.number = errno.ENOMEM
        self.connect()
        self.port.doRead()
        self.port.stopListening()
        self.reactor.advance(REST)
        self.assertNotIn(self.port, self.reactor.getReaders())

    def test_gone(self) -> None:
        """
        An error that is about one client is not a shortage.
        """
        self.kernel.number = errno.ECONNABORTED
        self.connect()
        self.port.doRead()
        self.assertIn(self.port, self.reactor.getReaders())
        self.assertNotIn("ktcp", " ".join(self.said()))
