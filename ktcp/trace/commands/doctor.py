# -*- test-case-name: ktcp.test.test_trace_commands_doctor -*-
"""
C{ktcp doctor}: what the lab needs of this machine, whether it is there, and
how to get it.

A probe does the thing itself, at its smallest, and undoes it: capabilities,
seccomp filters, user namespaces and kernel configurations each can forbid it,
and no list of what to look for stays complete.
"""

from __future__ import annotations

import argparse
import json
import resource
import socket
import sys
from collections.abc import Callable, Mapping
from threading import Thread
from typing import NamedTuple

from ktcp.trace.analysis.events import TRACEPOINTS
from ktcp.trace.commands.terminal import paint
from ktcp.trace.errors import EXIT_UNAVAILABLE, Unavailable
from ktcp.trace.kernel.diag import Diag
from ktcp.trace.kernel.namespaces import unavailable, unshareNetwork
from ktcp.trace.kernel.queues import SYSCTLS
from ktcp.trace.kernel.ring import openPacketSocket
from ktcp.trace.kernel.tracefs import TraceFS


class Finding(NamedTuple):
    """
    What a probe found.

    @ivar detail: What is there.
    @ivar advice: Empty, or what to do, because there is less than ktcp asks for.
    """

    detail: str
    advice: str = ""


class Need(NamedTuple):
    """
    A line of the answer.

    @ivar name: Of what is needed.
    @ivar state: C{"ok"}, C{"low"} (it works, with less than ktcp asks for) or C{"missing"}.
    @ivar why: What is there, or what needs what is not.
    @ivar remedy: How to get it; empty when all is well.
    """

    name: str
    state: str
    why: str
    remedy: str


def probeTracefs() -> Finding:
    """
    A tracefs to make instances in.
    """
    return Finding(f"mounted at {TraceFS().path}")


def probeTracepoints() -> Finding:
    """
    The events that the steps of a connection are read from.
    """
    events = TraceFS().path / "events"
    absent = [each.name for each in TRACEPOINTS if not (events / each.name).exists()]
    if len(absent) == len(TRACEPOINTS):
        remedy = "boot a kernel with CONFIG_FTRACE and CONFIG_FTRACE_SYSCALLS"
        raise Unavailable("every tracepoint of the network", "ktcp trace", remedy)
    found = f"{len(TRACEPOINTS) - len(absent)} of {len(TRACEPOINTS)}"
    named = ", ".join(name.replace("/", ":") for name in absent)
    advice = f"the kernel lacks {named}: steps that rest on it are not available"
    return Finding(found, advice if absent else "")


def probePacket() -> Finding:
    """
    A socket that sees packets (packet(7)).
    """
    openPacketSocket().close()
    return Finding("packet sockets open")


def probeDiag() -> Finding:
    """
    The kernel's list of sockets.
    """
    with Diag() as diag:
        diag.sockets({"LISTEN"})
    return Finding("lists sockets")


def probeDestroy() -> Finding:
    """
    The right to end a socket; one of our own that nobody knows.
    """
    with Diag() as diag, socket.create_server(("127.0.0.1", 0)) as server:
        for entry in diag.sockets({"LISTEN"}, server.getsockname()[1]):
            diag.destroy(entry)
    return Finding("ends sockets")


def probeNamespace() -> Finding:
    """
    A network namespace of one's own.
    """
    failures: list[OSError] = []

    def enter() -> None:
        try:
            unshareNetwork()
        except OSError as error:
            failures.append(error)

    # A namespace is a thread's: it goes when the thread does, and no other notices.
    thread = Thread(target=enter)
    thread.start()
    thread.join()
    if failures:
        raise unavailable(str(failures[0].strerror))
    return Finding("can be made")


def sysctlProbe(name: str, enough: int, why: str) -> Callable[[], Finding]:
    """
    A probe of a number under C{/proc/sys/net}.

    @param enough: With less, the finding has advice.
    @param why: What less costs.
    """
    dotted = "net." + name.replace("/", ".")

    def probe() -> Finding:
        try:
            value = int((SYSCTLS / name).read_text())
        except (OSError, ValueError) as error:
            remedy = "mount -t proc proc /proc"
            raise Unavailable(f"sysctl {dotted} ({error})", "ktcp queues", remedy) from None
        advice = f"{why}; as root, sysctl -w {dotted}={enough}"
        return Finding(f"{dotted} = {value}", advice if value < enough else "")

    return probe


def probeFiles() -> Finding:
    """
    How many files, and so connections, a process may have open.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    shown = [
        "unlimited" if limit == resource.RLIM_INFINITY else str(limit) for limit in (soft, hard)
    ]
    advice = (
        "a connection is a file: more clients than that wait in the accept queue; ulimit -n 65536"
    )
    enough = soft == resource.RLIM_INFINITY or soft >= 4096
    return Finding(f"{shown[0]}, and {shown[1]} when raised", "" if enough else advice)


# In the order in which they are told; also what tests ask before they need something.
PROBES: Mapping[str, Callable[[], Finding]] = {
    "tracefs": probeTracefs,
    "tracepoints": probeTracepoints,
    "packet sockets": probePacket,
    "inet_diag": probeDiag,
    "inet_diag destroy": probeDestroy,
    "network namespaces": probeNamespace,
    "somaxconn": sysctlProbe(
        "core/somaxconn", 4096, "listen(2) cuts each backlog to it, and ktcp asks for 4096"
    ),
    "tcp_max_syn_backlog": sysctlProbe(
        "ipv4/tcp_max_syn_backlog", 1024, "it bounds half-open connections without SYN cookies"
    ),
    "open files": probeFiles,
}


def examine() -> list[Need]:
    """
    Ask every probe.
    """
    needs = []
    for name, probe in PROBES.items():
        try:
            detail, advice = probe()
            needs.append(Need(name, "low" if advice else "ok", detail, advice))
        except Unavailable as error:
            why = f"{error.missing} is missing, for {error.who}"
            needs.append(Need(name, "missing", why, error.remedy))
    return needs


def addArguments(parser: argparse.ArgumentParser) -> None:
    """
    Declare the options.
    """
    parser.epilog = "Exit status 0 when nothing is missing, 77 otherwise."
    parser.add_argument("--json", action="store_true", help="print a JSON array of objects")


def main(args: argparse.Namespace) -> int:
    """
    Tell what is there.
    """
    needs = examine()
    if args.json:
        print(json.dumps([need._asdict() for need in needs], indent=2))
    else:
        styles = {"ok": "good", "low": "warning", "missing": "bad"}
        for need in needs:
            state = paint(f"{need.state:8}", styles[need.state], sys.stdout)
            remedy = f"; {need.remedy}" if need.remedy else ""
            print(f"{state}{need.name:22}{need.why}{remedy}")
    return EXIT_UNAVAILABLE if any(need.state == "missing" for need in needs) else 0
