# -*- test-case-name: ktcp.test.test_trace_analysis_link -*-
"""
Whose is this event?  Pure: events in, each with its connection out.

A socket's address names a connection from its first state to its destruction;
then the slab gives the address to another socket.  Of the events that name no
socket:

  - a frame that is received is the connection's that sent it (C{skbaddr}, from
    C{net_dev_queue} until it is freed);
  - what a softirq does is for the frame it received last, or the socket it named;
  - what a system call sends is for the socket that the call's own event, which
    comes when the call is done, names (C{sock_send_length});
  - what a task does besides is for the socket it changed last: close(2) and
    connect(2) change the state before they send.

What is left is other traffic that ran in the same processes.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from ktcp.trace.analysis.events import Seen
from ktcp.trace.kernel.tcpinfo import NUMBERS

_SYN_SENT, _SYN_RECV = NUMBERS["SYN_SENT"], NUMBERS["SYN_RECV"]
# System calls on a listener or on all descriptors: no connection's, and yet wanted.
SHARED = tuple(f"sys_{way}_{call}" for way in ("enter", "exit") for call in ("accept", "accept4"))
KEPT = (*SHARED, "sys_enter_epoll_wait", "sys_exit_epoll_wait")


@dataclass
class Conversation:
    """
    A connection, as far as its events tell.

    @ivar client: C{address:port}; the port is 0 until it is known.
    @ivar begun: Whether its first SYN was seen.
    """

    client: str
    server: str
    clientPort: int
    begun: bool = False


@dataclass
class _Current:
    """
    What is being worked on.

    @ivar received: By processor and the task it borrows, what a softirq received last.
    @ivar touched: By task, the socket it named last.
    @ivar buffers: By address of an skb.
    """

    received: dict[tuple[int, int], int | None] = field(default_factory=dict)
    touched: dict[int, int | None] = field(default_factory=dict)
    buffers: dict[object, int] = field(default_factory=dict)


def link(events: Sequence[Seen], port: int) -> list[Conversation]:
    """
    Find the connections of a server's port, and what belongs to each.

    @param events: In the order of time; their C{connection} and C{side} are set.
    """
    conversations = _linkSockets(events, port)
    ahead = _lookAhead(events)
    current = _Current()
    for index, event in enumerate(events):
        if event.connection is None:
            event.connection = _guess(event, current, ahead[index])
        _note(event, current)
    return conversations


def _linkSockets(events: Sequence[Seen], port: int) -> list[Conversation]:
    """
    Link the events that name a socket.
    """
    conversations: list[Conversation] = []
    sockets: dict[object, tuple[int, str]] = {}
    ports: dict[int, int] = {}
    for event in events:
        address = event.values.get("skaddr", event.values.get("sk"))
        if not address:
            continue
        if event.values.get("newstate") == _SYN_SENT:
            sockets.pop(address, None)
        known = sockets.get(address)
        if known is None and "sport" in event.values and event.values.get("dport"):
            known = sockets[address] = _meet(event, port, conversations, ports)
        if known is None:
            continue
        event.connection, event.side = known
        if event.side == "client" and not conversations[event.connection].clientPort:
            _learnPort(event, conversations[event.connection], event.connection, ports)
        if event.name == "tcp_destroy_sock":
            del sockets[address]
    return conversations


def _meet(
    event: Seen, port: int, conversations: list[Conversation], ports: dict[int, int]
) -> tuple[int, str]:
    """
    A socket that was not known: of a connection that is, or of a new one.
    """
    side = "server" if event.number("sport") == port else "client"
    here, there = endpoints(event)
    clientPort = event.number("dport") if side == "server" else event.number("sport")
    begins = event.values.get("newstate") == _SYN_SENT
    index = ports.get(clientPort) if clientPort and not begins else None
    if index is None:
        index = len(conversations)
        client, server = (there, here) if side == "server" else (here, there)
        begun = begins or event.values.get("newstate") == _SYN_RECV
        conversations.append(Conversation(client, server, clientPort, begun))
        ports[clientPort] = index
    return index, side


def _learnPort(event: Seen, conversation: Conversation, index: int, ports: dict[int, int]) -> None:
    """
    The client's port: connect(2) chooses it after the state's first change.
    """
    sport = event.number("sport")
    if sport:
        conversation.clientPort = sport
        conversation.client = endpoints(event)[0]
        ports[sport] = index


def endpoints(event: Seen) -> tuple[str, str]:
    """
    Local and remote address of an event that has them, with ports.
    """
    return _endpoint(event, "saddr", "sport"), _endpoint(event, "daddr", "dport")


def _endpoint(event: Seen, address: str, port: str) -> str:
    """
    One of them.
    """
    six, four = event.values.get(f"{address}_v6"), event.values.get(address)
    number = event.number(port)
    if event.values.get("family") == socket.AF_INET6 and isinstance(six, bytes) and len(six) == 16:
        return f"[{socket.inet_ntop(socket.AF_INET6, six)}]:{number}"
    if isinstance(four, bytes) and len(four) == 4:
        return f"{socket.inet_ntop(socket.AF_INET, four)}:{number}"
    return f"?:{number}"


def _lookAhead(events: Sequence[Seen]) -> list[dict[str, int | None]]:
    """
    For each event, what its task is going to say of the system call it is in:
    the connections of the next C{sock_send_length}, C{sock_recv_length} and of
    the next event that names a socket, up to the end of the call.
    """
    coming: dict[int, dict[str, int | None]] = {}
    found: list[dict[str, int | None]] = []
    for event in reversed(events):
        mine = coming.get(event.pid, {})
        found.append(mine)
        if event.name.startswith("sys_"):
            coming[event.pid] = {}
        elif event.context == "task" and event.side:
            coming[event.pid] = {**mine, event.name: event.connection, "any": event.connection}
    found.reverse()
    return found


def _guess(event: Seen, current: _Current, ahead: dict[str, int | None]) -> int | None:
    """
    The connection of an event that names no socket we know.
    """
    # With ports, and yet no connection's: a listener.
    if event.name in KEPT or "sport" in event.values:
        return None
    if event.name.startswith("sys_enter"):
        return ahead.get("any")
    if event.name.startswith("sys_exit"):
        return current.touched.get(event.pid)
    buffer = event.values.get("skbaddr")
    if buffer is not None and event.name != "net_dev_queue":
        known = current.buffers.get(buffer)
        if known is not None or event.name not in ("kfree_skb", "net_dev_start_xmit"):
            return known
    if event.context != "task":
        # Other softirqs, timers among them, and interrupts have nothing to do with it.
        receives = not event.stack or "net_rx_action" in event.stack
        if not receives or event.context != "softirq":
            return None
        return current.received.get((event.cpu, event.pid))
    near = event.near()
    if not any(name.startswith("tcp_") or name.startswith("__tcp_") for name in near):
        return None
    for function, name in (
        ("tcp_sendmsg", "sock_send_length"),
        ("tcp_recvmsg", "sock_recv_length"),
    ):
        if function in near and name in ahead:
            return ahead[name]
    return current.touched.get(event.pid)


def _note(event: Seen, current: _Current) -> None:
    """
    Remember what later events may be about.
    """
    buffer, place = event.values.get("skbaddr"), (event.cpu, event.pid)
    # A buffer begins with net_dev_queue, whoever had its memory before: of other
    # traffic we may not have heard that it was freed.
    if event.name in ("kfree_skb", "consume_skb", "net_dev_queue"):
        current.buffers.pop(buffer, None)
    freed = event.name in ("kfree_skb", "consume_skb")
    if buffer is not None and event.connection is not None and not freed:
        current.buffers[buffer] = event.connection
    if event.context == "task":
        current.received.pop(place, None)
    elif event.name == "netif_receive_skb" or event.side:
        current.received[place] = event.connection
    if event.name.startswith("sys_enter"):
        current.touched.pop(event.pid, None)
    elif event.context == "task" and event.side:
        current.touched[event.pid] = event.connection
