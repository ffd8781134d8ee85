"""
Tests for L{ktcp.endpoint.admission}.
"""

from __future__ import annotations

import resource
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ktcp.endpoint import admission
from ktcp.endpoint.admission import Admission, clientOf, makeRoom


def v4(host: str, port: int = 1) -> IPv4Address:
    """
    An address of a client.
    """
    return IPv4Address("TCP", host, port)


def v6(host: str, port: int = 1) -> IPv6Address:
    """
    An address of a client.
    """
    return IPv6Address("TCP", host, port)


@implementer(IHalfCloseableProtocol)
class Recorded(Protocol):
    """
    Remembers how it ended.
    """

    reason: Failure | None = None

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Remember.
        """
        self.reason = reason

    def readConnectionLost(self) -> None:
        """
        Nothing.
        """

    def writeConnectionLost(self) -> None:
        """
        Nothing.
        """


def recorded(address: IAddress) -> Recorded:
    """
    Build a protocol.
    """
    return Recorded()


class ClientTests(SynchronousTestCase):
    """
    Who is one client.
    """

    def test_IPv4(self) -> None:
        """
        One host is one client, whichever its ports.
        """
        self.assertEqual(clientOf(v4("10.0.0.1")), clientOf(v4("10.0.0.1", 2)))
        self.assertNotEqual(clientOf(v4("10.0.0.1")), clientOf(v4("10.0.0.2")))

    def test_IPv6(self) -> None:
        """
        Addresses with the same first 64 bits are one host's, or may be.
        """
        self.assertEqual(clientOf(v6("2001:db8::1")), clientOf(v6("2001:db8::ffff:1:2:3")))
        self.assertNotEqual(clientOf(v6("2001:db8::1")), clientOf(v6("2001:db8:0:1::1")))
        self.assertEqual(clientOf(v6("fe80::1%eth0")), clientOf(v6("fe80::2%eth0")))

    def test_mapped(self) -> None:
        """
        IPv4 clients of a socket for both kinds are as many as they are.
        """
        self.assertEqual(clientOf(v6("::ffff:10.0.0.1")), clientOf(v4("10.0.0.1")))
        self.assertNotEqual(clientOf(v6("::ffff:10.0.0.1")), clientOf(v6("::ffff:10.0.0.2")))

    def test_nobody(self) -> None:
        """
        A UNIX socket does not tell who its client is.
        """
        self.assertIsNone(clientOf(UNIXAddress(b"")))
        self.assertIsNone(clientOf(None))


class AdmissionTests(SynchronousTestCase):
    """
    How many may come.
    """

    def connect(self, admission: Admission, host: str, refuse: Any = None) -> Any:
        """
        Have somebody connect.
        """
        return admission.build(v4(host), recorded, refuse)

    def test_connections(self) -> None:
        """
        As many are let in as there is room for; each that ends makes room.
        """
        doors = Admission(2, None)
        first, second = self.connect(doors, "10.0.0.1"), self.connect(doors, "10.0.0.1")
        self.assertIsNone(self.connect(doors, "10.0.0.2"))
        self.assertEqual((2, 1), (len(doors.places), doors.refused))
        reason = Failure(connectionDone.value)
        first.connectionLost(reason)
        self.assertIs(first.reason, reason)
        self.assertIsNotNone(third := self.connect(doors, "10.0.0.2"))
        for each in (second, third):
            each.connectionLost()
        self.assertEqual(0, len(doors.places))

    def test_clients(self) -> None:
        """
        One client has its share, and the others theirs.
        """
        doors = Admission(None, 2)
        ours = [self.connect(doors, "10.0.0.1") for _ in range(3)]
        self.assertIsNone(ours.pop())
        self.assertIsNotNone(other := self.connect(doors, "10.0.0.2"))
        ours[0].connectionLost()
        self.assertIsNotNone(again := self.connect(doors, "10.0.0.1"))
        for each in (ours[1], again, other):
            each.connectionLost()
        self.assertEqual(0, len(doors.places))
        self.assertEqual({}, doors._ofClient, "clients that left are forgotten")

    def test_unixSockets(self) -> None:
        """
        Clients that cannot be told apart only count for all.
        """
        doors = Admission(3, 1)
        address = UNIXAddress(b"")
        built = [doors.build(address, recorded, None) for _ in range(4)]
        self.assertEqual([True, True, True, False], [each is not None for each in built])
        for each in built[:3]:
            each.connectionLost()  # type: ignore[call-arg]  # Twisted's interface has no default
        self.assertEqual(0, len(doors.places))

    def test_endsOnce(self) -> None:
        """
        A protocol that is told twice gives its place away once.
        """
        doors = Admission(2)
        first, _second = self.connect(doors, "10.0.0.1"), self.connect(doors, "10.0.0.2")
        told = first.connectionLost
        told()
        told()
        first.connectionLost()
        self.assertEqual(1, len(doors.places))

    def test_forgotten(self) -> None:
        """
        A protocol that was never connected, or that handed its transport to
        another one, does not hold its place for ever.
        """
        doors = Admission(1)
        protocol = self.connect(doors, "10.0.0.1")
        self.assertEqual(1, len(doors.places))
        del protocol
        self.assertEqual(0, len(doors.places))

    def test_nested(self) -> None:
        """
        A factory may count within a service that counts, too.
        """
        inner, outer = Admission(1), Admission(2)
        address = v4("10.0.0.1")

        def build(address: IAddress) -> Any:
            return inner.build(address, recorded, None)

        protocol: Any = outer.build(address, build, None)
        self.assertEqual((1, 1), (len(inner.places), len(outer.places)))
        self.assertIsNone(outer.build(address, build, None))
        self.assertEqual((1, 1), (len(inner.places), len(outer.places)))
        protocol.connectionLost()
        self.assertIs(connectionDone, protocol.reason)
        self.assertEqual((0, 0), (len(inner.places), len(outer.places)))

    def test_noProtocol(self) -> None:
        """
        A connection that the factory does not want takes no place.
        """
        doors = Admission(1)
        self.assertIsNone(doors.build(v4("10.0.0.1"), lambda address: None, None))
        self.assertEqual((0, 0), (len(doors.places), doors.refused))

    def test_interfaces(self) -> None:
        """
        A protocol that takes half-closed connections still does.
        """
        self.assertTrue(IHalfCloseableProtocol.providedBy(self.connect(Admission(1), "10.0.0.1")))

    def test_refusals(self) -> None:
        """
        Who is sent away is told so, unless too many are being told already.
        """
        doors = Admission(1, refusals=2)
        held = [self.connect(doors, "10.0.0.1", recorded) for _ in range(3)]
        self.assertIsNone(self.connect(doors, "10.0.0.1", recorded))
        self.assertEqual((1, 3), (len(doors.places), doors.refused))
        held[1].connectionLost()
        self.assertIsNotNone(self.connect(doors, "10.0.0.1", recorded))
        self.assertEqual(1, len(doors.places))
        self.assertIsNone(self.connect(doors, "10.0.0.1", lambda address: None))

    def test_crowd(self) -> None:
        """
        Memory is given back once when most of a crowd has left, and not for a
        few connections.
        """
        given: list[int] = []
        doors = Admission()
        self.patch(admission, "_CROWD", 8)
        self.patch(admission, "giveBack", lambda: given.append(len(doors.places)))
        for size, expected in ((7, []), (8, [0]), (8, [0, 0])):
            crowd = [self.connect(doors, "10.0.0.1") for _ in range(size)]
            for each in crowd:
                each.connectionLost()
            self.assertEqual(expected, given)

    def test_givesBack(self) -> None:
        """
        The C library takes the request, or there is none to make.
        """
        self.assertIsNone(admission.giveBack())

    def test_positive(self) -> None:
        """
        A limit that lets nobody in raises.
        """
        self.assertRaises(ValueError, Admission, 0)
        self.assertRaises(ValueError, Admission, None, -1)


class RoomTests(SynchronousTestCase):
    """
    Descriptors for that many.
    """

    def setUp(self) -> None:
        """
        Stand for the kernel.
        """
        self.limits = (1024, 524288)
        self.patch(resource, "getrlimit", lambda which: self.limits)
        self.patch(resource, "setrlimit", self.setLimits)

    def setLimits(self, which: int, limits: tuple[int, int]) -> None:
        """
        Take what setrlimit(2) takes.
        """
        self.limits = limits

    def test_raised(self) -> None:
        """
        There are descriptors for the connections and some more.
        """
        room = makeRoom(10_000)
        self.assertGreater(room.descriptors, 10_000 + room.refusals)
        self.assertEqual(10_000, room.connections)
        self.assertEqual(room.descriptors, self.limits[0])
        self.assertEqual(524288, self.limits[1])

    def test_hard(self) -> None:
        """
        Where the kernel allows less, it is as many as it allows, and not all
        of them are for connections.
        """
        for hard, connections in ((4096, 3584), (200, 150)):
            self.limits = (min(hard, 1024), hard)
            room = makeRoom(10_000)
            self.assertEqual((hard, connections), (room.descriptors, room.connections))
            self.assertLess(connections + room.refusals, hard)
            self.assertEqual((hard, hard), self.limits)

    def test_enough(self) -> None:
        """
        What is there already is left alone.
        """
        for limits in ((20_000, 20_000), (resource.RLIM_INFINITY, resource.RLIM_INFINITY)):
            self.limits = limits
            self.assertEqual(10_000, makeRoom(10_000).connections)
            self.assertEqual(limits, self.limits)
