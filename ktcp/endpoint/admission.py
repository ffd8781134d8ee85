# -*- test-case-name: ktcp.test.test_endpoint_admission -*-
"""
How many connections there may be: in all, and of one client.

Who comes when there is no room is accepted and sent away, at once.  To leave
the listening socket alone instead would cost nothing, and C{listen(2)}'s queue
would hold who waits, but that is the wrong bound:

  - who fills the server fills the queue behind it too, first come, first
    served, so that everybody waits for the attackers' deadlines;
  - who waits there is told nothing.  A load balancer goes elsewhere when it
    reads 503 or sees the end, and not when it sees a connection that is open;
  - with workers the kernel shares connections out by their addresses, and goes
    on giving the full worker's share to it while another has room;
  - one client over its share is no reason to stop the others, and the kernel
    tells who comes only by accepting.

A connection has its L{Place} until its protocol's C{connectionLost}, which the
place stands in for, once, on the instance.  So nothing is put between transport
and protocol, where it would cost a call for each read and hide half-closing.
"""

from __future__ import annotations

import ctypes
import resource
from collections.abc import Callable
from contextlib import suppress
from socket import AF_INET6, inet_ntoa, inet_pton
from time import monotonic
from typing import Any, NamedTuple
from weakref import ref

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress, IProtocol
from twisted.python.failure import Failure

from ktcp.counters import Census, Counters

# In all: an idle HTTP connection takes some 10 KiB of the process, so this is
# 100 MiB; nginx ships with 512 or 1024 a worker, HAProxy with what its
# descriptors are enough for.
CONNECTIONS = 10_240

# Of one client: a tenth of all, so that it takes ten to fill the server.  Less
# would be safer, but one address is also an office behind a NAT, and a reverse
# proxy that brings everybody's requests.
CLIENT_CONNECTIONS = 1_024

# Who is being told that there is no room, at one time.  It takes a client a few
# seconds at most, and a descriptor; when so many are, others are just closed.
REFUSALS = 256

# Descriptors for all that is no such connection: who is being told, listeners,
# files, logs.  Where there are few it is this part of them.
_SPARE = 512
_SPARE_PART = 1 / 4

# RFC 4291, 2.5.5.2: how a socket for both kinds shows an IPv4 client.
_MAPPED = bytes(10) + b"\xff\xff"

# A crowd is at least so many connections; it has gone when this part is left.
_CROWD = 1_000
_REST = 1 / 16

Build = Callable[[IAddress], IProtocol | None]


def clientOf(address: object) -> str | bytes | None:
    """
    Tell one client from another by its address.

    For IPv6 it is the first 64 bits that do: one host is commonly given as many
    addresses as it likes below them (RFC 4291, 2.5.1; RFC 8981), and counting
    those apart would count nothing.

    @return: L{None} where the address names nobody, as that of a UNIX socket.
    """
    if isinstance(address, IPv4Address):
        return address.host
    if not isinstance(address, IPv6Address):
        return None
    packed = inet_pton(AF_INET6, address.host.partition("%")[0])
    return inet_ntoa(packed[12:]) if packed.startswith(_MAPPED) else packed[:8]


class Place(ref[Any]):
    """
    The place of one connection, and a weak reference to its protocol, so that an
    end by reference counting stays one.

    It is given away when the connection is lost; or when the protocol is gone, for
    one that was never connected, or whose transport was handed to another protocol,
    hears nothing.

    @ivar began: When it was taken, as L{monotonic} tells it.
    @ivar census: Counts the connections of a protocol; L{None}: nobody does.
    """

    __slots__ = ("_admission", "_before", "_client", "began", "census")

    began: float
    census: Census | None
    _admission: Admission | None
    _before: Callable[..., None] | None
    _client: str | bytes | None

    @classmethod
    def take(
        cls,
        protocol: Any,
        admission: Admission,
        client: str | bytes | None = None,
        census: Census | None = None,
    ) -> Place:
        """
        Have a protocol's end give its place away.
        """
        self = cls(protocol, cls.lost)
        self.began = monotonic()
        self.census = census
        self._admission = admission
        self._client = client
        # That of another L{Admission}: a factory's own, within the service's.
        before = protocol.connectionLost
        isOwn = getattr(before, "__func__", None) is protocol.__class__.connectionLost
        self._before = None if isOwn else before
        protocol.connectionLost = self.end
        return self

    # The same protocol may have a place in several L{Admission}s, and places are
    # told apart by what they are.
    __hash__ = object.__hash__
    __eq__ = object.__eq__

    def end(self, *reason: Any) -> None:
        """
        Be C{connectionLost}.
        """
        self.lost(*reason)
        protocol = self()
        assert protocol is not None
        if self._before is None:
            # Somebody who stood in after us may have gone already.
            with suppress(AttributeError):
                del protocol.connectionLost
        else:
            protocol.connectionLost = self._before
        protocol.connectionLost(*reason)

    def lost(self, reason: Failure | None = None) -> None:
        """
        Give the place away, once.
        """
        admission, self._admission = self._admission, None
        if admission is not None:
            admission.left(self, self._client, reason)


