# -*- test-case-name: ktcp.test.test_http_door,ktcp.test.test_http_connection -*-
"""
Bytes as they may come over a wire: the same stream whole, byte by byte, and in
pieces; and what an L{HTTPConnection} makes of it, in a form to compare.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from ktcp.http.connection import HTTPConnection
from ktcp.http.door import Door
from ktcp.http.errors import BadRequest
from ktcp.http.headers import Headers
from ktcp.http.limits import Limits
from ktcp.http.message import RequestHead

SEED = 9112


class Seen(NamedTuple):
    """
    One request as it was read, with its body and trailers; and whether all of
    it was.
    """

    head: RequestHead
    body: bytes
    trailers: Headers
    complete: bool


class Verdict(NamedTuple):
    """
    What became of a stream: the requests in it, and the status it was refused
    with at last; L{None}: it was not refused.
    """

    requests: list[Seen]
    status: int | None


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """
    @param cuts: Where to cut, in any order.
    @return: What is between the cuts; nothing empty.
    """
    bounds = [0, *sorted(cuts), len(data)]
    parts = (data[start:end] for start, end in pairwise(bounds))
    return [part for part in parts if part]


def byteByByte(data: bytes) -> list[bytes]:
    """
    @return: Each byte for itself.
    """
    return [data[at : at + 1] for at in range(len(data))]


def waysOf(data: bytes) -> Iterator[list[bytes]]:
    """
    The ways one stream can come in: whole, byte by byte, in three random
    splits (the same ones in each run).
    """
    yield [data]
    yield byteByByte(data)
    chance = random.Random(SEED)
    for _ in range(3):
        yield pieces(data, [chance.randrange(len(data) + 1) for _ in range(5)])


def read(parts: list[bytes], limits: Limits | None = None, remember: bool = True) -> Verdict:
    """
    Feed a connection, ask for all there is after each part, and end with FIN.
    A FIN within a request is a refusal too, with 400.

    @param remember: Do so once more, on a connection to a door that has met all
        of it twice and so remembers what it will.
    @raise AssertionError: It then says something else.
    """
    door = Door(limits or Limits(), remember)
    first = _read(parts, door)
    if remember:
        again = [_read(parts, door) for _ in range(2)][-1]
        assert again == first, f"{parts!r}: {again!r}, at first {first!r}"
    return first


def _read(parts: list[bytes], door: Door) -> Verdict:
    connection = HTTPConnection(door)
    requests: list[Seen] = []
    try:
        for part in [*parts, b""]:
            # As ktcp.http.protocol asks, between requests.
            head = connection.known(part)
            if head is None:
                connection.receive(part)
            else:
                requests.append(Seen(head, b"", Headers(), True))
            _take(connection, requests)
    except BadRequest as error:
        return Verdict(requests, error.status)
    return Verdict(requests, None)


def _take(connection: HTTPConnection, requests: list[Seen]) -> None:
    while True:
        if connection.inBody:
            chunk = connection.nextBody()
            if chunk is None:
                return
            last = requests[-1]
            trailers = last.trailers if chunk else connection.trailers
            requests[-1] = Seen(last.head, last.body + chunk, trailers, not chunk)
            continue
        head = connection.nextRequest()
        if head is None:
            return
        requests.append(Seen(head, b"", Headers(), not head.framing.hasBody))


def verdict(data: bytes, limits: Limits | None = None) -> Verdict:
    """
    What a stream means, however it comes in and whether or not the door
    remembers.

    @raise AssertionError: It depends on how it comes in.
    """
    expected = read([data], limits)
    for parts in waysOf(data):
        for remember in (True, False):
            got = read(parts, limits, remember)
            assert got == expected, f"split into {parts!r}: {got!r}, whole: {expected!r}"
    return expected
