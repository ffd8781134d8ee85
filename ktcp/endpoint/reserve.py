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
from errno import EMFILE
from typing import Any

from ktcp.endpoint.episodes import Episode

# Seconds for which a listener is left alone when not even sending clients away
# is possible: the whole system is out of descriptors or memory (ENFILE, ENOBUFS,
# ENOMEM).  They wait in its queue meanwhile.
REST = 0.1

# Clients sent away in one turn of the reactor.
BATCH = 64


class Reserve:
    """
    A descriptor kept for accepting those who have to be sent away.

    @ivar shed: How many were.
    """

    def __init__(self) -> None:
        self.shed = Episode(
            "ktcp: cannot accept: {why}; clients are sent away",
            "ktcp: accepting again; {count} clients were sent away",
        )
        self._spare: int | None = None

    def keep(self) -> None:
        """
        Have it, if that is possible.
        """
        if self._spare is None:
            with suppress(OSError):
                self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def meet(
        self, error: OSError, accept: Callable[[], tuple[socket.socket, Any]], clock: Any
    ) -> bool:
        """
        Send clients away.

        @param error: What C{accept} failed with.
        @param clock: An C{IReactorTime}, the reactor that is counted for.
        @return: Whether that is possible; if not, try again after L{REST}.
        """
        self.shed.begin(clock, why=error.strerror)
        self.keep()
        if error.errno != EMFILE or self._spare is None:
            return False
        os.close(self._spare)
        self._spare = None
        counters = getattr(clock, "counters", None)
        # Until nobody is left, or somebody else has taken what was kept.
        with suppress(OSError):
            for _ in range(BATCH):
                accept()[0].close()
                self.shed.count += 1
                if counters is not None:
                    counters.turnedAway("shortage")
        self.keep()
        return True
