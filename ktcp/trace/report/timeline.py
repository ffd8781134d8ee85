# -*- test-case-name: ktcp.test.test_trace_report_timeline -*-
"""
A trace as text: for each connection who did what, when, and by which functions.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap

from ktcp.trace.analysis.join import joined
from ktcp.trace.analysis.layers import SOFTIRQS
from ktcp.trace.model import STEPS, Connection, Step, Trace

# Columns.  Narrower is unreadable, wider is nobody's terminal.
WIDTH = 132
# Of a stack, the functions that every way through the kernel begins with.
_ENTRY = ("entry_SYSCALL_64_after_hwframe", "do_syscall_64", "x64_sys_call")


def timeline(trace: Trace, most: int = 3, full: bool = False) -> Iterator[str]:
    """
    Lines for a terminal.

    @param most: Connections to show; of the others only a summary.
    @param full: Whole stacks: of a softirq also what the task did that it
        interrupted, not just by which system call.
    """
    yield from _header(trace)
    for index, connection in enumerate(trace.connections[:most]):
        yield ""
        yield from _connection(trace, connection, index, full)
    hidden = len(trace.connections) - most
    if hidden > 0:
        yield ""
        yield f"and {hidden} more connections; all of them are in trace.json"
    yield ""
    yield from _summary(trace)


def _header(trace: Trace) -> Iterator[str]:
    """
    Where and how.
    """
    where = trace.environment
    yield f"{where.workload} on {where.lab or 'this host'}, port {where.port}: Linux {where.kernel}"
    if where.notAvailable:
        yield f"not available: {', '.join(where.notAvailable)}"


def _connection(trace: Trace, connection: Connection, index: int, full: bool) -> Iterator[str]:
    """
    One connection.
    """
    yield f"connection {index + 1}: {connection.client} -> {connection.server}"
    yield f"{'us':>9}  {'who':<18}  {'step':<34}  state"
    start = connection.steps[0].time if connection.steps else 0
    for step in connection.steps:
        yield from _step(trace, step, start, full)
    dwell = connection.dwell
    yield (
        f"           in the SYN queue {_spell(dwell.synQueue)},"
        f" in the accept queue {_spell(dwell.acceptQueue)}"
    )


def _step(trace: Trace, step: Step, start: int, full: bool) -> Iterator[str]:
    """
    One step, and below it the functions that took it, outermost first.
    """
    states = f"{step.oldState} > {step.newState}" if step.newState else ""
    title = STEPS.get(step.step, step.step)
    if step.text:
        title = f"{title}: {step.text}"
    who = whoRan(trace, step)
    line = f"{(step.time - start) / 1000:9.1f}  {who:<18}  {title:<34}  {states}"
    yield line.rstrip()
    if step.stack is None:
        yield f"{'':11}no stack; {step.evidence}"
        return
    names = [trace.symbols[each].name for each in trace.stacks[step.stack]]
    chain = [name for name in reversed(names) if name not in _ENTRY]
    yield from _wrapped(chain if full else _brief(chain), step.evidence)


def _brief(chain: list[str]) -> list[str]:
    """
    A chain of calls without what lies between a system call and the softirq in it.
    """
    starts = [index for index, name in enumerate(chain) if name in SOFTIRQS]
    if not starts or starts[-1] < 2:
        return chain
    return [chain[0], "...", *chain[starts[-1] :]]


def whoRan(trace: Trace, step: Step) -> str:
    """
    Who ran a step: a softirq borrows the task that happens to run.
    """
    role = trace.tasks[step.task].role
    if step.who == "softirq":
        return f"softirq in {role if role != 'other' else trace.tasks[step.task].name or 'other'}"
    return step.who


def _wrapped(chain: Iterable[str], evidence: str) -> Iterator[str]:
    """
    A chain of calls over as many lines as it needs.
    """
    indent = " " * 11
    line = indent
    for index, name in enumerate(chain):
        piece = f"> {name} " if index else f"{name} "
        if len(line) + len(piece) > WIDTH:
            yield line.rstrip()
            line = indent + "  "
        line += piece
    yield line.rstrip()
    yield f"{indent}evidence: {evidence}"


def _spell(span: int | None) -> str:
    """
    A time for people.
    """
    if span is None:
        return "not seen"
    return f"{span / 1000:.1f} us" if span < 1_000_000 else f"{span / 1_000_000:.1f} ms"


def _summary(trace: Trace) -> Iterator[str]:
    """
    What was seen, what is missing, and what it cost.
    """
    total, unknown = attribution(trace)
    sent, found = joined(trace)
    layers = {trace.symbols[each].layer for stack in trace.stacks for each in stack}
    present = [layer.name for layer in trace.layers if layer.id in layers]
    yield (
        f"{len(trace.connections)} connections, {len(trace.events)} events,"
        f" {len(trace.frames)} frames; {trace.otherEvents} events of other traffic left out"
    )
    yield f"layers: {', '.join(present) or 'none'}"
    yield f"stack frames: {total}, without a layer: {unknown}"
    if sent:
        yield f"frames sent: {sent}, joined to their stack: {found}"
    yield f"lost: {trace.lost.events}"
    if trace.lost.events:
        yield "the ring buffers were too small, or the machine too busy: try a larger --buffer"
    if trace.lost.frames:
        yield f"frames lost: {trace.lost.frames}"
    if trace.cost.text:
        yield from wrap(f"cost: {trace.cost.text}", WIDTH, subsequent_indent="      ")


def attribution(trace: Trace) -> tuple[int, int]:
    """
    How many frames of stacks there are, and how many of them have no layer.
    """
    counted: Iterable[int] = (
        symbol
        for event in trace.events
        if event.stack is not None
        for symbol in trace.stacks[event.stack]
    )
    total = missing = 0
    for symbol in counted:
        total += 1
        missing += not trace.symbols[symbol].layer
    return total, missing
