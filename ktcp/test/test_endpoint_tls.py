"""
Tests for L{ktcp.endpoint.tls}: first what Twisted asks of TLS.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from OpenSSL import SSL
from twisted.internet import reactor as globalReactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IListeningPort,
    INegotiated,
    IProtocolFactory,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from ktcp.certificates import selfSigned
from ktcp.echo import EchoFactory, EchoProtocol
from ktcp.endpoint.server import KTCPServerEndpoint
from ktcp.endpoint.tls import TLSFactory
from ktcp.http.factory import HTTPFactory
from ktcp.http.message import Request, Response
from ktcp.test.authority import Authority, saveCertificate
from ktcp.test.support import AwaitedClock, stopAfter
from ktcp.test.test_endpoint_transport import WriteThroughReactor
from ktcp.test.twistedsuites import suites
from ktcp.tls import Certificates, clientOptions

reactor: Any = globalReactor


class Given:
    """
    In place of L{Certificates}, for a context that a test has.
    """

    def __init__(self, context: SSL.Context) -> None:
        self._context = context

    def contextFor(self, protocols: tuple[bytes, ...]) -> SSL.Context:
        """
        That one.
        """
        return self._context


class TLSReactor(WriteThroughReactor):
    """
    Twisted's epoll reactor, but its TLS listeners are ktcp's.
    """

    def listenSSL(
        self,
        port: int,
        factory: IProtocolFactory,
        contextFactory: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> IListeningPort:
        """
        See L{IReactorSSL.listenSSL}.
        """
        given: Any = Given(contextFactory.getContext())
        wrapped: Any = TLSFactory(factory, given, self)
        return self.listenTCP(port, wrapped, backlog, interface)


_LOG = "the port is one of TCP, and says so when it closes; TLS is its factory's"
_EARLY = "the client leaves during the handshake; there is no server protocol before its end"

globals().update(
    suites(
        TLSReactor,
        __name__,
        ["test_tls"],
        {
            "test_connectionLostLogMsg": _LOG,
            "test_fullWriteBuffer": _EARLY,
            "test_resumeProducingAbort": _EARLY,
            "test_resumeProducingThrows": _EARLY,
        },
    )
)


class Watching(EchoProtocol):
    """
    An echo that remembers its end.
    """

    def __init__(self) -> None:
        self.reason: Deferred[type] = Deferred()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Remember why.
        """
        self.reason.callback(reason.type)


