"""
Tests for L{ktcp.workers.sockets}: how listeners get from one process to another.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import (
    CannotListenError,
)
from twisted.internet.interfaces import IListeningPort, IReactorTCP
from twisted.internet.protocol import Factory
from twisted.internet.ssl import CertificateOptions
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ktcp.endpoint.server import IReactorKTCP, KTCPServerEndpoint
from ktcp.endpoint.sockets import SocketOptions
from ktcp.workers.sockets import InheritingReactor, OpeningReactor, openGroup


class SocketsTests(SynchronousTestCase):
    """
    Sockets in one process; the kernel is the subject.
    """

    def setUp(self) -> None:
        """
        Both sides.
        """
        self.reactor = MemoryReactorClock()
        self.opening = OpeningReactor(self.reactor, 3)

    def group(self, port: int = 0, interface: str = "127.0.0.1") -> list[socket.socket]:
        """
        A group of three.
        """
        sockets = openGroup(port, interface, SocketOptions(), 3)
        for each in sockets:
            self.addCleanup(each.close)
        return sockets

    def test_onePort(self) -> None:
        """
        Port 0 is one port for all of a group, and each has its own queue.
        """
        for interface in ("127.0.0.1", "::1", ""):
            sockets = self.group(interface=interface)
            names = {each.getsockname()[:2] for each in sockets}
            self.assertEqual(len(names), 1)
            ((_, port),) = names
            accepted = 0
            for _ in range(30):
                client = socket.create_connection((interface or "127.0.0.1", port))
                self.addCleanup(client.close)
            for each in sockets:
                while True:
                    try:
                        each.accept()[0].close()
                    except BlockingIOError:
                        break
                    accepted += 1
            self.assertEqual(accepted, 30)

    def test_taken(self) -> None:
        """
        A port is taken when anybody listens there, another group too: ktcp
        that is started twice is an error.
        """
        port = self.group()[0].getsockname()[1]
        self.assertRaises(OSError, self.group, port)
        single = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(single.close)
        error = self.assertRaises(
            CannotListenError,
            *(self.opening.listenTCP, single.getsockname()[1], Factory(), 50, "127.0.0.1"),
        )
        self.assertEqual(error.interface, "127.0.0.1")
        self.assertEqual(list(self.opening.handedTo(1)), [])

    def test_opened(self) -> None:
        """
        The parent's ports say where they are, and close.
        """
        for interface, kind in (("127.0.0.1", IPv4Address), ("::1", IPv6Address)):
            port = self.opening.listenSSL(0, Factory(), CertificateOptions(), 50, interface)
            verifyObject(IListeningPort, port)
            host: Any = port.getHost()
            self.assertEqual(host, kind("TCP", interface, host.port))
            client = socket.create_connection((interface, host.port))
            self.addCleanup(client.close)
            self.successResultOf(port.stopListening())
            self.assertRaises(
                ConnectionRefusedError, socket.create_connection, (interface, host.port)
            )

    def test_reactor(self) -> None:
        """
        The rest of a reactor is the reactor's.
        """
        for reactor in (self.opening, InheritingReactor(self.reactor, [])):
            self.assertTrue(IReactorTCP.providedBy(reactor))
            verifyObject(IReactorKTCP, reactor)
        self.assertEqual(self.opening.seconds(), self.reactor.seconds())

    def test_options(self) -> None:
        """
        A ktcp: endpoint keeps its options, of all of its sockets.
        """
        options = SocketOptions(keepalive=None, usertimeout=1234)
        endpoint = KTCPServerEndpoint(self.opening, 0, "127.0.0.1", options)
        port: Any = self.successResultOf(endpoint.listen(Factory()))
        self.addCleanup(port.stopListening)
        for number in (1, 2, 3):
            (handed,) = self.opening.handedTo(number)
            self.assertEqual(handed.key, ("ktcp", "127.0.0.1", 0))
            with socket.socket(fileno=os.dup(handed.descriptor)) as copy:
                self.assertEqual(copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT), 1234)
                self.assertEqual(copy.getsockname()[1], port.getHost().port)

    def test_shared(self) -> None:
        """
        A port may be shared with others only if both sides ask for that.
        """
        options = SocketOptions(reuseport=True)
        first = openGroup(0, "127.0.0.1", options, 1)[0]
        self.addCleanup(first.close)
        port = first.getsockname()[1]
        openGroup(port, "127.0.0.1", options, 1)[0].close()
        self.assertRaises(OSError, self.group, port)

    def test_bothFamilies(self) -> None:
        """
        With v6only a port of IPv6 is free beside the same one of IPv4.
        """
        port = self.group(interface="0.0.0.0")[0].getsockname()[1]
        self.assertRaises(OSError, openGroup, port, "::", SocketOptions(v6only=False), 1)
        openGroup(port, "::", SocketOptions(v6only=True), 1)[0].close()

    def test_unix(self) -> None:
        """
        A UNIX socket has its mode and its lock, and is deleted at the end.
        """
        path = os.path.abspath(self.mktemp())
        port: Any = self.opening.listenUNIX(path, Factory(), 50, 0o600, 1)
        self.assertEqual(port.getHost(), UNIXAddress(path))
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertTrue(os.path.islink(path + ".lock"))
        self.assertEqual(self.reactor.getReaders(), [])
        numbers = {handed.descriptor for i in (1, 2, 3) for handed in self.opening.handedTo(i)}
        self.assertEqual(len(numbers), 1)
        self.assertRaises(CannotListenError, self.opening.listenUNIX, path, Factory(), 50, 0o600, 1)
        port.stopListening()
        self.reactor.advance(0)
        self.assertFalse(os.path.lexists(path) or os.path.lexists(path + ".lock"))

    def test_inheritInOrder(self) -> None:
        """
        Of two listeners that ask for the same, port 0, each gets its own.
        """
        ports: list[Any] = [self.opening.listenTCP(0, Factory(), 50, "127.0.0.1") for _ in range(2)]
        for port in ports:
            self.addCleanup(port.stopListening)
        handed = [
            each._replace(descriptor=os.dup(each.descriptor)) for each in self.opening.handedTo(2)
        ]
        adopted: list[int] = []

        class Adopting(MemoryReactorClock):
            def adoptStreamPort(self, fileno: int, family: int, factory: object) -> None:
                with socket.socket(fileno=os.dup(fileno)) as copy:
                    adopted.append(copy.getsockname()[1])

        inheriting = InheritingReactor(Adopting(), handed)
        for _ in ports:
            inheriting.listenTCP(0, Factory(), 50, "127.0.0.1")
        self.assertEqual(adopted, [port.getHost().port for port in ports])
        for each in handed:
            self.assertRaises(OSError, os.fstat, each.descriptor)
        error = self.assertRaises(LookupError, inheriting.listenTCP, 0, Factory(), 50, "127.0.0.1")
        self.assertEqual(str(error), "the parent has opened no tcp 127.0.0.1 0")
