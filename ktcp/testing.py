# -*- test-case-name: ktcp.test.test_testing -*-
"""
Doubles for those who embed ktcp: a connection to a factory without sockets, and
requests and responses to go over it.  The server's code is the real one::

    connection = MemoryConnection(HTTPFactory(app, reactor=task.Clock()))
    connection.send(request("/hello"))
    [response] = parseResponses(connection.received)
    assert response.body == b"hello /hello"
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import h11
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IProtocolFactory,
    ITCPTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from ktcp.http.headers import Headers, HeadersLike

PEER = IPv4Address("TCP", "192.0.2.1", 54321)
HOST = IPv4Address("TCP", "192.0.2.2", 80)


@implementer(ITCPTransport)
class MemoryTransport(StringTransport):
    """
    A transport that keeps what is written, and can close each direction.

    @ivar finished: The server has sent FIN.
    @ivar aborted: The server has reset the connection.
    """

    def __init__(self, peer: IAddress = PEER) -> None:
        """
        @param peer: The address of the other end.
        """
        super().__init__(HOST, peer)
        self.finished = False
        self.aborted = False

    def loseWriteConnection(self) -> None:
        """
        Send FIN and go on reading.
        """
        self.finished = True

    def abortConnection(self) -> None:
        """
        Reset.
        """
        super().abortConnection()
        self.aborted = True
        self.disconnecting = True

    def getTcpNoDelay(self) -> bool:
        """
        See L{ITCPTransport}.
        """
        return True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """
        See L{ITCPTransport}.
        """

    def getTcpKeepAlive(self) -> bool:
        """
        See L{ITCPTransport}.
        """
        return False

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """
        See L{ITCPTransport}.
        """


class MemoryConnection:
    """
    The client's end of a connection to a factory.

    A server that closes loses its connection at once: its C{connectionLost} is called
    within L{send}, L{finish} or C{closed}.

    @ivar protocol: The server's protocol.
    @ivar transport: The server's L{MemoryTransport}.
    """

    def __init__(self, factory: IProtocolFactory, peer: IAddress = PEER) -> None:
        """
        @param factory: Makes the server's protocol.
        @param peer: The client's address.
        """
        protocol: Any = factory.buildProtocol(peer)
        self.protocol = protocol
        self.transport = MemoryTransport(peer)
        self._lost = False
        self.protocol.makeConnection(self.transport)

    def send(self, data: bytes) -> None:
        """
        Let bytes arrive at the server, unless it has closed.
        """
        if not self._lost:
            self.protocol.dataReceived(data)
            self._settle()

    def sendByteByByte(self, data: bytes) -> None:
        """
        Let them arrive one by one, until the server has closed.
        """
        for at in range(len(data)):
            self.send(data[at : at + 1])

    def finish(self) -> None:
        """
        Send FIN: a server that cannot half-close loses the connection.
        """
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.readConnectionLost()
            self._settle()
        else:
            self.lose()

    def lose(self, reason: Failure = connectionDone) -> None:
        """
        Lose the connection, as by a reset.
        """
        if not self._lost:
            self._lost = True
            self.transport.connected = False
            self.protocol.connectionLost(reason)

    @property
    def received(self) -> bytes:
        """
        All that the server has sent.
        """
        value: bytes = self.transport.value()
        return value

    @property
    def closed(self) -> bool:
        """
        The server has closed the connection.
        """
        self._settle()
        return self._lost

    def _settle(self) -> None:
        if self.transport.disconnecting:
            aborted = self.transport.aborted
            self.lose(Failure(ConnectionAborted() if aborted else ConnectionDone()))


def request(
    target: str | bytes = b"/",
    method: str | bytes = b"GET",
    headers: HeadersLike | None = None,
    body: bytes = b"",
    version: bytes = b"1.1",
) -> bytes:
    """
    Write a request.  Host and, for a body, Content-Length are set if C{headers}
    have neither; nothing is checked, so that bad requests can be written too.

    @param target: The request target; C{str} is latin-1 here and below.
    @param method: In capitals, as methods are case-sensitive.
    @param headers: A mapping or pairs.
    @param body: Goes out as it is: for a chunked one, give the chunks.
    @param version: Of HTTP.
    @return: The bytes of the request, for L{MemoryConnection.send}.
    """
    items: Any = headers.items() if isinstance(headers, Mapping) else headers or ()
    pairs = [(_bytes(name), _bytes(value)) for name, value in items]
    names = {name.lower() for name, _ in pairs}
    if b"host" not in names:
        pairs.insert(0, (b"Host", b"localhost"))
    if body and not names & {b"content-length", b"transfer-encoding"}:
        pairs.append((b"Content-Length", b"%d" % len(body)))
    line = b" ".join((_bytes(method), _bytes(target), b"HTTP/" + version))
    return b"".join([line, b"\r\n", *(b"%b: %b\r\n" % pair for pair in pairs), b"\r\n", body])


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


class ReceivedResponse(NamedTuple):
    """
    A response as the client read it.

    @ivar status: Such as 200.
    @ivar headers: Names in lower case.
    @ivar body: Without what framed it.
    @ivar trailers: Of a chunked body.
    @ivar complete: The body came to its end.
    """

    status: int
    headers: Headers
    body: bytes
    trailers: Headers
    complete: bool


def parseResponses(
    data: bytes, methods: Sequence[bytes] = (), closed: bool = True
) -> list[ReceivedResponse]:
    """
    Read responses as a client would, with h11.

    @param data: What a client has received, from a response's first byte on.
    @param methods: Of the requests, in order; C{GET} for those not named.
    @param closed: Nothing comes after C{data}.
    @return: In order; the last may not be complete.
    @raise h11.RemoteProtocolError: A response is not HTTP/1.1, or something that
        is no response follows one.
    """
    responses = []
    asked = iter(methods)
    while data:
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method=next(asked, b"GET"), target="/", headers=[("Host", "a")]))
        client.send(h11.EndOfMessage())
        client.receive_data(data)
        response = _readOne(client, closed)
        if response is None:
            break
        responses.append(response)
        data = client.trailing_data[0] if response.complete else b""
    return responses


def _readOne(client: h11.Connection, closed: bool) -> ReceivedResponse | None:
    status, headers, body = 0, Headers(), b""
    for event in _events(client, closed):
        if isinstance(event, h11.Response):
            status, headers = event.status_code, Headers(event.headers)
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return ReceivedResponse(status, headers, body, Headers(event.headers), True)
    return ReceivedResponse(status, headers, body, Headers(), False) if status else None


def _events(client: h11.Connection, closed: bool) -> Iterable[Any]:
    while (event := client.next_event()) is not h11.NEED_DATA:
        yield event
    if closed:
        inBody = client.their_state is h11.SEND_BODY
        client.receive_data(b"")
        try:
            event = client.next_event()
        except h11.RemoteProtocolError:
            if inBody:
                # Cut short: what came before was good.
                return
            raise
        yield event


__all__ = [
    "HOST",
    "PEER",
    "MemoryConnection",
    "MemoryTransport",
    "ReceivedResponse",
    "parseResponses",
    "request",
]
