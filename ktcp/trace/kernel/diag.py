# -*- test-case-name: ktcp.test.test_trace_kernel_diag -*-
"""
The kernel's own list of TCP sockets: asking for it, and ending some.

This is what C{ss} reads.  It covers the network namespace of the calling thread.
Asking needs no privilege, ending one needs C{CAP_NET_ADMIN}.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from ktcp.trace.errors import Unavailable
from ktcp.trace.kernel.diagmessages import (
    ALL_STATES,
    NLMSG_DONE,
    NLMSG_ERROR,
    Entry,
    Message,
    destroyRequest,
    dumpRequest,
    parseEntry,
    parseError,
    parseMessages,
)
from ktcp.trace.kernel.tcpinfo import parseTCPInfo

# linux/netlink.h: NETLINK_SOCK_DIAG; Python has no name for it.
NETLINK_SOCK_DIAG = 4
# The kernel fills 32 KiB at most (netlink_dump()), and no less than that has been read before.
READ_SIZE = 1 << 16
# More than any kernel's struct tcp_info: getsockopt gives what there is.
TCP_INFO_SIZE = 512


class Diag(AbstractContextManager["Diag"]):
    """
    A netlink socket to ask the kernel of its TCP sockets on, sock_diag(7).  A context
    manager; not for two threads at once.
    """

    def __init__(self) -> None:
        """
        @raise Unavailable: The kernel has no inet_diag.
        """
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
        except OSError as error:
            raise _absent(error) from None
        self._sequence = 0

    def __exit__(self, *failure: object) -> None:
        self.close()

    def close(self) -> None:
        """
        Give the socket back.
        """
        self._socket.close()

    def sockets(
        self, states: Collection[str] = ALL_STATES, localPort: int = 0, remotePort: int = 0
    ) -> list[Entry]:
        """
        The sockets in some states, IPv4 first.

        @param states: C{ESTABLISHED} and so on, as in L{ktcp.trace.kernel.tcpinfo.STATES}.
        @param localPort: Only those with it; 0 for any.
        @param remotePort: Likewise.
        @raise Unavailable: The kernel has no inet_diag for TCP.
        """
        found = []
        for family in (socket.AF_INET, socket.AF_INET6):
            self._sequence += 1
            request = dumpRequest(family, states, localPort, remotePort, self._sequence)
            self._socket.send(request)
            try:
                found += [parseEntry(message.payload) for message in self._replies()]
            except FileNotFoundError as error:
                # No handler for the protocol: the module is not there.
                raise _absent(error) from None
        return found

    def destroy(self, entry: Entry) -> bool:
        """
        End a socket: its owner reads ECONNABORTED, its peer gets a reset.

        @return: Whether it was still there.
        @raise Unavailable: No right to, or the kernel cannot.
        """
        self._sequence += 1
        self._socket.send(destroyRequest(entry, self._sequence))
        try:
            for _ in self._replies():
                pass
        except OSError as error:
            # ESTALE: there is another socket with these addresses (the cookie differs).
            if error.errno in (errno.ENOENT, errno.ESTALE):
                return False
            if error.errno in (errno.EPERM, errno.EACCES):
                remedy = "run it as root or with CAP_NET_ADMIN"
                raise Unavailable("the right to end sockets", "ktcp drop", remedy) from None
            if error.errno == errno.EOPNOTSUPP:
                remedy = "boot a kernel with CONFIG_INET_DIAG_DESTROY"
                raise Unavailable("SOCK_DESTROY", "ktcp drop", remedy) from None
            raise
        return True

    def _replies(self) -> Iterator[Message]:
        """
        What comes back for the last request.

        @raise OSError: The kernel refuses.
        """
        while True:
            for message in parseMessages(self._socket.recv(READ_SIZE)):
                # An answer to a request that failed half-way is still in the queue.
                if message.sequence != self._sequence:
                    continue
                if message.type in (NLMSG_DONE, NLMSG_ERROR):
                    number = parseError(message.payload)
                    if number:
                        raise OSError(number, os.strerror(number))
                    return
                yield message


def _absent(error: OSError) -> Unavailable:
    """
    What to say when there is no inet_diag.
    """
    missing = f"inet_diag ({error.strerror})"
    remedy = "as root, modprobe tcp_diag, or boot a kernel with CONFIG_INET_TCP_DIAG"
    return Unavailable(missing, "ktcp queues, connections and drop", remedy)


class Listener(NamedTuple):
    """
    A listening socket.

    @ivar address: The one it is bound to; C{0.0.0.0} or C{::} for all.
    @ivar port: Likewise.
    @ivar waiting: How many connections wait to be accepted.
    @ivar limit: How many may wait: the backlog, as listen(2) cut it.  The kernel
        lets one more in (sk_acceptq_is_full()).
    @ivar drops: How many packets it has dropped since it was opened: SYNs and ACKs
        that found a queue full, but also each bare ACK that TCP_DEFER_ACCEPT ignores.
    @ivar inode: As in C{/proc/PID/fd}: it tells sockets of one port apart.
    """

    address: str
    port: int
    waiting: int
    limit: int
    drops: int
    inode: int


class ListenQueues(NamedTuple):
    """
    The queues of a port.

    @ivar listeners: Several with C{SO_REUSEPORT}, or on several addresses; perhaps none.
    @ivar synReceived: How many connections are half-open, the SYN queue.  The
        kernel does not say of which listener; 0 if it was not asked.
    """

    listeners: tuple[Listener, ...]
    synReceived: int


class _HasSockets(Protocol):
    """
    What L{listenQueues} needs of a L{Diag}.
    """

    def sockets(self, states: Collection[str], localPort: int) -> list[Entry]:
        """
        See L{Diag.sockets}.
        """


def listenQueues(port: int, diag: _HasSockets | None = None, halfOpen: bool = True) -> ListenQueues:
    """
    The accept queues of a port, and how many connections are half-open on it.

    @param port: A local TCP port.
    @param diag: A L{Diag} to use again; without one, it is opened and closed.
    @param halfOpen: Whether to count those.  They are in the table of all
        connections, which the kernel walks whatever the port: 1 ms, where
        listening sockets alone take 40 us.
    @raise Unavailable: The kernel has no inet_diag.
    """
    if diag is None:
        with Diag() as opened:
            return listenQueues(port, opened, halfOpen)
    listeners = []
    synReceived = 0
    for entry in diag.sockets({"LISTEN", "SYN_RECV"} if halfOpen else {"LISTEN"}, port):
        if entry.state == "LISTEN":
            sizes = entry.receiveQueue, entry.sendQueue, entry.drops
            listeners.append(Listener(*entry.local, *sizes, entry.inode))
        else:
            synReceived += 1
    return ListenQueues(tuple(listeners), synReceived)


def tcpInfo(connection: socket.socket) -> dict[str, int]:
    """
    What the kernel says of one of our own sockets, see L{parseTCPInfo}.

    On a listening socket C{unacked} connections wait, and C{sacked} may.

    @param connection: Anything with C{getsockopt}.
    @raise OSError: It is no TCP socket.
    """
    return parseTCPInfo(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_SIZE))
