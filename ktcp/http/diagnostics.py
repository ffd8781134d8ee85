# -*- test-case-name: ktcp.test.test_http_diagnostics -*-
"""
Handlers to try clients, proxies and networks with; C{--diagnostics} turns them
on.  Each is bounded, in what it costs and in how long it takes; a request that
goes beyond is told the bound, with 400.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from ktcp.http.errors import HTTPError
from ktcp.http.headers import Headers
from ktcp.http.message import Request, Response, reasonPhrase
from ktcp.http.router import RouteHandler, Router
from ktcp.parameters import integerBetween

# Seconds, and bytes: what tries a timeout or a link, and no more.
LONGEST_DELAY = 60
MOST_BYTES = 64 * 1024 * 1024
MOST_CHUNKS = 10_000
# The largest whose digits Python writes out: 4180 of 4300, a bound of its own
# because the time goes up with their square (sys.set_int_max_str_digits).
LARGEST_FIB = 20_000

# One after the other, this many chunks are rendered before others have a turn.
_TURN = 100
_BLOCK = bytes(range(256)) * 256
_PLAIN = Headers.of({"Content-Type": "text/plain; charset=utf-8"})
_JSON = Headers.of({"Content-Type": "application/json"})
_HTTP = Headers.of({"Content-Type": "message/http"})
# No browser is to run what somebody had it send here.
_OPAQUE = {"Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff"}
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def diagnostics(reactor: Any, fallback: RouteHandler) -> Router:
    """
    Make the handler of C{--diagnostics}.

    @param reactor: Keeps the time of C{/delay}.
    @param fallback: Answers everything else.
    """

    def delay(request: Request, seconds: str) -> Deferred[Response]:
        wanted = _seconds(seconds)
        answer = Response(200, b"%g\n" % wanted, _PLAIN)
        return deferLater(reactor, wanted, lambda: answer)

    async def lines(count: int) -> AsyncIterator[bytes]:
        for number in range(1, count + 1):
            yield b"%d\n" % number
            if number % _TURN == 0:
                await deferLater(reactor, 0)

    def stream(request: Request, count: str) -> Response:
        return Response(200, lines(_whole("N", count, 0, MOST_CHUNKS)), _PLAIN)

    router = Router(fallback)
    router.add("/echo", echo, *_METHODS)
    router.add("/delay/{seconds}", delay)
    router.add("/status/{code}", status, *_METHODS)
    router.add("/bytes/{count}", someBytes)
    router.add("/stream/{count}", stream)
    router.add("/headers", headers, *_METHODS)
    router.add("/fib/{n}", fib)
    return router


async def echo(request: Request) -> Response:
    """
    Give back the body, as it comes; a request without one gets its head back,
    as it came.
    """
    body = request.body
    # In the handler, because a client that waits for 100 Continue is sent it
    # when the body is first read, and must not get the answer's head before.
    try:
        first = await body.__anext__()
    except StopAsyncIteration:
        if request.head.framing.hasBody:
            return Response(200, b"", _OPAQUE)
        return Response(200, request.head.raw, _HTTP)
    told = {} if body.length is None else {"Content-Length": str(body.length)}
    return Response(200, _chain(first, body), {**_OPAQUE, **told})


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


def status(request: Request, code: str) -> Response:
    """
    Answer with a status.
    """
    wanted = _whole("CODE", code, 200, 599)
    # Neither has content, nor has a 205 (RFC 9110, 15.3.6).
    body = b"" if wanted in (204, 205, 304) else b"%d %b\n" % (wanted, reasonPhrase(wanted))
    return Response(wanted, body, _PLAIN)


def someBytes(request: Request, count: str) -> Response:
    """
    Answer with that many bytes: all 256 values in order, again and again.
    """
    wanted = _whole("N", count, 0, MOST_BYTES)
    return Response(200, _blocks(wanted), {**_OPAQUE, "Content-Length": str(wanted)})


async def _blocks(left: int) -> AsyncIterator[bytes]:
    while left > 0:
        yield _BLOCK[:left]
        left -= len(_BLOCK)


def headers(request: Request) -> Response:
    """
    Tell what has come: names and values in their order, repeated ones too.
    """
    told = {
        "method": request.method.decode("latin-1"),
        "target": request.target.decode("latin-1"),
        "httpVersion": request.httpVersion.decode("latin-1"),
        "peer": str(getattr(request.peer, "host", request.peer)),
        "headers": [[part.decode("latin-1") for part in pair] for pair in request.headers],
    }
    return Response(200, json.dumps(told, indent=2).encode() + b"\n", _JSON)


def fib(request: Request, n: str) -> Response:
    """
    Answer with a Fibonacci number, to have the server compute.
    """
    return Response(200, b"%d\n" % fibonacci(_whole("N", n, 0, LARGEST_FIB)), _PLAIN)


def fibonacci(n: int) -> int:
    """
    Compute F(n), with F(0) = 0 and F(1) = 1, by fast doubling: for each bit of
    n from the highest, F(2k) = F(k) (2 F(k+1) - F(k)) and
    F(2k+1) = F(k)^2 + F(k+1)^2.
    """
    this, following = 0, 1
    for bit in f"{n:b}":
        doubled = this * (2 * following - this)
        after = this * this + following * following
        this, following = (doubled, after) if bit == "0" else (after, doubled + after)
    return this


def _whole(name: str, text: str, lowest: int, highest: int) -> int:
    """
    @return: A number that was asked for.
    @raise HTTPError: It is none, or out of bounds.
    """
    try:
        return integerBetween(lowest, highest)(text)
    except ValueError as error:
        raise HTTPError(400, f"{name} must be {error}.") from None


def _seconds(text: str) -> float:
    """
    @return: Seconds, in whole ones or with decimals.
    @raise HTTPError: It is none, or out of bounds.
    """
    whole, _, decimals = text.partition(".")
    digits = (whole + decimals).isdigit() and text.isascii() and len(text) < 20
    if not digits or float(text) > LONGEST_DELAY:
        raise HTTPError(400, f"SECONDS must be a number from 0 to {LONGEST_DELAY}.")
    return float(text)
