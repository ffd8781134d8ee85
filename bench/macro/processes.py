# -*- test-case-name: bench.macro.test_compare -*-
"""
Servers and clients as child processes, each on its own core, none left behind.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

# One core serves and another one asks; on a machine with one core both share it,
# and the report's machine line says so.
_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORES = str(_CORES[0])
CLIENT_CORES = str(_CORES[-1])
ALL_CORES = ",".join(map(str, _CORES))

START_SECONDS = 20.0
STOP_SECONDS = 5.0


class ServerFailed(Exception):
    """
    A server did not start, or ended on its own.
    """


class ClientFailed(Exception):
    """
    A load generator did not end well, or said something unexpected.
    """


@dataclass(frozen=True)
class Server:
    """
    A server that listens on C{127.0.0.1:port}.

    @ivar pid: Of its first process, which leads a session of its own.
    """

    pid: int
    port: int

    def pss(self) -> int:
        """
        Measure the memory of all the server's processes.

        @return: Bytes of proportional set size (proc(5), C{smaps_rollup}): a
            page that N processes share counts for 1/N in each.
        """
        return sum(_pss(pid) for pid in _session(self.pid))

    def cpuSeconds(self) -> float:
        """
        Measure the processor time that the server's processes have used so far.
        """
        return sum(_cpuSeconds(pid) for pid in _session(self.pid))


def freePort() -> int:
    """
    Find a TCP port of 127.0.0.1 that nobody has.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(
    name: str, command: Sequence[str], port: int, folder: Path, cores: str
) -> Iterator[Server]:
    """
    Run a server until the block ends, whichever way it ends.

    @param command: What to run; it is to listen on C{127.0.0.1:port}.
    @param folder: Its working directory.
    @param cores: The cores it may use, as taskset(1) writes them.
    @raise ServerFailed: It ended, or did not listen in C{START_SECONDS}; the
        message has the last lines it printed.
    """
    with TemporaryFile() as output:
        process = subprocess.Popen(
            # If this process dies without a word (kill -9), the server gets SIGTERM.
            ["setpriv", "--pdeathsig", "TERM", "taskset", "-c", cores, *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            if not _listens(process, port):
                output.seek(0)
                last = output.read().decode(errors="replace").strip().splitlines()[-3:]
                raise ServerFailed(f"{name} did not start: {' / '.join(last) or 'no output'}")
            yield Server(process.pid, port)
            if process.poll() is not None:
                raise ServerFailed(f"{name} ended by itself, status {process.returncode}")
        finally:
            _end(process)


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return True
        time.sleep(0.02)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """
    End a server and the processes it made: kindly, then not.
    """
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    for pid in _session(process.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _session(leader: int) -> list[int]:
    """
    List the processes of a session.
    """
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = _stat(int(entry.name))
                if int(fields[3]) == leader and fields[0] != "Z":
                    found.append(int(entry.name))
    return found


def _stat(pid: int) -> list[str]:
    """
    Read proc_pid_stat(5) from its third field on: state, ppid, pgrp, session...

    The second, the name, may hold anything but ends with the last parenthesis.
    """
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _cpuSeconds(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime, stime


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise ServerFailed(f"process {pid} has no Pss line")


@dataclass(frozen=True)
class ClientRun:
    """
    What a load generator printed, and what the run cost.

    @ivar seconds: From its start to its end.
    @ivar clientSeconds: Processor time of the client.
    @ivar serverSeconds: The same of the server that it asked.
    """

    output: str
    seconds: float
    clientSeconds: float
    serverSeconds: float


def runClient(
    server: Server,
    command: Sequence[str],
    seconds: float,
    *,
    interrupt: bool = False,
    cores: str = CLIENT_CORES,
    environment: Mapping[str, str] | None = None,
) -> ClientRun:
    """
    Run a load generator to its end.

    @param server: Whom it asks.
    @param seconds: How long it is meant to run.
    @param interrupt: End it by SIGINT after so long: wrk then reports what it
        has, which allows for runs of a part of a second.
    @raise ClientFailed: It failed, or was still there long after.
    """
    before = _used(server)
    began = time.monotonic()
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", cores, *command],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        if interrupt:
            time.sleep(seconds)
            process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=seconds + 30)
    except subprocess.TimeoutExpired:
        raise ClientFailed(f"{command[0]} did not end in time") from None
    finally:
        process.kill()
        process.wait()
    took = time.monotonic() - began
    after = _used(server)
    if process.returncode != 0:
        raise ClientFailed(f"{command[0]}: {output.strip()[-400:]}")
    return ClientRun(output, took, after[0] - before[0], after[1] - before[1])


def _used(server: Server) -> tuple[float, float]:
    """
    Give the CPU seconds of all clients that ended so far, and of a server.
    """
    clients = resource.getrusage(resource.RUSAGE_CHILDREN)
    return clients.ru_utime + clients.ru_stime, server.cpuSeconds()


def resident(pid: int) -> int:
    """
    @return: KiB of resident memory.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0])
