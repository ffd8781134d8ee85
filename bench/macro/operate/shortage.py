# -*- test-case-name: bench.macro.test_operate -*-
"""
More clients than descriptors, and more bytes than memory is allowed for them.
"""

from __future__ import annotations

import socket
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

from bench.macro.operate.running import Instance, running, waitFor
from bench.macro.verdicts import Verdicts
from ktcp.endpoint.admission import makeRoom
from ktcp.endpoint.episodes import LENGTH

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
MIB = 1024 * 1024

# Of one processor: a process that spins takes all of it.
IDLE_SHARE = 0.2


def descriptors(verdicts: Verdicts, limit: int, clients: int, established: int) -> None:
    """
    Connect more clients than there are descriptors.
    """
    makeRoom(clients + established)
    # Twice: held back by ktcp's own bound, and by the kernel.
    for connections in ((), (f"--limit-connections={limit}", "--limit-head-time=600")):
        with running("--port=0", *connections, descriptors=limit) as server:
            _crowd(verdicts, server, limit, clients, established)


def _crowd(
    verdicts: Verdicts, server: Instance, limit: int, clients: int, established: int
) -> None:
    before = server.descriptors()
    served = [_connect(server, 0) for _ in range(established)]
    everybody = all(map(_isServed, served))
    crowd = [_connect(server, number) for number in range(clients)]
    time.sleep(0.5)
    fates = Counter(map(_fate, crowd))
    used, began = server.cpuSeconds(), time.monotonic()
    rounds = 0
    while time.monotonic() < began + 1:
        everybody = everybody and all(map(_isServed, served))
        rounds += 1
        time.sleep(0.1)
    share = (server.cpuSeconds() - used) / (time.monotonic() - began)
    verdicts.judge(
        f"{limit} descriptors, {clients} clients: those who are in are served",
        f"{established} x {rounds} requests; the crowd: {dict(fates)}",
        everybody and sum(fates.values()) == clients,
    )
    verdicts.judge(
        "the processor rests", f"{share:.0%} of one, with those requests", share <= IDLE_SHARE
    )
    for each in (*crowd, *served):
        each.close()
    back = waitFor(lambda: server.descriptors() <= before, 5)
    verdicts.judge(
        "it recovers: descriptors are back, and a new client is served",
        f"{before} before, {server.descriptors()} after",
        back and _isServed(_connect(server, 0)),
    )
    said = [line for line in server.lines if "cannot accept" in line]
    verdicts.judge("at most one line of the log", f"{len(said)}", len(said) <= 1)


def buffers(verdicts: Verdicts, ceiling: int, clients: int) -> None:
    """
    Ask for much and read nothing, while somebody else works.

    @param ceiling: MiB.
    """
    with TemporaryDirectory(prefix="ktcp-buffers-") as folder:
        # As large as is kept in memory, and so is written at once.
        Path(folder, "index.html").write_bytes(bytes(128 * 1024))
        with running("--port=0", f"--root={folder}", f"--limit-buffers={ceiling * MIB}") as server:
            _deaf(verdicts, server, ceiling, clients)


def _deaf(verdicts: Verdicts, server: Instance, ceiling: int, clients: int) -> None:
    served = _isWhole(server)
    before = server.resident()
    crowd = []
    for number in range(clients):
        crowd.append(_connect(server, number))
        # More than the kernel takes (net.ipv4.tcp_wmem, tcp_rmem).
        crowd[-1].sendall(REQUEST * 128)
    time.sleep(1)
    peak = server.resident()
    verdicts.judge(
        f"{clients} clients who do not read, {ceiling} MiB may wait: RSS",
        f"{before:,} KiB before, {peak:,} after",
        peak - before <= 2 * ceiling * 1024,
    )
    verdicts.judge("who reads is served meanwhile", "", served and _isWhole(server))
    time.sleep(2 * LENGTH)
    said = [line.partition("ktcp: ")[2] for line in server.lines if "in memory" in line]
    verdicts.judge("two lines of the log", "; ".join(said), len(said) == 2)
    for each in crowd:
        each.close()


def _isWhole(server: Instance) -> bool:
    with urlopen(server.url, timeout=10) as answer:
        return len(answer.read()) == 128 * 1024


def _connect(server: Instance, number: int) -> socket.socket:
    client = socket.socket()
    client.settimeout(10)
    # From several addresses, as --limit-client-connections has it.
    client.bind((f"127.0.0.{number % 8 + 2}", 0))
    client.connect(server.address)
    return client


def _isServed(client: socket.socket) -> bool:
    try:
        client.sendall(REQUEST)
        return client.recv(65536).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


def _fate(client: socket.socket) -> str:
    client.settimeout(0)
    try:
        return "told" if client.recv(65536) else "closed"
    except BlockingIOError:
        return "open"
    except OSError:
        return "reset"
    finally:
        client.settimeout(10)
