# -*- test-case-name: ktcp.test.test_http_limits -*-
"""
Every size and time that bounds an HTTP connection: unit, default and reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ktcp.parameters import Parameter, integerBetween, seconds

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True)
class Limits:
    """
    The bounds of one connection.  Frozen: many connections share one.

    Times are met within a second (L{ktcp.http.deadlines}).

    @ivar head: Bytes of a request's head, from the request line to the empty line, and of
        the trailers of a body; beyond, C{431} and the connection closes.  h11 and IIS take
        as much, tomcat 8 KiB, node.js 80.
    @ivar headers: Header lines of a request, each of which costs time however short it is;
        beyond, C{431} and the connection closes.  Apache takes as many.
    @ivar target: Bytes of a request's target; beyond, C{414} and the connection closes.
        RFC 9112, 3 asks for 8000 at least.
    @ivar body: Bytes of a body that C{request.body.read()} collects in memory; beyond,
        C{413}, before C{100 Continue} where its length is told.  A handler may name another
        bound, and one that takes the body in pieces has none.  nginx takes as much.
    @ivar readAhead: Bytes taken from a client before they are wanted: pipelined requests
        behind one that is being answered, a body whose reader is slow.  Beyond, TCP makes
        the client wait.  One read of 32 KiB may go past it.
    @ivar drain: Bytes of a body that nobody reads that are dropped to keep the connection,
        which is less than a new one costs; beyond, C{Connection: close} where it is known
        beforehand, and the connection closes.
    @ivar batch: Bytes of answers to pipelined requests that are gathered for one write.
    @ivar requests: Requests of one connection; the last answer says C{Connection: close},
        and requests behind it are dropped, to be sent again.  A connection stays with the
        process that accepted it, so its end is what gives new workers their share.  Nothing
        in ktcp grows with it, and each end costs the client a connect, hence more than
        nginx's 1000.
    @ivar headTime: Seconds from a head's first byte, or the beginning of the connection, to
        its last byte, however it trickles; beyond, C{408} and the connection closes, without
        a word where nothing came.  Apache takes as long.
    @ivar idle: Seconds for which a connection is of no use between two requests; then it
        closes.  nginx waits as long.
    @ivar bodyRate: Bytes a second with which a body comes on the average, while its reader
        waits; below, C{408} and the connection closes.  As Apache's.
    @ivar bodyGrace: Seconds that a body has beyond its rate, for a slow start.  As Apache's.
    @ivar handlerTime: Seconds from a request to its handler's answer, not counting those for
        which it waits for the body; beyond, C{503}, the handler is cancelled and the
        connection closes.  Who waits for so long has left; nginx gives up on an upstream
        after as much.
    @ivar stall: Seconds for which a client takes nothing of what it was sent; beyond, a
        reset.  nginx waits as long.
    @ivar linger: Seconds for which a connection that is closed early still takes bytes, and
        drops them, so that the answer is not reset away (RFC 9112, 9.6); FIN is sent at once.
    """

    head: int = 16 * KIB
    headers: int = 100
    target: int = 8 * KIB
    body: int = 1 * MIB
    readAhead: int = 64 * KIB
    drain: int = 64 * KIB
    batch: int = 64 * KIB
    requests: int = 100_000
    headTime: float = 20.0
    idle: float = 75.0
    bodyRate: float = 500.0
    bodyGrace: float = 20.0
    handlerTime: float = 60.0
    stall: float = 60.0
    linger: float = 2.0

    def __post_init__(self) -> None:
        """
        @raise ValueError: A limit is not positive.
        """
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise ValueError(f"limit {field.name} must be more than 0")


# For --help: of each limit the unit, and what it bounds.
_OPTIONS = {
    "head": ("BYTES", "of a request's head, from the request line to the empty line; 431 beyond"),
    "headers": ("COUNT", "of header lines of a request; 431 beyond"),
    "target": ("BYTES", "of a request's target; 414 beyond"),
    "body": ("BYTES", "of a body that a handler reads whole; 413 beyond"),
    "readAhead": ("BYTES", "taken from a client before they are wanted"),
    "drain": ("BYTES", "of an unread body that are dropped to keep the connection"),
    "batch": ("BYTES", "of answers to pipelined requests that are gathered for one write"),
    "requests": ("COUNT", "of requests of a connection; the last answer closes it"),
    "headTime": ("SECONDS", "for a request's head to come, however it trickles; 408 beyond"),
    "idle": ("SECONDS", "for which a connection may be of no use between requests"),
    "bodyRate": ("BYTES", "a second that a body must come with on the average; 408 below"),
    "bodyGrace": ("SECONDS", "that a body has beyond its rate"),
    "handlerTime": ("SECONDS", "for a handler to answer; 503 beyond"),
    "stall": ("SECONDS", "for which a client may read nothing; reset beyond"),
    "linger": ("SECONDS", "for which a connection that ends early still takes bytes"),
}


def _optionOf(name: str) -> str:
    return "limit-" + re.sub("[A-Z]", lambda capital: f"-{capital[0].lower()}", name)


# An option for each limit, such as --limit-head-time.
PARAMETERS = tuple(
    Parameter(
        _optionOf(field.name),
        f"{unit.capitalize()} {bounds}.",
        field.default,
        seconds if isinstance(field.default, float) else integerBetween(1, 2**40),
        unit,
    )
    for field in fields(Limits)
    for unit, bounds in [_OPTIONS[field.name]]
)


def limitsOf(parameters: Mapping[str, Any]) -> Limits:
    """
    @param parameters: The values of L{PARAMETERS}, by their names.
    """
    return Limits(**{field.name: parameters[_optionOf(field.name)] for field in fields(Limits)})
