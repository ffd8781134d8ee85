"""
Tests for L{ktcp.endpoint.proxied}, on every kind of listener.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor as globalReactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from ktcp.certificates import selfSigned
from ktcp.echo import EchoProtocol
from ktcp.endpoint.proxied import HEADER_TIME, ProxiedReactor
from ktcp.endpoint.proxy import Trust
from ktcp.endpoint.server import KTCPServerEndpoint
from ktcp.endpoint.tls import TLSFactory
from ktcp.test.support import AwaitedClock, stopAfter
from ktcp.tls import Certificates, clientOptions

reactor: Any = globalReactor

LINE = b"PROXY TCP4 192.0.2.1 192.0.2.2 1024 80\r\n"
LOOPBACK = Trust([ip_network("127.0.0.0/8")])


class Telling(EchoProtocol):
    """
    An echo that begins by saying whom it talks to.
    """

    def connectionMade(self) -> None:
        """
        Say it.
        """
        super().connectionMade()
        host = getattr(self.transport.getPeer(), "host", "nobody")
        self.transport.write(f"{host}\n".encode())


class ListenerTests(TestCase):
    """
    Real sockets; the clients are blocking ones, in a thread.
    """

    timeout = 30

    async def serve(
        self, endpoint: Callable[[Any], Any], trust: Trust = LOOPBACK, over: Any = None
    ) -> Any:
        """
        Serve on an endpoint that is made for a reactor.

        @return: Its address.
        """
        self.refused: list[str] = []
        factory = Factory.forProtocol(Telling)
        behind = ProxiedReactor(reactor, trust, self.refused.append)
        port = await endpoint(behind).listen(over(factory) if over else factory)
        stopAfter(self, SimpleNamespace(factory=factory, stopListening=port.stopListening))
        return port.getHost()

    def talk(self, address: Any, *pieces: bytes) -> Deferred[bytes]:
        """
        Send pieces, each in a segment of its own, then FIN; and read all.
        """

        def run() -> bytes:
            with self.connected(address) as sock:
                for piece in pieces:
                    sock.sendall(piece)
                sock.shutdown(socket.SHUT_WR)
                with sock.makefile("rb") as stream:
                    return stream.read()

        return deferToThread(run)

    def connected(self, address: Any) -> socket.socket:
        """
        Connect, blocking.
        """
        path = getattr(address, "name", None)
        sock = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        sock.settimeout(20)
        if not path:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect(path or (address.host, address.port))
        return sock

    async def test_everyListener(self) -> None:
        """
        The protocol has the client's address, gets what follows the header, and
        what it says last arrives, after the client's FIN too.
        """
        path = Path("/tmp") / f"ktcp-proxied-{id(self)}.sock"
        for text in ("ktcp:0:interface=127.0.0.1", "tcp:0:interface=127.0.0.1", f"unix:{path}"):

            def endpoint(behind: Any, text: str = text) -> Any:
                return serverFromString(behind, text)

            address = await self.serve(endpoint)
            self.assertEqual(await self.talk(address, LINE + b"abc"), b"192.0.2.1\nabc", text)
            pieces = [LINE[i : i + 1] for i in range(len(LINE))]
            self.assertEqual(await self.talk(address, *pieces, b"abc"), b"192.0.2.1\nabc", text)

    async def test_health(self) -> None:
        """
        A proxy that speaks for itself keeps its own address.
        """
        address = await self.serve(lambda behind: KTCPServerEndpoint(behind, 0, "127.0.0.1"))
        self.assertEqual(await self.talk(address, b"PROXY UNKNOWN\r\n"), b"127.0.0.1\n")

    async def test_outsideTLS(self) -> None:
        """
        The header comes before TLS.
        """
        pair = selfSigned()

        def overTLS(factory: Any) -> Any:
            return TLSFactory(factory, Certificates(lambda: [pair]), reactor)

        for text, over in (("ktcp:0:interface=127.0.0.1", overTLS),):

            def endpoint(behind: Any, text: str = text) -> Any:
                return serverFromString(behind, text)

            address = await self.serve(endpoint, over=over)

            def run(address: Any = address) -> bytes:
                with self.connected(address) as sock:
                    # Blocking, as OpenSSL has it; the kernel's clock ends it.
                    sock.settimeout(None)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 10, 0))
                    sock.sendall(LINE)
                    connection = clientOptions("localhost", insecure=True).connection(sock)
                    connection.do_handshake()
                    return connection.recv(100)

            self.assertEqual(await deferToThread(run), b"192.0.2.1\n", text)

    async def test_refused(self) -> None:
        """
        Who is not trusted, or begins otherwise, is closed without a word, and
        counted; so is who leaves.
        """

        def endpoint(behind: Any) -> Any:
            return KTCPServerEndpoint(behind, 0, "127.0.0.1")

        for trust, data in (
            (Trust(), LINE),
            (LOOPBACK, b"GET / HTTP/1.1\r\n\r\n"),
            (LOOPBACK, LINE[:-1]),
        ):
            address = await self.serve(endpoint, trust)
            with contextlib.suppress(OSError):  # Reset, which is as good.
                self.assertEqual(await self.talk(address, data), b"")
            self.assertEqual(self.refused, ["proxy"])

    async def test_deadline(self) -> None:
        """
        A proxy that does not say who it speaks for is let go in time.
        """
        clock = AwaitedClock()
        address = await self.serve(lambda behind: _Endpoint(behind, clock))
        with await deferToThread(self.connected, address) as sock:
            await clock.asked
            clock.advance(HEADER_TIME)
            with self.assertRaises(ConnectionResetError):
                await deferToThread(sock.recv, 1)
        self.assertEqual(self.refused, ["proxy"])


class _Endpoint(KTCPServerEndpoint):
    """
    An endpoint whose header's deadline is a clock's.
    """

    def __init__(self, behind: Any, clock: Clock) -> None:
        inner = behind._behind

        def onClock(factory: Any) -> Any:
            made = inner(factory)
            made.reactor = clock
            return made

        behind._behind = onClock
        super().__init__(behind, 0, "127.0.0.1")
