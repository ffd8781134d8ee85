# -*- test-case-name: bench.macro.test_operate -*-
"""
Three instances behind HAProxy, each restarted in turn, while wrk works at its
front.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.macro.operate.running import Instance, Work, waitFor
from bench.macro.processes import freePort
from bench.macro.verdicts import Verdicts

INSTANCES = ("127.0.0.2", "127.0.0.3", "127.0.0.4")

# Where HAProxy connects from: an instance that did not heed the PROXY protocol
# would log this for its clients.
PROXY = "127.0.0.5"
CLIENT = "127.0.0.1"

# Seconds in which HAProxy is to see that one is up.  It looks every 100 ms, and
# needs two answers; on a busy machine an answer takes its time.
SEEN_WITHIN = 20.0

CONFIGURATION = """
global
    maxconn 4000
    stats socket {folder}/haproxy.sock
defaults
    mode http
    timeout connect 2s
    timeout check 2s
    timeout client 60s
    timeout server 60s
    # A connection that ktcp closes as the request comes is no answer: ask another.
    option redispatch
    retries 3
    retry-on conn-failure empty-response
frontend front
    bind 127.0.0.1:{front}
    default_backend instances
backend instances
    balance roundrobin
    source {proxy}
    option httpchk GET /
    default-server check inter 100ms fall 2 rise 2 send-proxy-v2 check-send-proxy
"""


def rolling(verdicts: Verdicts, rounds: int) -> None:
    """
    Restart each instance so many times.
    """
    port, front = freePort(), freePort()
    with TemporaryDirectory(prefix="ktcp-rolling-") as folder, ExitStack() as stack:
        logs = [Path(folder, f"{address}.log") for address in INSTANCES]
        instances = [_start(*each, port) for each in zip(INSTANCES, logs, strict=True)]
        stack.callback(lambda: [each.stop() for each in instances])
        stack.enter_context(_haproxy(Path(folder), port, front))
        _seen(folder)
        began = time.monotonic()
        work = Work(f"http://127.0.0.1:{front}/work")
        for _ in range(rounds):
            for number, log in enumerate(logs):
                instances[number].signal(signal.SIGTERM)
                instances[number].ended(30)
                instances[number] = _start(INSTANCES[number], log, port)
                _seen(folder)
        count, errors = work.stop()
        seconds = time.monotonic() - began
        for each in instances:
            each.signal(signal.SIGTERM)
            each.ended(30)
        verdicts.judge(
            f"3 instances behind HAProxy, each restarted {rounds} times: no request fails",
            f"{errors or 'none'} of {count:,} in {seconds:.0f} s",
            not errors,
        )
        _judgeLogs(verdicts, logs, count)


def _seen(folder: str) -> None:
    """
    Wait until HAProxy sends requests to all of them.
    """

    def up() -> bool:
        with socket.socket(socket.AF_UNIX) as asking, suppress(OSError):
            asking.connect(f"{folder}/haproxy.sock")
            asking.sendall(b"show stat\n")
            lines = asking.makefile().read().splitlines()
            return sum(line.startswith("instances,127.") and ",UP," in line for line in lines) == 3
        return False

    if not waitFor(up, SEEN_WITHIN):
        raise RuntimeError("HAProxy does not see all instances")


def _judgeLogs(verdicts: Verdicts, logs: list[Path], count: int) -> None:
    peers: dict[str, int] = {}
    for log in logs:
        with log.open() as lines:
            for line in lines:
                entry = json.loads(line)
                if entry["target"] == "/work":
                    peers[entry["peer"]] = peers.get(entry["peer"], 0) + 1
    total = sum(peers.values())
    verdicts.judge(
        "the access logs have each request, with its client's address",
        ", ".join(f"{peer}: {each:,}" for peer, each in peers.items()),
        # wrk does not count what it was still waiting for.
        set(peers) == {CLIENT} and count <= total <= count + 200,
    )


def _start(address: str, log: Path, port: int) -> Instance:
    return Instance(
        f"--http=haproxy:ktcp:{port}:interface={address}",
        f"--access-log={log}",
        "--access-log-format=json",
        # All that come are HAProxy's.
        "--limit-client-connections=4000",
        "--drain-delay=0.3",
    )


@contextmanager
def _haproxy(folder: Path, port: int, front: int) -> Iterator[None]:
    servers = [f"    server {each} {each}:{port}\n" for each in INSTANCES]
    path = folder / "haproxy.cfg"
    path.write_text(
        CONFIGURATION.format(folder=folder, front=front, proxy=PROXY) + "".join(servers)
    )
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "haproxy", "-q", "-db", "-f", str(path)],
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()
