# -*- test-case-name: ktcp.test.test_trace_analysis_assemble -*-
"""
Everything that was collected into one L{ktcp.trace.model.Trace}.  Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ktcp.trace import model
from ktcp.trace.analysis import join
from ktcp.trace.analysis.events import Seen
from ktcp.trace.analysis.explanations import EXPLANATIONS
from ktcp.trace.analysis.layers import LAYERS, layerOf, trim
from ktcp.trace.analysis.link import KEPT, Conversation, link
from ktcp.trace.analysis.steps import Story, Teller, dwellOf, queueLengths
from ktcp.trace.kernel.kallsyms import Symbols
from ktcp.trace.kernel.pages import HARDIRQ, SOFTIRQ, Record

_T = TypeVar("_T")


@dataclass
class Material:
    """
    What a trace is made of.

    @ivar events: In any order.
    @ivar frames: Captured, in any order.
    @ivar tasks: Names of tasks by pid.
    @ivar roles: C{client} or C{server}, by pid.
    @ivar wholeOnly: Leave out connections whose first SYN was not seen.
    @ivar limit: Of the accept queue.
    """

    environment: model.Environment
    events: list[Seen]
    frames: list[join.Captured] = field(default_factory=list)
    tasks: Mapping[int, str] = field(default_factory=dict)
    roles: Mapping[int, str] = field(default_factory=dict)
    lost: model.Lost = field(default_factory=lambda: model.Lost(0, 0))
    cost: model.Cost = field(default_factory=lambda: model.Cost(""))
    wholeOnly: bool = False
    limit: int | None = None


class _Table(Generic[_T]):
    """
    Values by index, each once.
    """

    def __init__(self) -> None:
        self.values: list[_T] = []
        self._indices: dict[_T, int] = {}

    def index(self, value: _T) -> int:
        """
        Where a value is.
        """
        if value not in self._indices:
            self._indices[value] = len(self.values)
            self.values.append(value)
        return self._indices[value]


class Namer:
    """
    Records of the ring buffer into events with names for numbers.
    """

    def __init__(self, symbols: Symbols, labels: Mapping[str, Mapping[str, Mapping[int, str]]]):
        """
        @param labels: By event and field, the names of values.
        """
        self._symbols = symbols
        self._labels = labels
        self._stacks: dict[tuple[int, ...], tuple[str, ...]] = {}

    def name(self, record: Record) -> Seen:
        """
        Translate one.
        """
        values = dict(record.values)
        for key, labels in self._labels.get(record.name, {}).items():
            number = values.get(key)
            if isinstance(number, int) and key not in ("oldstate", "newstate", "state", "family"):
                values[key] = labels.get(number, str(number))
        location = values.get("location")
        if isinstance(location, int):
            values["location"] = self._symbols.name(location - 1) or hex(location)
        context = "task"
        if record.flags & (HARDIRQ | SOFTIRQ):
            context = "irq" if record.flags & HARDIRQ else "softirq"
        stack = self._stackOf(record.stack)
        return Seen(record.time, record.cpu, record.pid, context, record.name, values, stack)

    def _stackOf(self, addresses: tuple[int, ...]) -> tuple[str, ...]:
        """
        The functions of a stack; none where the kernel hides its symbols.
        """
        if not self._symbols:
            return ()
        if addresses not in self._stacks:
            # A return address may be the first after a function that never returns.
            names = [self._symbols.name(each - 1) or hex(each) for each in addresses]
            self._stacks[addresses] = tuple(trim(names))
        return self._stacks[addresses]


class _Assembly:
    """
    The tables of a trace in the making.
    """

    def __init__(self, names: Mapping[int, str], roles: Mapping[int, str], origin: int) -> None:
        self.origin = origin
        self._roles = roles
        self._names = names
        self.symbols: _Table[str] = _Table()
        self.stacks: _Table[tuple[int, ...]] = _Table()
        self.tasks: _Table[int] = _Table()

    def stack(self, names: tuple[str, ...]) -> int | None:
        """
        The index of a stack; none for an empty one.
        """
        if not names:
            return None
        return self.stacks.index(tuple(self.symbols.index(name) for name in names))

    def role(self, pid: int) -> str:
        """
        What a task is to the connection.
        """
        return self._roles.get(pid, "other")

    def makeTask(self, pid: int) -> model.Task:
        """
        A task of the trace.
        """
        name = self._names.get(pid, "idle" if pid == 0 else "")
        return model.Task(pid, name, self.role(pid))

    def makeEvent(self, event: Seen, connection: int | None) -> model.Event:
        """
        An event of the trace.
        """
        return model.Event(
            event.time - self.origin,
            event.cpu,
            self.tasks.index(event.pid),
            event.context,
            event.name,
            _shown(event.values),
            self.stack(event.stack),
            connection,
        )

    def makeConnection(
        self, conversation: Conversation, story: Story, events: Sequence[Seen], kept: dict[int, int]
    ) -> model.Connection:
        """
        A connection of the trace.

        @param kept: Indices in the trace, by those in C{events}.
        """
        steps = []
        for found in story.steps:
            event = events[found.event]
            role = self.role(event.pid)
            steps.append(
                model.Step(
                    time=event.time - self.origin,
                    step=found.step,
                    side=found.side or role,
                    who=role if event.context == "task" else "softirq",
                    task=self.tasks.index(event.pid),
                    cpu=event.cpu,
                    oldState=found.oldState,
                    newState=found.newState,
                    stack=self.stack(event.stack),
                    evidence=found.evidence,
                    text=found.text,
                    event=kept.get(found.event),
                )
            )
        dwell = dwellOf(story, events)
        return model.Connection(conversation.client, conversation.server, tuple(steps), dwell)


def assemble(material: Material) -> model.Trace:
    """
    Make the trace.
    """
    events = sorted(material.events, key=lambda event: event.time)
    port = material.environment.port
    conversations = link(events, port)
    roles = _rolesOf(events, material.roles)
    stories = Teller(len(conversations), roles).tell(events)
    wanted = [
        index
        for index, each in enumerate(conversations)
        if stories[index].steps and (each.begun or not material.wholeOnly)
    ]
    numbers = {old: new for new, old in enumerate(wanted)}
    kept = [i for i, event in enumerate(events) if _isKept(event, numbers)]
    places = {old: new for new, old in enumerate(kept)}
    origin = min((events[i].time for i in kept), default=0)
    assembly = _Assembly(material.tasks, roles, origin)
    made = tuple(assembly.makeEvent(events[i], numbers.get(_connectionOf(events[i]))) for i in kept)
    connections = tuple(
        assembly.makeConnection(conversations[i], stories[i], events, places) for i in wanted
    )
    lengths = queueLengths([stories[i] for i in wanted], events)
    frames = join.joinFrames(material.frames, made, connections, origin)
    return model.Trace(
        environment=material.environment,
        origin=str(origin),
        layers=LAYERS,
        symbols=tuple(_makeSymbol(name) for name in assembly.symbols.values),
        stacks=tuple(assembly.stacks.values),
        tasks=tuple(assembly.makeTask(pid) for pid in assembly.tasks.values),
        connections=connections,
        events=made,
        frames=frames,
        queues=tuple(
            model.Sample(time - origin, accept, half, material.limit)
            for time, accept, half in lengths
        ),
        lost=material.lost,
        cost=material.cost,
        otherEvents=len(events) - len(kept),
    )


def _rolesOf(events: Sequence[Seen], known: Mapping[int, str]) -> dict[int, str]:
    """
    Who is who; a stranger whose system call names a socket has that socket's side.
    """
    guessed = {event.pid: event.side for event in events if event.side and event.context == "task"}
    return {**guessed, **known}


def _connectionOf(event: Seen) -> int:
    """
    The conversation of an event, -1 for none.
    """
    return -1 if event.connection is None else event.connection


def _isKept(event: Seen, numbers: Mapping[int, int]) -> bool:
    """
    Whether an event is of the trace: of a wanted connection, or of a system
    call that serves them all.
    """
    if event.connection is None:
        return event.name in KEPT
    return event.connection in numbers


def _shown(values: Mapping[str, int | str | bytes]) -> dict[str, int | str]:
    """
    The fields of an event as the trace has them; its connection has the IP addresses.
    """
    return {
        key: hex(value) if isinstance(value, int) and key in _ADDRESSES else value
        for key, value in values.items()
        if not isinstance(value, bytes)
    }


_ADDRESSES = frozenset({"skaddr", "skbaddr", "sk"})


def _makeSymbol(name: str) -> model.Symbol:
    """
    A function with what the tables know of it.
    """
    return model.Symbol(name, layerOf(name), EXPLANATIONS.get(name, ""))
