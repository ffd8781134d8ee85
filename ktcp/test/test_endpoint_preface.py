"""
Tests for L{ktcp.endpoint.preface}: the places of connections that have yet to
say whose they are.  Real headers and handshakes are in C{test_endpoint_proxied}
and C{test_endpoint_tls}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ktcp.counters import Counters
from ktcp.endpoint.admission import Admission
from ktcp.endpoint.preface import Preface, PrefacedFactory
from ktcp.interfaces import IRefusingFactory
from ktcp.tracking import TrackingFactory

ALICE = IPv4Address("TCP", "192.0.2.1", 1024)
BOB = IPv4Address("TCP", "192.0.2.2", 1024)
LONG = 10.0


class Awaited(Preface):
    """
    A preface that comes when the test says.
    """

    def begin(self) -> None:
        """
        Wait.
        """


class AwaitingFactory(PrefacedFactory):
    """
    Connections begin so.
    """

    preface = Awaited
    kind = "tls"


class Behind(AwaitingFactory):
    """
    They begin at a proxy.
    """

    knowsClient = False


class Telling(Protocol):
    """
    Says that there is no room.
    """


@implementer(IRefusingFactory)
class ServedFactory(Factory):
    """
    Tells its clients when there is none.
    """

    protocol = Protocol
    noisy = False

    def buildRefusal(self, addr: IAddress) -> Telling:
        """
        See L{IRefusingFactory}.
        """
        return Telling()


class AdmissionTests(SynchronousTestCase):
    """
    Two may come, one of each client, and one be told that that is all.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.counters = Counters()
        self.admission = Admission(2, 1, self.counters, refusals=1)
        self.tracking = TrackingFactory(ServedFactory(), self.admission)

    def behind(self, kind: type[PrefacedFactory], wrapped: Any = None) -> PrefacedFactory:
        """
        Put something before the connections of a factory.
        """
        refused = self.counters.turnedAway
        return kind(wrapped or self.tracking, self.clock, LONG, refused, self.admission)

    def connect(self, factory: PrefacedFactory, address: IPv4Address = ALICE) -> Any:
        """
        Have somebody connect, who says nothing yet.

        @return: The transport; L{None} if it is closed at once.
        """
        protocol: Any = factory.buildProtocol(address)
        if protocol is None:
            return None
        transport: Any = StringTransportWithDisconnection()
        transport.protocol = protocol
        protocol.makeConnection(transport)
        return transport

    def limited(self) -> int:
        """
        How often there was no room.
        """
        return self.counters.snapshot().value("limits", "connections")

    def test_leavesPlace(self) -> None:
        """
        A connection has one place, from its beginning to its end.
        """
        transport = self.connect(self.behind(AwaitingFactory))
        self.assertEqual(len(self.admission.places), 1)
        transport.protocol.completed()
        self.assertIs(type(transport.protocol), Protocol)
        self.assertEqual(len(self.admission.places), 1)
        transport.loseConnection()
        self.assertEqual((len(self.admission.places), self.limited()), (0, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_givesUp(self) -> None:
        """
        One that never says anything gives its place away when its time is over.
        """
        transport = self.connect(self.behind(AwaitingFactory))
        self.clock.advance(LONG)
        self.assertFalse(transport.connected)
        self.assertEqual(len(self.admission.places), 0)
        self.assertEqual(self.counters.snapshot().value("turned_away", "tls"), 1)

    def test_full(self) -> None:
        """
        Who says nothing takes room away, from its own address first; the next is
        told so when it can be, and counted once; others are just closed.
        """
        factory = self.behind(AwaitingFactory)
        self.connect(factory)
        transport = self.connect(factory)
        self.assertEqual((len(self.admission.places), self.limited()), (1, 1))
        self.assertIsNone(self.connect(factory))
        transport.protocol.completed()
        self.assertIs(type(transport.protocol), Telling)
        self.assertEqual(self.limited(), 2)
        transport.loseConnection()
        self.assertIsNotNone(self.connect(factory))

    def test_behindProxy(self) -> None:
        """
        A proxy brings many clients, who are told apart when it has said who they
        are; a preface behind another is told of who is unwelcome, too.
        """
        factory = self.behind(Behind, self.behind(AwaitingFactory))
        first, second, third = (self.connect(factory) for _ in range(3))
        self.assertEqual((len(self.admission.places), self.limited()), (2, 1))
        first.protocol.completed()
        second.protocol.address = BOB
        second.protocol.completed()
        third.protocol.completed()
        for transport in (first, second, third):
            transport.protocol.completed()
        kinds = [type(transport.protocol) for transport in (first, second, third)]
        self.assertEqual(kinds, [Protocol, Protocol, Telling])
        self.assertEqual((len(self.admission.places), self.limited()), (2, 1))
