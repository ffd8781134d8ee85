"""
Tests for L{ktcp.endpoint.sockets}.
"""

from __future__ import annotations

import socket
from errno import EADDRINUSE
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ktcp.endpoint.sockets import KeepAlive, Listener, SocketOptions, openListener

TCP = socket.IPPROTO_TCP
SOL = socket.SOL_SOCKET


class SocketOptionsTests(SynchronousTestCase):
    """
    A bad value is one line that names the option and the value.
    """

    def refused(self, **values: Any) -> str:
        """
        Ask for bad options and give back the one line.
        """
        message = str(self.assertRaises(ValueError, SocketOptions, **values))
        self.assertNotIn("\n", message)
        return message

    def test_outOfRange(self) -> None:
        """
        Numbers that the kernel would refuse or misread are named.
        """
        self.assertEqual(
            self.refused(backlog=-1),
            "backlog must be a whole number from 0 to 2147483647, not -1",
        )
        self.assertIn("backlog", self.refused(backlog=2**31))
        for name in ("rcvbuf", "sndbuf", "deferaccept", "fastopen", "usertimeout"):
            self.assertIn(name, self.refused(**{name: 2**31}))

    def test_wrongType(self) -> None:
        """
        A number is no flag, a flag is no number, and text is neither.
        """
        self.assertEqual(self.refused(nodelay=1), "nodelay must be yes or no, not 1")
        self.assertIn("fastopen", self.refused(fastopen=True))
        self.assertIn("rcvbuf", self.refused(rcvbuf="4096"))
        self.assertIn("v6only", self.refused(v6only="yes"))

    def test_keepAlive(self) -> None:
        """
        Each part of keepalive has its own range.
        """
        for parts in ((0, 1, 1), (32768, 1, 1), (1, 0, 1), (1, 1, 128)):
            message = str(self.assertRaises(ValueError, KeepAlive, *parts))
            self.assertIn("keepalive ", message)


class OpenListenerTests(SynchronousTestCase):
    """
    L{openListener} makes the socket that was asked for.
    """

    def open(self, port: int, interface: str, **options: Any) -> socket.socket:
        """
        Open a listener that is closed after the test.
        """
        listener = openListener(port, interface, SocketOptions(**options))
        self.addCleanup(listener.close)
        return listener

    def test_default(self) -> None:
        """
        Without options: every IPv4 address, not blocking, not inherited by
        programs that are started, Nagle's algorithm off, the port not shared.
        """
        listener = self.open(0, "")
        self.assertEqual(listener.getsockname()[0], "0.0.0.0")
        self.assertEqual(listener.gettimeout(), 0)
        self.assertFalse(listener.get_inheritable())
        self.assertEqual(listener.getsockopt(TCP, socket.TCP_NODELAY), 1)
        self.assertEqual(listener.getsockopt(SOL, socket.SO_REUSEPORT), 0)
        self.assertEqual(listener.getsockopt(SOL, socket.SO_ACCEPTCONN), 1)

    def test_reusePort(self) -> None:
        """
        Two listeners share a port only if both said so.
        """
        port = self.open(0, "127.0.0.1", reuseport=True).getsockname()[1]
        self.open(port, "127.0.0.1", reuseport=True)
        error = self.assertRaises(OSError, self.open, port, "127.0.0.1")
        self.assertEqual(error.errno, EADDRINUSE)

    def test_v6Only(self) -> None:
        """
        C{v6only} decides whether "::" serves IPv4 too.
        """
        for choice in (True, False):
            try:
                listener = self.open(0, "::", v6only=choice)
            except OSError as e:
                raise SkipTest(f"needs IPv6: {e}") from None
            self.assertEqual(listener.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY), choice)

    def test_scope(self) -> None:
        """
        The scope of a link-local address reaches the kernel as a number.
        """
        bound: list[Any] = []
        self.patch(Listener, "bind", lambda self, address: bound.append(address))
        self.open(0, "fe80::1%lo")
        [(_, port, _, scope)] = bound
        self.assertEqual((port, scope), (0, socket.if_nametoindex("lo")))

    def test_refusedOption(self) -> None:
        """
        An option that the kernel refuses is one line that names it.
        """
        listener = socket.socket()
        self.addCleanup(listener.close)

        def refuse(self: object, level: int, option: int, value: int) -> None:
            if option == socket.TCP_USER_TIMEOUT:
                raise OSError(1, "Operation not permitted")

        self.patch(socket.socket, "setsockopt", refuse)
        error = self.assertRaises(OSError, self.open, 0, "127.0.0.1", usertimeout=7)
        self.assertEqual(str(error), "[Errno 1] usertimeout=7: Operation not permitted")


class InheritanceTests(SynchronousTestCase):
    """
    What is set on the listener holds for what it accepts.
    """

    def test_inherited(self) -> None:
        """
        The kernel copies each option that is about connections.
        """
        listener = openListener(
            0,
            "127.0.0.1",
            SocketOptions(
                cork=True,
                rcvbuf=40000,
                sndbuf=50000,
                keepalive=KeepAlive(33, 7, 3),
                usertimeout=5000,
                notsentlowat=16384,
                deferaccept=1,
                fastopen=5,
            ),
        )
        self.addCleanup(listener.close)
        with socket.create_connection(listener.getsockname()) as client:
            client.sendall(b"x")
            listener.settimeout(10)
            accepted, _ = listener.accept()
        self.addCleanup(accepted.close)
        for level, option, value in (
            (TCP, socket.TCP_NODELAY, 1),
            (TCP, socket.TCP_CORK, 1),
            # The kernel doubles these two for its own bookkeeping.
            (SOL, socket.SO_RCVBUF, 80000),
            (SOL, socket.SO_SNDBUF, 100000),
            (SOL, socket.SO_KEEPALIVE, 1),
            (TCP, socket.TCP_KEEPIDLE, 33),
            (TCP, socket.TCP_KEEPINTVL, 7),
            (TCP, socket.TCP_KEEPCNT, 3),
            (TCP, socket.TCP_USER_TIMEOUT, 5000),
            (TCP, socket.TCP_NOTSENT_LOWAT, 16384),
        ):
            self.assertEqual(accepted.getsockopt(level, option), value, (level, option))
        self.assertTrue(listener.getsockopt(TCP, socket.TCP_DEFER_ACCEPT))
        self.assertEqual(listener.getsockopt(TCP, socket.TCP_FASTOPEN), 5)
