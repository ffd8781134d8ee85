# -*- test-case-name: ktcp.test.test_trace_kernel_diagmessages -*-
"""
The bytes of inet_diag (sock_diag(7), netlink(7)): requests out, replies in.

No socket here; L{ktcp.trace.kernel.diag} has that.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import NamedTuple

from ktcp.trace.errors import TraceError
from ktcp.trace.kernel.tcpinfo import NUMBERS, STATES, parseTCPInfo

# linux/netlink.h
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
# linux/sock_diag.h
SOCK_DIAG_BY_FAMILY, SOCK_DESTROY = 20, 21
# linux/inet_diag.h: attributes, asked for by the bit one below their number.
INET_DIAG_INFO, INET_DIAG_CONG, INET_DIAG_SKMEMINFO = 2, 4, 7
EXTENSIONS = sum(1 << each - 1 for each in (INET_DIAG_INFO, INET_DIAG_CONG, INET_DIAG_SKMEMINFO))
# linux/sock_diag.h, enum { SK_MEMINFO_... }
SK_MEMINFO_DROPS = 8

# struct nlmsghdr: length with this header, type, flags, sequence number, port.
HEADER = struct.Struct("=IHHII")
# struct inet_diag_req_v2 before its sockid: family, protocol, extensions, padding, states.
REQUEST = struct.Struct("=BBBxI")
# struct inet_diag_sockid: ports and addresses in network order, then interface and cookie.
SOCKID = struct.Struct("!HH16s16s12s")
# struct inet_diag_msg around its sockid: family, state, timer, retransmits ...
BEFORE = struct.Struct("=BBBB")
# ... and expiry, receive queue, send queue, user, inode.
AFTER = struct.Struct("=IIIII")
ATTRIBUTE = struct.Struct("=HH")

ALL_STATES = frozenset(STATES.values()) - {"CLOSE"}


class Malformed(TraceError):
    """
    The kernel's answer is not what inet_diag answers.
    """


class Message(NamedTuple):
    """
    A netlink message.

    @ivar type: One of the numbers above.
    @ivar payload: What follows the header.
    """

    type: int
    flags: int
    sequence: int
    payload: bytes


@dataclass(frozen=True)
class Entry:
    """
    A TCP socket, as inet_diag describes it.

    @ivar family: C{AF_INET} or C{AF_INET6}.
    @ivar state: A name in L{ktcp.trace.kernel.tcpinfo.STATES}.
    @ivar local: Address and port; an IPv4 client of an IPv6 socket has its IPv4 address here.
    @ivar remote: Likewise; port 0 on a listening socket.
    @ivar receiveQueue: Bytes that nobody has read; on a listening socket, how many
        connections wait to be accepted.
    @ivar sendQueue: Bytes not acknowledged; on a listening socket, how many may wait.
    @ivar drops: What was dropped for want of room, since the socket was made.
    @ivar identity: What the kernel calls it: C{struct inet_diag_sockid}.
    @ivar congestion: The algorithm's name; empty where there is none.
    @ivar info: Its tcp_info; empty in SYN_RECV and TIME_WAIT.
    """

    family: int
    state: str
    local: tuple[str, int]
    remote: tuple[str, int]
    receiveQueue: int
    sendQueue: int
    retransmits: int
    uid: int
    inode: int
    drops: int
    identity: bytes
    congestion: str = ""
    info: dict[str, int] = field(default_factory=dict)


def stateBits(states: Iterable[str]) -> int:
    """
    A set of states as the kernel takes it.
    """
    return sum(1 << NUMBERS[state] for state in states)


def dumpRequest(
    family: int, states: Iterable[str], localPort: int = 0, remotePort: int = 0, sequence: int = 1
) -> bytes:
    """
    Ask for all sockets of a family.

    @param localPort: Only those; 0 for any.
    @param remotePort: Likewise.
    """
    identity = SOCKID.pack(localPort, remotePort, b"", b"", b"")
    return _request(
        SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, sequence, family, identity, EXTENSIONS, stateBits(states)
    )


def destroyRequest(entry: Entry, sequence: int = 1) -> bytes:
    """
    Ask for the end of one socket.

    Its cookie goes along: if another has its addresses by now, that one stays.
    """
    # The states are not looked at.
    return _request(SOCK_DESTROY, NLM_F_ACK, sequence, entry.family, entry.identity, 0, 0)


def _request(
    type: int, flags: int, sequence: int, family: int, identity: bytes, extensions: int, states: int
) -> bytes:
    """
    A request of one socket or of many.
    """
    length = HEADER.size + REQUEST.size + SOCKID.size
    return (
        HEADER.pack(length, type, NLM_F_REQUEST | flags, sequence, 0)
        + REQUEST.pack(family, socket.IPPROTO_TCP, extensions, states)
        + identity
    )


def parseMessages(data: bytes) -> Iterator[Message]:
    """
    The messages of a datagram.

    @raise Malformed: A length is wrong.
    """
    place = 0
    while place < len(data):
        if len(data) - place < HEADER.size:
            raise Malformed("inet_diag: a message is cut short")
        length, type, flags, sequence, _ = HEADER.unpack_from(data, place)
        if not HEADER.size <= length <= len(data) - place:
            raise Malformed(f"inet_diag: a message says that it has {length} bytes")
        yield Message(type, flags, sequence, data[place + HEADER.size : place + length])
        # NLMSG_ALIGN: four bytes.
        place += length + 3 & ~3


def parseError(payload: bytes) -> int:
    """
    The errno of an C{NLMSG_ERROR}, or of the C{NLMSG_DONE} of a dump; 0 for none.

    @raise Malformed: There is none to read.
    """
    if len(payload) < 4:
        raise Malformed("inet_diag: an error is cut short")
    number: int = -struct.unpack_from("=i", payload)[0]
    return number


def parseEntry(payload: bytes) -> Entry:
    """
    A socket.

    @raise Malformed: It is not one.
    """
    start = BEFORE.size + SOCKID.size
    if len(payload) < start + AFTER.size:
        raise Malformed("inet_diag: a socket is cut short")
    family, state, _, retransmits = BEFORE.unpack_from(payload)
    if family not in (socket.AF_INET, socket.AF_INET6) or state not in STATES:
        raise Malformed(f"inet_diag: a socket of family {family} in state {state}")
    identity = payload[BEFORE.size : start]
    localPort, remotePort, local, remote, _ = SOCKID.unpack(identity)
    _, receiveQueue, sendQueue, uid, inode = AFTER.unpack_from(payload, start)
    attributes = dict(_attributes(payload[start + AFTER.size :]))
    return Entry(
        family,
        STATES[state],
        (_address(family, local), localPort),
        (_address(family, remote), remotePort),
        receiveQueue,
        sendQueue,
        retransmits,
        uid,
        inode,
        _drops(attributes.get(INET_DIAG_SKMEMINFO, b"")),
        identity,
        attributes.get(INET_DIAG_CONG, b"").rstrip(b"\0").decode("ascii", "replace"),
        parseTCPInfo(attributes.get(INET_DIAG_INFO, b"")),
    )


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """
    Number and value of each attribute (C{struct nlattr}).

    @raise Malformed: A length is wrong.
    """
    place = 0
    while place + ATTRIBUTE.size <= len(data):
        length, number = ATTRIBUTE.unpack_from(data, place)
        if not ATTRIBUTE.size <= length <= len(data) - place:
            raise Malformed(f"inet_diag: an attribute says that it has {length} bytes")
        yield number, data[place + ATTRIBUTE.size : place + length]
        place += length + 3 & ~3


def _address(family: int, field: bytes) -> str:
    """
    An address for people.
    """
    if family == socket.AF_INET:
        return str(ip_address(field[:4]))
    address = ip_address(field)
    return str(getattr(address, "ipv4_mapped", None) or address)


def _drops(memory: bytes) -> int:
    """
    The drops in C{INET_DIAG_SKMEMINFO}: there since Linux 4.3.
    """
    values = memory[4 * SK_MEMINFO_DROPS : 4 * SK_MEMINFO_DROPS + 4]
    return int.from_bytes(values, sys.byteorder)
