"""
Microseconds for one request in the HTTP protocol and below: no sockets, a
transport that drops what it is given.  To compare two commits, run it from two
checkouts in turn.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from statistics import median
from time import perf_counter

from ktcp import HTTPFactory, Request, Response
from ktcp.testing import MemoryConnection, parseResponses

PLAIN = {"Content-Type": "text/plain"}
GET = b"GET / HTTP/1.1\r\nHost: localhost:8081\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost:8081\r\nContent-Length: 1024\r\n\r\n" + b"x" * 1024
CHUNKED = (
    b"POST / HTTP/1.1\r\nHost: localhost:8081\r\nTransfer-Encoding: chunked\r\n\r\n"
    + (b"400\r\n" + b"x" * 1024 + b"\r\n") * 64
    + b"0\r\n\r\n"
)
VARIED = b"GET /%d HTTP/1.1\r\nHost: localhost:8081\r\n\r\n"
BROWSER = (
    b"GET /%d HTTP/1.1\r\nHost: localhost:8081\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    b"Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n"
    b"Connection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\nDNT: 1\r\n"
    b"Cookie: session=%d\r\n\r\n"
)


def hello(request: Request) -> Response:
    """
    What the keep-alive row of bench/macro serves.
    """
    return Response(200, b"Hello World!", PLAIN)


async def echo(request: Request) -> Response:
    """
    What its POST row serves.
    """
    return Response(200, await request.body.read(), PLAIN)


def cases(count: int) -> dict[str, tuple[HTTPFactory, list[bytes], int]]:
    """
    @return: For each name: what serves, the reads it gets, requests in each.
    """
    return {
        "the same GET": (HTTPFactory(hello), [GET] * count, 1),
        "the same GET, pipelined by 16": (HTTPFactory(hello), [GET * 16] * (count // 16), 16),
        "a different URL each time": (HTTPFactory(hello), [VARIED % n for n in range(count)], 1),
        "URL and cookie, 9 headers": (
            HTTPFactory(hello),
            [BROWSER % (n, n) for n in range(count)],
            1,
        ),
        "POST of 1 KiB, echoed": (HTTPFactory(echo), [POST] * count, 1),
        "POST of 64 chunks of 1 KiB": (HTTPFactory(echo), [CHUNKED] * (count // 64), 1),
    }


def measure(factory: HTTPFactory, reads: Iterable[bytes]) -> float:
    """
    @return: Seconds for all of it, the answers dropped.
    """
    connection = MemoryConnection(factory)
    connection.transport.write = lambda data: None
    receive = connection.protocol.dataReceived
    start = perf_counter()
    for data in reads:
        receive(data)
    return perf_counter() - start


def check(factory: HTTPFactory, data: bytes, requests: int) -> None:
    """
    Off the clock: are these the right answers?
    """
    connection = MemoryConnection(factory)
    connection.send(data)
    responses = parseResponses(connection.received, closed=False)
    assert [response.status for response in responses] == [200] * requests, responses


def main() -> None:
    """
    Print the median of several rounds for each case.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--count", type=int, default=20_000, help="requests of a round")
    options = parser.parse_args()
    for name, (factory, reads, requests) in cases(options.count).items():
        check(factory, reads[0], requests)
        measure(factory, reads[: len(reads) // 10])
        taken = [measure(factory, reads) for _ in range(options.rounds)]
        each = 1e6 / (len(reads) * requests)
        print(f"{name:32} {median(taken) * each:6.2f} us  (least {min(taken) * each:.2f})")


if __name__ == "__main__":
    main()
