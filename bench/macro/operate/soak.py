# -*- test-case-name: bench.macro.test_operate -*-
"""
A day in a few minutes: requests of all kinds, and whether anything grows.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.macro.operate.running import Instance, readWrk, running
from bench.macro.peers import MACRO
from bench.macro.verdicts import Verdicts

ROUNDS = 8
CONNECTIONS = 50

# Of each round, beside what is kept alive.
CLOSED = 2000
BROKEN = 500
RESETS = 500

# The part that the resident memory may grow by in the second half.
GROWTH = 0.02


def soak(verdicts: Verdicts, requests: int) -> None:
    """
    Send so many requests, and see what stays.
    """
    with TemporaryDirectory(prefix="ktcp-soak-") as folder:
        Path(folder, "index.html").write_bytes(b"Hello World!")
        Path(folder, "large").write_bytes(bytes(1024 * 1024))
        Path(folder, "body").write_bytes(bytes(1024))
        Path(folder, "pipelined").write_bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 16)
        log = Path(folder, "log")
        with running(
            *("--port=0", "--diagnostics", f"--root={folder}", f"--access-log={log}"),
        ) as server:
            # Caches fill, and the interpreter's own free lists.
            _round(server, 0, Path(folder))
            time.sleep(1)
            before = server.descriptors()
            resident, total, began = [], 0, time.monotonic()
            for number in range(ROUNDS):
                total += _round(server, requests // ROUNDS, Path(folder))
                log.write_bytes(b"")
                time.sleep(1)
                resident.append(server.resident())
                verdicts.note(
                    f"round {number + 1}: {total:,} requests in {time.monotonic() - began:.0f} s, "
                    f"RSS {resident[-1]:,} KiB, {server.descriptors()} descriptors"
                )
            after = server.descriptors()
    middle, last = median(resident[ROUNDS // 2 - 1 : ROUNDS // 2 + 1]), resident[-1]
    verdicts.judge(
        f"{total:,} requests: RSS grows by less than {GROWTH:.0%} in the second half",
        f"{middle:,.0f} KiB, {last:,} KiB ({last / middle - 1:+.2%})",
        last < (1 + GROWTH) * middle,
    )
    verdicts.judge("descriptors return", f"{before} before, {after} after", after <= before)


def _round(server: Instance, requests: int, folder: Path) -> int:
    """
    Some of each kind, and as many as are wanted on connections that stay.

    @return: How many requests were answered.
    """
    done = _wrk(f"{server.url}large", 1)
    done += _ab("-k", "-p", str(folder / "body"), f"{server.url}echo")
    done += _ab(server.url)
    done += _ab(f"{server.url}status/500")
    done += _each(server, BROKEN, _break)
    _each(server, RESETS, _reset)
    while True:
        done += _wrk(server.url, 3, folder / "pipelined")
        done += _wrk(server.url, 1)
        if done >= requests:
            return done


def _wrk(url: str, seconds: int, pipelined: Path | None = None) -> int:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", url]
    environment = {**os.environ, "LUA_PATH": f"{MACRO}/lua/?.lua"}
    if pipelined is not None:
        command[1:1] = ["-s", f"{MACRO}/lua/fixed.lua"]
        environment["REQUEST"] = str(pipelined)
    out = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout
    count, errors = readWrk(out)
    if errors:
        raise RuntimeError(out)
    return count


def _ab(*arguments: str) -> int:
    command = ["ab", "-q", "-n", str(CLOSED), "-c", str(CONNECTIONS), *arguments]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if not re.search(r"Failed requests: +0\n", out):
        raise RuntimeError(out)
    return CLOSED


def _each(server: Instance, count: int, act: Callable[[socket.socket], None]) -> int:
    for _ in range(count):
        with socket.create_connection(server.address, 10) as client:
            act(client)
    return count


def _break(client: socket.socket) -> None:
    client.sendall(b"GET / HTTP/1.1\r\nNo: host\r\n\r\n")
    if not client.recv(4096).startswith(b"HTTP/1.1 400 "):
        raise RuntimeError("not refused")


def _reset(client: socket.socket) -> None:
    """
    Ask, and be gone in the middle of the answer (SO_LINGER, socket(7)).
    """
    client.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
    client.recv(1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
