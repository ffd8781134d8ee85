# -*- test-case-name: ktcp.test.test_endpoint_port -*-
"""
What to do with clients whom there is no descriptor for.

Left alone they keep the listening socket readable, and a reactor that is told
so, and can do nothing, spins.  Twisted keeps a descriptor in reserve for it, as
many servers do; its log has a line for each client, and where there is no such
reserve it does spin.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from errno import EMFILE, ENFILE, ENOBUFS, ENOMEM
from typing import Any

from twisted.logger import Logger

_log = Logger()

# Errors of accept(2) that leave the client in the queue.
SHORTAGES = frozenset((EMFILE, ENFILE, ENOBUFS, ENOMEM))

# Seconds between two looks whether it is over.
EPISODE = 5.0

# Seconds for which a listener is left alone when not even sending clients away
# is possible: the whole system is out of descriptors or memory (ENFILE, ENOBUFS,
# ENOMEM).  They wait in its queue meanwhile.
REST = 0.1

# Clients sent away in one turn of the reactor.
BATCH = 64


class Reserve:
    """
    A descriptor kept for accepting those who have to be sent away.

    @ivar shed: How many were, so far.
    """

    def __init__(self) -> None:
        self.shed = 0
        self._spare: int | None = None
        # What was shed before this episode, and before the last look whether it
        # is over; and the next look.
        self._before = 0
        self._looked = 0
        self._look: Any = None

    def keep(self) -> None:
        """
        Have it, if that is possible.
        """
        if self._spare is None:
            with suppress(OSError):
                self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def meet(
        self, error: OSError, accept: Callable[[], tuple[socket.socket, Any]], reactor: Any
    ) -> bool:
        """
        Send clients away, and have the log say so: once when it begins, and when
        it is over how many they were.

        @param error: What C{accept} failed with.
        @return: Whether that is possible; if not, try again after L{REST}.
        """
        if self._look is None:
            _log.error("ktcp: cannot accept: {why}; clients are sent away", why=error.strerror)
            self._before = self.shed
            self._wait(reactor)
        self.keep()
        if error.errno != EMFILE or self._spare is None:
            return False
        os.close(self._spare)
        self._spare = None
        # Until nobody is left, or somebody else has taken what was kept.
        with suppress(OSError):
            for _ in range(BATCH):
                accept()[0].close()
                self.shed += 1
        self.keep()
        return True

    def _wait(self, reactor: Any) -> None:
        self._looked = self.shed
        self._look = reactor.callLater(EPISODE, self._isOver, reactor)

    def _isOver(self, reactor: Any) -> None:
        if self.shed > self._looked:
            self._wait(reactor)
            return
        self._look = None
        count = self.shed - self._before
        _log.info("ktcp: accepting again; {count} clients were sent away", count=count)
