"""
Tests for L{ktcp.echo}.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet import reactor as globalReactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    clientFromString,
    connectProtocol,
    serverFromString,
    wrapClientTLS,
)
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IPullProducer, IPushProducer
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.ssl import CertificateOptions
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from ktcp.echo import (
    ChargenFactory,
    ChargenProtocol,
    DiscardFactory,
    EchoFactory,
    EchoProtocol,
    makeChargen,
    makeDiscard,
    makeEcho,
)
from ktcp.interfaces import Context
from ktcp.test.support import Client, SlowTransport, makePEM

reactor: Any = globalReactor

KIB = 1024


def echoed(*pieces: bytes) -> bytes:
    """
    What an echo makes of some pieces, each read at once.
    """
    protocol, transport = EchoProtocol(), StringTransport()
    protocol.makeConnection(transport)
    for piece in pieces:
        protocol.dataReceived(piece)
    value: bytes = transport.value()
    return value


class EchoProtocolTests(SynchronousTestCase):
    """
    Which bytes come back, and what waits meanwhile.
    """

    def test_interfaces(self) -> None:
        """
        It is what transports take it for.
        """
        verifyObject(IHalfCloseableProtocol, EchoProtocol())
        verifyObject(IPushProducer, EchoProtocol())

    def test_everyByteValue(self) -> None:
        """
        No byte is special.
        """
        self.assertEqual(echoed(bytes(range(256))), bytes(range(256)))

    def test_anySplit(self) -> None:
        """
        However the bytes are cut, they come back in order.
        """
        data = os.urandom(300)
        self.assertEqual(echoed(*(bytes([byte]) for byte in data)), data)
        self.assertEqual(echoed(data[:1], data[1:299], data[299:]), data)

    def test_strlenOnBinaryData(self) -> None:
        """
        kecho's fault: strlen() took a NUL for the end of what was read.
        """
        self.assertEqual(echoed(b"\0", b"a\0b\n\0\0"), b"\0a\0b\n\0\0")

    def test_garbagePastTheEnd(self) -> None:
        """
        kecho's fault: a short message was followed by the end of a longer one.
        """
        self.assertEqual(echoed(b"a long message", b"hi"), b"a long messagehi")

    def test_byteLostPerBuffer(self) -> None:
        """
        kecho's fault: each full buffer of 4096 bytes lost its last byte.
        """
        for size in (4095, 4096, 4097):
            data = os.urandom(size)
            self.assertEqual(echoed(data, data), data * 2)

    def test_cutAt4096Bytes(self) -> None:
        """
        kecho's fault: what was beyond 4096 bytes was cut off.
        """
        data = os.urandom(3 * 4096 + 1)
        self.assertEqual(echoed(data), data)

    def test_pausesAndResumes(self) -> None:
        """
        A client that does not read is not read from, until it does.
        """
        protocol = EchoProtocol()
        transport = SlowTransport(protocol)
        sent = b""
        while transport.isReading():
            piece = os.urandom(16 * KIB)
            protocol.dataReceived(piece)
            sent += piece
            self.assertLessEqual(len(sent), 128 * KIB)
        transport.drain(len(sent) - 1)
        self.assertFalse(transport.isReading())
        transport.drain(1)
        self.assertTrue(transport.isReading())
        self.assertEqual(bytes(transport.sent), sent)
        protocol.dataReceived(sent)
        self.assertFalse(transport.isReading())
        transport.drain(len(sent))
        self.assertEqual(bytes(transport.sent), sent * 2)

    def test_halfCloseWithFullBuffer(self) -> None:
        """
        A client that sends FIN before it has read anything gets it all, and
        only then the end.
        """
        protocol = EchoProtocol()
        transport = SlowTransport(protocol)
        data = os.urandom(100 * KIB)
        protocol.dataReceived(data)
        protocol.readConnectionLost()
        transport.drain(len(data) - 1)
        self.assertTrue(transport.connected)
        transport.drain(1)
        self.assertFalse(transport.connected)
        self.assertEqual(bytes(transport.sent), data)

    def test_closedWhilePaused(self) -> None:
        """
        A connection that is told to close while its client does not read is
        closed when it has read; it does not stay for ever.
        """
        protocol = EchoProtocol()
        transport = SlowTransport(protocol)
        data = os.urandom(100 * KIB)
        protocol.dataReceived(data)
        transport.loseConnection()
        transport.drain(len(data) + 1)
        self.assertEqual(bytes(transport.sent), data)
        self.assertFalse(transport.connected)

    def test_makers(self) -> None:
        """
        The makers make the factories, which do not fill the log.
        """
        for maker, factory in (
            (makeEcho, EchoFactory),
            (makeDiscard, DiscardFactory),
            (makeChargen, ChargenFactory),
        ):
            made = maker({}, Context(reactor=None))
            self.assertIsInstance(made, factory)
            self.assertFalse(made.noisy)


class ChargenTests(SynchronousTestCase):
    """
    What RFC 864 calls a popular pattern, and when it stops.
    """

    def test_interfaces(self) -> None:
        """
        It is what transports take it for.
        """
        verifyObject(IHalfCloseableProtocol, ChargenProtocol())
        verifyObject(IPullProducer, ChargenProtocol())

    def test_pattern(self) -> None:
        """
        The first lines are those that RFC 864 prints, and the pattern has no
        seam where blocks join.
        """
        lines = (ChargenProtocol.block * 2).split(b"\r\n")[:-1]
        ring = bytes(range(32, 127))
        self.assertEqual(
            lines[0], b" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg"
        )
        self.assertEqual({len(line) for line in lines}, {72})
        for number, line in enumerate(lines):
            start = number % 95
            self.assertEqual(line, (ring + ring)[start : start + 72])

    def test_backPressure(self) -> None:
        """
        For a client that does not read one block waits, no more.
        """
        protocol = ChargenProtocol()
        transport = SlowTransport(protocol)
        block = len(protocol.block)
        self.assertEqual(transport.buffered(), block)
        transport.drain(block - 1)
        self.assertEqual(transport.buffered(), 1)
        transport.drain(2)
        self.assertEqual(transport.buffered(), block - 1)
        self.assertEqual(bytes(transport.sent), protocol.block + protocol.block[:1])

    def test_inputIsThrownAway(self) -> None:
        """
        What the client says, its FIN too, changes nothing.
        """
        protocol = ChargenProtocol()
        transport = SlowTransport(protocol)
        protocol.dataReceived(b"hello")
        protocol.readConnectionLost()
        transport.drain(3 * len(protocol.block))
        self.assertEqual(bytes(transport.sent), protocol.block * 3)


class SocketTests(TestCase):
    """
    The same over real sockets, where the kernel has a say.
    """

    timeout = 60

    async def connect(
        self, factory: Factory, server: str = "tcp:0:interface=127.0.0.1", client: str = ""
    ) -> Client:
        """
        Serve a factory, and connect to it.
        """
        port = await serverFromString(reactor, server).listen(factory)
        self.addCleanup(port.stopListening)
        endpoint = clientFromString(reactor, client or f"tcp:127.0.0.1:{port.getHost().port}")
        if server.startswith("ssl:"):
            endpoint = wrapClientTLS(CertificateOptions(verify=False), endpoint)
        connected: Client = await connectProtocol(endpoint, Client())
        self.addCleanup(connected.drop)
        return connected

    async def roundTrip(self, client: Client) -> None:
        """
        Everything comes back, then the end, in good order.
        """
        transport: Any = client.transport
        data = os.urandom(3_000_001)
        transport.write(data)
        transport.loseWriteConnection()
        self.assertIsInstance(await client.closed, ConnectionDone)
        self.assertEqual(bytes(client.received), data)

    async def test_halfClose(self) -> None:
        """
        Over TCP a client that sends all it has, and FIN, gets all of it back,
        and FIN.
        """
        client = await self.connect(EchoFactory())
        await self.roundTrip(client)
        self.assertTrue(client.half.called)

    async def test_unix(self) -> None:
        """
        So it does over a UNIX socket.
        """
        path = Path("/tmp") / f"ktcp-test-{os.getpid()}.sock"
        await self.roundTrip(await self.connect(EchoFactory(), f"unix:{path}", f"unix:{path}"))

    async def test_tls(self) -> None:
        """
        Over TLS every byte comes back, more of them than any buffer holds.
        """
        pem = Path(self.mktemp())
        pem.write_bytes(makePEM())
        client = await self.connect(EchoFactory(), f"ssl:0:interface=127.0.0.1:privateKey={pem}")
        transport: Any = client.transport
        data = os.urandom(1_000_001)
        transport.write(data)
        self.assertEqual(await client.got(len(data)), data)

    async def test_reset(self) -> None:
        """
        A client that resets the connection in the middle leaves no traceback.
        """
        lost: Deferred[Any] = Deferred()
        factory = EchoFactory()

        class Watched(EchoProtocol):
            def connectionLost(self, reason: Failure = connectionDone) -> None:
                lost.callback(reason.value)

        factory.protocol = Watched
        client = await self.connect(factory)
        transport: Any = client.transport
        transport.write(os.urandom(KIB))
        await client.got(KIB)
        transport.write(os.urandom(500 * KIB))
        transport.abortConnection()
        self.assertIsInstance(await lost, (ConnectionLost, ConnectionDone))
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_discard(self) -> None:
        """
        Discard takes all, gives nothing, and closes when the client does.
        """
        client = await self.connect(DiscardFactory())
        transport: Any = client.transport
        transport.write(os.urandom(1_000_000))
        transport.loseWriteConnection()
        self.assertIsInstance(await client.closed, ConnectionDone)
        self.assertEqual(bytes(client.received), b"")

    async def test_chargen(self) -> None:
        """
        Chargen goes on over many blocks without a seam, and ends with the client.
        """
        client = await self.connect(ChargenFactory())
        block = ChargenProtocol.block
        received = await client.got(5 * len(block))
        self.assertEqual(received[: 5 * len(block)], block * 5)
