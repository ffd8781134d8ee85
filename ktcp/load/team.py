# -*- test-case-name: ktcp.test.test_load_team -*-
"""
The processes of a run, seen from the parent: started together, heard, stopped.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from selectors import EVENT_READ, DefaultSelector
from time import perf_counter_ns as clock
from types import TracebackType
from typing import Any

from ktcp.load.job import Job, Share
from ktcp.load.process.channel import START, Done, Failed, Messages, Ready, framed
from ktcp.load.schedule import SECOND_NS

# From telling the processes when to start to that time: they wake up in it.
SOON_NS = 20_000_000
PATIENCE_SECONDS = 60.0

# Of a process besides its connections: pipes, epoll, the interpreter's own.
OTHERS = 64


class CannotRun(Exception):
    """
    A run cannot be made, or was lost.  The text is one line for the user.
    """


def raiseDescriptors(connections: int, processes: int) -> None:
    """
    See that each process can have its part of the connections; children inherit it.

    @raise CannotRun: The limit cannot be raised so far.
    """
    needed = -(-connections // processes) + OTHERS
    soft, hard = getrlimit(RLIMIT_NOFILE)
    if needed <= soft:
        return
    if needed > hard:
        raise CannotRun(
            f"{connections} connections in {processes} process(es) need {needed} descriptors in"
            f" each, and {hard} are allowed (ulimit -Hn): fewer with -c, or more processes with -t"
        )
    setrlimit(RLIMIT_NOFILE, (needed, hard))


class Team:
    """
    The processes of one run.  A context: none of them is there when it is left.
    """

    def __init__(self, job: Job) -> None:
        of = job.plan.processes
        # -P or PYTHONSAFEPATH would not do: a child finds modules where its parent does.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._selector = DefaultSelector()
        self._children: list[subprocess.Popen[bytes]] = []
        self._ready = 0
        for index in range(of):
            child = subprocess.Popen(
                [sys.executable, "-m", "ktcp.load.process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                bufsize=0,
            )
            assert child.stdout is not None
            self._children.append(child)
            self._selector.register(child.stdout, EVENT_READ, (index, Messages()))
        for index, child in enumerate(self._children):
            self._write(child, framed(Share(job, index, of)))

    def _write(self, child: subprocess.Popen[bytes], data: bytes) -> None:
        assert child.stdin is not None
        with suppress(BrokenPipeError):  # It is heard that it is gone.
            while data:
                data = data[child.stdin.write(data) or 0 :]

    def __enter__(self) -> Team:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        for child in self._children:
            if kind is not None:
                child.kill()
            assert child.stdout is not None
            child.wait()
            child.stdout.close()
        self._selector.close()

    def stop(self) -> None:
        """
        Let all of them end now; they still say what they counted.
        """
        for child in self._children:
            if child.stdin is not None:
                child.stdin.close()

    def start(self, warmup: float = 0.0) -> int:
        """
        Wait until all are ready, and start them together.

        @return: When the measured part begins.
        @raise CannotRun: One is not ready.
        """
        while self._ready < len(self._children):
            if not self.hear(PATIENCE_SECONDS) and self._ready < len(self._children):
                raise CannotRun("the processes of the generator do not start")
        self._ready = 0
        start = clock() + SOON_NS + round(warmup * SECOND_NS)
        for child in self._children:
            self._write(child, START.pack(start))
        return start

    def hear(self, seconds: float) -> list[tuple[int, Any]]:
        """
        Wait for messages.

        @return: Which process says what; nothing if the time is over.
        @raise CannotRun: A process failed, or ended without having said that it is done.
        """
        heard: list[tuple[int, Any]] = []
        for key, _ in self._selector.select(seconds):
            index, messages = key.data
            data = os.read(key.fd, 1 << 16)
            if not data:
                raise CannotRun(f"process {index + 1} of the generator ended before its work")
            for message in messages.feed(data):
                if isinstance(message, Failed):
                    raise CannotRun(message.why)
                if isinstance(message, Done):
                    self._selector.unregister(key.fileobj)
                if isinstance(message, Ready):
                    # For the next start: who is done early with one round says so in its midst.
                    self._ready += 1
                heard.append((index, message))
        return heard
