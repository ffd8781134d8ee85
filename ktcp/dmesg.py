# -*- test-case-name: ktcp.test.test_dmesg -*-
"""
The counters in the log, as khttpd has them in C{dmesg}: when the service has ended, and
when SIGUSR2 asks for them::

    ktcp: recvmsg : 200046
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ktcp.counters import Counters, Snapshot

_log = Logger()

# Seconds between two looks at what was counted, with a reactor that has no turns.
_INTERVAL = 0.25


def printCounters(read: Callable[[], Snapshot]) -> None:
    """
    Put a line for each counter into the log.
    """
    for line in read().lines():
        _log.info("{line}", line=line)


def reportCounters(reactor: Any, read: Callable[[], Snapshot]) -> None:
    """
    Have the counters printed on SIGUSR2, and at the end: after the last connection.
    """

    def asked(number: int, frame: object) -> None:
        reactor.callFromThread(printCounters, read)

    reactor.callWhenRunning(signal.signal, signal.SIGUSR2, asked)
    reactor.addSystemEventTrigger("after", "shutdown", printCounters, read)


class Counting:
    """
    Counts a reactor's connections while the service runs.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._folding: LoopingCall | None = None

    def start(self, reactor: Any) -> None:
        """
        Count from now on.
        """
        if not self._counters.attach(reactor) and self._folding is None:
            self._folding = LoopingCall(self._counters.fold)
            self._folding.clock = reactor
            self._folding.start(_INTERVAL)

    def stop(self) -> None:
        """
        The connections that there are count on; nobody looks at a clock for them.
        """
        if self._folding is not None:
            folding, self._folding = self._folding, None
            folding.stop()
            self._counters.fold()
