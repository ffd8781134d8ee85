# -*- test-case-name: ktcp.test.test_trace_commands_drop -*-
"""
C{ktcp connections}: what the kernel knows of each connection.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator

from ktcp.trace.commands.selection import addSelection, find, selectionOf
from ktcp.trace.kernel.diag import Diag
from ktcp.trace.kernel.diagmessages import Entry
from ktcp.trace.kernel.packet import endpoint
from ktcp.trace.kernel.tcpinfo import UNPACED

COLUMNS = (
    "state",
    "local",
    "remote",
    "rtt ms",
    "cwnd",
    "retrans",
    "pacing Mb/s",
    "unread B",
    "unacked B",
    "control",
)


def addArguments(parser: argparse.ArgumentParser) -> None:
    """
    Declare the options.
    """
    parser.epilog = (
        "rtt: smoothed round trip and its deviation. cwnd: segments that may be under way."
        " retrans: segments sent again, in all. pacing: the rate at which the kernel spaces them."
        " unread: received, and not yet read. unacked: sent or waiting, and not acknowledged."
        " --json has all of tcp_info, by the names of linux/tcp.h, times in microseconds."
    )
    addSelection(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON array of objects")


def main(args: argparse.Namespace) -> int:
    """
    Tell of the connections there are.
    """
    selection = selectionOf(args)
    with Diag() as diag:
        entries = find(diag, selection)
    entries.sort(key=lambda entry: (entry.local, entry.remote))
    if args.json:
        print(json.dumps([asJSON(entry) for entry in entries], indent=1))
    else:
        print("\n".join(table(entries)))
    return 0


def asJSON(entry: Entry) -> dict[str, object]:
    """
    A connection for programs.
    """
    return {
        "state": entry.state,
        "local": list(entry.local),
        "remote": list(entry.remote),
        "unreadBytes": entry.receiveQueue,
        "unackedBytes": entry.sendQueue,
        "drops": entry.drops,
        "uid": entry.uid,
        "inode": entry.inode,
        "congestionControl": entry.congestion,
        "tcpInfo": entry.info,
    }


def table(entries: Iterable[Entry]) -> Iterator[str]:
    """
    Connections for people.
    """
    rows = [COLUMNS, *(row(entry) for entry in entries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for each in rows:
        yield "  ".join(
            text.ljust(width) for text, width in zip(each, widths, strict=True)
        ).rstrip()


def row(entry: Entry) -> tuple[str, ...]:
    """
    A connection on a line; C{-} for what the kernel does not say of it.
    """
    info = entry.info

    def shown(name: str) -> str:
        return str(info[name]) if name in info else "-"

    rtt = f"{info['rtt'] / 1000:.3f}±{info['rttvar'] / 1000:.3f}" if "rttvar" in info else "-"
    pacing = info.get("pacing_rate", UNPACED)
    return (
        entry.state,
        endpoint(*entry.local),
        endpoint(*entry.remote),
        rtt,
        shown("snd_cwnd"),
        shown("total_retrans"),
        "-" if pacing == UNPACED else f"{pacing * 8 / 1e6:.1f}",
        str(entry.receiveQueue),
        str(entry.sendQueue),
        entry.congestion or "-",
    )
