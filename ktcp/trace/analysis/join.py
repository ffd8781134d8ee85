# -*- test-case-name: ktcp.test.test_trace_analysis_join -*-
"""
Captured frames to the stacks that sent them.  Pure.

Both have the same clock.  The kernel shows a frame to capturing sockets just
before C{net_dev_start_xmit}, on the same processor: so a frame's event is the
next of equal length and of the same connection, some 0.2 us later.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ktcp.trace import model

# Nanoseconds.  An interrupt may come between a frame and its event; a clock that
# is corrected while we look must not part them.
_BEFORE, _AFTER = 5_000, 1_000_000


@dataclass(frozen=True)
class Captured:
    """
    A frame, decoded as far as joining needs.

    @ivar time: Nanoseconds on the trace's clock.
    @ivar endpoints: Source and destination, C{address:port}; empty if it is not TCP.
    """

    time: int
    interface: str
    outgoing: bool
    length: int
    data: bytes
    summary: str
    endpoints: tuple[str, str] = ("", "")


def joinFrames(
    frames: Sequence[Captured],
    events: Sequence[model.Event],
    connections: Sequence[model.Connection],
    origin: int,
) -> tuple[model.Frame, ...]:
    """
    Give each frame its connection and, if it was sent here, its event.

    @param events: In the order of time.
    @return: In the order of time; frames of connections that are not in the
        trace are left out.
    """
    owners = _Owners(connections)
    sent = _Sent(events)
    made = []
    for frame in sorted(frames, key=lambda each: each.time):
        time = frame.time - origin
        connection = owners.find(frame.endpoints, time)
        if frame.endpoints[0] and connection is None:
            continue
        event = None
        if frame.outgoing:
            event = sent.take(time, frame.length, connection, bool(frame.endpoints[0]))
        if connection is None and event is not None:
            connection = events[event].connection
        made.append(
            model.Frame(
                time=time,
                interface=frame.interface,
                direction="out" if frame.outgoing else "in",
                length=frame.length,
                bytes=frame.data,
                summary=frame.summary,
                connection=connection,
                event=event,
                stack=None if event is None else events[event].stack,
            )
        )
    return tuple(made)


class _Owners:
    """
    Connections by their ends.
    """

    def __init__(self, connections: Sequence[model.Connection]) -> None:
        self._byEnds: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for index, each in enumerate(connections):
            if not each.steps:
                continue
            start = each.steps[0].time
            for ends in ((each.client, each.server), (each.server, each.client)):
                self._byEnds.setdefault(ends, []).append((start, index))

    def find(self, ends: tuple[str, str], time: int) -> int | None:
        """
        The connection of a frame: a port may have had several in turn.
        """
        candidates = sorted(self._byEnds.get(ends, []))
        place = bisect_left(candidates, (time + _AFTER, -1))
        # SYN is sent within the first step, so the last that had begun.
        return candidates[place - 1][1] if place else None


class _Sent:
    """
    What was handed to drivers.
    """

    def __init__(self, events: Sequence[model.Event]) -> None:
        self._byLength: dict[int, list[tuple[int, int, int | None]]] = {}
        for index, event in enumerate(events):
            length = event.fields.get("len")
            if event.name == "net_dev_start_xmit" and isinstance(length, int):
                entry = (event.time, index, event.connection)
                self._byLength.setdefault(length, []).append(entry)

    def take(self, time: int, length: int, connection: int | None, strict: bool) -> int | None:
        """
        The event of a frame, for this frame alone.

        @param strict: Whether it must be of that connection; ARP cannot say.
        """
        candidates = self._byLength.get(length, [])
        place = bisect_left(candidates, (time - _BEFORE, -1, None))
        while place < len(candidates) and candidates[place][0] <= time + _AFTER:
            _, index, owner = candidates[place]
            if owner == connection or not strict:
                del candidates[place]
                return index
            place += 1
        return None


def joined(trace: model.Trace) -> tuple[int, int]:
    """
    How many frames were sent here, and how many of them have their stack.
    """
    sent = [frame for frame in trace.frames if frame.direction == "out"]
    return len(sent), sum(frame.event is not None for frame in sent)


def comments(trace: model.Trace) -> Mapping[int, str]:
    """
    The kernel's stack for each frame that has one, as a packet's comment.

    @return: By index of L{model.Trace.frames}.
    """
    return {
        index: " < ".join(trace.symbols[each].name for each in trace.stacks[frame.stack])
        for index, frame in enumerate(trace.frames)
        if frame.stack is not None
    }
