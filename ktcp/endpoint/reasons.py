# -*- test-case-name: ktcp.test.test_endpoint_reasons -*-
"""
Why connections end.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure


class KnownFailure(Failure):
    """
    A reason that many connections end for: what it is asked once, it knows from
    then on (C{bench/micro/connection_path.py}; Twisted's transports and protocols
    ask each L{check} for every connection).
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self._known: dict[tuple[Any, ...], Any] = {}

    def check(self, *errorTypes: Any) -> Any:
        """
        See L{Failure.check}.
        """
        known = self._known
        if errorTypes not in known:
            known[errorTypes] = super().check(*errorTypes)
        return known[errorTypes]


# A connection was closed, by who said so.
DONE = KnownFailure(CONNECTION_DONE)
