# -*- test-case-name: ktcp.test.test_workers_sockets -*-
"""
Listening sockets from parent to child: the reactors that endpoints are given.

The parent's L{OpeningReactor} and a child's L{InheritingReactor} stand before
the real reactor and answer the calls that listen.  Each opening has a key, the
arguments that decide where it is.  Both sides make the same calls in the same
order, so the n-th call with a key gets the socket of the parent's n-th.
"""

from __future__ import annotations

import os
import socket
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from twisted.internet import unix
from twisted.internet.abstract import isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort, IProtocolFactory
from twisted.internet.protocol import Factory
from zope.interface import implementer

from ktcp.endpoint.server import listenOn
from ktcp.endpoint.sockets import Listener, SocketOptions, openListener
from ktcp.endpoint.wrappers import ReactorWrapper

# What kind of socket, and where.
Key = tuple[str, str, int]


class Handed(NamedTuple):
    """
    A socket for one worker.

    @ivar key: What the child's endpoint will ask for.
    @ivar descriptor: The parent's number for it.
    """

    key: Key
    descriptor: int


class OpeningReactor(ReactorWrapper):
    """
    The parent's: opens what endpoints ask for, and accepts nothing.
    """

    def __init__(self, reactor: Any, workers: int) -> None:
        """
        @param workers: How many sockets a TCP listener gets.
        """
        super().__init__(reactor)
        self._workers = workers
        self._opened: list[tuple[Key, Sequence[socket.socket]]] = []

    def handedTo(self, number: int) -> Iterator[Handed]:
        """
        The sockets of a worker, in the order in which they were opened.

        @param number: From 1.
        """
        for key, sockets in self._opened:
            yield Handed(key, sockets[(number - 1) % len(sockets)].fileno())

    def listenKTCP(
        self, port: int, factory: IProtocolFactory, interface: str, options: SocketOptions
    ) -> IListeningPort:
        """
        Open a socket for each worker.

        @raise CannotListenError: The kernel refuses.
        """
        return self._openGroup("ktcp", port, interface, options)

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """
        The same, with no more options than Twisted sets.
        """
        options = SocketOptions(backlog=backlog, nodelay=False)
        return self._openGroup("tcp", port, interface, options)

    def listenUNIX(
        self,
        address: Any,
        factory: IProtocolFactory,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: int = 0,
    ) -> IListeningPort:
        """
        Open a socket for all workers.

        @raise CannotListenError: The kernel refuses, or another process holds
            the lock.
        """
        # The endpoint's factory starts where it serves.
        nobody = Factory()
        nobody.noisy = False
        port = _OpenedUNIXPort(address, nobody, backlog, mode, self._reactor, wantPID)
        port.startListening()
        self._opened.append((("unix", os.fsdecode(address), 0), [port.socket]))
        return port

    def adoptStreamPort(
        self, fileDescriptor: int, addressFamily: int, factory: IProtocolFactory
    ) -> IListeningPort:
        """
        Keep a socket that somebody else opened, systemd for one; all workers
        get it, under the number it has here.
        """
        # A copy, because who calls this closes the original.
        adopted = socket.socket(fileno=os.dup(fileDescriptor))
        return self._keep(("fd", "", fileDescriptor), [adopted])

    def _openGroup(
        self, kind: str, port: int, interface: str, options: SocketOptions
    ) -> IListeningPort:
        """
        Open a socket for each worker.
        """
        try:
            sockets = openGroup(port, interface, options, self._workers)
        except OSError as error:
            raise CannotListenError(interface, port, error) from error
        return self._keep((kind, interface, port), sockets)

    def _keep(self, key: Key, sockets: Sequence[socket.socket]) -> IListeningPort:
        """
        Keep sockets until their port is told to stop listening.
        """
        self._opened.append((key, sockets))
        return _OpenedPort(sockets)


def openGroup(
    port: int, interface: str, options: SocketOptions, size: int
) -> Sequence[socket.socket]:
    """
    Open sockets that share a TCP port, none of them accepting yet.

    @param port: 0 is any free one, the same for all.
    @raise OSError: The kernel refuses; none is left open.
    """
    family = socket.AF_INET6 if isIPv6Address(interface) else socket.AF_INET
    # A name is looked up, as bind(2) in Twisted's own endpoints does it.
    (*_, address), *_ = socket.getaddrinfo(interface or "0.0.0.0", port, family, socket.SOCK_STREAM)
    shared = replace(options, reuseport=True)
    sockets: list[socket.socket] = []
    try:
        with reserved(family, address, options) as name:
            host, chosen = numbersOf(name)
            for _ in range(size):
                sockets.append(openListener(chosen, host, shared))
    except BaseException:
        for each in sockets:
            each.close()
        raise
    return sockets


