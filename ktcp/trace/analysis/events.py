# -*- test-case-name: ktcp.test.test_trace_analysis_events -*-
"""
Which tracepoints the lab listens to, and how each is kept to one workload.
Pure.

Few tracepoints know a port.  Those that do are filtered by it, whoever runs:
timers run as the idle task.  The others are filtered by who runs, and
L{ktcp.trace.analysis.link} then finds out whose they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ktcp.trace.analysis.layers import SOFTIRQS
from ktcp.trace.kernel import tcpinfo

#: The states of TCP by number; tracepoints tell a half-open connection from a simultaneous open.
STATES = {**tcpinfo.STATES, tcpinfo.NEW_SYN_RECV: "NEW_SYN_RECV"}


@dataclass(frozen=True)
class Tracepoint:
    """
    A tracepoint of interest.

    @ivar name: C{system/name}.
    @ivar fields: To be kept.
    @ivar scope: What it is filtered by: C{port}, C{device}, C{inet} (sockets
        of TCP), C{pid}; those of C{device} and C{inet} by pid as well, unless a
        lab hears everybody (L{ktcp.trace.recording.lab}).
    @ivar states: Whether a trace of states alone has it.
    """

    name: str
    fields: tuple[str, ...]
    scope: str
    states: bool = False

    @property
    def event(self) -> str:
        """
        The name without its system.
        """
        return self.name.partition("/")[2]


_PORTS = ("skaddr", "sport", "dport", "family", "saddr", "daddr", "saddr_v6", "daddr_v6")
_SKB = ("skbaddr", "len", "name")
_SOCKET = ("sk", "ret", "flags")

TRACEPOINTS = (
    Tracepoint("sock/inet_sock_set_state", (*_PORTS, "oldstate", "newstate"), "port", True),
    Tracepoint("tcp/tcp_destroy_sock", _PORTS, "port", True),
    Tracepoint("tcp/tcp_retransmit_skb", (*_PORTS, "skbaddr", "state"), "port"),
    Tracepoint("tcp/tcp_retransmit_synack", _PORTS, "port"),
    Tracepoint("tcp/tcp_receive_reset", _PORTS, "port"),
    Tracepoint(
        "tcp/tcp_probe",
        ("skaddr", "skbaddr", "sport", "dport", "family", "data_len", "snd_cwnd", "srtt"),
        "port",
    ),
    Tracepoint("net/net_dev_queue", _SKB, "device"),
    Tracepoint("net/net_dev_start_xmit", (*_SKB, "protocol"), "device"),
    Tracepoint("net/net_dev_xmit", (*_SKB, "rc"), "device"),
    Tracepoint("net/netif_rx", _SKB, "device"),
    Tracepoint("net/netif_receive_skb", _SKB, "device"),
    Tracepoint("qdisc/qdisc_enqueue", ("skbaddr", "ifindex"), "pid"),
    Tracepoint("qdisc/qdisc_dequeue", ("skbaddr", "ifindex", "packets"), "pid"),
    Tracepoint("napi/napi_poll", ("dev_name", "work", "budget"), "pid"),
    Tracepoint("skb/kfree_skb", ("skbaddr", "location", "protocol", "reason"), "pid"),
    Tracepoint("skb/consume_skb", ("skbaddr",), "pid"),
    Tracepoint("skb/skb_copy_datagram_iovec", ("skbaddr", "len"), "pid"),
    Tracepoint("tcp/tcp_send_reset", ("skbaddr", "skaddr", "state", "reason"), "pid"),
    Tracepoint("sock/sk_data_ready", ("skaddr",), "inet"),
    Tracepoint("sock/sock_send_length", _SOCKET, "inet"),
    Tracepoint("sock/sock_recv_length", _SOCKET, "inet"),
    Tracepoint("sched/sched_wakeup", ("comm", "pid"), "pid"),
    Tracepoint("sched/sched_process_fork", ("parent_pid", "child_pid"), "pid"),
    *(
        Tracepoint(f"syscalls/sys_{way}_{call}", fields, "pid")
        for call in (
            *("connect", "accept", "accept4", "sendto", "sendmsg", "recvfrom", "recvmsg"),
            *("read", "readv", "write", "writev", "sendfile64", "shutdown", "close"),
            *("epoll_wait", "epoll_ctl"),
        )
        for way, fields in (("enter", ("fd",)), ("exit", ("ret",)))
    ),
)


def chosen(detail: str) -> list[Tracepoint]:
    """
    The tracepoints of a level of detail.

    @param detail: C{all} or C{states}.
    """
    return [each for each in TRACEPOINTS if detail == "all" or each.states]


def filterOf(tracepoint: Tracepoint, port: int, devices: str) -> str:
    """
    The filter of a tracepoint, in the kernel's language.

    @param devices: A name, or a pattern with C{*}.
    """
    if tracepoint.scope == "port":
        return f"sport=={port}||dport=={port}"
    if tracepoint.scope == "device":
        return f'name ~ "{devices}"'
    if tracepoint.scope == "inet":
        return "(family==2||family==10)&&protocol==6"
    return ""


def fieldNames(tracepoints: Iterable[Tracepoint]) -> dict[str, tuple[str, ...]]:
    """
    The fields to be kept, by the name of the event.
    """
    return {each.event: each.fields for each in tracepoints}


@dataclass(slots=True)
class Seen:
    """
    A tracepoint that was hit, with names for numbers.

    @ivar context: C{task}, C{softirq} or C{irq}.
    @ivar stack: Functions, innermost first.
    @ivar connection: Index of its L{ktcp.trace.analysis.link.Conversation}.
    @ivar side: The side whose socket it names: C{client}, C{server} or empty.
    """

    time: int
    cpu: int
    pid: int
    context: str
    name: str
    values: dict[str, int | str | bytes]
    stack: tuple[str, ...]
    connection: int | None = None
    side: str = ""

    def number(self, field: str) -> int:
        """
        A number among its values; 0 where there is none.
        """
        value = self.values.get(field, 0)
        return value if isinstance(value, int) else 0

    def near(self) -> tuple[str, ...]:
        """
        The part of the stack that works on the same segment: a softirq that
        runs in the middle of a system call has that call further out.
        """
        for index, name in enumerate(self.stack):
            if name in _BORDERS:
                return self.stack[:index]
        return self.stack


_BORDERS = SOFTIRQS | {"process_backlog"}
