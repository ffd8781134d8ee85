# -*- test-case-name: ktcp.test.test_trace_report_pagedata -*-
"""
What a page shows of a trace, as plain data for JSON.  Pure.

A page must open at once on any machine, and nobody reads ten thousand arrows.
So all is bounded here, by constants that say why, and C{notes} says what was
left out: C{trace.json} beside the page has the rest.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ktcp.trace import model
from ktcp.trace.analysis.layers import SOFTIRQS
from ktcp.trace.analysis.lessons import LESSONS
from ktcp.trace.kernel import packet
from ktcp.trace.report.folded import weights
from ktcp.trace.report.timeline import whoRan

# One is drawn at a time, so this bounds the file (some 15 KiB each), not the drawing.
CONNECTIONS = 200
# Steps and frames of a connection, and of all.  An exchange has some 30, a screen shows 20.
ROWS = 400
ALL_ROWS = 12_000
# Frames whose bytes are shown, and how much of each: more than an Ethernet frame holds.
# Loopback's may have 64 KiB; the headers are in the first hundred bytes.
FRAMES = 4000
BYTES = 1600
# Bytes of frames in all, at two digits each.
ALL_BYTES = 1_000_000
# Points of the queues' curves: a line of a wide screen has no more pixels.
POINTS = 2000
# Stacks of the flame graph, heaviest first: narrower ones would be under a pixel.
STACKS = 600
# Functions of a stack, and of all that are shown.  The kernel records 127 at most; a
# connection has a thousand.
DEPTH = 200
FUNCTIONS = 60_000
# A header with thousands of extensions, and a name repeated on every row, are somebody's joke.
TEXT = 400
NAME = 60
# What is rare and worth a look comes before what merely waited long.
_TROUBLE = frozenset({"drop", "retransmit", "reset"})


def view(trace: model.Trace) -> dict[str, Any]:
    """
    The data of a page.

    @return: What C{page.js} reads; stacks have the outermost function first.
    """
    seen = _View(trace)
    chosen = _chosen(trace.connections)
    most = min(ROWS, ALL_ROWS // max(1, len(chosen)))
    connections = [seen.connection(index, most) for index in chosen]
    hidden = len(trace.connections) - len(chosen)
    if hidden:
        seen.note(
            f"{len(chosen)} of {len(trace.connections)} connections are here: those with drops,"
            " retransmissions or resets, then those that waited longest for accept()"
        )
    flame = _flame(trace, seen)
    return {
        "title": _title(trace.environment),
        "facts": _facts(trace),
        "layers": [{"id": each.id, "name": each.name} for each in trace.layers],
        "lessons": LESSONS,
        "connections": connections,
        "queues": _queues(trace.queues, seen),
        "flame": flame,
        "frames": seen.frames,
        "stacks": list(seen.stacks.made),
        "symbols": [[each.name, each.layer, each.text] for each in seen.symbols()],
        "notes": [*_warnings(trace), *seen.notes],
    }


def _title(where: model.Environment) -> str:
    """
    What was traced, in a line.
    """
    place = {"lo": " on loopback", "veth": " between two network namespaces"}.get(where.lab, "")
    return f"{where.workload}{place}, port {where.port}"


def _facts(trace: model.Trace) -> list[list[str]]:
    """
    Where and how, each with its name.
    """
    where = trace.environment
    facts = {
        "command": where.command,
        "kernel": f"Linux {where.kernel} {where.machine}".strip(),
        "began": where.started,
        "events": f"{len(trace.events)}; {trace.otherEvents} of other traffic left out",
        "lost": f"{trace.lost.events} events, {trace.lost.frames} frames",
        "cost": trace.cost.text,
        "not available": ", ".join(where.notAvailable),
    }
    return [[name, text] for name, text in facts.items() if text]


def _warnings(trace: model.Trace) -> list[str]:
    """
    What a reader must know before believing the rest.
    """
    if trace.lost.events or trace.lost.frames:
        return [
            f"{trace.lost.events} events and {trace.lost.frames} frames were lost:"
            " steps are missing, and others may be told of the wrong connection"
        ]
    return []


def _chosen(connections: Sequence[model.Connection]) -> list[int]:
    """
    Which connections a page has, in their order.
    """

    def interest(index: int) -> tuple[bool, int]:
        connection = connections[index]
        trouble = any(step.step in _TROUBLE for step in connection.steps)
        return trouble, connection.dwell.acceptQueue or 0

    return sorted(sorted(range(len(connections)), key=interest, reverse=True)[:CONNECTIONS])


def _queues(samples: Sequence[model.Sample], seen: _View) -> list[list[int | None]]:
    """
    The queues' lengths over time; of a stretch too fine to draw its fullest moment.
    """
    stride = -(-len(samples) // POINTS) or 1
    if stride > 1:
        seen.note(f"of each {stride} lengths of the queues, the longest is drawn")
    parts = (samples[start : start + stride] for start in range(0, len(samples), stride))
    fullest = (max(part, key=lambda each: (each.accept, each.synRecv)) for part in parts)
    return [[each.time, each.accept, each.synRecv, each.limit] for each in fullest]


def _flame(trace: model.Trace, seen: _View) -> list[list[Any]]:
    """
    Stacks with who ran them and how many events had them.
    """
    all = weights(trace)
    heaviest = all.most_common(STACKS)
    if len(all) > len(heaviest):
        seen.note(f"the flame graph has the {STACKS} heaviest of {len(all)} stacks")
    placed = ((role, seen.stack(stack), count) for (role, stack), count in heaviest)
    return [[role, place, count] for role, place, count in placed if place is not None]


@dataclass
class _Table:
    """
    Things by number, each once.
    """

    places: dict[Any, int] = field(default_factory=dict)
    made: list[Any] = field(default_factory=list)

    def place(self, key: Any) -> int | None:
        return self.places.get(key)

    def add(self, key: Any, value: Any) -> int:
        self.places[key] = len(self.made)
        self.made.append(value)
        return self.places[key]


class _View:
    """
    Gathers what connections have in common: stacks, functions, bytes of frames.
    """

    def __init__(self, trace: model.Trace) -> None:
        self.notes: list[str] = []
        self.frames: list[dict[str, Any]] = []
        self.stacks = _Table()
        self._symbols = _Table()
        self._trace = trace
        self._functions = self._bytes = 0
        self._places: dict[bytes, int] = {}
        self._framesOf = _framesOf(trace)

    def note(self, text: str) -> None:
        """
        Say that something was left out, once.
        """
        if text not in self.notes:
            self.notes.append(text)

    def symbols(self) -> Iterable[model.Symbol]:
        """
        The functions of all stacks so far.
        """
        return (self._trace.symbols[each] for each in self._symbols.made)

    def stack(self, index: int | None) -> int | None:
        """
        The place of a stack, of which the trace has C{index}.
        """
        if index is None or self.stacks.place(index) is not None:
            return None if index is None else self.stacks.place(index)
        functions = self._trace.stacks[index][:DEPTH]
        self._functions += len(functions)
        if self._functions > FUNCTIONS:
            self.note(f"stacks beyond the first {FUNCTIONS} functions are left out")
            return None
        return self.stacks.add(index, [self._symbol(each) for each in reversed(functions)])

    def _symbol(self, index: int) -> int:
        """
        The place of a function.
        """
        place = self._symbols.place(index)
        return self._symbols.add(index, index) if place is None else place

    def connection(self, index: int, most: int) -> dict[str, Any]:
        """
        A connection: its first C{most} rows in the order of time.
        """
        connection, frames = self._trace.connections[index], self._framesOf[index]
        times = [step.time for step in connection.steps] + [each.time for each, _ in frames]
        start = min(times, default=0)
        moments: list[model.Step | _Sent] = [*connection.steps, *frames]
        moments.sort(key=lambda each: each.time if isinstance(each, model.Step) else each[0].time)
        if len(moments) > most:
            self.note(f"of a connection, the first {most} steps and frames are drawn")
        rows = [
            self._step(each, start)
            if isinstance(each, model.Step)
            else self._arrow(*each, connection, start)
            for each in moments[:most]
        ]
        _markDropped(rows)
        return {
            "name": f"{index + 1}: {connection.client} \N{RIGHTWARDS ARROW} {connection.server}",
            "client": connection.client,
            "server": connection.server,
            "start": start,
            "synQueue": connection.dwell.synQueue,
            "acceptQueue": connection.dwell.acceptQueue,
            "way": self.stack(_way(self._trace, connection)),
            "handshake": _handshake(self._trace, connection),
            "rows": rows,
            "left": len(moments) - len(rows),
        }

    def _step(self, step: model.Step, start: int) -> dict[str, Any]:
        """
        A row of the lanes: a step.
        """
        task = self._trace.tasks[step.task]
        return {
            "kind": "step",
            "step": step.step,
            "time": step.time - start,
            "lane": _lane(step.who, step.side),
            "lender": task.role,
            "who": whoRan(self._trace, step)[:NAME],
            "task": f"{task.name[:NAME] or '?'} ({task.pid}), CPU {step.cpu}",
            "side": step.side,
            "title": model.STEPS.get(step.step, step.step),
            "text": step.text,
            "states": [step.oldState, step.newState] if step.newState else [],
            "evidence": step.evidence,
            "stack": self.stack(step.stack),
            "trouble": step.step in _TROUBLE,
        }

    def _arrow(
        self, frame: model.Frame, arrived: int | None, connection: model.Connection, start: int
    ) -> dict[str, Any]:
        """
        A row of the lanes: a frame on its way.
        """
        layers = packet.decode(frame.bytes)
        side = _sender(layers, connection)
        event = None if frame.event is None else self._trace.events[frame.event]
        lender = self._trace.tasks[event.task].role if event else ""
        context = "softirq" if event and event.context != "task" else lender
        return {
            "kind": "frame",
            "time": frame.time - start,
            "lane": _lane(context, side),
            "lender": lender,
            "from": side,
            "title": _label(layers),
            "summary": frame.summary,
            "arrived": None if arrived is None else arrived - start,
            "stack": self.stack(frame.stack),
            "frame": self._content(frame, layers),
            "trouble": False,
        }

    def _content(self, frame: model.Frame, layers: Sequence[packet.Layer]) -> int | None:
        """
        The place of a frame's bytes, decoded.
        """
        if frame.bytes in self._places:
            return self._places[frame.bytes]
        shown = frame.bytes[:BYTES]
        if len(self.frames) >= FRAMES or self._bytes + len(shown) > ALL_BYTES:
            self.note("the bytes of later frames are left out: frames.pcapng has them")
            return None
        self._bytes += len(shown)
        self._places[frame.bytes] = len(self.frames)
        self.frames.append(
            {
                "bytes": shown.hex(),
                "length": frame.length,
                "layers": [
                    [each.name, each.start, each.length, _fields(each.fields), each.note]
                    for each in layers
                ],
            }
        )
        return self._places[frame.bytes]


_Sent = tuple[model.Frame, int | None]


def _framesOf(trace: model.Trace) -> list[list[_Sent]]:
    """
    The frames of each connection, each with the time it came in, if it was seen
    to: on loopback and between namespaces every frame is captured twice.
    """
    found: list[list[_Sent]] = [[] for _ in trace.connections]
    waiting: dict[bytes, deque[tuple[list[_Sent], int]]] = {}
    begun = [each.steps[0].time if each.steps else 0 for each in trace.connections]
    for frame in sorted(trace.frames, key=lambda each: each.time):
        sent = waiting.setdefault(frame.bytes, deque())
        if frame.direction == "in" and sent:
            frames, place = sent.popleft()
            frames[place] = frames[place][0], frame.time
            continue
        owner = frame.connection
        if owner is None:
            # ARP, for the connection that had just begun.
            owner = max(0, bisect_right(begun, frame.time) - 1)
        if owner < len(found):
            if frame.direction == "out":
                sent.append((found[owner], len(found[owner])))
            found[owner].append((frame, None))
    return found


def _sender(layers: Sequence[packet.Layer], connection: model.Connection) -> str:
    """
    Whose frame it is.
    """
    by = {layer.name: layer.fields for layer in layers}
    if "ARP" in by:
        client = connection.client.rpartition(":")[0].strip("[]")
        return "client" if by["ARP"].get("sender") == client else "server"
    return "client" if packet.endpointsOf(layers)[0] == connection.client else "server"


def _label(layers: Sequence[packet.Layer]) -> str:
    """
    A frame in a word or three.
    """
    last = [each for each in layers if each.name != "data"][-1:]
    if not last:
        return "frame"
    fields = last[0].fields
    if last[0].name != "TCP" or "payload" not in fields:
        asks = {1: " request", 2: " reply"} if last[0].name == "ARP" else {}
        return last[0].name + asks.get(fields.get("operation", 0), "")
    flags = " ".join(fields["flags"]) or "no flags"
    return f"{flags}, {fields['payload']} bytes" if fields["payload"] else flags


def _fields(fields: dict[str, Any]) -> list[list[str]]:
    """
    A header's fields as text.
    """
    shown = []
    for name, value in fields.items():
        if isinstance(value, list):
            value = ", ".join(str(each) for each in value)
        elif isinstance(value, dict):
            value = ", ".join(f"{key} {each}" for key, each in value.items())
        shown.append([name, str(value)[:TEXT]])
    return shown


def _lane(who: str, side: str) -> str:
    """
    The lane of what C{who} did for a C{side}.
    """
    if who in ("client", "softirq", "server"):
        return who
    return side if side in ("client", "server") else "softirq"


def _markDropped(rows: Sequence[dict[str, Any]]) -> None:
    """
    Tell an arrow that it did not arrive: it is the last before the drop.
    """
    last: dict[str, Any] | None = None
    for row in rows:
        if row["kind"] == "frame":
            last = row
        elif row["step"] == "drop" and last is not None:
            last["trouble"] = True


def _way(trace: model.Trace, connection: model.Connection) -> int | None:
    """
    The stack that shows most of the way of data: from the program down to the
    device and, where the same processor receives, up again.
    """
    stacks = [
        step.stack
        for wanted in (("queued",), ("send",), ("syn", "synQueue", "drop"))
        for step in connection.steps
        if step.step in wanted and step.stack is not None
    ]
    crossing = [each for each in stacks if _crosses(trace, each)]
    return next(iter([*crossing, *stacks]), None)


def _crosses(trace: model.Trace, stack: int) -> bool:
    """
    Whether a stack has a system call that sends and the softirq that receives.
    """
    names = [trace.symbols[each].name for each in trace.stacks[stack]]
    return any(each in SOFTIRQS for each in names) and any("sys_" in each for each in names)


def _handshake(trace: model.Trace, connection: model.Connection) -> dict[str, Any]:
    """
    Who ran the server's half of the handshake.

    @return: C{steps} of it, how many were C{borrowed} from the client's task,
        in which system C{call}, and when the server's own task was C{first} seen.
    """
    half = ("synQueue", "synAck", "child", "acceptQueue")
    steps = [each for each in connection.steps if each.step in half]
    borrowed = [
        each for each in steps if each.who == "softirq" and trace.tasks[each.task].role == "client"
    ]
    calls = (
        trace.symbols[symbol].name
        for each in borrowed
        if each.stack is not None
        for symbol in trace.stacks[each.stack]
    )
    call = next((each.rpartition("_sys_")[2] for each in calls if each.startswith("__x64_")), "")
    first = next((each for each in connection.steps if each.who == "server"), None)
    return {
        "steps": len(steps),
        "borrowed": len(borrowed),
        "call": call,
        "first": None if first is None else model.STEPS.get(first.step, first.step),
    }
