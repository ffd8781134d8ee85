# -*- test-case-name: ktcp.test.test_endpoint_preface,ktcp.test.test_workers_sockets -*-
"""
What stands around a factory or before a reactor, and is that in all it does not
do itself.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    ILoggingContext,
    IProtocol,
    IProtocolFactory,
)
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import directlyProvides, implementer, providedBy

from ktcp.endpoint.server import IReactorKTCP


@implementer(IProtocolFactory, ILoggingContext)
class FactoryWrapper:
    """
    A factory around another.

    L{twisted.protocols.policies.WrappingFactory} stays between transport and
    protocol, which costs a call for each read and hides half-closed connections.
    """

    def __init__(self, wrapped: IProtocolFactory) -> None:
        self.wrapped: Any = wrapped

    def logPrefix(self) -> str:
        """
        The name under which Twisted logs.
        """
        context = ILoggingContext(self.wrapped, None)
        return type(self.wrapped).__name__ if context is None else context.logPrefix()

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

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        """
        Have the other factory build a protocol.
        """
        protocol: IProtocol | None = self.wrapped.buildProtocol(addr)
        return protocol


class ReactorWrapper:
    """
    What endpoints are given for a reactor, to answer the calls that listen.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        directlyProvides(self, IReactorKTCP, providedBy(reactor))

    def __getattr__(self, name: str) -> Any:
        """
        The reactor's own.
        """
        return getattr(self._reactor, name)

    def listenSSL(
        self,
        port: int,
        factory: IProtocolFactory,
        contextFactory: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> IListeningPort:
        """
        See L{IReactorSSL}: what C{listenTCP} does, with TLS around the factory, as
        Twisted's reactors do it.
        """
        wrapped = TLSMemoryBIOFactory(contextFactory, False, factory)
        listening: IListeningPort = self.listenTCP(port, wrapped, backlog, interface)
        return listening
