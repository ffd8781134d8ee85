# -*- test-case-name: ktcp.test.test_http_corpus -*-
"""
Requests nobody wrote: cases of the corpus, cut up, spliced and spoilt at random,
each served in two ways that must not differ by a byte: whole with a door that
remembers, and in pieces with one that does not::

    python -m ktcp.test.fuzz_http --inputs 1000000 --seed 1

An input that raises, hangs, is answered twice or with 500, leaves a timer or a
connection behind, or makes the ways differ, is printed, and the exit status 1.
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import re
from collections.abc import Callable
from time import perf_counter
from zlib import crc32

from twisted.internet.task import Clock

from ktcp import HTTPFactory, Request, Response
from ktcp.http.door import Door
from ktcp.test.corpus import CASES, LIMITS
from ktcp.test.wire import byteByByte, pieces
from ktcp.testing import MemoryConnection

# Seconds for a round of inputs, each of which takes well below a millisecond.
HANG = 120
ROUND = 10_000

_LONGEST = 4096
_DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
_STATUS = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2})")

# What decides something, or is taken for it.
_TOKENS = [
    *(b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\x00", b"\x0b", b"\x7f", b"\xff", b" ", b"\t"),
    *(b":", b";", b",", b"/", b"0", b"1", b"5", b"f", b"-", b"0\r\n\r\n", b"0\r\n", b"1\r\na\r\n"),
    *(b"HTTP/1.0", b"HTTP/1.1", b"Host: a\r\n", b"chunked", b"close", b"keep-alive"),
    *(b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Expect: 100-continue\r\n"),
    *(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"Accept: text/html\r\n", b";a=b", b"A: b\r\n"),
]


class Disagreement(Exception):
    """
    An input did what none may do.
    """


async def _seen(request: Request) -> Response:
    """
    Answer with a sum over all that a handler gets to see.
    """
    body = await request.body.read()
    pairs = [*request.headers, *request.body.trailers]
    seen = [request.method, request.target, request.httpVersion, body, *map(b":".join, pairs)]
    return Response(200, b"%08x" % crc32(b"\n".join(seen)))


class Fuzzer:
    """
    Makes inputs, and serves them.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._clock = Clock()
        self._remembering = self._factory(remember=True)
        self._forgetting = self._factory(remember=False)

    def _factory(self, remember: bool) -> HTTPFactory:
        factory = HTTPFactory(_seen, limits=LIMITS, reactor=self._clock)
        factory.door = Door(LIMITS, remember)
        factory.renderer.date = lambda: _DATE
        return factory

    def make(self) -> bytes:
        """
        @return: The next input.
        """
        chance = self._chance
        data = b"".join(chance.choice(CASES).data for _ in range(chance.choice((1, 1, 2, 3))))
        for _ in range(chance.randrange(6)):
            at, other = sorted((chance.randrange(len(data) + 1), chance.randrange(len(data) + 1)))
            data = chance.choice(_MUTATIONS)(chance, data, at, min(other, at + 64))
        return data[:_LONGEST]

    def check(self, data: bytes) -> None:
        """
        @raise Disagreement: Or whatever the server raises.
        """
        chance = self._chance
        if chance.randrange(16):
            cuts = [chance.randrange(len(data) + 1) for _ in range(chance.randrange(1, 8))]
            parts = pieces(data, cuts)
        else:
            parts = byteByByte(data)
        whole = self._serve(self._remembering, [data])
        split = self._serve(self._forgetting, parts)
        if whole != split:
            raise Disagreement(f"split into {parts!r}: {split!r}; whole: {whole!r}")

    def _serve(self, factory: HTTPFactory, parts: list[bytes]) -> bytes:
        connection = MemoryConnection(factory)
        for part in parts:
            connection.send(part)
        refused = connection.transport.finished or connection.closed
        before = len(connection.received)
        connection.finish()
        received = connection.received
        if not connection.closed or self._clock.getDelayedCalls():
            raise Disagreement("the connection outlives its client")
        if refused and len(received) > before:
            raise Disagreement(f"an answer after the last one: {received!r}")
        statuses = [int(status) for status in _STATUS.findall(received)]
        if 500 in statuses or any(status != 200 for status in statuses[:-1]):
            raise Disagreement(f"answered {statuses}")
        return received


_Mutation = Callable[[random.Random, bytes, int, int], bytes]


def _spoil(chance: random.Random, data: bytes, start: int, end: int) -> bytes:
    return data[:start] + bytes([chance.randrange(256)]) + data[start + 1 :]


def _insert(chance: random.Random, data: bytes, start: int, end: int) -> bytes:
    return data[:start] + chance.choice(_TOKENS) + data[start:]


def _replace(chance: random.Random, data: bytes, start: int, end: int) -> bytes:
    return data[:start] + chance.choice(_TOKENS) + data[end:]


def _drop(chance: random.Random, data: bytes, start: int, end: int) -> bytes:
    return data[:start] + data[end:]


def _repeat(chance: random.Random, data: bytes, start: int, end: int) -> bytes:
    return data[:end] + data[start:end] * chance.randrange(1, 4) + data[end:]


def _swapCase(chance: random.Random, data: bytes, start: int, end: int) -> bytes:
    return data[:start] + data[start:end].swapcase() + data[end:]


def _graft(chance: random.Random, data: bytes, start: int, end: int) -> bytes:
    other = chance.choice(CASES).data
    return data[:start] + other[chance.randrange(len(other)) :]


_MUTATIONS: list[_Mutation] = [
    _spoil,
    _insert,
    _insert,
    _replace,
    _drop,
    _repeat,
    _swapCase,
    _graft,
]


def fuzz(inputs: int, seed: int) -> None:
    """
    @raise Disagreement: At the first input that did what none may do.
    """
    fuzzer = Fuzzer(seed)
    for number in range(inputs):
        data = fuzzer.make()
        try:
            fuzzer.check(data)
        except Exception as error:
            raise Disagreement(f"input {number} of seed {seed}: {data!r}") from error


def main() -> None:
    """
    Fuzz in rounds, each of a seed of its own, and say how it went.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    start = perf_counter()
    for done in range(0, options.inputs, ROUND):
        # A hang is told by where it hangs.
        faulthandler.dump_traceback_later(HANG, exit=True)
        fuzz(min(ROUND, options.inputs - done), options.seed * 1_000_003 + done // ROUND)
    faulthandler.cancel_dump_traceback_later()
    taken = perf_counter() - start
    print(
        f"{options.inputs} inputs, seed {options.seed}: no exception, no hang, no disagreement; "
        f"{taken:.0f} s, {options.inputs / taken:.0f} a second",
    )


if __name__ == "__main__":
    main()
