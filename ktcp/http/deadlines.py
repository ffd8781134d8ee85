# -*- test-case-name: ktcp.test.test_http_deadlines -*-
"""
Deadlines of many connections, on one timer.

A timer for each connection would be made and cancelled with each request.  Here
a connection only notes when it was last of use, and a wheel of ticks holds it in
the bucket of the tick in which it may be due; when that comes the connection
says until when it may live now, and is let go or put further along.  So a
request costs one assignment, and a connection one look in each of its timeouts,
however many requests it carries.

Most that are given to the wheel are gone by the next tick, or changed.  So they are
only noted, and asked when it comes (C{bench/micro/connection_path.py}).

The wheel turns while it holds anything.  Those whose time has come go a few at a
time, and others are served in between: clients that mean ill come together and are
due together, and with a thousand of them let go at once everybody waited for 100 ms
(C{python -m bench.macro.attack}).
"""

from __future__ import annotations

from collections import deque
from math import ceil
from typing import Any, Protocol

# Seconds.  A deadline is to be met within one second, also when many are due.
TICK = 0.25

# Asked or let go before others are served: about 1 ms.
_SLICE = 8


class Watched(Protocol):
    """
    What a wheel holds.
    """

    def due(self) -> int | None:
        """
        @return: The reading of L{Wheel.now} from which on L{expire} is to be
            called, see L{Wheel.after}; L{None}: nothing is due as things are.
        """

    def expire(self) -> None:
        """
        The time has come.  It is held no more, unless it is watched again.
        """


class Wheel:
    """
    Calls L{Watched.expire}, at most a second after it is due and never before.

    @ivar now: Ticks since the wheel was made, as of its last turn, which was
        less than a tick ago while anything is held.
    @ivar isKept: See L{keepTurning}.
    """

    __slots__ = (
        "_buckets",
        "_call",
        "_places",
        "_reactor",
        "_ripe",
        "_slice",
        "_start",
        "isKept",
        "now",
    )

    # Ticks after which something that had nothing due is asked again.
    _LATER = round(60 / TICK)

    def __init__(self, reactor: Any) -> None:
        """
        @param reactor: An C{IReactorTime}.
        """
        self._reactor = reactor
        self._start = reactor.seconds()
        self._buckets: dict[int, set[Watched]] = {}
        self._places: dict[Watched, int] = {}
        self._call: Any = None
        # Whose bucket's turn has come, and the call that goes on with them.
        self._ripe: deque[Watched] = deque()
        self._slice: Any = None
        self.isKept = False
        self.now = 0

    def after(self, since: int, seconds: float) -> int:
        """
        @param since: What C{now} read at the time, so up to a tick before.
        @return: What it will read when so many seconds have passed.
        """
        return since + ceil(seconds / TICK) + 1

    def watch(self, watched: Watched) -> None:
        """
        Hold something until it expires or is forgotten; or if it is held, ask
        it again, since it may be due sooner than it has said.
        """
        if self._call is None:
            self._schedule()
        place = self.now + 1
        before = self._places.get(watched)
        if before != place:
            if before is not None:
                self._take(watched, before)
            self._put(watched, place)

    def forget(self, watched: Watched) -> None:
        """
        Hold something no more.
        """
        place = self._places.pop(watched, None)
        if place is not None:
            self._take(watched, place)
        if not (self._places or self.isKept):
            self._stop()

    def keepTurning(self, isKept: bool) -> None:
        """
        @param isKept: When nothing is held any more, turn on until the next tick:
            for a server that is open, and whose next connection is about to come.
        """
        self.isKept = isKept
        if not (self._places or isKept):
            self._stop()

    def _put(self, watched: Watched, place: int) -> None:
        self._places[watched] = place
        bucket = self._buckets.get(place)
        if bucket is None:
            self._buckets[place] = {watched}
        else:
            bucket.add(watched)

    def _take(self, watched: Watched, place: int) -> None:
        # The bucket whose turn it is has been taken out as a whole.
        bucket = self._buckets.get(place)
        if bucket is not None:
            bucket.discard(watched)
            if not bucket:
                del self._buckets[place]

    def _schedule(self) -> None:
        passed = self._reactor.seconds() - self._start
        self.now = int(passed / TICK)
        self._call = self._reactor.callLater((self.now + 1) * TICK - passed, self._turn)

    def _stop(self) -> None:
        self._ripe.clear()
        for call in (self._call, self._slice):
            if call is not None:
                call.cancel()
        self._call = self._slice = None

    def _turn(self) -> None:
        before = self.now
        self._schedule()
        # A reactor that was busy has several ticks to make up for.
        for tick in range(before + 1, self.now + 1):
            self._ripe.extend(self._buckets.pop(tick, ()))
        if self._slice is None:
            self._reap()

    def _reap(self) -> None:
        """
        Ask some of those whose tick has come.
        """
        self._slice = None
        ripe = self._ripe
        for watched in [ripe.popleft() for _ in range(min(_SLICE, len(ripe)))]:
            # One that expired before it may have had this one forgotten.
            if self._places.pop(watched, None) is None:
                continue
            due = watched.due()
            if due is None:
                self._put(watched, self.now + self._LATER)
            elif due > self.now:
                self._put(watched, due)
            else:
                watched.expire()
        if not self._places:
            self._stop()
        elif ripe:
            self._slice = self._reactor.callLater(0, self._reap)
