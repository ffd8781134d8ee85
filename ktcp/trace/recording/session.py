# -*- test-case-name: ktcp.test.test_trace_commands_trace -*-
"""
One trace from beginning to end: the workload, the collecting, the putting
together.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from statistics import median

from ktcp import __version__
from ktcp.trace import model
from ktcp.trace.analysis.assemble import Material, assemble
from ktcp.trace.analysis.events import Seen
from ktcp.trace.errors import Refused, TraceError, Unavailable
from ktcp.trace.kernel.diag import listenQueues
from ktcp.trace.kernel.namespaces import inside
from ktcp.trace.kernel.tracefs import TraceFS
from ktcp.trace.recording import children
from ktcp.trace.recording.captures import Captures
from ktcp.trace.recording.collect import CLOCK, Collector, taskName
from ktcp.trace.recording.lab import Attached, Loopback, sweep, veth

# Seconds: what the last connection's timers and softirqs may take after the client
# is done, and what is left of earlier traffic before tracing begins.
_SETTLE = 0.1
# Connections before tracing begins: some that only warm caches up, then those that
# say what one costs without it.  With 40 and no warming the baseline was twice too dear.
_WARM, _BASE = 100, 200
# Traced connections below which their median is no measure.
_FEW = 20
# Seconds a workload may take.
_LONGEST = 600.0
# Characters of a command's output to keep, more or less.
_LONGEST_OUTPUT = 1 << 20


@dataclass(frozen=True)
class Plan:
    """
    What to trace, and how.

    @ivar workload: C{echo}, C{http}, C{command} or C{attach}.
    @ivar command: For C{command}; C{{port}} and C{{address}} in it are the server's.
    @ivar server: Workload of the server to start, empty for none.
    @ivar detail: C{all} or C{states}.
    @ivar seconds: For C{attach}; so is C{interface}.
    @ivar line: The command line, for the record.
    """

    workload: str
    command: tuple[str, ...] = ()
    server: str = "echo"
    port: int = 0
    count: int = 1
    clients: int = 1
    requests: int = 1
    lab: str = "lo"
    transport: str = "ktcp"
    detail: str = "all"
    bufferKiB: int = 4096
    tracefs: str | None = None
    seconds: float = 0.0
    interface: str = "lo"
    line: str = ""


@dataclass
class _Outcome:
    """
    How the workload went.

    @ivar untraced: Nanoseconds of each connection before tracing began.
    @ivar failures: In words.
    @ivar output: What a command said.
    """

    untraced: list[int] = field(default_factory=list)
    traced: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    output: str = ""


@dataclass(frozen=True)
class Result:
    """
    A trace, and how its workload went.
    """

    trace: model.Trace
    failures: Sequence[str]
    output: str


def trace(plan: Plan) -> Result:
    """
    Trace as planned.

    @raise TraceError: It cannot be done.
    """
    tracefs = TraceFS(plan.tracefs)
    tracefs.sweep()
    with ExitStack() as stack:
        sweep()
        where = _place(plan, stack)
        server, port = _startServer(plan, where, stack)
        client = _startClient(plan, where, port, stack)
        outcome = _Outcome()
        if client is not None and plan.workload != "command":
            _ask(client, _WARM, None)
            outcome.untraced = _ask(client, _BASE, None)["spans"]
        where.forget()
        time.sleep(_SETTLE)
        roles = _rolesOf(server, client, port)
        collector = Collector(tracefs, plan.detail)
        stack.enter_context(
            collector.listening(port, where.devices, where.wide, roles, plan.bufferKiB)
        )
        captures = Captures(where, port, collector, stack) if plan.detail == "all" else None
        started = datetime.now(timezone.utc)
        collector.switch(True)
        _work(plan, client, collector, outcome)
        limit = _limitOf(port, where)
        collector.pump(_SETTLE)
        events, lost = collector.finish()
        frames = captures.finish() if captures else []
        material = Material(
            environment=_environment(plan, where, port, started, collector.missing, outcome),
            events=events,
            frames=frames,
            tasks=_taskNames(events),
            roles=_inherit(roles, events),
            lost=model.Lost(lost, captures.drops if captures else 0),
            cost=_cost(outcome, collector.bytesRead, len(events)),
            wholeOnly=plan.workload != "attach",
            limit=limit,
        )
    return Result(assemble(material), outcome.failures, outcome.output)


def _place(plan: Plan, stack: ExitStack) -> Loopback:
    """
    Where the workload is to run.
    """
    if plan.workload == "attach":
        return Attached(plan.interface)
    return stack.enter_context(veth()) if plan.lab == "veth" else Loopback()


def _startServer(
    plan: Plan, where: Loopback, stack: ExitStack
) -> tuple[children.Process | None, int]:
    """
    Start ktcp's server, unless somebody else's is to be traced.
    """
    if plan.port:
        return None, plan.port
    command = children.serverCommand(plan.server, where.address, plan.transport)
    server = stack.enter_context(children.child(where.wrap("server", command)))
    return server, children.listeningPort(server)


def _startClient(
    plan: Plan, where: Loopback, port: int, stack: ExitStack
) -> children.Process | None:
    """
    Start what connects; it waits for a word from us.
    """
    if plan.workload == "attach":
        return None
    if plan.workload == "command":
        replaced = {"{port}": str(port), "{address}": where.address}
        words = [_replace(word, replaced) for word in plan.command]
        command = children.heldCommand(words)
    else:
        requests = plan.requests
        command = children.clientCommand(plan.workload, where.address, port, plan.clients, requests)
    return stack.enter_context(children.child(where.wrap("client", command)))


def _replace(word: str, replaced: Mapping[str, str]) -> str:
    """
    A word of a command with the server's address in it.
    """
    for name, value in replaced.items():
        word = word.replace(name, value)
    return word


def _ask(client: children.Process, count: int, collector: Collector | None) -> dict[str, list[int]]:
    """
    Have our client make connections, and collect meanwhile.

    @raise TraceError: It ends instead, or takes too long.
    """
    stdin, stdout = children.pipeOf(client.stdin), children.pipeOf(client.stdout)
    with suppress(BrokenPipeError):
        stdin.write(f"{count}\n")
        stdin.flush()
    if collector is not None and not collector.pump(_LONGEST, stdout.fileno()):
        raise TraceError(f"the client was not done within {_LONGEST:.0f} s")
    line = stdout.readline()
    try:
        answer: dict[str, list[int]] = json.loads(line)
    except ValueError:
        raise TraceError(f"the client ended: {line.strip() or 'it said nothing'}") from None
    return answer


def _work(
    plan: Plan, client: children.Process | None, collector: Collector, outcome: _Outcome
) -> None:
    """
    Have the workload run.
    """
    if client is None:
        collector.pump(plan.seconds)
    elif plan.workload == "command":
        _runCommand(client, collector, outcome)
    else:
        answer = _ask(client, plan.count, collector)
        outcome.traced = answer["spans"]
        outcome.failures = [str(each) for each in answer["failures"]]


def _runCommand(command: children.Process, collector: Collector, outcome: _Outcome) -> None:
    """
    Let a command go, and take what it says until it ends.
    """
    stdin, stdout = children.pipeOf(command.stdin), children.pipeOf(command.stdout)
    stdin.write("\n")
    stdin.close()
    deadline = time.monotonic() + _LONGEST
    data = b"-"
    while data and time.monotonic() < deadline:
        if collector.pump(1.0, stdout.fileno()):
            data = os.read(stdout.fileno(), 65536)
            if len(outcome.output) < _LONGEST_OUTPUT:
                outcome.output += data.decode(errors="replace")
    try:
        status = command.wait(1.0)
    except subprocess.TimeoutExpired:
        outcome.failures.append("the command did not end")
    else:
        if status:
            outcome.failures.append(f"the command ended with status {status}")


def _rolesOf(
    server: children.Process | None, client: children.Process | None, port: int
) -> dict[int, str]:
    """
    Who is who, by pid.
    """
    roles = {}
    if server is not None:
        roles[server.pid] = "server"
    else:
        roles.update(dict.fromkeys(_listenersOf(port), "server"))
    if client is not None:
        roles[client.pid] = "client"
    return roles


def _listenersOf(port: int) -> Collection[int]:
    """
    The processes that hold a listening socket of a port.

    @raise Refused: Nobody does.
    """
    inodes = {f"socket:[{each.inode}]" for each in listenQueues(port, halfOpen=False).listeners}
    if not inodes:
        raise Refused(f"nobody listens on port {port}")
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{descriptor}") in inodes:
                    found.add(int(pid))
    return found


def _limitOf(port: int, where: Loopback) -> int | None:
    """
    How many connections may wait to be accepted.
    """
    namespace = where.captures[0][0]
    with suppress(Unavailable), inside(namespace):
        limits = [each.limit for each in listenQueues(port, halfOpen=False).listeners]
        return max(limits, default=None)
    return None


def _taskNames(events: Iterable[Seen]) -> dict[int, str]:
    """
    The names of the tasks in a trace.
    """
    return {pid: taskName(pid) for pid in {event.pid for event in events} if pid}


def _inherit(roles: Mapping[int, str], events: Iterable[Seen]) -> dict[int, str]:
    """
    Roles of the threads and processes that were made meanwhile.
    """
    known = dict(roles)
    for pid, role in roles.items():
        with suppress(OSError):
            known.update(dict.fromkeys(map(int, os.listdir(f"/proc/{pid}/task")), role))
    for event in sorted(events, key=lambda each: each.time):
        parent, made = event.number("parent_pid"), event.number("child_pid")
        if event.name == "sched_process_fork" and parent in known:
            known[made] = known[parent]
    return known


def _environment(
    plan: Plan,
    where: Loopback,
    port: int,
    started: datetime,
    missing: Sequence[str],
    outcome: _Outcome,
) -> model.Environment:
    """
    Where and how this trace was made.
    """
    done = len(outcome.traced) * plan.requests
    return model.Environment(
        kernel=platform.release(),
        machine=platform.machine(),
        clock=CLOCK,
        started=started.isoformat(timespec="seconds"),
        command=plan.line or shlex.join(plan.command),
        workload=plan.workload,
        lab=where.name,
        port=port,
        cpus=os.cpu_count() or 1,
        ktcp=__version__,
        requests=done,
        notAvailable=tuple(dict.fromkeys(missing)),
    )


def _cost(outcome: _Outcome, bytesRead: int, events: int) -> model.Cost:
    """
    What tracing did to the workload, in words and numbers.
    """
    text = f"{events} events, {bytesRead / 1024:.0f} KiB of ring buffer"
    if not outcome.untraced or not outcome.traced:
        text += "; what they cost the workload was not measured"
        return model.Cost(text, None, None, bytesRead)
    before, after = int(median(outcome.untraced)), int(median(outcome.traced))
    text += (
        f"; a connection took {after / 1000:.0f} us traced (median of {len(outcome.traced)}),"
        f" {before / 1000:.0f} us untraced (median of {len(outcome.untraced)})"
    )
    # The first connections after a pause are slow without any tracing.
    few = len(outcome.traced) < _FEW
    text += f": -n {_FEW} or more tells a ratio" if few else f": x{after / before:.2f}"
    return model.Cost(text, before, after, bytesRead)
