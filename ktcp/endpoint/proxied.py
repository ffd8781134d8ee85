# -*- test-case-name: ktcp.test.test_endpoint_proxied -*-
"""
Listeners behind a load balancer that says whose each connection is.

The header is looked at in the kernel's buffer (C{MSG_PEEK}) and only its own
bytes are taken out, so that whatever reads next finds the connection as it would
be without a proxy: a protocol, TLS that OpenSSL reads from the socket, Twisted's
TLS.  That puts the header outside TLS on every listener (Twisted #9041), costs
nothing once it is over, and hides no half-closed connection.

From somebody who is not trusted nothing is taken at all.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure

from ktcp.endpoint.admission import Admission
from ktcp.endpoint.preface import Preface, PrefacedFactory
from ktcp.endpoint.proxy import LONGEST_V2, BadHeader, Header, Trust, parse
from ktcp.endpoint.server import KTCPServerEndpoint
from ktcp.endpoint.sockets import SocketOptions
from ktcp.endpoint.transport import WriteThroughServer
from ktcp.endpoint.wrappers import ReactorWrapper

# Seconds in which the header must have come.  A balancer sends it at once, but
# the segment may be lost: TCP sends it again after 1, 3 and 7 seconds (RFC 6298).
HEADER_TIME = 5.0


class Prologue(Preface):
    """
    Reads the header.
    """

    _data = b""

    def begin(self) -> None:
        """
        Take over the reading, until the header is complete.
        """
        # A UNIX socket has no address, and whoever may write to its file is trusted.
        host = getattr(self.address, "host", None)
        if host is not None and host not in self.factory.trust:
            self.transport.abortConnection()
        else:
            self.transport.doRead = self._look

    def _look(self) -> Any:
        """
        Be the transport's C{doRead}.
        """
        transport = self.transport
        try:
            seen = transport.socket.recv(LONGEST_V2, socket.MSG_PEEK)
            if not seen:
                return self._end(CONNECTION_DONE)
            header = parse(self._data + seen)
            taken = len(seen) if header is None else header.length - len(self._data)
            # What is not complete is all of the header, and taken out too: a
            # reactor would find it readable again and again.
            transport.socket.recv(taken)
        except BlockingIOError:
            return None
        except BadHeader as error:
            return self._end(ConnectionLost(f"PROXY protocol: {error}"))
        except OSError:
            return self._end(ConnectionLost())
        if header is None:
            self._data += seen
            return None
        del transport.doRead
        self._believe(header)
        self.completed()
        # What came with the header; unless there is nobody to read it now.
        wanted = transport.connected and not transport.disconnecting
        return transport.doRead() if wanted and _reads(transport) else None

    def _end(self, why: Exception) -> None:
        """
        There is no protocol that could have something to say to it.
        """
        self.transport.connectionLost(Failure(why))

    def _believe(self, header: Header) -> None:
        """
        Have the transport say whose connection it is.
        """
        if header.source is None:
            return
        transport, source, destination = self.transport, header.source, header.destination
        self.address = source
        transport.getPeer = lambda: source
        transport.getHost = lambda: destination
        transport.hostname = source.host


def _reads(transport: Any) -> bool:
    """
    Whether the new protocol wants data.
    """
    if isinstance(transport, WriteThroughServer):
        return transport._reading
    return bool(transport in transport.reactor.getReaders())


class ProxiedFactory(PrefacedFactory):
    """
    Serves another factory to connections that begin with a header.

    @ivar ktcpTransport: See L{ktcp.endpoint.server.listenOn}.
    """

    preface = Prologue
    kind = "proxy"
    # It is the proxy's.
    knowsClient = False

    def __init__(
        self,
        wrapped: IProtocolFactory,
        trust: Trust,
        reactor: Any,
        refused: Callable[[str], None] = lambda kind: None,
        admission: Admission | None = None,
    ) -> None:
        """
        @param refused: See, as for C{admission}, L{PrefacedFactory}.
        """
        super().__init__(wrapped, reactor, HEADER_TIME, refused, admission)
        self.trust = trust
        self.ktcpTransport = getattr(wrapped, "ktcpTransport", None)


class ProxiedReactor(ReactorWrapper):
    """
    A reactor all of whose listeners are behind a proxy, and what endpoints put
    around a factory, such as TLS, is behind it too.
    """

    def __init__(
        self,
        reactor: Any,
        trust: Trust,
        refused: Callable[[str], None] = lambda kind: None,
        admission: Admission | None = None,
    ) -> None:
        """
        @param reactor: A reactor, or one of L{ktcp.workers.sockets}.
        @param refused: See, as for C{admission}, L{PrefacedFactory}.
        """
        super().__init__(reactor)
        self._trust = trust
        self._refused = refused
        self._admission = admission

    def _behind(self, factory: IProtocolFactory) -> Any:
        return ProxiedFactory(factory, self._trust, self._reactor, self._refused, self._admission)

    def listenKTCP(
        self, port: int, factory: IProtocolFactory, interface: str, options: SocketOptions
    ) -> IListeningPort:
        """
        See L{IReactorKTCP<ktcp.endpoint.server.IReactorKTCP>}.
        """
        endpoint = KTCPServerEndpoint(self._reactor, port, interface, options)
        return endpoint.listenNow(self._behind(factory))

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """
        See L{IReactorTCP}.
        """
        served: IListeningPort = self._reactor.listenTCP(
            port, self._behind(factory), backlog, interface
        )
        return served

    def listenUNIX(
        self,
        address: Any,
        factory: IProtocolFactory,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: int = 0,
    ) -> IListeningPort:
        """
        See L{IReactorUNIX}.
        """
        served: IListeningPort = self._reactor.listenUNIX(
            address, self._behind(factory), backlog, mode, wantPID
        )
        return served

    def adoptStreamPort(
        self, fileDescriptor: int, addressFamily: int, factory: IProtocolFactory
    ) -> IListeningPort:
        """
        See L{IReactorSocket}.
        """
        served: IListeningPort = self._reactor.adoptStreamPort(
            fileDescriptor, addressFamily, self._behind(factory)
        )
        return served
