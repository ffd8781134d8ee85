# -*- test-case-name: ktcp.test.test_endpoint_port -*-
"""
Trouble that comes many times at once, in two lines of the log.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger

_log = Logger()

# Seconds between two looks whether it is over.
LENGTH = 5.0


class Episode:
    """
    A kind of trouble: said when it begins, and when it is over with how often
    it came.

    @ivar count: How often it came, ever.
    """

    def __init__(self, begins: str, over: str) -> None:
        """
        @param begins: For the log, with what L{begin} is given.
        @param over: For the log, with C{count}.
        """
        self.count = 0
        self._begins = begins
        self._over = over
        # How often it had come before this episode, and before the last look;
        # and the next look, while there is an episode.
        self._before = 0
        self._looked = 0
        self._look: Any = None

    def begin(self, clock: Any, **fields: object) -> None:
        """
        It begins, or goes on.

        @param clock: An C{IReactorTime}.
        """
        if self._look is None:
            _log.error(self._begins, **fields)
            self._before = self.count
            self._wait(clock)

    def _wait(self, clock: Any) -> None:
        self._looked = self.count
        self._look = clock.callLater(LENGTH, self._isOver, clock)

    def _isOver(self, clock: Any) -> None:
        if self.count > self._looked:
            self._wait(clock)
            return
        self._look = None
        _log.info(self._over, count=self.count - self._before)
