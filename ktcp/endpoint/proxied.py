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
from twisted.internet.interfaces import IAddress, IListeningPort, IProtocolFactory
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer, providedBy

from ktcp.endpoint.handover import handOver
from ktcp.endpoint.proxy import LONGEST_V2, BadHeader, Header, Trust, parse
from ktcp.endpoint.server import IReactorKTCP, KTCPServerEndpoint
from ktcp.endpoint.sockets import SocketOptions
from ktcp.endpoint.transport import WriteThroughServer

# Seconds in which the header must have come.  A balancer sends it at once, but
# the segment may be lost: TCP sends it again after 1, 3 and 7 seconds (RFC 6298).
HEADER_TIME = 5.0


class Prologue(Protocol):
    """
    Stands for a connection's protocol while the header comes.
    """

    transport: Any

    def __init__(self, factory: ProxiedFactory, address: IAddress) -> None:
        self._factory: ProxiedFactory | None = factory
        self._address = address
        self._data = b""

    def connectionMade(self) -> None:
        """
        Take over the reading, until the header is complete.
        """
        factory = self._factory
        assert factory is not None
        self._deadline = factory.reactor.callLater(HEADER_TIME, self.transport.abortConnection)
        # A UNIX socket has no address, and whoever may write to its file is trusted.
        host = getattr(self._address, "host", None)
        if host is not None and host not in factory.trust:
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
        self._handOver(header)
        # What came with the header; unless there is nobody to read it now.
        wanted = transport.connected and not transport.disconnecting
        return transport.doRead() if wanted and _reads(transport) else None

    def _end(self, why: Exception) -> None:
        """
        There is no protocol that could have something to say to it.
        """
        self.transport.connectionLost(Failure(why))

    def _handOver(self, header: Header) -> None:
        """
        Build the protocol, for whose connection it is.
        """
        assert self._factory is not None
        factory, self._factory = self._factory, None
        self._deadline.cancel()
        transport, address = self.transport, self._address
        if header.source is not None:
            source, destination = header.source, header.destination
            address = source
            transport.getPeer = lambda: source
            transport.getHost = lambda: destination
            transport.hostname = source.host
        handOver(transport, factory.wrapped.buildProtocol(address))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        There was no header.
        """
        if self._factory is not None:
            if self._deadline.active():
                self._deadline.cancel()
            self._factory.refused("proxy")


def _reads(transport: Any) -> bool:
    """
    Whether the new protocol wants data.
    """
    if isinstance(transport, WriteThroughServer):
        return transport._reading
    return bool(transport in transport.reactor.getReaders())


@implementer(IProtocolFactory)
class ProxiedFactory:
    """
    Serves another factory to connections that begin with a header.

    @ivar ktcpTransport: See L{ktcp.endpoint.server.listenOn}.
    """

    noisy = False

    def __init__(
        self,
        wrapped: IProtocolFactory,
        trust: Trust,
        reactor: Any,
        refused: Callable[[str], None] = lambda kind: None,
    ) -> None:
        """
        @param refused: Told of a connection without a header that is trusted:
            C{proxy}.
        """
        self.wrapped = wrapped
        self.trust = trust
        self.reactor = reactor
        self.refused = refused
        self.ktcpTransport = getattr(wrapped, "ktcpTransport", None)

    def doStart(self) -> None:
        """
        A listener has opened.
        """
        self.wrapped.doStart()

    def doStop(self) -> None:
        """
        A listener has closed.
        """
        self.wrapped.doStop()

    def buildProtocol(self, addr: IAddress) -> Prologue:
        """
        Build what comes before a protocol.
        """
        return Prologue(self, addr)


class ProxiedReactor:
    """
    What endpoints are given for a reactor, so that all they listen on is behind
    a proxy, and what they put around a factory, such as TLS, is behind it too.
    """

    def __init__(
        self, reactor: Any, trust: Trust, refused: Callable[[str], None] = lambda kind: None
    ) -> None:
        """
        @param reactor: A reactor, or one of L{ktcp.workers.sockets}.
        """
        self._reactor = reactor
        self._trust = trust
        self._refused = refused
        directlyProvides(self, IReactorKTCP, providedBy(reactor))

    def __getattr__(self, name: str) -> Any:
        """
        The reactor's own.
        """
        return getattr(self._reactor, name)

    def _behind(self, factory: IProtocolFactory) -> Any:
        return ProxiedFactory(factory, self._trust, self._reactor, self._refused)

    def listenKTCP(
        self, port: int, factory: IProtocolFactory, interface: str, options: SocketOptions
    ) -> IListeningPort:
        """
        See L{IReactorKTCP}.
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

    def listenSSL(
        self,
        port: int,
        factory: IProtocolFactory,
        contextFactory: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> IListeningPort:
        """
        See L{IReactorSSL}.
        """
        wrapped = TLSMemoryBIOFactory(contextFactory, False, factory)
        return self.listenTCP(port, wrapped, backlog, interface)

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
