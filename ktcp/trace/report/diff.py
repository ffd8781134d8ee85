# -*- test-case-name: ktcp.test.test_trace_report_diff -*-
"""
C{ktcp trace diff}: two traces side by side, per request.  Pure.

The time of a layer is the time from each event of a task to its next, given to
the layer of the function that the event was in.  Waiting is nobody's: the time
up to an event that ends a wait (the return of C{epoll_wait}) is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ktcp.trace.model import Trace

# What ends a wait: the time before it was spent asleep.
_WAKES = frozenset({"sys_exit_epoll_wait", "sys_exit_recvfrom", "sys_exit_connect"})
# Nanoseconds; a task that says nothing for longer was in its own code, or asleep.
_SILENCE = 50_000


@dataclass(frozen=True)
class Profile:
    """
    What a trace spent, in all.

    @ivar requests: To divide by; connections where requests are unknown.
    @ivar layersNs: By C{id} of the layer.
    @ivar system: System calls by name.
    """

    requests: int
    connections: int
    system: Counter[str]
    wakeups: int
    frames: int
    layersNs: Counter[str]


def profileOf(trace: Trace) -> Profile:
    """
    Count what a trace spent.
    """
    system: Counter[str] = Counter()
    layers: Counter[str] = Counter()
    last: dict[int, tuple[int, str]] = {}
    for event in trace.events:
        if event.name.startswith("sys_enter_"):
            system[event.name.removeprefix("sys_enter_")] += 1
        before = last.get(event.task)
        if before is not None and event.name not in _WAKES:
            span = event.time - before[0]
            if span < _SILENCE:
                layers[before[1]] += span
        layer = "" if event.stack is None else trace.symbols[trace.stacks[event.stack][0]].layer
        last[event.task] = event.time, layer
    wakeups = sum(event.name == "sched_wakeup" for event in trace.events)
    frames = sum(frame.direction == "out" for frame in trace.frames)
    connections = len(trace.connections)
    requests = trace.environment.requests or connections
    return Profile(requests, connections, system, wakeups, frames, layers)


def diff(first: Trace, second: Trace) -> Iterator[str]:
    """
    Lines that compare two traces.
    """
    one, two = profileOf(first), profileOf(second)
    yield f"A: {first.environment.command}: {one.requests} requests, {one.connections} connections"
    yield f"B: {second.environment.command}: {two.requests} requests, {two.connections} connections"
    yield ""
    yield f"{'per request':<32}{'A':>10}{'B':>10}{'B - A':>10}"
    calls = one.system.total(), two.system.total()
    yield _row("system calls", one, two, *calls)
    for name in sorted(set(one.system) | set(two.system)):
        yield _row(f"  {name}", one, two, one.system[name], two.system[name])
    yield _row("wake-ups", one, two, one.wakeups, two.wakeups)
    yield _row("frames sent", one, two, one.frames, two.frames)
    yield _row(
        "us in the kernel, traced",
        one,
        two,
        one.layersNs.total() / 1000,
        two.layersNs.total() / 1000,
    )
    for layer in first.layers:
        spent = one.layersNs[layer.id] / 1000, two.layersNs[layer.id] / 1000
        if any(spent):
            yield _row(f"  {layer.name}", one, two, *spent)


def _row(title: str, one: Profile, two: Profile, first: float, second: float) -> str:
    """
    A line: something per request, in both.
    """
    here, there = first / max(one.requests, 1), second / max(two.requests, 1)
    return f"{title:<32}{here:>10.2f}{there:>10.2f}{there - here:>+10.2f}"
