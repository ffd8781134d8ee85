# -*- test-case-name: ktcp.test.test_http_tally -*-
"""
What is counted of requests; see L{ktcp.counters}.

Answers that are given at once, L{ktcp.http.protocol} counts itself.
"""

from __future__ import annotations

from time import perf_counter

from ktcp.counters import HANDLER_SECONDS, RESPONSE_SECONDS, UNREAD, Counters, statusColumn
from ktcp.http.errors import BadRequest, HTTPError
from ktcp.http.message import RequestHead

# The limits that are told by a status of their own.
_SIZES = {414: "target", 431: "head"}


class Tally:
    """
    Counts for the connections of a factory.
    """

    __slots__ = ("_counters",)

    def __init__(self, counters: Counters | None) -> None:
        """
        @param counters: Where; if not given, nothing is counted.
        """
        self._counters = counters

    def waits(self) -> float:
        """
        A request is not answered at once.

        @return: When it came, for the calls that follow; 0: nobody counts.
        """
        return 0.0 if self._counters is None else self._counters.turn()

    def handled(self, came: float) -> None:
        """
        The handler of one that waited is done.
        """
        if self._counters is not None and came:
            self._counters.observe(HANDLER_SECONDS, perf_counter() - came)

    def answered(self, head: RequestHead, status: int) -> None:
        """
        The answer to a request is known; it may be on its way for long.
        """
        if self._counters is not None:
            self._counters.add(head.row + statusColumn(status))

    def complete(self, came: float) -> None:
        """
        All of an answer was written.

        @param came: What L{waits} said; 0: it has not come to that.
        """
        if self._counters is not None:
            came = came or self._counters.turn()
            self._counters.observe(RESPONSE_SECONDS, perf_counter() - came)

    def unanswered(self, head: RequestHead | None) -> None:
        """
        The client has left before the answer.
        """
        if self._counters is not None:
            assert head is not None
            self._counters.add(head.row)

    def refused(self, error: HTTPError, head: RequestHead | None) -> None:
        """
        What came was answered with an error that ends the connection.

        @param head: L{None}: it could not be read.
        """
        counters = self._counters
        if counters is None:
            return
        counters.add((UNREAD if head is None else head.row) + statusColumn(error.status))
        if isinstance(error, BadRequest) and error.status != 408:
            counters.refused(error.status)
            if error.status in _SIZES:
                counters.limited(_SIZES[error.status])

    def limited(self, kind: str) -> None:
        """
        A limit was met.

        @param kind: Its name in L{ktcp.http.limits.Limits}.
        """
        if self._counters is not None:
            self._counters.limited(kind)
