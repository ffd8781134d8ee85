# -*- test-case-name: ktcp.test.test_trace_kernel_tracefs -*-
"""
tracefs: private instances, made, read and removed.  The only room of the lab
that touches C{/sys/kernel/tracing}; what it reads, L{ktcp.trace.kernel.pages} and
L{ktcp.trace.kernel.formats} understand.

An instance has its own buffers and switches, so nothing here changes what
another tracer sees, and one C{rmdir} undoes it all.  It outlives the process
that made it, though: each name carries the pid of its maker, and L{sweep}
removes those whose maker is gone.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ktcp.trace.errors import Unavailable
from ktcp.trace.kernel.formats import BadFormat, Format, PageLayout, parseFormat, parsePageLayout

# What is mounted, as this process sees it (proc(5)).
MOUNTS = Path("/proc/self/mounts")
# Where debugfs is mounted it brings a tracefs along, which is mounted once somebody looks.
DEBUGFS = "/sys/kernel/debug/tracing"
_OURS = re.compile(r"ktcp-(\d+)(?:-\w+)?")
_STAT = re.compile(r"^(overrun|dropped events): (\d+)$", re.M)


class TraceFS:
    """
    A mounted tracefs.
    """

    def __init__(self, path: str | None = None) -> None:
        """
        @param path: Where it is; None for where it is mounted.
        @raise Unavailable: It is not there, or not ours to use.
        """
        places = [*_mounted(), DEBUGFS] if path is None else [path]
        found = [each for each in places if _isOne(each)]
        if not found:
            missing = "tracefs" if path is None else f"a tracefs at {path}"
            raise _unavailable(missing, "as root, mount -t tracefs nodev /sys/kernel/tracing")
        self.path = Path(found[0])
        # The directory is 0700 and its files are root's: both are looked at.
        if not os.access(self.path / "instances", os.R_OK | os.W_OK | os.X_OK):
            raise _unavailable(f"the right to write {self.path}/instances")

    def format(self, event: str) -> Format | None:
        """
        The layout of an event's records.

        @param event: C{system/name}.
        @return: None if this kernel does not have it.
        """
        try:
            return parseFormat((self.path / "events" / event / "format").read_text())
        except (OSError, BadFormat):
            return None

    def pageLayout(self) -> PageLayout:
        """
        The layout of a page of the ring buffer.

        @raise Unavailable: It cannot be understood.
        """
        try:
            return parsePageLayout((self.path / "events/header_page").read_text())
        except (OSError, BadFormat) as error:
            raise _unavailable(f"a ring buffer as ktcp knows it ({error})") from None

    def sweep(self) -> list[str]:
        """
        Remove the instances of processes that are gone.

        @return: Their names.
        """
        swept = []
        for folder in (self.path / "instances").iterdir():
            match = _OURS.fullmatch(folder.name)
            if match and not Path("/proc", match[1]).exists():
                _remove(folder)
                swept.append(folder.name)
        return swept

    @contextmanager
    def instance(self, suffix: str, clock: str, bufferKiB: int) -> Iterator[Instance]:
        """
        Make an instance for as long as the context lasts.

        @raise Unavailable: The kernel refuses.
        """
        folder = self.path / "instances" / f"ktcp-{os.getpid()}-{suffix}"
        try:
            folder.mkdir()
        except OSError as error:
            raise _unavailable(f"permission to make {folder} ({error.strerror})") from None
        try:
            instance = Instance(folder)
            try:
                instance.write("tracing_on", "0")
                instance.write("buffer_size_kb", str(bufferKiB))
                instance.write("trace_clock", clock)
            except OSError as error:
                raise _unavailable(f"{error.filename} as asked ({error.strerror})") from None
            yield instance
        finally:
            _remove(folder)


class Instance:
    """
    A private set of buffers and switches.

    @ivar missing: Events that this kernel does not have or would not filter.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.missing: list[str] = []
        self._readers: dict[int, int] = {}

    def write(self, name: str, value: str) -> None:
        """
        Write one of its files.
        """
        (self.path / name).write_text(value)

    def enable(self, event: str, filter: str = "") -> bool:
        """
        Switch an event on.

        @param filter: As in Documentation/trace/events.rst; empty for none.
        @return: Whether the kernel has it; if not, it is in C{missing}.
        """
        try:
            if filter:
                self.write(f"events/{event}/filter", filter)
            self.write(f"events/{event}/enable", "1")
        except OSError:
            self.missing.append(event)
            return False
        return True

    def follow(self, pids: Iterable[int]) -> None:
        """
        Hear only of these processes, and of what they will fork.
        """
        self.write("options/event-fork", "1")
        threads = [each for pid in pids for each in _threadsOf(pid)]
        self.write("set_event_pid", " ".join(map(str, threads)))

    def open(self) -> dict[int, int]:
        """
        Open its buffers for reading.

        @return: Descriptors that never block, by processor.
        """
        for folder in (self.path / "per_cpu").iterdir():
            flags = os.O_RDONLY | os.O_NONBLOCK
            self._readers[int(folder.name[3:])] = os.open(folder / "trace_pipe_raw", flags)
        return self._readers

    def read(self, descriptor: int, pageSize: int) -> list[bytes]:
        """
        The pages that wait, the last of them perhaps not full.
        """
        pages = []
        # A busy kernel fills pages as fast as they are read; whoever waits for
        # other things as well must get his turn.
        for _ in range(4096):
            try:
                page = os.read(descriptor, pageSize)
            except BlockingIOError:
                break
            if not page:
                break
            pages.append(page)
        return pages

    def lost(self) -> int:
        """
        How many events the kernel overwrote or refused since the buffers were made.
        """
        total = 0
        for folder in (self.path / "per_cpu").iterdir():
            for _, count in _STAT.findall((folder / "stats").read_text()):
                total += int(count)
        return total

    def close(self) -> None:
        """
        Close the buffers: an instance that is being read cannot be removed.
        """
        while self._readers:
            os.close(self._readers.popitem()[1])


def _unavailable(missing: str, remedy: str = "run it as root") -> Unavailable:
    """
    Say that tracing is impossible here.
    """
    return Unavailable(missing, "ktcp trace", remedy)


def _isOne(path: str) -> bool:
    """
    Whether a folder is a tracefs, or may be one: it is 0700, so others cannot tell.
    """
    return os.path.isdir(path) and (
        not os.access(path, os.X_OK) or os.path.isdir(f"{path}/instances")
    )


def _mounted() -> list[str]:
    """
    Where tracefs is mounted.
    """
    fields = (line.split() for line in MOUNTS.read_text().splitlines())
    return [field[1] for field in fields if field[2] == "tracefs"]


def _threadsOf(pid: int) -> list[int]:
    """
    The threads of a process; none if it is gone.
    """
    with suppress(OSError):
        return [int(each) for each in os.listdir(f"/proc/{pid}/task")]
    return []


def _remove(folder: Path) -> None:
    """
    Remove an instance, which switches its events off.
    """
    # EBUSY for as long as somebody has one of its files open; a reader that was
    # killed may take a moment to be gone.
    for _ in range(50):
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.02)
        else:
            return
