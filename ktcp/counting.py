# -*- test-case-name: ktcp.test.test_dmesg -*-
"""
Counting while the service runs: L{ktcp.reactor} folds its counters by itself, with
any other reactor it is done here, now and then.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import LoopingCall

from ktcp.counters import Counters

# Seconds between two looks at what was counted, with a reactor that has no turns.
_INTERVAL = 0.25


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
