# -*- test-case-name: ktcp.test.test_trace_model -*-
"""
A trace as data, and as C{trace.json}: what the terminal, the page and
C{trace diff} all read.  Pure.

The JSON is these classes, field by field under the same names; bytes are
written in hexadecimal.  Two rules keep it small and exact:

  - Times are whole nanoseconds since C{origin}: nanoseconds since 1970 do not
    fit in the numbers of JavaScript, so C{origin} itself is a string.
  - A task, a symbol, a stack, a connection or an event is named by its index
    in the list of its kind.

C{schema} changes when a reader of the old one would go wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

SCHEMA = "ktcp-trace/1"

_T = TypeVar("_T")


class BadTrace(Exception):
    """
    A file is not a trace; the text says where.
    """


@dataclass(frozen=True)
class Task:
    """
    A thread that was running when something happened.

    @ivar pid: Its number, which the kernel's tracepoints call pid.
    @ivar name: The kernel's, of 15 bytes at most.
    @ivar role: C{client}, C{server} or C{other} (the idle task among them).
    """

    pid: int
    name: str
    role: str


@dataclass(frozen=True)
class Symbol:
    """
    A function of the kernel.

    @ivar name: As in C{/proc/kallsyms}.
    @ivar layer: An C{id} of L{Trace.layers}; empty where the table has none.
    @ivar text: What it does, in a sentence; empty where the table has none.
    """

    name: str
    layer: str
    text: str


@dataclass(frozen=True)
class Layer:
    """
    A layer that data pass; L{Trace.layers} has them from the top down.

    @ivar id: What a L{Symbol} calls it.
    @ivar name: For people.
    """

    id: str
    name: str


@dataclass(frozen=True)
class Event:
    """
    A tracepoint that was hit.

    @ivar time: When.
    @ivar cpu: The number of the processor.
    @ivar task: Who ran, of L{Trace.tasks}.
    @ivar context: C{task}, C{softirq} or C{irq}: on whose behalf the task ran.
    @ivar name: Of the tracepoint, such as C{net_dev_start_xmit}.
    @ivar fields: Of the tracepoint, addresses as C{0x...}.
    @ivar stack: Of L{Trace.stacks}.
    @ivar connection: Of L{Trace.connections}.
    """

    time: int
    cpu: int
    task: int
    context: str
    name: str
    fields: dict[str, int | str]
    stack: int | None
    connection: int | None


@dataclass(frozen=True)
class Step:
    """
    A step in the life of a connection.

    @ivar time: When.
    @ivar step: One of L{STEPS}.
    @ivar side: Whose connection it is a step of: C{client} or C{server}.
    @ivar who: Who ran it: C{client}, C{server}, C{other} or C{softirq}.
    @ivar task: The task that was running, which a softirq borrows, of L{Trace.tasks}.
    @ivar cpu: The number of the processor.
    @ivar oldState: A state of TCP, without C{TCP_}; empty if none changed.
    @ivar newState: The one after it.
    @ivar stack: Of L{Trace.stacks}.
    @ivar evidence: What says so: a tracepoint, and the function above it.
    @ivar text: More, for people: how many bytes, what came of it.
    @ivar event: The one that shows it, of L{Trace.events}.
    """

    time: int
    step: str
    side: str
    who: str
    task: int
    cpu: int
    oldState: str
    newState: str
    stack: int | None
    evidence: str
    text: str
    event: int | None


# In the order of an undisturbed connection; "drop", "retransmit" and "reset" come anywhere.
STEPS = {
    "syn": "SYN sent",
    "synQueue": "into the SYN queue",
    "synAck": "SYN-ACK sent",
    "established": "established",
    "child": "out of the SYN queue",
    "acceptQueue": "into the accept queue",
    "accept": "accept()",
    "send": "data sent",
    "queued": "data queued",
    "read": "data read",
    "fin": "FIN sent",
    "finReceived": "FIN received",
    "eof": "end of file read",
    "finAcked": "FIN acknowledged",
    "timeWait": "TIME_WAIT",
    "closed": "closed",
    "destroyed": "destroyed",
    "retransmit": "retransmitted",
    "reset": "reset",
    "drop": "dropped",
}


@dataclass(frozen=True)
class Dwell:
    """
    Nanoseconds spent in the listener's queues; None where an end was not seen.

    @ivar synQueue: From SYN to the end of the handshake.
    @ivar acceptQueue: From there to accept().
    """

    synQueue: int | None
    acceptQueue: int | None


@dataclass(frozen=True)
class Connection:
    """
    A connection, both sides of it.

    @ivar client: C{address:port}.
    @ivar server: Likewise.
    @ivar steps: Oldest first.
    @ivar dwell: How long it waited in the listener's queues.
    """

    client: str
    server: str
    steps: tuple[Step, ...]
    dwell: Dwell


@dataclass(frozen=True)
class Frame:
    """
    A frame as captured.

    @ivar time: When.
    @ivar interface: Where.
    @ivar direction: C{out} or C{in}, as the interface saw it.
    @ivar length: On the wire; more than there are C{bytes} if it was cut.
    @ivar bytes: From the link layer on.
    @ivar summary: Decoded, in a line.
    @ivar connection: Of L{Trace.connections}.
    @ivar event: What sent it, of L{Trace.events}.
    @ivar stack: What sent it: the stack of C{event}.
    """

    time: int
    interface: str
    direction: str
    length: int
    bytes: bytes
    summary: str
    connection: int | None
    event: int | None
    stack: int | None


@dataclass(frozen=True)
class Sample:
    """
    The listener's queues from C{time} on.

    @ivar time: When they were looked at.
    @ivar accept: How many wait for accept().
    @ivar synRecv: How many are half-open.
    @ivar limit: Most that may wait for accept(); None if it was not asked.
    """

    time: int
    accept: int
    synRecv: int
    limit: int | None


@dataclass(frozen=True)
class Lost:
    """
    What the trace lacks: events overwritten before they were read, and frames
    for which the ring had no room.

    @ivar events: How many were lost.
    @ivar frames: Likewise.
    """

    events: int
    frames: int


@dataclass(frozen=True)
class Cost:
    """
    What tracing did to what was traced.

    @ivar text: A statement in words.
    @ivar untracedNs: A connection, median of those before tracing began.
    @ivar tracedNs: A connection, median of those traced.
    @ivar bytesRead: From the kernel's ring buffers.
    """

    text: str
    untracedNs: int | None = None
    tracedNs: int | None = None
    bytesRead: int = 0


@dataclass(frozen=True)
class Environment:
    """
    Where and how.

    @ivar kernel: Its name and release.
    @ivar machine: Its architecture.
    @ivar clock: Of all times.
    @ivar started: ISO 8601.
    @ivar command: Command line that made the trace.
    @ivar workload: C{echo}, C{http}, C{command}, C{attach} or C{import}.
    @ivar lab: C{lo}, C{veth} or empty.
    @ivar port: Of the server.
    @ivar cpus: How many processors there were.
    @ivar ktcp: The version.
    @ivar requests: Sent by the workload, over all connections; 0 if unknown.
    @ivar notAvailable: What this kernel would not give, in words.
    """

    kernel: str
    machine: str
    clock: str
    started: str
    command: str
    workload: str
    lab: str
    port: int
    cpus: int
    ktcp: str
    requests: int = 0
    notAvailable: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trace:
    """
    All of it.

    @ivar environment: Where and how it was made.
    @ivar origin: Nanoseconds since 1970 of time 0, on the clock of the trace.
    @ivar layers: From the top down.
    @ivar symbols: The functions that are in C{stacks}.
    @ivar stacks: Each a list of symbols, innermost function first.
    @ivar tasks: Who ran.
    @ivar connections: In the order in which they began.
    @ivar events: Oldest first.
    @ivar frames: Oldest first.
    @ivar queues: Whenever they changed, oldest first.
    @ivar lost: What is missing.
    @ivar cost: What tracing cost.
    @ivar otherEvents: How many events were of other traffic, and left out.
    @ivar schema: C{ktcp-trace/1}.
    """

    environment: Environment
    origin: str
    layers: tuple[Layer, ...]
    symbols: tuple[Symbol, ...]
    stacks: tuple[tuple[int, ...], ...]
    tasks: tuple[Task, ...]
    connections: tuple[Connection, ...]
    events: tuple[Event, ...]
    frames: tuple[Frame, ...]
    queues: tuple[Sample, ...]
    lost: Lost
    cost: Cost
    otherEvents: int = 0
    schema: str = field(default=SCHEMA)


def dumps(trace: Trace) -> str:
    """
    A trace as the text of C{trace.json}.
    """
    return json.dumps(_plain(trace), separators=(",", ":"), ensure_ascii=False)


def loads(text: str | bytes) -> Trace:
    """
    Read what L{dumps} wrote.

    @raise BadTrace: It is something else, or names what is not there.
    """
    try:
        data = json.loads(text)
    # A deep enough nest of brackets is a RecursionError, not a ValueError.
    except (ValueError, RecursionError):
        raise BadTrace("not JSON") from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise BadTrace(f"its schema is not {SCHEMA}")
    trace: Trace = _read(Trace, data, "trace")
    _checkIndices(trace)
    return trace


def _plain(value: Any) -> Any:
    """
    What L{json} can write.
    """
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value.hex() if isinstance(value, bytes) else value


def _read(wanted: Any, value: Any, where: str) -> Any:
    """
    Check a value of the JSON against a type, and make it.

    @raise BadTrace: It does not fit.
    """
    origin = get_origin(wanted)
    if isinstance(wanted, type) and is_dataclass(wanted) and isinstance(value, dict):
        return _readClass(wanted, value, where)
    if origin is tuple and isinstance(value, list):
        inner = get_args(wanted)[0]
        return tuple(_read(inner, each, f"{where}[{i}]") for i, each in enumerate(value))
    if origin is dict and isinstance(value, dict):
        inner = get_args(wanted)[1]
        return {key: _read(inner, each, f"{where}.{key}") for key, each in value.items()}
    if origin in (UnionType, Union):
        if type(value) in get_args(wanted):
            return value
    elif wanted is bytes and isinstance(value, str):
        return _readHex(value, where)
    # Not isinstance: true is no number here.
    elif type(value) is wanted:
        return value
    raise BadTrace(f"{where} is not as {SCHEMA} has it")


def _readHex(value: str, where: str) -> bytes:
    """
    Bytes from hexadecimal.
    """
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise BadTrace(f"{where} is not hexadecimal") from None


def _readClass(wanted: type[_T], value: Mapping[str, Any], where: str) -> _T:
    """
    An object from a mapping; fields with a default may be missing.
    """
    hints = _hintsOf(wanted)
    known = {key: value[key] for key in hints if key in value}
    made = {key: _read(hints[key], each, f"{where}.{key}") for key, each in known.items()}
    try:
        return wanted(**made)
    except TypeError:
        missing = sorted(set(hints) - set(known))
        raise BadTrace(f"{where} lacks {', '.join(missing)}") from None


_hints: dict[type, dict[str, Any]] = {}


def _hintsOf(wanted: type) -> dict[str, Any]:
    """
    The types of a class's fields, worked out once: there are many events.
    """
    if wanted not in _hints:
        # Frame.bytes hides the type of that name from its own annotations.
        _hints[wanted] = get_type_hints(wanted, localns={"bytes": bytes})
    return _hints[wanted]


def _checkIndices(trace: Trace) -> None:
    """
    Refuse an index that has nothing behind it, so that no reader need ask.

    @raise BadTrace: There is one.
    """

    def check(index: int | None, many: tuple[Any, ...], what: str) -> None:
        if index is not None and not 0 <= index < len(many):
            raise BadTrace(f"there is no {what} {index}")

    for stack in trace.stacks:
        for symbol in stack:
            check(symbol, trace.symbols, "symbol")
    steps = [step for connection in trace.connections for step in connection.steps]
    running: list[Step | Event] = [*steps, *trace.events]
    owned: list[Event | Frame] = [*trace.events, *trace.frames]
    shown: list[Step | Frame] = [*steps, *trace.frames]
    for each in running:
        check(each.task, trace.tasks, "task")
        check(each.stack, trace.stacks, "stack")
    for one in owned:
        check(one.stack, trace.stacks, "stack")
        check(one.connection, trace.connections, "connection")
    for other in shown:
        check(other.event, trace.events, "event")
