# -*- test-case-name: ktcp.test.test_trace_kernel_queues -*-
"""
The two queues before accept(), and what bounds them, at one time.

C{ktcp queues} tells of them (L{ktcp.trace.commands.queues}), and so does the admin listener.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ktcp.trace.errors import Unavailable
from ktcp.trace.kernel.diag import Diag, Listener, listenQueues

# Of the calling thread's network namespace, where /proc/net is that of the process.
NETSTAT = Path("/proc/thread-self/net/netstat")
SYSCTLS = Path("/proc/sys/net")

# Net namespace-wide, since it was made (linux/snmp.h, LINUX_MIB_...), with what each counts.
COUNTERS = {
    "ListenOverflows": "handshakes turned away because an accept queue was full",
    "ListenDrops": "handshakes lost on a listening socket, for that or another reason",
    "TCPReqQFullDrop": "SYNs dropped because a SYN queue was full",
    "TCPReqQFullDoCookies": "SYNs answered with a cookie because a SYN queue was full",
}


class Bounds(NamedTuple):
    """
    The sysctls that bound the queues.
    """

    somaxconn: int
    tcp_max_syn_backlog: int
    tcp_syncookies: int


class Sample(NamedTuple):
    """
    The queues of a port at one time.

    @ivar counters: By the names in L{COUNTERS}.
    """

    listeners: tuple[Listener, ...]
    synReceived: int
    counters: dict[str, int]
    bounds: Bounds


def parseNetstat(text: str) -> dict[str, int]:
    """
    The C{TcpExt} line of C{/proc/net/netstat}.

    @return: By name; empty if there is none.
    """
    pairs: dict[str, int] = {}
    lines = text.splitlines()
    # Each group has a line of names and one of numbers, under one heading.
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        if names.startswith("TcpExt:") and values.startswith("TcpExt:"):
            for name, value in zip(names.split()[1:], values.split()[1:], strict=False):
                if value.isascii() and value.isdecimal():
                    pairs[name] = int(value[:20])
    return pairs


def takeSample(port: int, diag: Diag) -> Sample:
    """
    Look at the queues of a port.

    @raise Unavailable: The kernel does not tell.
    """
    queues = listenQueues(port, diag)
    try:
        counters = parseNetstat(NETSTAT.read_text())
        bounds = Bounds(
            int((SYSCTLS / "core/somaxconn").read_text()),
            int((SYSCTLS / "ipv4/tcp_max_syn_backlog").read_text()),
            int((SYSCTLS / "ipv4/tcp_syncookies").read_text()),
        )
    except (OSError, ValueError) as error:
        raise Unavailable(str(error), "ktcp queues", "mount -t proc proc /proc") from None
    present = {name: counters[name] for name in COUNTERS if name in counters}
    return Sample(queues.listeners, queues.synReceived, present, bounds)
