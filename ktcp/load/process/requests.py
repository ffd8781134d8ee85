# -*- test-case-name: ktcp.test.test_load_process_requests -*-
"""
What a connection asks for, and how it knows that it was answered.

A connection walks a ring of requests by C{next}.  Each knows the bytes of an answer
that passed every check (C{known}): an answer equal to it, byte for byte, is as good,
and the loop need not look at it again.  What differs goes to a reader.
"""

from __future__ import annotations

from typing import Protocol

from ktcp.load.job import Checks
from ktcp.load.process.responses import Answer, AnswerReader, BadAnswer

# Messages of an echo differ: an answer out of turn cannot pass for the right one.
PATTERN_STEPS = 251


class Asked:
    """
    One request.

    @ivar data: The bytes to send.
    @ivar length: Of C{data}.
    @ivar known: An answer that is right, or C{None}.
    @ivar status: Of C{known}.
    @ivar hits: How many answers were equal to C{known} since they were last counted.
    """

    __slots__ = ("data", "hits", "known", "length", "status")

    def __init__(self, data: bytes, known: bytes | None = None) -> None:
        self.data = data
        self.length = len(data)
        self.known = known
        self.status = 0
        self.hits = 0

    @property
    def next(self) -> Asked:
        """
        What to ask for after this.
        """
        raise NotImplementedError


class HTTPRequest(Asked):
    """
    A request of HTTP.

    @ivar isHead: It is HEAD.
    """

    __slots__ = ("isHead", "next")

    next: HTTPRequest

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.isHead = data.startswith(b"HEAD ")
        self.next = self


class Message(Asked):
    """
    An echo's message: the next one is another slice of a pattern.

    It is an object of one connection, whose C{next} is itself, changed.
    """

    __slots__ = ("_pattern", "_step")

    def __init__(self, pattern: bytes, size: int, step: int) -> None:
        self._pattern = pattern
        self._step = step % PATTERN_STEPS
        data = pattern[self._step : self._step + size]
        super().__init__(data, data)

    @property
    def next(self) -> Message:
        self._step = step = (self._step + 1) % PATTERN_STEPS
        self.data = self.known = self._pattern[step : step + self.length]
        return self


class Reader(Protocol):
    """
    How one connection's answers are looked at.
    """

    rest: bytes

    def feed(self, data: bytes, asked: Asked) -> Answer | None:
        """
        Take bytes, and give the answer if they complete it; C{rest} came behind it.

        @raise BadAnswer: They are no answer.
        """

    def closed(self) -> Answer | None:
        """
        Take the end of the connection, and give the answer that it completes, if it does.
        """


class HTTPReader:
    """
    L{AnswerReader} as a L{Reader}.
    """

    def __init__(self, checks: Checks) -> None:
        self._reader = AnswerReader(checks)
        self.closed = self._reader.closed
        self.rest = b""

    def feed(self, data: bytes, asked: Asked) -> Answer | None:
        assert isinstance(asked, HTTPRequest)
        answer = self._reader.feed(data, asked.isHead)
        self.rest = self._reader.rest
        return answer


class EchoReader:
    """
    Looks for the bytes that were sent.
    """

    def __init__(self) -> None:
        self._got = 0
        self.rest = b""

    def feed(self, data: bytes, asked: Asked) -> Answer | None:
        at, due = self._got, asked.length - self._got
        self._got += len(data)
        if not asked.data.startswith(data if len(data) <= due else data[:due], at):
            raise BadAnswer("body", "not the bytes that were sent")
        if self._got < asked.length:
            return None
        self._got = 0
        self.rest = data[due:]
        return Answer(0, None, True)

    def closed(self) -> Answer | None:
        return None


def ring(requests: list[bytes]) -> list[HTTPRequest]:
    """
    Tie requests to a ring, in their order.
    """
    made = [HTTPRequest(data) for data in requests]
    for at, request in enumerate(made):
        request.next = made[(at + 1) % len(made)]
    return made


def patternOf(size: int) -> bytes:
    """
    Make the bytes of which a connection's messages are slices.
    """
    return bytes(
        (i % PATTERN_STEPS * 7 + i // PATTERN_STEPS) & 0xFF for i in range(size + PATTERN_STEPS)
    )
