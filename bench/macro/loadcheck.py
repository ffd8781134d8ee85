# -*- test-case-name: bench.macro.test_compare -*-
"""
Is ktcp-load to be believed?  Its figures beside wrk's, ab's and echoload's, and beside
what a schedule predicts.

    python -m bench.macro.loadcheck [--rounds 3] [--seconds 2] [--only closed,echo,stall]

Servers on the first core, generators on the last, in turns.  Each line ends with the bar it
is held to.  Exit status 1: one was missed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.macro.peers import ECHO, HTTP, Peer, Place

SERVER, GENERATOR = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
ECHOLOAD = Path(__file__).parent / "build" / "echoload"

# A server that answers at once, except for one second in ten.
STALLER = """
import selectors, socket, sys, time
ANSWER = b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"
selector, door = selectors.DefaultSelector(), socket.create_server(("127.0.0.1", int(sys.argv[1])))
selector.register(door, selectors.EVENT_READ)
stall = None
while True:
    for key, _ in selector.select():
        if key.fileobj is door:
            made, _ = door.accept()
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(made, selectors.EVENT_READ)
            continue
        if not (data := key.fileobj.recv(65536)):
            selector.unregister(key.fileobj)
            key.fileobj.close()
            continue
        stall = stall or time.monotonic() + 5
        if stall <= time.monotonic() < stall + 1:
            time.sleep(1)
        key.fileobj.sendall(ANSWER)
"""


def freePort() -> int:
    """
    Find a port that is free now.
    """
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@contextmanager
def serving(command: Callable[[int], list[str]]) -> Iterator[int]:
    """
    Run a server on its core until it is left.

    @return: Its port.
    """
    port = freePort()
    child = subprocess.Popen(["taskset", "-c", str(SERVER), *command(port)])
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        yield port
    finally:
        child.terminate()
        child.wait()


def output(*command: str) -> str:
    """
    Run a generator on its core.
    """
    pinned = ["taskset", "-c", str(GENERATOR), *command]
    return subprocess.run(pinned, check=True, capture_output=True, text=True).stdout


def load(folder: Path, *arguments: str) -> dict[str, object]:
    """
    Run ktcp-load.

    @return: Its result, as in the file.
    """
    path = folder / "result.json"
    output(sys.executable, "-m", "ktcp.load", *arguments, "--quiet", "--json", str(path))
    found: dict[str, object] = json.loads(path.read_text())
    return found


def rate(result: dict) -> float:
    """
    Good answers a second of a result.
    """
    return float(result["counts"]["good"] / result["elapsed"])


def number(pattern: str, text: str) -> float:
    """
    Find a number in what a tool printed.
    """
    match = re.search(pattern, text)
    assert match is not None, text
    return float(match[1])


def bar(what: str, figure: float, low: float, high: float = float("inf")) -> bool:
    """
    Print a figure beside its bar.

    @return: It holds.
    """
    holds = low <= figure <= high
    limit = f"at least {low:g}" if high == float("inf") else f"{low:g} to {high:g}"
    print(f"{what:64} {figure:8.3f}  {limit}: {'holds' if holds else 'MISSED'}", flush=True)
    return holds


def inPlace(peer: Peer, folder: Path) -> Callable[[int], list[str]]:
    """
    Make the command of a peer from its port.
    """

    def command(port: int) -> list[str]:
        place = Place(port, folder)
        peer.prepare(place)
        return peer.command(place)

    return command


def closed(folder: Path, rounds: int, seconds: int) -> list[bool]:
    """
    Keep-alive against nginx, beside wrk and ab.
    """
    rates: dict[str, list[float]] = {"ktcp-load": [], "wrk": [], "ab": []}
    with serving(inPlace(HTTP["nginx"], folder)) as port:
        url = f"http://127.0.0.1:{port}/"
        for _ in range(rounds):
            said = output("wrk", "-t1", "-c20", f"-d{seconds}", url)
            rates["wrk"].append(number(r"Requests/sec: +([\d.]+)", said))
            result = load(folder, "http", url, "-c", "20", "-d", str(seconds))
            rates["ktcp-load"].append(rate(result))
            said = output("ab", "-q", "-k", "-c", "20", "-n", "100000", url)
            rates["ab"].append(number(r"Requests per second: +([\d.]+)", said))
    print({name: round(median(each)) for name, each in rates.items()})
    ours = median(rates["ktcp-load"])
    return [
        bar("keep-alive GET of nginx: rate / wrk -t1's", ours / median(rates["wrk"]), 0.6),
        bar("the same / ab -k's", ours / median(rates["ab"]), 5.0),
    ]


def echo(folder: Path, rounds: int, seconds: int) -> list[bool]:
    """
    Ping-pong of 64 bytes against the C server, beside the C client.
    """
    ours, theirs = [], []
    with serving(inPlace(ECHO["C epoll"], folder)) as port:
        for _ in range(rounds):
            said = output(str(ECHOLOAD), "-p", str(port), "-c", "50", "-d", str(seconds))
            theirs.append(json.loads(said)["rate"])
            address = f"127.0.0.1:{port}"
            ours.append(rate(load(folder, "echo", address, "-c", "50", "-d", str(seconds))))
    print({"ktcp-load": round(median(ours)), "echoload": round(median(theirs))})
    return [bar("echo of the C server: rate / echoload's", median(ours) / median(theirs), 0.6)]


def stall(folder: Path, rounds: int, seconds: int) -> list[bool]:
    """
    A server that stalls one second in ten, at a steady rate: a tenth of the requests are
    planned in that second, evenly, so 1% of all wait longer than 0.9 s.
    """
    with serving(lambda port: [sys.executable, "-c", STALLER, str(port)]) as port:
        url = f"http://127.0.0.1:{port}/"
        result = load(folder, "http", url, "-c", "5", "-d", "10", "--rate", "1000")
    histograms: dict = result["histograms"]  # type: ignore[assignment]  # JSON
    p99 = {name: histograms[name]["percentiles"]["p99"] / 1e9 for name in histograms}
    return [
        bar("a stall of 1 s in 10 s: corrected p99, seconds", p99["total"], 0.855, 0.945),
        bar("the same: uncorrected p99, seconds", p99["uncorrected"], 0.0, 0.1),
    ]


CHECKS = {"closed": closed, "echo": echo, "stall": stall}


def main() -> int:
    """
    Check what was asked for.
    """
    parser = argparse.ArgumentParser("loadcheck", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--only", default=",".join(CHECKS))
    args = parser.parse_args()
    held: list[bool] = []
    with TemporaryDirectory() as folder:
        for name in args.only.split(","):
            held += CHECKS[name](Path(folder), args.rounds, args.seconds)
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
