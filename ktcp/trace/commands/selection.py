# -*- test-case-name: ktcp.test.test_trace_commands_drop -*-
"""
Which sockets a command is about, and finding them.
"""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable
from typing import NamedTuple

from ktcp.trace.commands.arguments import place, portNumber, stateName
from ktcp.trace.errors import Refused
from ktcp.trace.kernel.diag import Diag
from ktcp.trace.kernel.diagmessages import ALL_STATES, Entry

# Address and port of both ends.
Pair = tuple[tuple[str, int], tuple[str, int]]

# What a listening socket is not.
CONNECTED = ALL_STATES - {"LISTEN"}


class Selection(NamedTuple):
    """
    Sockets, by where and how they are.

    @ivar port: At either end; 0 for any.
    @ivar source: Address and port of this end; C{""} and 0 for any.
    @ivar destination: Likewise, of the other end.
    """

    states: frozenset[str] = CONNECTED
    port: int = 0
    source: tuple[str, int] = ("", 0)
    destination: tuple[str, int] = ("", 0)

    @property
    def everywhere(self) -> bool:
        """
        Whether only the state matters.
        """
        return (self.port, self.source, self.destination) == (0, ("", 0), ("", 0))

    def matches(self, entry: Entry) -> bool:
        """
        Whether a socket is one of these.
        """
        return (
            entry.state in self.states
            and self.port in (0, entry.local[1], entry.remote[1])
            and _within(entry.local, self.source)
            and _within(entry.remote, self.destination)
        )


def _within(place: tuple[str, int], wanted: tuple[str, int]) -> bool:
    """
    Whether an end is what is wanted.
    """
    return wanted[0] in ("", place[0]) and wanted[1] in (0, place[1])


def addSelection(parser: ArgumentParser) -> None:
    """
    Declare the options that select sockets.
    """
    parser.add_argument("--port", type=portNumber, metavar="P", help="TCP port, at either end")
    parser.add_argument(
        "--src", type=place, metavar="PLACE", help="this end: ADDRESS, :PORT or ADDRESS:PORT"
    )
    parser.add_argument("--dst", type=place, metavar="PLACE", help="the other end, likewise")
    parser.add_argument(
        "--state",
        type=stateName,
        action="append",
        metavar="S",
        help="such as established or time-wait; may be repeated (default: all but listen)",
    )


def selectionOf(args: Namespace) -> Selection:
    """
    What the options select.
    """
    anywhere = ("", 0)
    states = frozenset(args.state) if args.state else CONNECTED
    return Selection(states, args.port or 0, args.src or anywhere, args.dst or anywhere)


def find(diag: Diag, selection: Selection) -> list[Entry]:
    """
    The sockets of a selection.

    The kernel looks at ports by itself, so only those sockets are described to us.
    """
    localPort, remotePort = selection.source[1], selection.destination[1]
    asked = [(localPort, remotePort)]
    if selection.port:
        asked = [(selection.port, remotePort), (localPort, selection.port)]
    found = {
        entry.identity: entry
        for ports in asked
        for entry in diag.sockets(selection.states, *ports)
        if selection.matches(entry)
    }
    return list(found.values())


def parseLines(lines: Iterable[str]) -> set[Pair]:
    """
    Read what kecho's C{drop-tcp-socket} reads: C{src:port dst:port} on each
    line, as C{netstat -n} prints it; empty lines are skipped.

    @return: This end and the other end of each.
    @raise Refused: A line is something else.
    """
    pairs = set()
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        try:
            source, destination = (place(word) for word in words)
            if not all((*source, *destination)):
                raise ArgumentTypeError("an end without address or port")
        except (ValueError, ArgumentTypeError):
            text = f"line {number}: {line.strip()[:80]!r} is not 'src:port dst:port'"
            raise Refused(text) from None
        pairs.add((source, destination))
    return pairs
