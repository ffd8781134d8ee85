"""
A server process and a client over loopback, for the paired micro-benchmarks.

Each variant is served by a fresh process pinned to the first core; the client
runs on the last.  Variants take turns, so that what disturbs the machine
disturbs them alike, and what is reported are medians and their ratio.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

CORES = sorted(os.sched_getaffinity(0))


def serve(reactorName: str, description: str, oneShot: bool) -> None:
    """
    Be the server: echo, and close after the first data if told so.
    """
    os.sched_setaffinity(0, CORES[:1])
    if reactorName == "ktcp":
        from ktcp.reactor import install
    else:
        from twisted.internet.epollreactor import install
    install()
    from twisted.internet import reactor
    from twisted.internet.endpoints import serverFromString
    from twisted.internet.protocol import Factory, Protocol

    class Echo(Protocol):
        def dataReceived(self, data: bytes) -> None:
            self.transport.write(data)
            if oneShot:
                self.transport.loseConnection()

    factory = Factory.forProtocol(Echo)
    factory.noisy = False
    listening = serverFromString(reactor, description).listen(factory)
    listening.addCallback(lambda port: print(port.getHost().port, flush=True))
    reactor.run()


def pingPong(port: int, seconds: float, size: int, connections: int) -> float:
    """
    Echoes per second: each connection has one message under way.
    """
    message = os.urandom(size)
    clients = []
    under: dict[int, list] = {}  # recv, send, bytes still to come
    with select.epoll() as poller:
        for _ in range(connections):
            client = socket.create_connection(("127.0.0.1", port))
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # The answer is checked here, before the clock starts.
            client.sendall(message)
            if client.recv(size, socket.MSG_WAITALL) != message:
                raise SystemExit("the echo is wrong")
            clients.append(client)
            under[client.fileno()] = [client.recv, client.send, size]
            poller.register(client.fileno(), select.EPOLLIN)
            client.sendall(message)
        count = 0
        start = time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds:
            for fd, _ in poller.poll():
                entry = under[fd]
                receive, send, missing = entry
                missing -= len(receive(65536))
                if not missing:
                    # Its peer has taken the last one whole, so this one fits.
                    send(message)
                    count += 1
                    missing = size
                entry[2] = missing
    for client in clients:
        client.close()
    return count / elapsed


def comeAndGo(port: int, seconds: float, size: int, connections: int) -> float:
    """
    Connections per second: each sends a message and reads to the end.
    """
    message = os.urandom(size)
    count = 0
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        batch = []
        for _ in range(connections):
            client = socket.create_connection(("127.0.0.1", port))
            client.sendall(message)
            batch.append(client)
        for client in batch:
            answer = client.recv(size, socket.MSG_WAITALL)
            if answer != message or client.recv(1):
                raise SystemExit("the echo is wrong")
            client.close()
        count += connections
    return count / elapsed


def compare(
    drive: Callable[[int, float, int, int], float],
    variants: dict[str, tuple[str, str]],
    size: int,
    connections: int,
) -> None:
    """
    Measure variants in turn and print medians and ratios to the first.

    @param variants: Reactor and endpoint string by name.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=1.0, help="for each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=size, help="of a message, in bytes")
    parser.add_argument("--connections", type=int, default=connections)
    options = parser.parse_args()
    os.sched_setaffinity(0, CORES[-1:])
    rates: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(options.rounds):
        for name, (reactorName, description) in variants.items():
            with subprocess.Popen(
                [sys.executable, __file__, reactorName, description, drive.__name__],
                stdout=subprocess.PIPE,
            ) as server:
                try:
                    port = int(server.stdout.readline())
                    drive(port, options.seconds / 5, options.size, options.connections)
                    rate = drive(port, options.seconds, options.size, options.connections)
                finally:
                    server.send_signal(signal.SIGKILL)
                rates[name].append(rate)
    medians = {name: statistics.median(each) for name, each in rates.items()}
    first = next(iter(medians.values()))
    for name, median in medians.items():
        low, high = min(rates[name]), max(rates[name])
        print(f"{name:36} {median:9,.0f}/s  {median / first:5.2f} x  ({low:,.0f} to {high:,.0f})")


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], sys.argv[3] == comeAndGo.__name__)
