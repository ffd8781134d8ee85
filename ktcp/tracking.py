# -*- test-case-name: ktcp.test.test_tracking -*-
"""
The connections of a protocol: let in, counted, and ended when it stops being
served.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IProtocolNegotiationFactory,
)
from zope.interface import alsoProvides, implementer

from ktcp.counters import Census, Counters, Layout
from ktcp.drain import Drain
from ktcp.endpoint.admission import Admission, Place
from ktcp.endpoint.wrappers import FactoryWrapper
from ktcp.interfaces import IRefusingFactory


@implementer(IRefusingFactory)
class TrackingFactory(FactoryWrapper):
    """
    A factory that lets in and counts the connections of another.
    """

    def __init__(
        self,
        wrapped: IProtocolFactory,
        admission: Admission | None = None,
        census: Census | None = None,
    ) -> None:
        """
        @param admission: Lets connections in, and those of other protocols
            perhaps; if not given, as many as come.
        @param census: Counts them; if not given, one that nobody reads.
        """
        super().__init__(wrapped)
        self._admission = admission or Admission(None, None)
        self._census = census or Census(Counters(Layout([""])), 0)
        refusing = IRefusingFactory(wrapped, None)
        self._refuse = None if refusing is None else refusing.buildRefusal
        if IProtocolNegotiationFactory.providedBy(wrapped):
            alsoProvides(self, IProtocolNegotiationFactory)

    def acceptableProtocols(self) -> list[bytes]:
        """
        What TLS may negotiate, where the other factory says so.
        """
        protocols: list[bytes] = self.wrapped.acceptableProtocols()
        return protocols

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        """
        Have the other factory build a protocol, if there is room for one more
        connection.
        """
        return self._admission.build(addr, self.wrapped.buildProtocol, self._refuse, self._census)

    def places(self) -> list[Place]:
        """
        What the connections have that there are.
        """
        return [each for each in self._admission.places if each.census is self._census]

    def connections(self) -> list[Any]:
        """
        Their protocols; some may have a connection that has yet to begin.
        """
        return [each() for each in self.places()]

    def buildRefusal(self, addr: IAddress) -> IProtocol | None:
        """
        See L{IRefusingFactory}.
        """
        return self._admission.sendAway(addr, self._refuse)


class ProtocolService(MultiService):
    """
    One protocol: its factory, and a L{Listener} for each of its endpoints.
    """

    def __init__(self, factory: TrackingFactory, clock: Any, drainTimeout: float = 0.0) -> None:
        """
        @param drainTimeout: Seconds for which connections may take to end when
            it stops.
        """
        super().__init__()
        self.factory = factory
        self._drain = Drain(self.factory.connections, clock, drainTimeout)

    def stopService(self) -> Deferred[Any]:
        """
        Close the listeners, then the connections.

        @return: Fires when all are closed.
        """
        closed: Deferred[Any] = super().stopService()
        return closed.addCallback(lambda _: self._drain.begin())

    def hurry(self) -> None:
        """
        Wait for no connection any more.
        """
        self._drain.hurry()
