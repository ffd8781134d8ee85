# -*- test-case-name: ktcp.test.test_trace_commands_trace -*-
"""
Collecting: two instances of tracefs, and the frames, while a workload runs.

One instance hears what certain processes do, the other what happens to a port
(or a device of the lab), whoever happens to run: see L{ktcp.trace.analysis.events}.
Here nothing is parsed: pages are kept as they come, to disturb little.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from ktcp.trace.analysis.assemble import Namer
from ktcp.trace.analysis.events import Seen, Tracepoint, chosen, fieldNames, filterOf
from ktcp.trace.kernel.formats import BadFormat, Format, Layout
from ktcp.trace.kernel.kallsyms import Symbols, parseFunctions, parseKallsyms
from ktcp.trace.kernel.pages import Decoder, Record
from ktcp.trace.kernel.tracefs import Instance, TraceFS

CLOCK = "tai"
# What is kept of the ring buffers: a million events with their stacks, a minute's parsing.
_MOST_BYTES = 256 << 20


class Collector:
    """
    Collects what the kernel says.

    @ivar missing: Tracepoints that this kernel does not have.
    @ivar bytesRead: From the ring buffers.
    """

    def __init__(self, tracefs: TraceFS, detail: str) -> None:
        self.missing: list[str] = []
        self.bytesRead = 0
        self._fs = tracefs
        self._layout = tracefs.pageLayout()
        self._tracepoints: list[tuple[Tracepoint, Format]] = []
        for tracepoint in chosen(detail):
            known = tracefs.format(tracepoint.name)
            if known is None:
                self.missing.append(tracepoint.name)
            else:
                self._tracepoints.append((tracepoint, known))
        stack = tracefs.format("ftrace/kernel_stack")
        self._stackID = -1 if stack is None else stack.id
        self._stacks = detail == "all"
        self._full = False
        self._instances: list[Instance] = []
        self._pages: dict[tuple[int, int], list[bytes]] = {}
        self._readers: dict[int, Callable[[], None]] = {}
        self._epoll = select.epoll()

    @contextmanager
    def listening(
        self, port: int, devices: str, wide: Set[str], pids: Iterable[int], bufferKiB: int
    ) -> Iterator[None]:
        """
        Make the instances; they are gone when the context ends.

        @param devices: Names of devices, as a pattern.
        @param wide: Scopes in which to hear everybody, not just C{pids}.
        @param pids: The processes to follow.
        """
        with ExitStack() as stack:
            tasks, ports = (
                stack.enter_context(self._fs.instance(name, CLOCK, bufferKiB))
                for name in ("tasks", "ports")
            )
            self._instances = [tasks, ports]
            tasks.follow([*pids, *_softirqThreads()])
            for tracepoint, _ in self._tracepoints:
                instance = ports if tracepoint.scope in {"port", *wide} else tasks
                instance.enable(tracepoint.name, filterOf(tracepoint, port, devices))
            for number, instance in enumerate(self._instances):
                stack.callback(instance.close)
                self._prepare(number, instance)
            yield

    def _prepare(self, number: int, instance: Instance) -> None:
        """
        Ask for stacks, and open the buffers.
        """
        self.missing += instance.missing
        if self._stacks and self._stackID >= 0:
            instance.write("options/stacktrace", "1")
        # Half full is soon enough to read: each time we are woken, we disturb.
        with suppress(OSError):
            instance.write("buffer_percent", "50")
        for cpu, descriptor in instance.open().items():
            self.watch(descriptor, partial(self._read, instance, (number, cpu), descriptor))

    def watch(self, descriptor: int, read: Callable[[], None]) -> None:
        """
        Have something read whenever it is readable, until the end.
        """
        self._readers[descriptor] = read
        self._epoll.register(descriptor, select.EPOLLIN)

    def switch(self, on: bool) -> None:
        """
        Begin or end.
        """
        for instance in self._instances:
            instance.write("tracing_on", "1" if on else "0")

    def pump(self, seconds: float, other: int | None = None) -> bool:
        """
        Read pages for a while.

        @param other: A descriptor to wait for as well.
        @return: Whether it became readable; then it ended early.
        """
        deadline = time.monotonic() + seconds
        if other is not None:
            self._epoll.register(other, select.EPOLLIN)
        try:
            while (left := deadline - time.monotonic()) > 0:
                ready = [descriptor for descriptor, _ in self._epoll.poll(left)]
                for descriptor in ready:
                    if descriptor != other:
                        self._readers[descriptor]()
                if other in ready:
                    return True
            return False
        finally:
            if other is not None:
                self._epoll.unregister(other)

    def _read(self, instance: Instance, place: tuple[int, int], descriptor: int) -> None:
        """
        Take the pages that wait.
        """
        pages = instance.read(descriptor, self._layout.size)
        if self.bytesRead > _MOST_BYTES and not self._full:
            self._full = True
            self.switch(False)
            self.missing.append(f"what came after the first {_MOST_BYTES >> 20} MiB")
        self.bytesRead += sum(map(len, pages))
        self._pages.setdefault(place, []).extend(pages)

    def finish(self) -> tuple[list[Seen], int]:
        """
        End, and make events of what was read.

        @return: Events in no order, and how many were lost.
        """
        self.switch(False)
        for read in self._readers.values():
            read()
        lost = sum(instance.lost() for instance in self._instances)
        namer = Namer(readSymbols(self._fs), {f.name: f.symbols for _, f in self._tracepoints})
        return [namer.name(record) for record in self._records()], lost

    def _records(self) -> Iterable[Record]:
        """
        The records of all pages.
        """
        layouts: dict[int, Layout] = {}
        wanted = fieldNames(tracepoint for tracepoint, _ in self._tracepoints)
        for tracepoint, known in self._tracepoints:
            try:
                layouts[known.id] = Layout(known, wanted[tracepoint.event])
            except BadFormat:
                self.missing.append(tracepoint.name)
        for (_, cpu), pages in self._pages.items():
            yield from Decoder(self._layout, layouts, self._stackID).decode(cpu, pages)


def readSymbols(tracefs: TraceFS) -> Symbols:
    """
    The functions of the running kernel; none where it hides them.
    """
    for path, parse in (
        (Path("/proc/kallsyms"), parseKallsyms),
        (tracefs.path / "available_filter_functions_addrs", parseFunctions),
    ):
        with suppress(OSError), path.open() as lines:
            symbols = parse(lines)
            if symbols:
                return symbols
    return Symbols(())


def _softirqThreads() -> list[int]:
    """
    The threads that run softirqs when there are too many to run at once.
    """
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _isSoftirq(pid)]


def _isSoftirq(pid: int) -> bool:
    """
    Whether a process is C{ksoftirqd}.
    """
    return taskName(pid).startswith("ksoftirqd/")


def taskName(pid: int) -> str:
    """
    The name of a process; empty if it is gone.
    """
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""
