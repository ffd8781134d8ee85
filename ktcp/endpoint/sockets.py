# -*- test-case-name: ktcp.test.test_endpoint_sockets -*-
"""
Listening sockets, and every decision about their options.

All options but one are set once, on the listener, before bind(2): on Linux an
accepted socket is a clone of its listener, so what is set here costs nothing
per connection (C{InheritanceTests} asks the running kernel).  The one that is
not inherited, TCP_QUICKACK, is L{ktcp.endpoint.quickack.QuickAckServer}'s.

SO_REUSEADDR is no option: without it a restarted server cannot bind while old
connections are in TIME_WAIT, and on Linux it never lets two listeners share a
port (socket(7)).
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

# From asm-generic/socket.h; Python 3.14 has no name for it.
SO_BUSY_POLL = 46

INT_MAX = 2**31 - 1


@dataclass(frozen=True)
class KeepAlive:
    """
    When a silent peer is probed, and when it is given up (tcp(7)).

    @ivar idle: Seconds of silence before the first probe (TCP_KEEPIDLE).
    @ivar interval: Seconds between probes (TCP_KEEPINTVL).
    @ivar count: Unanswered probes that end the connection (TCP_KEEPCNT).
    """

    idle: int
    interval: int
    count: int

    def __post_init__(self) -> None:
        """
        Check every value.
        """
        for name, largest in LARGEST_KEEPALIVE.items():
            _demandWhole(f"keepalive {name}", getattr(self, name), 1, largest)


# The most each number may be.  Past these the kernel answers EINVAL, or takes
# the number and means something else: SO_RCVBUF and SO_SNDBUF are doubled.
LARGEST = {
    "backlog": INT_MAX,
    "rcvbuf": INT_MAX // 2,
    "sndbuf": INT_MAX // 2,
    "deferaccept": INT_MAX,
    "fastopen": INT_MAX,
    "usertimeout": INT_MAX,
    "busypoll": INT_MAX,
    "notsentlowat": INT_MAX,
}
# include/net/tcp.h: MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT.
LARGEST_KEEPALIVE = {"idle": 32767, "interval": 32767, "count": 127}


@dataclass(frozen=True)
class SocketOptions:
    """
    What is asked of a listener and of the connections it accepts.

    For the numbers, 0 leaves the matter to the kernel; for the backlog it
    still lets one connection wait.  C{bool} is C{yes} or C{no} in a C{ktcp:} string.

    @ivar backlog: How many connections may wait to be accepted, listen(2); cut to the
        sysctl net.core.somaxconn without an error.
    @ivar reuseport: SO_REUSEPORT, socket(7): others of the same user may listen on the
        port too, and the kernel spreads connections among them.
    @ivar nodelay: TCP_NODELAY, tcp(7): send small segments at once, not after those
        before them are acknowledged (Nagle's algorithm).
    @ivar cork: TCP_CORK, tcp(7): hold back segments that are not full, for 200 ms at most.
    @ivar rcvbuf: SO_RCVBUF, socket(7): bytes of the receive buffer, which the kernel
        doubles; 0 lets it tune the buffer by itself.
    @ivar sndbuf: SO_SNDBUF, socket(7): bytes of the send buffer, likewise.
    @ivar deferaccept: TCP_DEFER_ACCEPT, tcp(7): seconds for which a connection is not
        accepted while it brings no data.
    @ivar fastopen: TCP_FASTOPEN, tcp(7), RFC 7413: how many connections that brought data
        with their SYN may wait.
    @ivar keepalive: SO_KEEPALIVE, socket(7): when a silent peer is probed and given up,
        see L{KeepAlive}; C{None} (C{no}): never.
    @ivar usertimeout: TCP_USER_TIMEOUT, tcp(7): milliseconds for which sent data may stay
        unacknowledged before the connection is lost.
    @ivar quickack: TCP_QUICKACK, tcp(7): acknowledge at once, not with the next answer;
        set anew for every read, as the kernel forgets it.
    @ivar busypoll: SO_BUSY_POLL, socket(7): microseconds for which a read spins on the
        device's queue before it sleeps; raising it needs CAP_NET_ADMIN.
    @ivar notsentlowat: TCP_NOTSENT_LOWAT, tcp(7): bytes unsent in the kernel beyond which
        a connection is not writable.
    @ivar v6only: IPV6_V6ONLY, ipv6(7): an IPv6 listener refuses IPv4; C{None} (unset)
        leaves it to the sysctl net.ipv6.bindv6only.
    @raise ValueError: A value is of the wrong type or out of range; the
        message is one line that names the option and the value.
    """

    # kecho's README argues 128, what kernels allowed when it was written;
    # Twisted asks for 50.  A queue that is too short drops the SYN or the final
    # ACK of a connection, and its client waits for a second before it tries
    # again (kecho's own bench opens 1000 connections at once).  One that is too
    # long makes clients wait for an answer that comes after they gave up.  4096
    # is what the kernel itself allows unless told otherwise: listen(2) clamps
    # to net.core.somaxconn, 4096 by default since Linux 5.4 and 128 before, so
    # asking for more than that is harmless, and a slot costs nothing until a
    # connection waits in it.  At the 10,000 accepts a second of a slow core,
    # 4096 wait for less than half a second.
    backlog: int = 4096

    # SO_REUSEPORT, socket(7): any process of the same user may listen on the
    # port too and takes its share of connections.  Off, because then a server
    # started twice is an error and not half of the requests gone astray.
    reuseport: bool = False

    # TCP_NODELAY, tcp(7): send small segments at once.  On: with Nagle's
    # algorithm the end of an answer waits for the peer's delayed ACK, 40 ms;
    # a 16 KiB echo fell from 80,000 to 1,100 per second.
    nodelay: bool = True

    # TCP_CORK, tcp(7): hold back partial frames, for at most 200 ms.  Only
    # for protocols that do nothing but stream; every short answer would be
    # late by that ceiling.
    cork: bool = False

    # SO_RCVBUF and SO_SNDBUF, socket(7), in bytes, which the kernel doubles
    # and clamps to net.core.rmem_max and wmem_max.  Left alone: setting one
    # ends its autotuning (tcp(7), tcp_rmem), which grows busy connections to
    # megabytes and leaves idle ones small.
    rcvbuf: int = 0
    sndbuf: int = 0

    # TCP_DEFER_ACCEPT, tcp(7), in seconds: wake the listener only when data
    # has arrived.  Off: a protocol that speaks first would keep its clients
    # waiting, and silent connections escape the server's own timeouts.
    deferaccept: int = 0

    # TCP_FASTOPEN, tcp(7), the length of the queue of requests that came with
    # their SYN.  Off: a SYN can be delivered twice, and with it the request
    # (RFC 7413, 6.3); it also needs bit 2 of net.ipv4.tcp_fastopen.
    fastopen: int = 0

    # SO_KEEPALIVE with TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT, tcp(7).
    # Off, as everywhere: the protocol's own idle timeout is the better judge,
    # and probes wake sleeping mobile peers.
    keepalive: KeepAlive | None = None

    # TCP_USER_TIMEOUT, tcp(7), in milliseconds: how long sent data may stay
    # unacknowledged before the connection is lost.  Left to the kernel (about
    # 15 minutes, net.ipv4.tcp_retries2), because it is also how long a peer
    # may be unreachable and come back.
    usertimeout: int = 0

    # TCP_QUICKACK, tcp(7): acknowledge at once.  Off: answers carry their
    # ACKs for free.  The kernel forgets the setting, so it costs a system
    # call for every read.
    quickack: bool = False

    # SO_BUSY_POLL, socket(7), in microseconds: spin on the device queue
    # instead of sleeping.  Off: it burns the core Python needs, and raising
    # it takes CAP_NET_ADMIN.
    busypoll: int = 0

    # TCP_NOTSENT_LOWAT, tcp(7), in bytes: not writable while more than this
    # is unsent in the kernel.  Left to net.ipv4.tcp_notsent_lowat: a limit
    # means more wake-ups for bulk data, and is worth it only where what is
    # sent next depends on how much has gone out.
    notsentlowat: int = 0

    # IPV6_V6ONLY, ipv6(7): an IPv6 listener refuses IPv4.  None leaves it to
    # net.ipv6.bindv6only, as Twisted's C{tcp:} does: usually "::" serves both.
    v6only: bool | None = None

    def __post_init__(self) -> None:
        """
        Check every value.
        """
        for name in ("reuseport", "nodelay", "cork", "quickack"):
            _demand(name, getattr(self, name), (True, False), "yes or no")
        _demand("v6only", self.v6only, (True, False, None), "yes, no or unset")
        for name, largest in LARGEST.items():
            _demandWhole(name, getattr(self, name), 0, largest)


def _demand(name: str, value: object, allowed: tuple[object, ...], words: str) -> None:
    """
    Refuse a value that is not one of a few (and 1 is not C{True}).
    """
    if not any(value is choice for choice in allowed):
        raise ValueError(f"{name} must be {words}, not {value!r}")


def _demandWhole(name: str, value: object, least: int, largest: int) -> None:
    """
    Refuse a value that is not a whole number of a range.
    """
    if type(value) is not int or not least <= value <= largest:
        raise ValueError(f"{name} must be a whole number from {least} to {largest}, not {value!r}")


class Listener(socket.socket):
    """
    A listening socket whose family and type are plain numbers.

    C{accept} looks both up to make the new socket, and looking them up makes
    an L{enum.Enum} of each: 1.5 of its 5 microseconds (bench/micro/accept.py).
    """

    @cached_property
    def family(self) -> int:  # type: ignore[override]  # a property in the base
        """
        The address family.
        """
        return int(super().family)

    @cached_property
    def type(self) -> int:  # type: ignore[override]  # a property in the base
        """
        The socket type.
        """
        return int(super().type)


def openListener(port: int, interface: str = "", options: SocketOptions | None = None) -> Listener:
    """
    Make a non-blocking socket that listens.

    @param port: From 0 to 65535; 0 lets the kernel choose.
    @param interface: An IPv4 or IPv6 address, the latter perhaps with a scope
        (C{fe80::1%eth0}); empty means every IPv4 address.
    @param options: The defaults of L{SocketOptions} when not given.
    @raise OSError: The kernel refused; where it refused an option, the
        message says which.
    """
    options = options or SocketOptions()
    # Numbers only, so nothing waits for a name server; this is also what
    # turns the scope's name into its index.
    [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(
        interface or "0.0.0.0", port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST
    )
    listener = Listener(family, kind, protocol)
    try:
        listener.setblocking(False)
        _configure(listener, options)
        listener.bind(address)
        listener.listen(options.backlog)
    except BaseException:
        listener.close()
        raise
    return listener


def _configure(listener: socket.socket, options: SocketOptions) -> None:
    """
    Set the options, before bind(2) because SO_REUSEPORT and IPV6_V6ONLY must
    be, and because SO_RCVBUF decides the window scale of the handshake.
    """
    for name, level, option, value in _settings(listener.family, options):
        try:
            listener.setsockopt(level, option, value)
        except OSError as e:
            raise OSError(e.errno, f"{name}={value}: {e.strerror}") from None


def _settings(family: int, options: SocketOptions) -> Iterator[tuple[str, int, int, int]]:
    """
    The setsockopt(2) calls the options come to: name, level, option, value.
    """
    tcp = socket.IPPROTO_TCP
    yield "reuseaddr", socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
    for name, level, option in (
        ("reuseport", socket.SOL_SOCKET, socket.SO_REUSEPORT),
        ("nodelay", tcp, socket.TCP_NODELAY),
        ("cork", tcp, socket.TCP_CORK),
        ("rcvbuf", socket.SOL_SOCKET, socket.SO_RCVBUF),
        ("sndbuf", socket.SOL_SOCKET, socket.SO_SNDBUF),
        ("deferaccept", tcp, socket.TCP_DEFER_ACCEPT),
        ("fastopen", tcp, socket.TCP_FASTOPEN),
        ("usertimeout", tcp, socket.TCP_USER_TIMEOUT),
        ("busypoll", socket.SOL_SOCKET, SO_BUSY_POLL),
        ("notsentlowat", tcp, socket.TCP_NOTSENT_LOWAT),
    ):
        if value := getattr(options, name):
            yield name, level, option, int(value)
    if options.keepalive is not None:
        yield "keepalive", socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1
        yield "keepalive idle", tcp, socket.TCP_KEEPIDLE, options.keepalive.idle
        yield "keepalive interval", tcp, socket.TCP_KEEPINTVL, options.keepalive.interval
        yield "keepalive count", tcp, socket.TCP_KEEPCNT, options.keepalive.count
    if options.v6only is not None and family == socket.AF_INET6:
        yield "v6only", socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(options.v6only)
