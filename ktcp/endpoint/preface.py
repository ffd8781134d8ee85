# -*- test-case-name: ktcp.test.test_endpoint_proxied,ktcp.test.test_endpoint_tls -*-
"""
What comes before a protocol: a PROXY header, the handshake of TLS.

The protocol is built when it has come, for only then is it known whose the
connection is, and follows on the same transport.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from ktcp.endpoint.handover import handOver
from ktcp.endpoint.wrappers import FactoryWrapper


class Preface(Protocol):
    """
    Stands for a connection's protocol until there can be one.

    @ivar factory: A L{PrefacedFactory}.
    @ivar address: Whose the connection is.
    """

    transport: Any

    def __init__(self, factory: Any, address: IAddress) -> None:
        self.factory: Any = factory
        self.address = address
        self._isOver = False

    def connectionMade(self) -> None:
        """
        Begin.
        """
        factory = self.factory
        self._deadline = factory.reactor.callLater(factory.time, self.transport.abortConnection)
        self.begin()

    def begin(self) -> None:
        """
        See to it that the transport calls what calls L{completed}.
        """
        raise NotImplementedError

    def completed(self) -> None:
        """
        It has come: build the protocol.
        """
        self._isOver = True
        self._deadline.cancel()
        handOver(self.transport, self.factory.wrapped.buildProtocol(self.address))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection has ended before it was one.
        """
        if not self._isOver:
            if self._deadline.active():
                self._deadline.cancel()
            self.factory.refused(self.factory.kind)


class PrefacedFactory(FactoryWrapper):
    """
    Serves another factory to connections that begin with something.

    @cvar preface: What reads it.
    @cvar kind: One of L{ktcp.counters.TURNED_AWAY}.
    """

    preface: ClassVar[type[Preface]]
    kind: ClassVar[str]

    def __init__(
        self,
        wrapped: IProtocolFactory,
        reactor: Any,
        time: float,
        refused: Callable[[str], None] = lambda kind: None,
    ) -> None:
        """
        @param time: Seconds in which it must have come.
        @param refused: Told C{kind} of each connection that ends before that.
        """
        super().__init__(wrapped)
        self.reactor = reactor
        self.time = time
        self.refused = refused

    def buildProtocol(self, addr: IAddress) -> Preface:
        """
        Build what comes before a protocol.
        """
        return self.preface(self, addr)
