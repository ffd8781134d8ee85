# -*- test-case-name: ktcp.test.test_endpoint_server -*-
"""
Stream server endpoints on fast sockets, for any Twisted application.

They need a reactor that provides L{IReactorFDSet} and L{IReactorTime}: epoll,
poll, select and asyncio's selector loop all do, and so does L{ktcp.reactor}.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from zope.interface import Interface, implementer

from ktcp import parameters
from ktcp.endpoint.port import KTCPPort
from ktcp.endpoint.quickack import QuickAckServer
from ktcp.endpoint.sockets import SocketOptions, openListener
from ktcp.endpoint.transport import WriteThroughServer


class IReactorKTCP(Interface):
    """
    A reactor that has its own way to a L{KTCPServerEndpoint}'s listener, as
    every reactor has to those of C{tcp:} and C{unix:}; see L{ktcp.workers}.
    """

    def listenKTCP(
        port: int, factory: IProtocolFactory, interface: str, options: SocketOptions
    ) -> IListeningPort:
        """
        Serve a factory.

        @raise CannotListenError: The kernel refuses.
        """


def listenOn(
    reactor: Any, listener: socket.socket, factory: IProtocolFactory, options: SocketOptions
) -> IListeningPort:
    """
    Serve a factory on a socket that listens: one from
    L{openListener<ktcp.endpoint.sockets.openListener>}, of this process or of
    a parent that keeps its own copy of it.

    @param listener: Non-blocking.  The port closes it, never shuts it down.
    """
    # A factory that needs a kind of its own says so: TLSFactory does.
    transport = getattr(factory, "ktcpTransport", None) or (
        QuickAckServer if options.quickack else WriteThroughServer
    )
    port = KTCPPort(listener, factory, reactor, transport)
    port.startListening()
    return port


@implementer(IStreamServerEndpoint)
class KTCPServerEndpoint:
    """
    A TCP port whose connections write through and whose socket options are
    chosen here; what C{ktcp:} strings describe.
    """

    def __init__(
        self,
        reactor: Any,
        port: int,
        interface: str = "",
        options: SocketOptions | None = None,
    ) -> None:
        """
        @param reactor: Serves the connections: an L{IReactorFDSet} and L{IReactorTime}.
        @param port: From 0 to 65535; 0 lets the kernel choose.
        @param interface: An IPv4 or IPv6 address; empty means every IPv4 one.
        @param options: The defaults of L{SocketOptions} when not given.
        @raise ValueError: The port or the interface is neither; one line.
        """
        if type(port) is not int or not 0 <= port <= 65535:
            raise ValueError(f"port must be a whole number from 0 to 65535, not {port!r}")
        if interface:
            try:
                parameters.interface(interface)
            except ValueError as e:
                raise ValueError(f"interface must be {e}, not {interface!r}") from None
        self._reactor = reactor
        self._port = port
        self._interface = interface
        self._options = options or SocketOptions()

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """
        Open a listener and serve the factory on it.

        @return: A L{Deferred} of the port.  It fails with
            L{CannotListenError} if the kernel refuses.
        """
        return execute(self.listenNow, protocolFactory)

    def listenNow(self, factory: IProtocolFactory) -> IListeningPort:
        """
        Open a listener and serve the factory on it.

        @raise CannotListenError: The kernel refuses.
        """
        reactor = self._reactor
        if IReactorKTCP.providedBy(reactor):
            port: IListeningPort = reactor.listenKTCP(
                self._port, factory, self._interface, self._options
            )
            return port
        try:
            listener = openListener(self._port, self._interface, self._options)
        except OSError as e:
            raise CannotListenError(self._interface, self._port, e) from None
        return listenOn(reactor, listener, factory, self._options)
