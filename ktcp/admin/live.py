# -*- test-case-name: ktcp.test.test_admin_routes -*-
"""
What the dashboard shows, once a second while anybody looks.

One look is made for all who watch, and each holds the last one only: a browser that does
not take its events misses some, and nothing grows.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from ktcp.admin.facts import Facts, summaryOf
from ktcp.counters import Snapshot

# Browsers that may watch at one time.
WATCHERS = 16
# Seconds between two looks.
INTERVAL = 1.0


class TooMany(Exception):
    """
    So many watch already.
    """


class Live:
    """
    Looks, and tells.
    """

    def __init__(self, facts: Facts, clock: Any) -> None:
        self._facts = facts
        self._clock = clock
        self._waiting: list[Deferred[bytes]] = []
        self._watchers = 0
        self._looking = LoopingCall(self._tell)
        self._looking.clock = clock
        self._before: tuple[float, Snapshot, Mapping[int, Snapshot]] | None = None

    def watch(self) -> AsyncIterator[bytes]:
        """
        @return: Server-sent events, without end.
        @raise TooMany: There is no room for one more.
        """
        if self._watchers >= WATCHERS:
            raise TooMany
        return self._events()

    async def _events(self) -> AsyncIterator[bytes]:
        # Here: an answer to HEAD is never asked for its body.
        self._watchers += 1
        try:
            if not self._looking.running:
                self._before = None
                # Not at once: whoever waits hears of the first look too.
                self._looking.start(INTERVAL, now=False)
            yield b"retry: 2000\n\n" + _event(self.look())
            while True:
                waiting: Deferred[bytes] = Deferred()
                self._waiting.append(waiting)
                yield await waiting
        finally:
            self._watchers -= 1
            if not self._watchers and self._looking.running:
                self._looking.stop()

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            event = _event(self.look())
            for each in waiting:
                if not each.called:
                    each.callback(event)

    def look(self) -> dict[str, Any]:
        """
        What there is to see; rates and latencies are those since the last look, or since
        the start.
        """
        facts = self._facts
        now, snapshot, workers = self._clock.seconds(), facts.snapshot(), facts.workers()
        if self._before is None:
            elapsed, recent, each = max(facts.uptime(), 0.001), snapshot, workers
        else:
            then, before, theirs = self._before
            elapsed = max(now - then, 0.001)
            recent = snapshot.minus(before)
            each = {n: w.minus(theirs[n]) if n in theirs else w for n, w in workers.items()}
        if self._before is None or elapsed >= INTERVAL / 2:
            self._before = now, snapshot, workers
        times = recent.histogram("response_seconds")
        return {
            **facts.describe(),
            **summaryOf(snapshot),
            "rate": round(recent.value("requests") / elapsed, 1),
            "p50": times.quantile(0.5),
            "p90": times.quantile(0.9),
            "p99": times.quantile(0.99),
            "errors": _errors(snapshot),
            "queues": facts.acceptQueues(),
            "workers": [
                {
                    "number": number,
                    **summaryOf(workers[number]),
                    "rate": round(each[number].value("requests") / elapsed, 1),
                }
                for number in workers
            ],
        }


def _errors(snapshot: Snapshot) -> dict[str, int]:
    answered = {
        status: sum(v for labels, v in snapshot.series("requests") if labels[1] == status)
        for status in ("4xx", "5xx", "none")
    }
    return {
        "answers 4xx": answered["4xx"],
        "answers 5xx": answered["5xx"],
        "clients that left": answered["none"],
        "parse errors": snapshot.value("parse_errors"),
        "limits hit": snapshot.value("limits"),
        "accept errors": snapshot.value("accept_err"),
        "read and send errors": snapshot.value("recv_err") + snapshot.value("send_err"),
    }


def _event(data: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"
