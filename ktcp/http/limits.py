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

    @ivar head: Bytes of a request head, from the request line to the empty
        line (431 beyond).  h11 and IIS take 16 KiB, tomcat 8, node.js 80.
    @ivar headers: Header lines of a request (431 beyond).  Apache takes 100.
    @ivar target: Bytes of a request target (414 beyond).  RFC 9112, 3 asks for
        8000 at least.
    @ivar body: Bytes of a body that C{request.body.read()} collects when the
        handler names no bound of its own (413 beyond).  nginx takes 1 MiB.
    @ivar readAhead: Bytes taken from a client before they are wanted, while
        an earlier request is answered or a body waits for its reader; the
        connection is not read beyond.  One read of the transport can go past
        it once.
    @ivar drain: Bytes of a body nobody read that are discarded to keep the
        connection; beyond, it is closed.
    @ivar batch: Bytes of answers to pipelined requests that are gathered for
        one write.
    @ivar requests: Requests of one connection; the answer to the last says
        C{Connection: close}.  A connection stays with the process that accepted
        it, so this is what lets grown or reloaded servers have their share.
        Nothing here grows with it, and each end costs the client a connect, so
        it is much: nginx takes 1000, and Apache 100.
    @ivar headTime: Seconds from the first byte of a head, or from the
        connection's beginning, to its last, however it trickles (408 if a part
        came, else closed without a word).  Apache takes 20 for a head.
    @ivar idle: Seconds for which a connection may be of no use between two
        requests.  nginx takes 75.
    @ivar bodyRate: Bytes a second that a body is to come with, on the average,
        while its reader waits (408 below), and
    @ivar bodyGrace: seconds that it has beyond.  Apache's are 500 and 20.
    @ivar handlerTime: Seconds for a handler to answer (503 and cancellation
        beyond); those for which it waits for the body do not count.
    @ivar stall: Seconds for which a client may take nothing of what it was
        sent; the connection is reset beyond.  nginx takes 60.
    @ivar linger: Seconds for which a connection that is closed early still
        takes (and drops) bytes, so that the answer is not reset away
        (RFC 9112, 9.6).

    Times are met within a second (L{ktcp.http.deadlines}).
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