@contextmanager
def reserved(family: int, address: Any, options: SocketOptions) -> Iterator[Any]:
    """
    Hold an address alone, for sockets with SO_REUSEPORT to join: their
    group's port 0 becomes one port, and a port that is taken is an error.

    That is what SO_REUSEPORT gives up: bind(2) lets a group of the same user
    in where another one listens, so that a server started twice would share
    its clients with itself.  The option counts on both sides and at the time
    of bind(2), so this socket binds without it and turns it on afterwards
    (inet_csk_bind_conflict).  It never listens, so no client meets it.

    @param options: With C{reuseport}, company was asked for.
    @return: The address, with the port that the kernel chose for 0.
    @raise OSError: The address is taken, or may not be had.
    """
    with socket.socket(family, socket.SOCK_STREAM) as guard:
        # Past connections in TIME_WAIT do not count, as for any server.
        guard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        guard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, options.reuseport)
        if options.v6only is not None and family == socket.AF_INET6:
            guard.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, options.v6only)
        guard.bind(address)
        guard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        yield guard.getsockname()


def numbersOf(name: Any) -> tuple[str, int]:
    """
    The address, with its scope, and the port of a socket.
    """
    host, port = socket.getnameinfo(name, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
    return host, int(port)


@implementer(IListeningPort)
class _OpenedPort:
    """
    Sockets that the parent holds.
    """

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        self._sockets = sockets

    def startListening(self) -> None:
        """
        Nothing: the sockets listen, and the workers accept.
        """

    def stopListening(self) -> Deferred[None]:
        """
        Close them.
        """
        for each in self._sockets:
            each.close()
        return succeed(None)

    def getHost(self) -> IAddress:
        """
        Where they listen.
        """
        first = self._sockets[0]
        if first.family == socket.AF_UNIX:
            return UNIXAddress(first.getsockname())
        kind = IPv6Address if first.family == socket.AF_INET6 else IPv4Address
        address: IAddress = kind("TCP", *numbersOf(first.getsockname()))
        return address


class _OpenedUNIXPort(unix.Port):
    """
    Twisted's port, with its lock, its mode and its end, that accepts nothing.
    """

    def startReading(self) -> None:
        """
        Leave it to the workers.
        """


class InheritingReactor(ReactorWrapper):
    """
    A child's: serves what the parent opened.

    Twisted duplicates a descriptor that it adopts; closing the original is ours.
    """

    def __init__(self, reactor: Any, inherited: Iterable[Handed]) -> None:
        """
        @param inherited: The sockets, with the numbers they have here.
        """
        super().__init__(reactor)
        self._waiting: dict[Key, deque[int]] = defaultdict(deque)
        for key, descriptor in inherited:
            self._waiting[key].append(descriptor)

    def listenKTCP(
        self, port: int, factory: IProtocolFactory, interface: str, options: SocketOptions
    ) -> IListeningPort:
        """
        Serve on this worker's socket of a group.
        """
        return listenOn(self._reactor, self._take(("ktcp", interface, port)), factory, options)

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """
        The same, on Twisted's own port and transport.
        """
        listener = self._take(("tcp", interface, port))
        with listener:
            served: IListeningPort = self._reactor.adoptStreamPort(
                listener.fileno(), listener.family, factory
            )
        return served

    def listenUNIX(
        self,
        address: Any,
        factory: IProtocolFactory,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: int = 0,
    ) -> IListeningPort:
        """
        Serve on a socket that all workers share.
        """
        with self._take(("unix", os.fsdecode(address), 0)) as listener:
            return self._shareUNIX(listener.fileno(), factory)

    def adoptStreamPort(
        self, fileDescriptor: int, addressFamily: int, factory: IProtocolFactory
    ) -> IListeningPort:
        """
        Serve on a socket that somebody else opened; it has the number here
        that the parent got it with.
        """
        if addressFamily == socket.AF_UNIX:
            return self._shareUNIX(fileDescriptor, factory)
        served: IListeningPort = self._reactor.adoptStreamPort(
            fileDescriptor, addressFamily, factory
        )
        return served

    def _shareUNIX(self, descriptor: int, factory: IProtocolFactory) -> IListeningPort:
        """
        Serve on a UNIX socket, without calling it one's own.
        """
        port: Any = _SharedUNIXPort._fromListeningDescriptor(self._reactor, descriptor, factory)
        port.startListening()
        shared: IListeningPort = port
        return shared

    def _take(self, key: Key) -> Listener:
        """
        Take the next socket that was opened with a key.  From here on no
        process that the worker starts inherits it.

        @raise LookupError: There is none: the endpoint asked the parent for
            something else.
        """
        if not self._waiting[key]:
            raise LookupError(f"the parent has opened no {' '.join(map(str, key))}")
        listener = Listener(fileno=self._waiting[key].popleft())
        listener.set_inheritable(False)
        return listener


class _SharedUNIXPort(unix.Port):
    """
    A UNIX socket of several processes.  Twisted's own port would listen again
    with its default backlog, change the mode of the file, and in the end shut
    the socket down and delete the file, for all of them.
    """

    # Twisted's annotations allow for None before a port listens.
    factory: Any
    fileno: Any
    socket: Any

    def startListening(self) -> None:
        """
        Accept.
        """
        # What unix.Port does here, less the four.
        self._shouldShutdown = False
        self.factory.doStart()
        self.connected = True
        self.socket, self._preexistingSocket = self._preexistingSocket, None
        self.fileno = self.socket.fileno
        self.numberAccepts = 100
        self.startReading()

    def connectionLost(self, reason: Any) -> None:
        """
        Close this process's copy.
        """
        super(unix.Port, self).connectionLost(reason)