class ConnectionTests(TestCase):
    """
    Real sockets; the clients are blocking ones, in a thread.
    """

    timeout = 30

    async def serve(self, factory: Any, certificates: Any = None, **options: Any) -> int:
        """
        Serve over TLS.

        @return: The port.
        """
        self.refused: list[str] = []
        self.pair = selfSigned()
        tls: Any = TLSFactory(
            factory,
            certificates or Certificates(lambda: [self.pair]),
            options.pop("clock", reactor),
            refused=self.refused.append,
            **options,
        )
        port = await KTCPServerEndpoint(reactor, 0, "127.0.0.1").listen(tls)
        # The wrapped factory's connections first, then those that became none.
        stopAfter(self, SimpleNamespace(factory=factory, stopListening=port.stopListening))
        build = tls.buildProtocol

        def buildProtocol(address: Any) -> Any:
            handshake = build(address)
            over: Deferred[None] = Deferred()
            for name in ("completed", "connectionLost"):
                do = getattr(handshake, name)

                def ended(*reason: Any, do: Any = do) -> None:
                    do(*reason)
                    over.callback(None)

                setattr(handshake, name, ended)
            self.addCleanup(lambda: over)
            return handshake

        tls.buildProtocol = buildProtocol
        number: int = port.getHost().port
        return number

    def client(self, port: int, talk: Callable[[SSL.Connection], Any], **options: Any) -> Any:
        """
        Have a client shake hands and talk, in a thread.
        """

        def run() -> Any:
            with socket.create_connection(("127.0.0.1", port), 20) as sock:
                sock.settimeout(None)  # Blocking, as OpenSSL has it; the kernel's clock ends it.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 10, 0))
                made = options.get("options") or clientOptions("localhost", insecure=True)
                connection = made.connection(sock)
                if "alpn" in options:
                    connection.set_alpn_protos(options["alpn"])
                connection.do_handshake()
                return talk(connection)

        return deferToThread(run)

    async def test_echo(self) -> None:
        """
        More bytes than any buffer holds come back, and the end of the client's is
        answered with everything, then the server's: half-closing survives.
        """
        port = await self.serve(EchoFactory())
        data = os.urandom(1_000_001)

        def talk(connection: SSL.Connection) -> tuple[bytes, bool]:
            # Less than the kernel's buffers hold at a time, both ways.
            got = b""
            for start in range(0, len(data), 10_000):
                connection.sendall(data[start : start + 10_000])
                while len(got) < min(start + 10_000, len(data)):
                    got += connection.recv(65536)
            connection.sendall(b"last")
            connection.shutdown()
            try:
                while True:
                    got += connection.recv(65536)
            except SSL.ZeroReturnError:
                return got, True

        self.assertEqual(await self.client(port, talk), (data + b"last", True))

    async def test_slowReader(self) -> None:
        """
        An answer of 4 MB reaches a client that begins to read late.
        """
        body = os.urandom(4_000_000)
        port = await self.serve(HTTPFactory(lambda request: Response(200, body)))

        def talk(connection: SSL.Connection) -> bytes:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            got = b""
            try:
                while True:
                    got += connection.recv(65536)
            except SSL.ZeroReturnError:
                return got

        self.assertTrue((await self.client(port, talk)).endswith(body))

    async def test_oneRecord(self) -> None:
        """
        A small answer is one record; so are those to requests that came together.
        """
        port = await self.serve(HTTPFactory())

        def talk(connection: SSL.Connection) -> list[int]:
            counts = []
            for times in (1, 3):
                connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * times)
                counts.append(connection.recv(65536).count(b"Hello World!"))
            return counts

        self.assertEqual(await self.client(port, talk), [1, 3])

    async def test_refusalIsRead(self) -> None:
        """
        A request that is refused before its body was read gets the answer over
        TLS too, for the connection lingers.
        """
        port = await self.serve(HTTPFactory())

        def talk(connection: SSL.Connection) -> bytes:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + b"x" * 100_000)
            return connection.recv(65536)

        self.assertIn(b"400 Bad Request", await self.client(port, talk))

    async def test_truncated(self) -> None:
        """
        A FIN without close_notify is a connection lost; one after it is clean.
        """
        for polite, expected in ((False, ConnectionLost), (True, ConnectionDone)):
            protocol = Watching()
            port = await self.serve(Factory.forProtocol([protocol].pop))

            def talk(connection: SSL.Connection, polite: bool = polite) -> None:
                connection.sendall(b"x")
                connection.recv(1)
                if polite:
                    connection.shutdown()

            await self.client(port, talk)
            self.assertIs(await protocol.reason, expected)

    async def test_alpn(self) -> None:
        """
        HTTP chooses http/1.1 and refuses who offers other protocols only; echo,
        which has no name there, serves whoever offers whatever.
        """
        negotiated = SSL.Connection.get_alpn_proto_negotiated
        http, echo = await self.serve(HTTPFactory()), await self.serve(EchoFactory())
        offers = [b"h2", b"http/1.1"]
        self.assertEqual(await self.client(http, negotiated, alpn=offers), b"http/1.1")
        self.assertEqual(await self.client(echo, negotiated, alpn=offers), b"")
        refused = self.client(http, negotiated, alpn=[b"h2"])
        error = await self.assertFailure(refused, SSL.Error)
        self.assertIn("no application protocol", str(error))

    async def test_resumption(self) -> None:
        """
        A client that comes back with its ticket skips the handshake's hard part,
        in TLS 1.2, where the client can tell.
        """
        port = await self.serve(EchoFactory())

        def run() -> bool:
            context = SSL.Context(SSL.TLS_CLIENT_METHOD)
            context.set_max_proto_version(SSL.TLS1_2_VERSION)
            session = None
            keys = []
            for _ in range(2):
                with socket.create_connection(("127.0.0.1", port), 20) as sock:
                    # Blocking, as OpenSSL has it; the kernel's clock ends it.
                    sock.settimeout(None)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 10, 0))
                    connection = SSL.Connection(context, sock)
                    if session is not None:
                        connection.set_session(session)
                    connection.set_connect_state()
                    connection.do_handshake()
                    session = connection.get_session()
                    keys.append(connection.master_key())
                    connection.shutdown()  # A session that was cut off is not resumed.
            return keys[0] == keys[1]

        self.assertTrue(await deferToThread(run))

    async def test_identity(self) -> None:
        """
        A handler learns whose certificate the client has; a client without one,
        or with a stranger's, is told so by an alert it can read.
        """
        authority, stranger = Authority(), Authority("stranger")
        path = self.mktemp()
        saveCertificate(Path(path), authority.certificate)
        pair = selfSigned()
        seen: list[Any] = []

        def handler(request: Request) -> Response:
            seen.append(request.peerIdentity)
            return Response()

        port = await self.serve(HTTPFactory(handler), Certificates(lambda: [pair], path))

        def talk(connection: SSL.Connection) -> bytes:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            return connection.recv(65536)

        for issuer, says in ((authority, None), (stranger, "unknown ca"), (None, "required")):
            options = clientOptions("localhost", insecure=True)
            if issuer is not None:
                issued = issuer.issue("alice.example", client=True, commonName="alice")
                issued.giveTo(options._context)
            asked = self.client(port, talk, options=options)
            if says is None:
                self.assertTrue((await asked).startswith(b"HTTP/1.1 200"))
            else:
                error = await self.assertFailure(asked, SSL.Error)
                self.assertIn(says, str(error))
        [identity] = seen
        self.assertEqual(
            (identity.subject, identity.commonName, identity.dnsNames),
            ("CN=alice", "alice", ("alice.example",)),
        )

    async def test_deadline(self) -> None:
        """
        A client that says nothing is let go in time, and counted.
        """
        clock = AwaitedClock()
        built = Factory.forProtocol(Protocol)
        port = await self.serve(built, clock=clock, time=7.0)
        accepted = deferToThread(socket.create_connection, ("127.0.0.1", port), 20)
        with await accepted as sock:
            # The client is connected before the server has seen it.
            await clock.asked
            clock.advance(6.9)
            self.assertEqual(self.refused, [])
            clock.advance(0.2)
            with self.assertRaises(ConnectionResetError):
                await deferToThread(sock.recv, 1)
        self.assertEqual(self.refused, ["tls"])
        self.assertEqual(clock.getDelayedCalls(), [])

    async def test_notTLS(self) -> None:
        """
        A client that speaks something else gets the end, and no answer.
        """
        port = await self.serve(HTTPFactory())

        def run() -> bytes:
            with socket.create_connection(("127.0.0.1", port), 20) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                with sock.makefile("rb") as stream:
                    return stream.read()

        self.assertNotIn(b"HTTP", await deferToThread(run))

    async def test_interface(self) -> None:
        """
        The transport tells what was negotiated, and aborts with a reset.
        """
        found: list[Any] = []

        class Looking(Protocol):
            def connectionMade(self) -> None:
                transport: Any = self.transport
                verifyObject(INegotiated, transport)
                found.extend([transport.negotiatedProtocol, transport.getPeerCertificate()])
                found.append(transport.logPrefix().partition(",")[0])
                transport.abortConnection()

            def connectionLost(self, reason: Failure = connectionDone) -> None:
                found.append(reason.type)

        port = await self.serve(Factory.forProtocol(Looking))
        gone = self.client(port, lambda connection: connection.recv(1))
        await self.assertFailure(gone, SSL.Error)
        self.assertEqual(found, [None, None, "Looking", ConnectionAborted])