class Admission:
    """
    Counts connections, and lets no more in than there is room for.

    @ivar connections: How many there may be.
    @ivar clientConnections: How many of them from one client.
    @ivar places: Those that there are.
    @ivar refused: How many were sent away so far.
    """

    def __init__(
        self,
        connections: int | None = CONNECTIONS,
        clientConnections: int | None = CLIENT_CONNECTIONS,
        counters: Counters | None = None,
        refusals: int = REFUSALS,
    ) -> None:
        """
        @param connections: L{None}: not bounded.
        @param clientConnections: L{None}: not bounded.
        @param counters: Has who is sent away counted.
        @param refusals: Of those that are being told that there is no room.
        @raise ValueError: A bound is not positive.
        """
        for bound in (connections, clientConnections):
            if bound is not None and not bound > 0:
                raise ValueError("a limit on connections must be more than 0")
        self.connections = float("inf") if connections is None else connections
        self.clientConnections = float("inf") if clientConnections is None else clientConnections
        self.refusals = refusals
        self.places: set[Place] = set()
        self.refused = 0
        self._counters = counters
        # Of those that are being told that there is no room.
        self._refusing: set[Place] = set()
        # The most there were since memory was given back.
        self._peak = 0
        self._ofClient: dict[str | bytes, int] = {}

    def build(
        self, address: IAddress, build: Build, refuse: Build | None, census: Census | None = None
    ) -> IProtocol | None:
        """
        Build a protocol for a connection, or what sends it away.

        @param build: What C{buildProtocol} of a factory is.
        @param refuse: The same for a protocol that tells its client that there
            is no room, and closes soon.
        @param census: Has who is let in counted.
        @return: L{None}: the connection is to be closed.
        """
        client = clientOf(address)
        alike = 0 if client is None else self._ofClient.get(client, 0)
        places = self.places
        if len(places) >= self.connections or alike >= self.clientConnections:
            self.refused += 1
            if self._counters is not None:
                self._counters.limited("connections")
            return self.sendAway(address, refuse)
        protocol = build(address)
        if protocol is not None:
            places.add(Place.take(protocol, self, client, census))
            if len(places) > self._peak:
                self._peak = len(places)
            if client is not None:
                self._ofClient[client] = alike + 1
            if census is not None:
                census.accepted()
        return protocol

    def sendAway(self, address: IAddress, refuse: Build | None) -> IProtocol | None:
        """
        Build what tells a client that there is no room.

        @return: L{None}: there is nothing to tell it, or too many are being told.
        """
        if refuse is None or len(self._refusing) >= self.refusals:
            return None
        protocol = refuse(address)
        if protocol is not None:
            self._refusing.add(Place.take(protocol, self))
        return protocol

    def left(self, place: Place, client: str | bytes | None, reason: Failure | None) -> None:
        """
        A place is free again.
        """
        places = self.places
        if place not in places:
            self._refusing.discard(place)
            return
        places.remove(place)
        if place.census is not None:
            place.census.ended(_named(reason))
        if self._peak >= _CROWD and len(places) < self._peak * _REST:
            self._peak = len(places)
            giveBack()
        if client is None:
            return
        alike = self._ofClient[client] - 1
        if alike:
            self._ofClient[client] = alike
        else:
            del self._ofClient[client]


def placeOf(protocol: Any) -> Place:
    """
    @param protocol: What L{Admission.build} or L{Admission.sendAway} has just given.
    """
    place: Place = protocol.connectionLost.__self__
    return place


def _named(reason: Failure | None) -> str:
    """
    Name how a connection has ended; see L{ktcp.counters.REASONS}.
    """
    error = None if reason is None else reason.value
    # In this order: an aborted connection is a lost one to Twisted.
    if isinstance(error, ConnectionDone):
        return "done"
    if isinstance(error, ConnectionAborted):
        return "aborted"
    return "lost" if isinstance(error, ConnectionLost) else "other"


def giveBack() -> None:
    """
    Give the memory of a crowd that has gone back to the kernel.

    What is freed between things that stay is kept by glibc, for ever, unless it
    is asked (malloc_trim(3)); that is a few milliseconds once per crowd.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # musl's does it by itself.
        trim(0)


class Room(NamedTuple):
    """
    What descriptors are enough for.

    @ivar descriptors: How many may be open.
    @ivar connections: How many connections they are enough for, at most as many
        as are wanted, and
    @ivar refusals: for how many that are being sent away.
    """

    descriptors: int
    connections: int
    refusals: int


def makeRoom(connections: int) -> Room:
    """
    Have the kernel let this process and its children open a descriptor for each
    of some connections, or as many as it does let them.

    The soft limit is commonly 1024 for the sake of C{select(2)}, whose sets end
    there, and the hard one far higher (systemd: 524,288); who does not use
    C{select} is expected to raise it (systemd.exec(5), LimitNOFILE).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _SPARE
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft == resource.RLIM_INFINITY:
        return Room(wanted, connections, REFUSALS)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    spare = max(1, min(_SPARE, int(soft * _SPARE_PART)))
    return Room(soft, min(connections, soft - spare), min(REFUSALS, spare // 2))
