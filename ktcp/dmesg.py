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

from twisted.logger import Logger

from ktcp.counters import Snapshot

_log = Logger()


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
