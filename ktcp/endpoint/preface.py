# -*- test-case-name: ktcp.test.test_endpoint_preface -*-
"""
What comes before a protocol: a PROXY header, the handshake of TLS.

The protocol is built when it has come, for only then is it known whose the
connection is, and follows on the same transport.  Until then the connection has a
place in the L{Admission} of all connections, which it leaves to its protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from ktcp.endpoint.admission import Admission, Place, placeOf
from ktcp.endpoint.transport import WriteThroughServer
from ktcp.endpoint.wrappers import FactoryWrapper


class Preface(Protocol):
    """
    Stands for a connection's protocol until there can be one.

    @ivar factory: A L{PrefacedFactory}.
    @ivar address: Whose the connection is.
    @ivar place: The place that it has meanwhile.
    """

    transport: Any
    place: Place | None = None

    def __init__(self, factory: Any, address: IAddress, isWelcome: bool = True) -> None:
        """
        @param isWelcome: There is room; otherwise the protocol is one that says so.
        """
        self.factory: Any = factory
        self.address = address
        self._isWelcome = isWelcome
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
        # Its protocol takes one, and nobody is told of this one's end.
        if self.place is not None:
            self.place.lost()
        wrapped = self.factory.wrapped
        build = wrapped.buildProtocol if self._isWelcome else getattr(wrapped, "buildRefusal", None)
        handOver(self.transport, build and build(self.address))

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
    @cvar knowsClient: The address of a connection is its client's from the beginning.
    """

    preface: ClassVar[type[Preface]]
    kind: ClassVar[str]
    knowsClient: ClassVar[bool] = True

    def __init__(
        self,
        wrapped: IProtocolFactory,
        reactor: Any,
        time: float,
        refused: Callable[[str], None] = lambda kind: None,
        admission: Admission | None = None,
    ) -> None:
        """
        @param time: Seconds in which it must have come.
        @param refused: Told C{kind} of each connection that ends before that.
        @param admission: Lets connections in; if not given, as many as come.
        """
        super().__init__(wrapped)
        self.reactor = reactor
        self.time = time
        self.refused = refused
        self._admission = admission or Admission(None, None)

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        """
        Build what comes before a protocol.
        """
        client: Any = addr if self.knowsClient else None
        preface = self._admission.build(
            client,
            lambda _: self.preface(self, addr),
            lambda _: self.preface(self, addr, isWelcome=False),
        )
        return _placed(preface)

    def buildRefusal(self, addr: IAddress) -> IProtocol | None:
        """
        Build what comes before a protocol that says that there is no room.
        """
        preface = self._admission.sendAway(
            addr, lambda _: self.preface(self, addr, isWelcome=False)
        )
        return _placed(preface)


def _placed(preface: Any) -> Preface | None:
    """
    Have a preface know its place, if there is room for it.
    """
    if preface is not None:
        preface.place = placeOf(preface)
    given: Preface | None = preface
    return given


def handOver(transport: Any, protocol: IProtocol | None) -> None:
    """
    Have a connection's protocol followed by another: one that could not be
    built before the first had done its work.  Nothing stays between transport
    and protocol, so nothing costs a call for each read or hides a half-close.

    @param transport: A connection of ktcp's or Twisted's.
    @param protocol: L{None}: there is none for this connection, which is aborted.
    """
    if protocol is None:
        transport.abortConnection()
        return
    if isinstance(transport, WriteThroughServer):
        transport.follow(protocol)
    else:
        transport.protocol = protocol
    protocol.makeConnection(transport)
