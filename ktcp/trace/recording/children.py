# -*- test-case-name: ktcp.test.test_trace_recording_children -*-
"""
The processes that a trace starts: a server, a client, or a command.

None outlives us: each is killed by the kernel when we die, and by L{stop}
before.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import IO

from ktcp.prctl import endWithParent
from ktcp.trace.errors import TraceError

_LISTENING = re.compile(r"ktcp: listening .*\bport=(\d+)")
# Seconds: a server must listen, and a child must end, within these.
_START, _END = 15.0, 3.0

# Waits for a byte, then becomes the command; so tracing can begin before it does.
_HOLD = "import os, sys; os.read(0, 1); os.execvp(sys.argv[1], sys.argv[1:])"

Process = subprocess.Popen[str]


@contextmanager
def child(command: Sequence[str], output: int | None = subprocess.PIPE) -> Iterator[Process]:
    """
    Run a process for as long as the context lasts.

    @raise TraceError: It cannot be started.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            text=True,
            bufsize=1,
            preexec_fn=partial(endWithParent, os.getpid(), "ktcp trace"),
        )
    except OSError as error:
        raise TraceError(f"cannot run {command[0]}: {error.strerror}") from None
    try:
        yield process
    finally:
        stop(process)


def stop(process: Process) -> None:
    """
    End a process, politely and then not.
    """
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_END)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def serverCommand(workload: str, address: str, transport: str) -> list[str]:
    """
    The command line of ktcp's own server, on a free port.

    @param workload: C{echo} or C{http}.
    @param transport: C{ktcp}, or C{tcp} for Twisted's own.
    """
    run = _python("from twisted.scripts.twistd import run; run()")
    other = "--no-http" if workload == "echo" else "--no-echo"
    endpoint = f"{transport}:0:interface={address}"
    return [*run, "-n", "--pidfile=", "ktcp", other, f"--{workload}", endpoint]


def clientCommand(workload: str, address: str, port: int, clients: int, requests: int) -> list[str]:
    """
    The command line of L{ktcp.trace.recording.client}.
    """
    run = _python("from ktcp.trace.recording.client import main; main(sys.argv[1:])")
    options = ["--http"] if workload == "http" else []
    many = ["--clients", str(clients), "--requests", str(requests)]
    return [*run, address, str(port), *options, *many]


def _python(code: str) -> list[str]:
    """
    A command that runs Python with our modules, not those of the working directory.
    """
    return [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"]


def heldCommand(command: Sequence[str]) -> list[str]:
    """
    A command that starts when it is sent a byte.
    """
    return [sys.executable, "-S", "-c", _HOLD, *command]


def listeningPort(server: Process) -> int:
    """
    Wait until a server of ours listens.

    @raise TraceError: It does not.
    """
    said = []
    for line in _linesUntil(server, time.monotonic() + _START):
        said.append(line.strip())
        match = _LISTENING.search(line)
        if match:
            return int(match[1])
    raise TraceError(f"the server did not start: {said[-1] if said else 'it said nothing'}")


def _linesUntil(process: Process, deadline: float) -> Iterator[str]:
    """
    What a process says, until it ends or time is up.
    """
    # Not readline(): what it has read ahead, select() does not know of.
    descriptor = pipeOf(process.stdout).fileno()
    rest = b""
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([descriptor], [], [], left)[0]:
            return
        data = os.read(descriptor, 65536)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)


def pipeOf(pipe: IO[str] | None) -> IO[str]:
    """
    A pipe that we asked for.
    """
    assert pipe is not None
    return pipe
