"""
Tests for L{ktcp.testing}.
"""

from __future__ import annotations

import h11
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ktcp.testing import (
    HOST,
    PEER,
    MemoryConnection,
    MemoryTransport,
    parseResponses,
    request,
)


class Recorder(Protocol):
    """
    Writes back what comes; a C{.} closes, a C{!} resets.
    """

    def __init__(self) -> None:
        self.told: list[object] = []

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)
        if b"." in data:
            self.transport.loseConnection()
        if b"!" in data:
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.told.append(reason.type)


@implementer(IHalfCloseableProtocol)
class HalfClosing(Recorder):
    """
    The same, that can go on after FIN.
    """

    def readConnectionLost(self) -> None:
        self.told.append("FIN")

    def writeConnectionLost(self) -> None:
        """
        Nothing to do.
        """


def connect(protocol: type[Protocol] = Recorder) -> MemoryConnection:
    """
    Connect to a server of that protocol.
    """
    return MemoryConnection(Factory.forProtocol(protocol))


class MemoryTransportTests(SynchronousTestCase):
    """
    The server's end.
    """

    def test_interface(self) -> None:
        """
        It is a TCP transport between two addresses set aside for examples.
        """
        transport = MemoryTransport()
        self.assertTrue(verifyObject(ITCPTransport, transport))
        self.assertEqual((PEER, HOST), (transport.getPeer(), transport.getHost()))
        self.assertTrue(transport.getTcpNoDelay())
        self.assertFalse(transport.getTcpKeepAlive())
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)

    def test_halfClose(self) -> None:
        """
        FIN is not the end of the connection.
        """
        transport = MemoryTransport()
        transport.loseWriteConnection()
        self.assertTrue(transport.finished)
        self.assertFalse(transport.disconnecting)


class MemoryConnectionTests(SynchronousTestCase):
    """
    The client's end.
    """

    def test_exchange(self) -> None:
        """
        What is sent arrives, what is answered is there.
        """
        connection = connect()
        connection.send(b"ab")
        connection.send(b"c")
        self.assertEqual(b"abc", connection.received)
        self.assertFalse(connection.closed)

    def test_serverCloses(self) -> None:
        """
        A server that closes hears that it is done, once.
        """
        connection = connect()
        connection.send(b"a.")
        self.assertTrue(connection.closed)
        connection.lose()
        self.assertEqual([ConnectionDone], connection.protocol.told)

    def test_serverResets(self) -> None:
        """
        A server that resets hears so.
        """
        connection = connect()
        connection.send(b"!")
        self.assertTrue(connection.closed)
        self.assertTrue(connection.transport.aborted)
        self.assertEqual([ConnectionAborted], connection.protocol.told)

    def test_closesLater(self) -> None:
        """
        A server that closes when nothing comes is seen to.
        """
        connection = connect()
        connection.transport.loseConnection()
        self.assertTrue(connection.closed)

    def test_byteByByte(self) -> None:
        """
        Bytes arrive one by one, and none after the end.
        """
        connection = connect()
        connection.sendByteByByte(b"ab.cd")
        self.assertEqual(b"ab.", connection.received)

    def test_nothingAfterTheEnd(self) -> None:
        """
        What a client sends on a lost connection does not arrive.
        """
        connection = connect()
        connection.send(b".")
        connection.send(b"late")
        self.assertEqual(b".", connection.received)

    def test_finish(self) -> None:
        """
        A client's FIN ends the connection, unless the server can half-close.
        """
        connection = connect()
        connection.finish()
        self.assertTrue(connection.closed)
        self.assertEqual([ConnectionDone], connection.protocol.told)
        connection = connect(HalfClosing)
        connection.finish()
        self.assertFalse(connection.closed)
        self.assertEqual(["FIN"], connection.protocol.told)

    def test_lose(self) -> None:
        """
        A connection can be lost for a reason.
        """
        connection = connect()
        connection.lose(Failure(ConnectionLost()))
        self.assertEqual([ConnectionLost], connection.protocol.told)


class RequestTests(SynchronousTestCase):
    """
    Requests written down.
    """

    def test_plain(self) -> None:
        """
        Without arguments, C{GET /}.
        """
        self.assertEqual(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", request())

    def test_all(self) -> None:
        """
        Everything can be said, in C{str} or bytes.
        """
        expected = b"PUT /a HTTP/1.0\r\nHOST: b\r\nX: y\r\nContent-Length: 4\r\n\r\nbody"
        headers = [("HOST", b"b"), (b"X", "y")]
        self.assertEqual(expected, request("/a", "PUT", headers, b"body", b"1.0"))
        self.assertEqual(expected, request(b"/a", b"PUT", dict(headers), b"body", b"1.0"))

    def test_nothingIsChecked(self) -> None:
        """
        Bad requests can be written too, and a chunked one.
        """
        got = request(headers={"A b": "c\nd", "Transfer-Encoding": "chunked"}, body=b"0\r\n\r\n")
        self.assertEqual(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nA b: c\nd\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            got,
        )


class ParseResponsesTests(SynchronousTestCase):
    """
    Responses read.
    """

    def test_several(self) -> None:
        """
        Pipelined responses are told apart, by length, chunks and method.
        """
        data = (
            b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 2\r\n\r\nab"
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\nT: u\r\n\r\n"
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        )
        got = parseResponses(data, [b"GET", b"HEAD"])
        self.assertEqual([200, 200, 200, 404], [one.status for one in got])
        self.assertEqual([b"ab", b"", b"c", b""], [one.body for one in got])
        self.assertEqual([True] * 4, [one.complete for one in got])
        self.assertEqual((b"b", b"u"), (got[0].headers.get("x-a"), got[2].trailers.get("t")))

    def test_interim(self) -> None:
        """
        C{100 Continue} is not the response.
        """
        data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
        self.assertEqual([204], [one.status for one in parseResponses(data)])

    def test_nothing(self) -> None:
        """
        No bytes, no response.
        """
        self.assertEqual([], parseResponses(b""))

    def test_endedByClosing(self) -> None:
        """
        A body without a length is complete when the connection is closed.
        """
        data = b"HTTP/1.1 200 OK\r\n\r\nabc"
        for closed in (True, False):
            [got] = parseResponses(data, closed=closed)
            self.assertEqual((b"abc", closed), (got.body, got.complete))

    def test_cutShort(self) -> None:
        """
        A body that lacks bytes is not complete, closed or not.
        """
        for framing, body in [
            (b"Content-Length: 5", b"abc"),
            (b"Transfer-Encoding: chunked", b"3\r\nabc\r\n"),
        ]:
            data = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + body
            for closed in (True, False):
                [got] = parseResponses(data, closed=closed)
                self.assertEqual((b"abc", False), (got.body, got.complete))

    def test_surplus(self) -> None:
        """
        khttpd sent more than its Content-Length said; what is too much is not
        overlooked.
        """
        data = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab"
        self.assertRaises(h11.RemoteProtocolError, parseResponses, data)

    def test_noHTTP(self) -> None:
        """
        What is not HTTP raises: a server that sends it must not pass a test.
        """
        for data in (
            b"nonsense\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nA b: c\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        ):
            for closed in (True, False):
                self.assertRaises(h11.RemoteProtocolError, parseResponses, data, closed=closed)
