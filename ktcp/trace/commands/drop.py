# -*- test-case-name: ktcp.test.test_trace_commands_drop -*-
"""
C{ktcp drop}: end sockets from outside, as kecho's C{drop-tcp-socket} does.
"""

from __future__ import annotations

import argparse
import sys
from typing import TextIO

from ktcp.trace.commands.selection import (
    CONNECTED,
    Pair,
    Selection,
    addSelection,
    find,
    parseLines,
    selectionOf,
)
from ktcp.trace.errors import Refused
from ktcp.trace.kernel.diag import Diag
from ktcp.trace.kernel.diagmessages import ALL_STATES
from ktcp.trace.kernel.packet import endpoint


def addArguments(parser: argparse.ArgumentParser) -> None:
    """
    Declare the options.
    """
    parser.epilog = (
        "Without --port, --src, --dst, --state time-wait or --all, reads what to end from standard"
        " input: lines of 'src:port dst:port', this end first, as `netstat -nt` prints them."
        " On loopback both ends of a connection are here, and both are counted."
    )
    addSelection(parser)
    parser.add_argument("--dry-run", action="store_true", help="only say what would be dropped")
    parser.add_argument(
        "--listeners", action="store_true", help="listening sockets too: their servers stop"
    )
    parser.add_argument(
        "--all", action="store_true", help="whatever the address and port, your own session too"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for each socket")


def main(args: argparse.Namespace) -> int:
    """
    End what is selected.
    """
    wanted = chosen(args, sys.stdin)
    with Diag() as diag:
        if isinstance(wanted, Selection):
            entries = find(diag, wanted)
        else:
            # Many lines need one look, not one each.
            entries = [
                entry for entry in diag.sockets(CONNECTED) if (entry.local, entry.remote) in wanted
            ]
        if args.dry_run or args.verbose:
            for entry in entries:
                print(f"{entry.state} {endpoint(*entry.local)} {endpoint(*entry.remote)}")
        if args.dry_run:
            print(f"would drop {len(entries)}")
            return 0
        dropped = sum(diag.destroy(entry) for entry in entries)
    gone = len(entries) - dropped
    print(f"dropped {dropped}" + (f" ({gone} had ended before)" if gone else ""))
    return 0


def chosen(args: argparse.Namespace, lines: TextIO) -> Selection | set[Pair]:
    """
    What the options, or standard input, select.

    @raise Refused: That makes no sense, or is more than was meant.
    """
    selection = selectionOf(args)
    if "LISTEN" in selection.states and not args.listeners:
        raise Refused("a listening socket that ends takes its server along: say --listeners too")
    if args.listeners and not args.state:
        selection = selection._replace(states=ALL_STATES)
    # Sockets in TIME_WAIT belong to nobody any more: all of them may go.
    if args.all or not selection.everywhere or selection.states == {"TIME_WAIT"}:
        return selection
    if not args.state and not args.listeners and not lines.isatty():
        pairs = parseLines(lines)
        if pairs:
            return pairs
    raise Refused("that is every connection of this machine: say which, or --all")
