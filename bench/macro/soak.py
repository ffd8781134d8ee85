# -*- test-case-name: bench.macro.test_compare -*-
"""
Does a server that runs for long grow?  Memory and descriptors of ktcp before and
after many requests on connections that stay, and after many connections.

    python -m bench.macro.soak --requests 10000000 --connections 100000
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.macro.peers import HTTP, Place
from bench.macro.processes import freePort


def resident(pid: int) -> int:
    """
    @return: KiB of resident memory.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0])


def descriptors(pid: int) -> int:
    """
    @return: How many descriptors are open.
    """
    return len(os.listdir(f"/proc/{pid}/fd"))


def wrk(url: str, seconds: int) -> int:
    """
    Keep 50 connections busy.

    @return: How many requests were answered.
    @raise RuntimeError: One was not, or not with a 2xx.
    """
    command = ["wrk", "-t1", "-c50", f"-d{seconds}s", url]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Socket errors" in out or "Non-2xx" in out:
        raise RuntimeError(out)
    return int(re.findall(r"(\d+) requests in", out)[0])


def ab(url: str, count: int) -> int:
    """
    Make a connection for each of many requests.

    @return: How many were answered.
    @raise RuntimeError: One was not.
    """
    command = ["ab", "-q", "-n", str(count), "-c", "50", url]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if not re.search(r"Failed requests: +0\n", out) or "Non-2xx" in out:
        raise RuntimeError(out)
    return count


def soak(pid: int, url: str, requests: int, connections: int) -> None:
    """
    Load a server, and print what it holds.
    """

    def show(what: str) -> None:
        print(f"{what:>32}: RSS {resident(pid):,} KiB, {descriptors(pid)} descriptors", flush=True)

    wrk(url, 1)
    ab(url, 1000)
    show("after warming up")
    done = 0
    for part in range(1, 5):
        while done < requests * part // 4:
            done += wrk(url, 5)
        show(f"{done:,} requests")
    for part in range(1, 5):
        ab(url, connections // 4)
        show(f"{connections * part // 4:,} connections")
    # The last sockets are closed by the reactor after ab has gone.
    time.sleep(1)
    show("a second later")


def main(arguments: Sequence[str]) -> int:
    """
    Be the command.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000_000)
    parser.add_argument("--connections", type=int, default=100_000)
    options = parser.parse_args(arguments)
    port = freePort()
    command = HTTP["ktcp"].command(Place(port, Path(".")))
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        for line in server.stdout:
            if "ktcp: listening" in line:
                break
        # The env that the command begins with has become the server.
        soak(server.pid, f"http://127.0.0.1:{port}/", options.requests, options.connections)
    finally:
        server.terminate()
        server.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
