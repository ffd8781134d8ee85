# -*- test-case-name: ktcp.test.test_endpoint_buffers -*-
"""
The bytes that wait in this process, of all connections together.

Each connection has bounds of its own, on what is read ahead, on a body that is
read whole, on how long a client may take nothing.  Ten thousand times a bound is
still more than the memory there is.  So what waits is added up, where it
waits: what the kernel takes at once never gets here, and costs nothing.

Beyond a ceiling connections are reset until it is met.  Who?  The one that would
add to it did nothing wrong perhaps: others may have filled the rest, who do not
read, and whom nobody would touch.  The largest of all would be fair, but to find
it takes a look at all, and in an attack that would be for every write.  So they
are kept in the order in which their clients last made progress, and the largest
goes of the few that have been stuck for longest and the one that grows.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from ktcp.endpoint.episodes import Episode

# In all, unless said otherwise: 50 KiB for each of as many connections as there
# may be.
CEILING = 512 * 1024 * 1024

# So many that have been stuck for longest are compared.
FEW = 16


def unsent(transport: Any) -> int:
    """
    @return: Bytes that the kernel has not taken yet, of a connection of ktcp's or
        Twisted's, or of what is wrapped around one; 0 where it does not tell.
    """
    while not hasattr(transport, "dataBuffer"):
        transport = getattr(transport, "transport", None)
        if transport is None:
            return 0
    # As abstract.FileDescriptor has it.
    waiting: int = len(transport.dataBuffer) - transport.offset + transport._tempDataLen
    return waiting


class Buffers:
    """
    Adds up.

    @ivar total: Bytes that wait.
    @ivar reset: How many connections were reset.
    """

    def __init__(self) -> None:
        self.total = 0
        self.reset = Episode(
            "ktcp: more than {ceiling} bytes wait in memory; connections are reset",
            "ktcp: less waits in memory again; {count} connections were reset",
        )
        self._ceiling = float("inf")
        self._clock: Any = None
        # By connection, the one that has made no progress for longest first.
        self._held: dict[Any, int] = {}

    def bound(self, ceiling: int, clock: Any) -> None:
        """
        Let no more wait than so many bytes.

        @param clock: An C{IReactorTime}, the reactor that is counted for.
        """
        self._ceiling = ceiling
        self._clock = clock

    def add(self, transport: Any, count: int) -> None:
        """
        More waits for a connection, or, below 0, less.

        @param transport: Has C{abortConnection}, which calls this, or will.
        """
        held = self._held
        before = held.get(transport, 0)
        # One that was reset takes away what is not counted any more.
        after = max(0, before + count)
        if count < 0:
            # Progress: to the end of the line.
            held.pop(transport, None)
        if after:
            held[transport] = after
        self.total += after - before
        if count > 0 and self.total > self._ceiling:
            self._shed(transport)

    def _shed(self, growing: Any) -> None:
        self.reset.begin(self._clock, ceiling=self._ceiling)
        counters = getattr(self._clock, "counters", None)
        while self.total > self._ceiling:
            few = [*islice(self._held, FEW), growing]
            largest = max(few, key=lambda transport: self._held.get(transport, 0))
            self.total -= self._held.pop(largest)
            self.reset.count += 1
            if counters is not None:
                counters.limited("buffers")
            largest.abortConnection()


# A process has one, as it has one memory.
BUFFERS = Buffers()
