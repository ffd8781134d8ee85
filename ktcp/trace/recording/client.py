# -*- test-case-name: ktcp.test.test_trace_recording_client -*-
"""
The client that is traced; L{ktcp.trace.recording.children} starts it.

Plain blocking sockets, so that each step in the kernel has one plain system
call above it.  It does what it reads, a number of connections a line, and says
in JSON how that went; so it can be warm, and idle, when tracing begins.
"""

from __future__ import annotations

import argparse
import json
import re
import socket
import sys
from collections.abc import Callable, Sequence
from threading import Thread
from time import perf_counter_ns

_MESSAGE = b"hello"
_LENGTH = re.compile(rb"\r\nContent-Length: *(\d{1,9})\r\n", re.I)
# Bytes; a server that sends more than this for one answer is not ours.
_LONGEST = 1 << 20

_Exchange = Callable[[socket.socket, bool], None]


def exchangeEcho(connection: socket.socket, last: bool) -> None:
    """
    Send a few bytes and wait until they are back.
    """
    connection.sendall(_MESSAGE)
    received = b""
    while len(received) < len(_MESSAGE):
        received += _receive(connection)
    if received != _MESSAGE:
        raise OSError(f"the echo of {_MESSAGE!r} was {received!r}")


def exchangeHTTP(connection: socket.socket, last: bool) -> None:
    """
    Make a request and wait for all of its answer.

    @param last: Ask the server to close.
    """
    close = b"Connection: close\r\n" if last else b""
    connection.sendall(b"GET / HTTP/1.1\r\nHost: ktcp\r\n" + close + b"\r\n")
    received = b""
    while b"\r\n\r\n" not in received:
        received += _receive(connection)
        if len(received) > _LONGEST:
            raise OSError("the answer's head has no end")
    head, _, body = received.partition(b"\r\n\r\n")
    match = _LENGTH.search(head + b"\r\n")
    length = int(match[1]) if match else 0
    while len(body) < length:
        body += _receive(connection)


def _receive(connection: socket.socket) -> bytes:
    """
    Some bytes.

    @raise OSError: The server has closed.
    """
    data = connection.recv(65536)
    if not data:
        raise OSError("the server closed the connection early")
    return data


def connectOnce(
    address: str, port: int, exchange: _Exchange, requests: int, timeout: float
) -> None:
    """
    One connection, from SYN to the server's FIN.
    """
    with socket.create_connection((address, port), timeout) as connection:
        for number in range(requests):
            exchange(connection, number == requests - 1)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass


def runMany(count: int, clients: int, one: Callable[[], None]) -> dict[str, object]:
    """
    Make connections, some at a time.

    @param clients: How many threads share them.
    @return: C{spans}, nanoseconds for each that went well, and C{failures}.
    """
    spans: list[int] = []
    failures: list[str] = []

    def share(number: int) -> None:
        for _ in range(number):
            start = perf_counter_ns()
            try:
                one()
            except OSError as error:
                failures.append(str(error))
            else:
                spans.append(perf_counter_ns() - start)

    shares = [count // clients + (index < count % clients) for index in range(clients)]
    # The first share is this thread's: one client is one task.
    threads = [Thread(target=share, args=(number,)) for number in shares[1:] if number]
    for thread in threads:
        thread.start()
    share(shares[0])
    for thread in threads:
        thread.join()
    return {"spans": spans, "failures": failures}


def main(arguments: Sequence[str]) -> None:
    """
    Do what comes on standard input, until its end.
    """
    parser = argparse.ArgumentParser(prog="client")
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("--http", action="store_true")
    parser.add_argument("--requests", type=int, default=1)
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=2.0)
    args = parser.parse_args(arguments)
    exchange = exchangeHTTP if args.http else exchangeEcho

    def one() -> None:
        connectOnce(args.address, args.port, exchange, args.requests, args.timeout)

    for line in sys.stdin:
        print(json.dumps(runMany(int(line), args.clients, one)), flush=True)
