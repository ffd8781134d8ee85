# -*- test-case-name: bench.macro.test_operate -*-
"""
A ktcp that is watched: what it logs, how it ends; and wrk, which works meanwhile.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Condition, Thread

from bench.macro.processes import resident

START_SECONDS = 20.0


class Instance:
    """
    One C{twistd -n ktcp}, on all processors.

    @ivar lines: What it has logged.
    @ivar address: Where its first listener is.
    """

    def __init__(self, *arguments: str, descriptors: int | None = None) -> None:
        """
        Start it, and wait until it serves.

        @param arguments: Its options.
        @param descriptors: How many it may open.
        """
        self.lines: list[str] = []
        self._news = Condition()

        def limit() -> None:
            if descriptors is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        self._process = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "TERM", str(Path(sys.executable).parent / "twistd")),
                *("-n", "--pidfile=", "ktcp", "--no-echo", *arguments),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=limit,
        )
        self.pid = self._process.pid
        Thread(target=self._read, daemon=True).start()
        fields = self.said("ktcp: listening ").split()
        told = dict(field.split("=", 1) for field in fields if "=" in field)
        self.address = told["address"], int(told["port"])

    @property
    def url(self) -> str:
        """
        Where it is asked.
        """
        return "http://{}:{}/".format(*self.address)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self.lines.append(line.rstrip())
                self._news.notify_all()

    def said(self, text: str, time: int = 1) -> str:
        """
        Wait until it has logged something, so many times.

        @return: The last such line.
        @raise RuntimeError: It did not.
        """

        def found() -> list[str]:
            return [line for line in self.lines if text in line]

        with self._news:
            if not self._news.wait_for(lambda: len(found()) >= time, START_SECONDS):
                raise RuntimeError(f"not said: {text!r}: {self.lines[-5:]}")
            return found()[time - 1]

    def signal(self, number: int) -> None:
        """
        Send it a signal.
        """
        self._process.send_signal(number)

    def ended(self, seconds: float) -> int:
        """
        Wait until it has.

        @return: Its exit status.
        """
        return self._process.wait(seconds)

    def stop(self) -> None:
        """
        Stop it if it runs, and wait for nobody.
        """
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                self._process.send_signal(number)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(1 if number is signal.SIGTERM else None)

    def children(self) -> list[int]:
        """
        @return: The pids of its workers.
        """
        text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in text.split()]

    def resident(self) -> int:
        """
        @return: KiB, of all its processes.
        """
        return sum(resident(pid) for pid in (self.pid, *self.children()))

    def descriptors(self) -> int:
        """
        @return: How many are open, in all its processes.
        """
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in (self.pid, *self.children()))

    def cpuSeconds(self) -> float:
        """
        @return: Processor time that its first process has used.
        """
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(*arguments: str, descriptors: int | None = None) -> Iterator[Instance]:
    """
    Have an L{Instance} for a while.
    """
    instance = Instance(*arguments, descriptors=descriptors)
    try:
        yield instance
    finally:
        instance.stop()


class Work:
    """
    wrk, until it is told to stop.
    """

    # Longer than anything here takes.
    LONGEST = 600

    def __init__(self, url: str, connections: int = 50) -> None:
        self._process = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", "wrk", "-t1", f"-c{connections}"),
                *(f"-d{self.LONGEST}s", "--timeout", "10s", url),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        # It has to have its handler of SIGINT.
        time.sleep(1)

    def stop(self) -> tuple[int, dict[str, int]]:
        """
        @return: How many requests were answered, and what failed, by kind:
            C{connect}, C{read} (a reset, or an end too soon), C{write},
            C{timeout}, C{status}.
        """
        self._process.send_signal(signal.SIGINT)
        output, _ = self._process.communicate(timeout=30)
        return readWrk(output)


def readWrk(output: str) -> tuple[int, dict[str, int]]:
    """
    Read what wrk printed.
    """
    errors = {}
    socketErrors = re.search(r"Socket errors: (.*)", output)
    if socketErrors:
        for part in socketErrors[1].split(", "):
            kind, count = part.split()
            errors[kind] = int(count)
    others = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    if others:
        errors["status"] = int(others[1])
    [count] = re.findall(r"(\d+) requests in", output)
    return int(count), {kind: count for kind, count in errors.items() if count}


def waitFor(condition: Callable[[], bool], seconds: float) -> bool:
    """
    Look often, until something is so.

    @return: Whether it is.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
