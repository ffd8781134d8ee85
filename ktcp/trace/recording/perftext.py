# -*- test-case-name: ktcp.test.test_trace_recording_perftext -*-
"""
What C{perf script} prints, as events: C{ktcp trace import}.  Pure.

The lab that ktcp rebuilds recorded with perf; its files, or new ones, become
the same timeline and page.  The columns must be those of::

    perf script -F comm,tid,cpu,time,event,trace,ip,sym --ns

An event is a line, then a line for each function of its stack, innermost
first, then an empty line.  It has no addresses of sockets: a connection is
known by its ports, so one port may not have two in one file.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ktcp.trace.analysis.events import STATES, Seen
from ktcp.trace.analysis.layers import trim
from ktcp.trace.kernel.kallsyms import plainName

_HEAD = re.compile(
    r"^\s*(?P<comm>.{1,64}?)\s+(?P<tid>-?\d{1,9})\s+\[(?P<cpu>\d{1,5})\]"
    r"\s+(?P<seconds>\d{1,10})\.(?P<fraction>\d{1,9}):\s+(?P<name>[\w-]{1,64}:[\w-]{1,64}):\s*"
    r"(?P<fields>.*)$"
)
# perf adds the functions of the program; the kernel's are in the upper half.
_FRAME = re.compile(r"^\s+(?P<kernel>[89a-fA-F][0-9a-fA-F]{15})?\s*[0-9a-fA-F]*\s+(?P<symbol>\S+)")
_FIELD = re.compile(r"(\w+)[=:] ?(\[[^\]\s]*\]|[^\s,]+)")
_NUMBERS = {name: number for number, name in STATES.items()}
_RENAMED = {"dev": "name", "saddrv6": "saddr_v6", "daddrv6": "daddr_v6"}
# Functions: no kernel goes deeper than this.
_DEEPEST = 256


@dataclass
class Imported:
    """
    What a text holds.

    @ivar tasks: Names by tid.
    @ivar skipped: Lines that were not understood.
    """

    events: list[Seen] = field(default_factory=list)
    tasks: dict[int, str] = field(default_factory=dict)
    skipped: int = 0


def parse(lines: Iterable[str]) -> Imported:
    """
    Read what perf printed; what is not understood is counted.
    """
    found = Imported()
    stack: list[str] = []
    for line in [*lines, ""]:
        head = _HEAD.match(line)
        if head is not None or not line.strip():
            _finish(found, stack)
        if head is not None:
            found.events.append(_event(head))
            found.tasks[int(head["tid"])] = head["comm"]
            continue
        frame = _FRAME.match(line)
        if frame is not None:
            if frame["kernel"] and len(stack) < _DEEPEST:
                stack.append(plainName(frame["symbol"]))
        elif line.strip() and not line.startswith("#"):
            found.skipped += 1
    _nameSockets(found.events)
    return found


def _nameSockets(events: list[Seen]) -> None:
    """
    Give each event with ports a socket, named by them.

    connect(2) chooses the local port after the first change of state: it is
    that of the task's next change to the same port.
    """
    coming: dict[tuple[int, int], int] = {}
    for event in reversed(events):
        here, there = event.number("sport"), event.number("dport")
        if event.name == "inet_sock_set_state" and there:
            here = here or coming.get((event.pid, there), 0)
            coming[event.pid, there] = here
        if there:
            event.values["skaddr"] = f"{here}>{there}"
        else:
            event.values.pop("skaddr", None)


def _finish(found: Imported, stack: list[str]) -> None:
    """
    Give a stack that has ended to the event before it.
    """
    if found.events and stack:
        event = found.events[-1]
        event.stack = tuple(trim(stack))
        softirq = {"handle_softirqs", "__do_softirq", "net_rx_action"} & set(stack)
        event.context = "softirq" if softirq else "task"
    stack.clear()


def _event(head: re.Match[str]) -> Seen:
    """
    An event from its line.
    """
    time = int(head["seconds"]) * 1_000_000_000 + int(head["fraction"].ljust(9, "0"))
    name = head["name"].partition(":")[2]
    values: dict[str, int | str | bytes] = dict(_values(head["fields"]))
    # perf prints the return value of a system call alone.
    if name.startswith("sys_exit_"):
        values["ret"] = _number(head["fields"].strip()) or 0
    return Seen(time, int(head["cpu"]), int(head["tid"]), "task", name, values, ())


def _values(text: str) -> Iterator[tuple[str, int | str | bytes]]:
    """
    The fields of an event: numbers, states by their numbers, addresses as bytes.
    """
    for key, value in _FIELD.findall(text):
        key = _RENAMED.get(key, key)
        if value.startswith("TCP_") and value[4:] in _NUMBERS:
            yield key, _NUMBERS[value[4:]]
        elif value in ("AF_INET", "AF_INET6"):
            yield key, int(getattr(socket, value))
        elif key in ("saddr", "daddr", "saddr_v6", "daddr_v6"):
            yield key, _packed(key, value)
        else:
            number = _number(value)
            yield key, value if number is None else number


def _packed(key: str, text: str) -> bytes:
    """
    An address as the kernel has it; empty if it is none.
    """
    family = socket.AF_INET6 if key.endswith("_v6") else socket.AF_INET
    try:
        return socket.inet_pton(family, text)
    except (OSError, ValueError):
        return b""


def _number(text: str) -> int | None:
    """
    A number, decimal or hexadecimal.
    """
    if len(text) > 20:
        return None
    try:
        return int(text, 0)
    except ValueError:
        return None
