# -*- test-case-name: ktcp.test.test_trace_commands_queues -*-
"""
C{ktcp queues}: the two queues before accept(), what bounds them, and which
bound bites.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from ktcp.trace.commands.arguments import portNumber, positiveSeconds, wholeNumber
from ktcp.trace.commands.terminal import paint
from ktcp.trace.errors import Refused
from ktcp.trace.kernel.diag import Diag, Listener
from ktcp.trace.kernel.queues import COUNTERS, Bounds, Sample, takeSample


def explain(sample: Sample, since: Mapping[str, int]) -> Iterator[str]:
    """
    Say in words which limit bites, and what raises it.

    @param since: Counters to compare with.
    """
    grown = {name: count - since.get(name, 0) for name, count in sample.counters.items()}
    for listener in sample.listeners:
        yield from _explainAccept(listener, sample)
    if sample.listeners:
        yield from _explainSYN(sample)
    if grown.get("TCPReqQFullDrop"):
        yield (
            f"{grown['TCPReqQFullDrop']} SYNs were dropped for a full SYN queue: raise the backlog,"
            " or let cookies stand in: sysctl -w net.ipv4.tcp_syncookies=1"
        )
    if grown.get("TCPReqQFullDoCookies"):
        yield (
            f"{grown['TCPReqQFullDoCookies']} SYNs were answered with a cookie because a SYN queue"
            " was full: a client whose ACK then finds the accept queue full is connected to nobody,"
            " and does not know"
        )


def _explainAccept(listener: Listener, sample: Sample) -> Iterator[str]:
    """
    What the accept queue of a socket suffers from.
    """
    full = listener.waiting > listener.limit
    # Drops alone prove nothing: TCP_DEFER_ACCEPT makes one of each bare ACK.
    overflows = sample.counters.get("ListenOverflows", 0)
    if not full and not (listener.drops and overflows):
        yield f"the accept queue has room for {listener.limit + 1 - listener.waiting} more"
        return
    if full:
        yield (
            f"the accept queue is full: {listener.waiting} wait, the limit is {listener.limit} and"
            " the kernel lets one more in; new clients get no answer and send their SYN again,"
            " after a second"
        )
    else:
        yield (
            f"the accept queue has room now, but the socket has dropped {listener.drops} packets,"
            f" and accept queues of this machine have overflowed {overflows} times"
        )
    yield f"what bites is {_bindingLimit(listener, sample.bounds)}"
    yield "a longer queue only buys time: it is full because the server accepts too slowly"


def _bindingLimit(listener: Listener, bounds: Bounds) -> str:
    """
    Which of backlog and somaxconn made the accept queue as short as it is.
    """
    if listener.limit < bounds.somaxconn:
        return (
            f"the backlog that the server gave to listen(), {listener.limit}: give more (twistd"
            f" ktcp --backlog N), up to net.core.somaxconn = {bounds.somaxconn}"
        )
    return (
        f"net.core.somaxconn = {bounds.somaxconn}, to which listen() cuts any backlog: as root,"
        f" sysctl -w net.core.somaxconn={2 * bounds.somaxconn}, and have the server listen again"
        " with a backlog as large"
    )


def _explainSYN(sample: Sample) -> Iterator[str]:
    """
    How the SYN queue stands.
    """
    # inet_csk_reqsk_queue_is_full(): each listener's SYN queue is bounded by its backlog too.
    limit = sum(listener.limit + 1 for listener in sample.listeners)
    # tcp_conn_request(): without cookies, a quarter is kept for peers that have proved themselves.
    floor = sample.bounds.tcp_max_syn_backlog
    unproven = floor - (floor >> 2)
    if not sample.bounds.tcp_syncookies and unproven < limit:
        yield (
            f"the SYN queue holds {sample.synReceived} of about {unproven}: without SYN cookies,"
            f" three quarters of net.ipv4.tcp_max_syn_backlog = {floor}; sysctl -w"
            f" net.ipv4.tcp_max_syn_backlog={2 * floor} raises it"
        )
    else:
        then = "then SYN cookies" if sample.bounds.tcp_syncookies else "then SYNs are dropped"
        yield f"the SYN queue holds {sample.synReceived} of {limit}, as the backlog says; {then}"


def addArguments(parser: argparse.ArgumentParser) -> None:
    """
    Declare the options.
    """
    parser.epilog = (
        "A full accept queue shows as one more than its limit (6/5): the kernel lets one more in."
        " Lost here: packets that the listening sockets of this port dropped. Overflows and"
        " drops: by all ports of the network namespace, since the first line."
    )
    parser.add_argument("--port", type=portNumber, required=True, metavar="P", help="local port")
    parser.add_argument(
        "--watch", action="store_true", help="a line every --interval, until Ctrl-C"
    )
    parser.add_argument(
        "--interval",
        type=positiveSeconds,
        default=1.0,
        metavar="S",
        help="seconds between the lines of --watch (default: 1)",
    )
    parser.add_argument(
        "--count", type=wholeNumber, metavar="N", help="stop --watch after N lines (default: never)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, an object on each line")


def main(args: argparse.Namespace) -> int:
    """
    Tell of the queues once, or again and again.
    """
    with Diag() as diag:
        first = takeSample(args.port, diag)
        if not first.listeners and not args.watch:
            raise Refused(f"nothing listens on TCP port {args.port} in this network namespace")
        if not args.watch:
            print(asJSON(first, first) if args.json else "\n".join(report(args.port, first)))
            return 0
        with suppress(KeyboardInterrupt):
            watch(args, diag, first)
    return 0


def watch(
    args: argparse.Namespace,
    diag: Diag,
    first: Sample,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """
    Print a line of each sample, and what bites whenever that changes.
    """
    sample = first
    said: list[bool] | None = None
    if not args.json:
        print("time          accept queue  SYN_RECV  lost here  overflows  drops", flush=True)
    number = 1
    while True:
        print(asJSON(sample, first) if args.json else watchLine(sample, first), flush=True)
        full = [each.waiting > each.limit for each in sample.listeners]
        if full != said and not args.json:
            said = full
            for sentence in explain(sample, first.counters):
                print(f"  {paint(sentence, 'faint', sys.stdout)}", flush=True)
        if number == args.count:
            return
        sleep(args.interval)
        sample = takeSample(args.port, diag)
        number += 1


def watchLine(sample: Sample, first: Sample) -> str:
    """
    A sample on a line; counters as they have grown.
    """
    queues = " ".join(f"{each.waiting}/{each.limit}" for each in sample.listeners) or "-"
    full = any(each.waiting > each.limit for each in sample.listeners)
    before = {each.inode: each.drops for each in first.listeners}
    lost = sum(each.drops - before.get(each.inode, 0) for each in sample.listeners)
    overflows, drops = (
        sample.counters.get(name, 0) - first.counters.get(name, 0)
        for name in ("ListenOverflows", "ListenDrops")
    )
    stamp = datetime.now().strftime("%H:%M:%S.%f")[:12]
    shown = paint(f"{queues:>12}", "bad", sys.stdout) if full else f"{queues:>12}"
    return f"{stamp}  {shown}  {sample.synReceived:8}  {lost:9}  {overflows:9}  {drops:5}"


def report(port: int, sample: Sample) -> Iterator[str]:
    """
    A sample in full.
    """
    for each in sample.listeners:
        place = f"[{each.address}]" if ":" in each.address else each.address
        yield (
            f"{place}:{each.port}: accept queue {each.waiting}/{each.limit},"
            f" {each.drops} packets dropped since it was opened"
        )
    yield f"port {port}: {sample.synReceived} in SYN_RECV"
    for name, count in sample.counters.items():
        yield f"{name} = {count}: {COUNTERS[name]}, on any port since boot"
    somaxconn, synBacklog, cookies = sample.bounds
    yield f"net.core.somaxconn = {somaxconn}, net.ipv4.tcp_max_syn_backlog = {synBacklog}"
    yield f"net.ipv4.tcp_syncookies = {cookies}"
    for sentence in explain(sample, sample.counters):
        yield paint(sentence, "strong", sys.stdout)


def asJSON(sample: Sample, first: Sample) -> str:
    """
    A sample for programs.
    """
    shown: dict[str, Any] = {
        "time": time.time(),
        "listeners": [listener._asdict() for listener in sample.listeners],
        "synReceived": sample.synReceived,
        "counters": sample.counters,
        "sinceStart": {
            name: count - first.counters.get(name, 0) for name, count in sample.counters.items()
        },
        "sysctls": sample.bounds._asdict(),
        "explanation": list(explain(sample, first.counters)),
    }
    return json.dumps(shown)
