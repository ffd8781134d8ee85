# -*- test-case-name: ktcp.test.test_drain -*-
"""
How connections end when what serves them stops: those that know how to
(L{IDrainable}) end what is under way, the others are closed with what they
have written, and who has not ended in time is reset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ktcp.interfaces import IDrainable

_log = Logger()

# Seconds from the last connection's end to being told of it, at most.  Looked
# for, because being told by each connection would cost all of them something.
LOOK_EVERY = 0.05


class Drain:
    """
    The end of some connections.
    """

    def __init__(
        self, connections: Callable[[], Iterable[Any]], clock: Any, timeout: float
    ) -> None:
        """
        @param connections: Gives their protocols, and perhaps some whose connection
            has ended, or has yet to begin.
        @param clock: An C{IReactorTime}.
        @param timeout: Seconds.
        """
        self._connections = connections
        self._clock = clock
        self._timeout = timeout
        self._deadline = 0.0
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock

    def begin(self) -> Deferred[Any]:
        """
        End the connections.

        @return: Fires when none is left.
        """
        for protocol in self._open():
            if IDrainable.providedBy(protocol):
                protocol.drain()
            else:
                # A transport waits for its producer, who may never end.
                protocol.transport.unregisterProducer()
                protocol.transport.loseConnection()
        self._deadline = self._clock.seconds() + self._timeout
        return self._looking.start(LOOK_EVERY)

    def hurry(self) -> None:
        """
        Wait no longer.
        """
        self._deadline = self._clock.seconds()

    def _look(self) -> None:
        left = self._open()
        if left and self._clock.seconds() >= self._deadline:
            _log.warn("ktcp: {count} connections had not ended; they are reset", count=len(left))
            for protocol in left:
                # What carries one says whether it can be reset: most can.
                end = getattr(protocol.transport, "abortConnection", None)
                (end or protocol.transport.loseConnection)()
            left = []
        if not left:
            self._looking.stop()

    def _open(self) -> list[Any]:
        """
        @return: The protocols that have a connection.
        """
        return [each for each in self._connections() if _isOpen(each.transport)]


def _isOpen(transport: Any) -> bool:
    """
    Whether a transport has a connection.

    A wrapper of another, as TLS and PROXY are, is C{connected} for ever, being a
    protocol; but C{disconnected} it has from what it wraps.
    """
    isConnected = bool(getattr(transport, "connected", transport is not None))
    return isConnected and not getattr(transport, "disconnected", False)
