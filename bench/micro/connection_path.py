"""
Microseconds of the processor for one connection from accept to close, with one
request of HTTP/1.0, as C{twistd ktcp} serves it: counted, limited and timed.  The
sockets are made up, so the kernel's part is not in it.  To compare two commits, run
it from two checkouts in turn.
"""

from __future__ import annotations

import argparse
from statistics import median
from time import process_time
from typing import Any

from ktcp import HTTPFactory, Request, Response
from ktcp.counters import Census, Counters, Layout
from ktcp.endpoint.admission import Admission
from ktcp.endpoint.port import KTCPPort
from ktcp.reactor import KTCPReactor
from ktcp.tracking import TrackingFactory

PLAIN = {"Content-Type": "text/plain"}
GET = (
    b"GET / HTTP/1.0\r\nHost: localhost:8081\r\nUser-Agent: ApacheBench/2.3\r\nAccept: */*\r\n\r\n"
)

# Accepted in one turn of the reactor.
BATCH = 16


def hello(request: Request) -> Response:
    """
    What the row of bench/macro for connections serves.
    """
    return Response(200, b"Hello World!", PLAIN)


class Client:
    """
    The server's socket of a client that has sent its request.
    """

    __slots__ = ("_request", "sent")

    def __init__(self) -> None:
        self._request = GET
        self.sent = b""

    def recv(self, size: int) -> bytes:
        """
        Give the request, once.
        """
        data, self._request = self._request, b""
        return data

    def send(self, data: bytes) -> int:
        """
        Take it all.
        """
        self.sent = data
        return len(data)

    def fileno(self) -> int:
        """
        A descriptor that no one has.
        """
        return 1 << 30

    def setblocking(self, blocking: bool) -> None:
        """
        As told.
        """

    def shutdown(self, how: int) -> None:
        """
        As told.
        """

    def close(self) -> None:
        """
        As told.
        """


class Crowd:
    """
    A listener with some who wait.
    """

    def __init__(self) -> None:
        self.waiting = 0
        self.last: Any = None

    def accept(self) -> tuple[Client, tuple[str, int]]:
        """
        Let the next one in.
        """
        if not self.waiting:
            raise BlockingIOError
        self.waiting -= 1
        self.last = Client()
        return self.last, ("127.0.0.1", 40_000 + self.waiting)

    def getsockname(self) -> tuple[str, int]:
        """
        Where it listens.
        """
        return ("127.0.0.1", 8081)


class Server:
    """
    C{twistd ktcp}, as far as a connection sees it.
    """

    def __init__(self) -> None:
        self.reactor = KTCPReactor()
        self.counters = Counters(Layout(["http"]))
        self.counters.attach(self.reactor)
        factory = HTTPFactory(
            hello,
            connections=None,
            clientConnections=None,
            counters=self.counters,
            reactor=self.reactor,
        )
        admission = Admission(counters=self.counters)
        tracking = TrackingFactory(factory, admission, Census(self.counters, 0))
        tracking.doStart()
        self.crowd = Crowd()
        self._port = KTCPPort(self.crowd, tracking, self.reactor)  # type: ignore[arg-type]  # made up
        self._port.socket = self.crowd
        self._port.connected = True

    def turn(self) -> None:
        """
        Serve a batch of connections.
        """
        self.crowd.waiting = BATCH
        self._port.doRead()
        self.counters.fold()


def main() -> None:
    """
    Check an answer, then print the median of several rounds and the least.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--count", type=int, default=4_000, help="connections of a round")
    options = parser.parse_args()
    server = Server()
    server.turn()
    assert server.crowd.last.sent.endswith(b"\r\n\r\nHello World!"), server.crowd.last.sent
    assert server.counters.snapshot().value("closed", "http", "done") == BATCH
    taken = []
    for _ in range(options.rounds):
        start = process_time()
        for _ in range(options.count // BATCH):
            server.turn()
        taken.append((process_time() - start) * 1e6 / (options.count // BATCH * BATCH))
    print(f"{median(taken):.2f} us a connection (least {min(taken):.2f})")


if __name__ == "__main__":
    main()
