# -*- test-case-name: ktcp.test.test_counters -*-
"""
What is counted, and where: one table, a row of memory for each process, sums.

khttpd counts with C{TRACE(recvmsg)}, an atomic add on a variable of the module,
and prints them when it is unloaded.  Here every process has a L{Row} of its own,
so that nothing needs to be atomic; with workers the rows lie in memory that the
parent holds too (L{ktcp.workers.ledger}), so that it sees the sum at any time, and
what a worker counted before it was killed is kept.

An add to shared memory costs Python some 60 ns, and to an attribute 10.  So what
happens with each request is added to attributes of L{Counters}, and L{Counters.fold}
puts them into the row: L{ktcp.reactor} calls it before it sends the answers of a
turn and before it waits, and L{ktcp.endpoint} C{foldAnswered} before it sends one.
An answer that a client has seen is therefore in the row, whatever becomes of the
process; of reads and sends a kill can lose those of the current turn.  Everything
rare is added at once.

Pure: nothing here opens, prints or knows a reactor.  L{Snapshot} is for readers.
"""

# Longer than other modules: the table, who counts by it and who reads it have one layout of
# slots between them, and an added counter is an edit of this file alone.

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from errno import EMFILE, ENFILE, ENOBUFS, ENOMEM
from time import perf_counter
from typing import Any, NamedTuple

# A row of numbers: whatever memoryview.cast("q") gives.
Row = memoryview

SLOT = 8

# Seconds.  The upper bounds of a histogram's buckets, the last of which has none:
# from a fast handler's time to what people give up on, three to a decade.
BOUNDS = (
    *(0.00005, 0.0001, 0.00025, 0.0005),
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0),
)

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "other", "unread")
STATUSES = ("none", "2xx", "3xx", "4xx", "5xx")

PARSE_ERRORS = {
    400: "malformed",
    413: "body-too-large",
    414: "target-too-long",
    417: "expectation",
    431: "head-too-large",
    501: "not-implemented",
    505: "version",
}

# Those of ktcp.http.limits that end something, of connections, and of what waits in memory.
LIMITS = (
    *("head", "target", "body", "drain"),
    *("headTime", "idle", "bodyRate", "handlerTime", "stall", "linger"),
    *("requests", "connections", "buffers"),
)

# Who turns connections away; see ktcp.endpoint.
TURNED_AWAY = ("tls", "proxy", "shortage")

# How connections end; killed ones are the parent's to count.
REASONS = ("done", "lost", "aborted", "other", "killed")


class Family(NamedTuple):
    """
    Counters of one name.

    @ivar name: As khttpd's C{dmesg} has it.
    @ivar meaning: One sentence.
    @ivar labels: What tells the counters apart.
    @ivar series: The values of the labels, of each counter.
    @ivar isTimed: A histogram: a slot for each bucket, and one for the sum in ns.
    """

    name: str
    meaning: str
    labels: tuple[str, ...] = ()
    series: tuple[tuple[str, ...], ...] = ((),)
    isTimed: bool = False

    @property
    def slots(self) -> int:
        """
        How many slots of a row it has.
        """
        return len(BOUNDS) + 2 if self.isTimed else len(self.series)


def _kinds(values: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    return tuple((value,) for value in values)


FAMILIES = (
    # khttpd's own seven.
    Family("accept_err", "Connections that accept(2) could not give."),
    Family("cthread_err", "Workers that ended before they served; khttpd: threads not made."),
    Family(
        "kmalloc_err",
        "Those of accept_err for which memory or descriptors were short; khttpd: no buffer.",
    ),
    Family("recvmsg", "Reads that brought bytes."),
    Family("sendmsg", "Sends that took bytes, sendfile(2) included."),
    Family("send_err", "Sends that failed, other than for a full buffer."),
    Family("recv_err", "Reads that failed, most of them by the peer's reset."),
    # What people expect beyond.
    Family("bytes_in", "Bytes read from connections; of TLS, what was in it."),
    Family("bytes_out", "Bytes that the kernel took to send; of TLS, what was in it."),
    Family(
        "requests",
        "HTTP requests by method and class of status, counted as the head of the answer is made; "
        "none: the client left before, unread: what came was no request.",
        ("method", "status"),
        tuple((method, status) for method in METHODS for status in STATUSES),
    ),
    Family(
        "heads_read",
        "Heads of requests that were parsed; the rest of the requests were met in a memo.",
    ),
    Family(
        "parse_errors",
        "What came was refused before a handler saw it, or while it read the body.",
        ("kind",),
        _kinds([*PARSE_ERRORS.values(), "other"]),
    ),
    Family("limits", "Limits that ended something, by name.", ("kind",), _kinds(LIMITS)),
    Family(
        "turned_away",
        "Connections that ended before they were one: tls, in the handshake; proxy, without a "
        "PROXY header from who is trusted; shortage, for want of a descriptor.",
        ("kind",),
        _kinds(TURNED_AWAY),
    ),
    Family("worker_restarts", "Workers started in the place of another."),
    Family(
        "handler_seconds",
        "Time until handlers answered that did so by a Deferred or a coroutine.",
        isTimed=True,
    ),
    Family(
        "response_seconds",
        "Time from the reading of a request until its answer was handed to the kernel; "
        "for one that was answered at once, of the whole turn it was answered in.",
        isTimed=True,
    ),
)


def _starts(families: Sequence[Family]) -> dict[str, int]:
    starts = {}
    at = 0
    for family in families:
        starts[family.name] = at
        at += family.slots
    return starts


_FIXED = _starts(FAMILIES)
_ACCEPT_ERR = _FIXED["accept_err"]
_KMALLOC_ERR = _FIXED["kmalloc_err"]
_RECVMSG = _FIXED["recvmsg"]
_SENDMSG = _FIXED["sendmsg"]
_BYTES_IN = _FIXED["bytes_in"]
_BYTES_OUT = _FIXED["bytes_out"]
_REQUESTS = _FIXED["requests"]
_PARSE_ERRORS = _FIXED["parse_errors"]
_LIMITS = {kind: _FIXED["limits"] + at for at, kind in enumerate(LIMITS)}

_TURNED_AWAY = {kind: _FIXED["turned_away"] + at for at, kind in enumerate(TURNED_AWAY)}

CTHREAD_ERR = _FIXED["cthread_err"]
SEND_ERR = _FIXED["send_err"]
RECV_ERR = _FIXED["recv_err"]
HEADS_READ = _FIXED["heads_read"]
WORKER_RESTARTS = _FIXED["worker_restarts"]
HANDLER_SECONDS = _FIXED["handler_seconds"]
RESPONSE_SECONDS = _FIXED["response_seconds"]

# Errors of accept(2) that leave the client in the queue.
SHORTAGES = frozenset((EMFILE, ENFILE, ENOBUFS, ENOMEM))

# Where requests of a method are counted; the class of the status is added to it.
_ROWS = {method.encode(): _REQUESTS + at * len(STATUSES) for at, method in enumerate(METHODS[:-2])}
_OTHER = _REQUESTS + METHODS.index("other") * len(STATUSES)
UNREAD = _REQUESTS + METHODS.index("unread") * len(STATUSES)


def methodRow(method: bytes) -> int:
    """
    @return: The slot of requests with a method that were not answered.
    """
    return _ROWS.get(method, _OTHER)


def statusColumn(status: int) -> int:
    """
    @return: What to add to that for an answer.
    """
    return status // 100 - 1


class Layout:
    """
    Which slot of a row is what: the fixed families, then those of connections, for
    the protocols there are.

    @ivar families: All.
    @ivar starts: The first slot of each, by name.
    @ivar size: Slots of a row.
    """

    def __init__(self, protocols: Sequence[str] = ()) -> None:
        self.protocols = tuple(protocols)
        self.families = (
            *FAMILIES,
            Family(
                "accepted",
                "Connections accepted and let in.",
                ("protocol",),
                _kinds(self.protocols),
            ),
            Family(
                "closed",
                "Connections that ended: done, by a FIN of either side; lost, by an error; "
                "aborted, by our reset; killed, with their worker.",
                ("protocol", "reason"),
                tuple((name, reason) for name in self.protocols for reason in REASONS),
            ),
        )
        self.starts = _starts(self.families)
        self.size = sum(family.slots for family in self.families)

    def closedSlot(self, protocol: int, reason: str) -> int:
        """
        @param protocol: Its place in C{protocols}.
        """
        return self.starts["closed"] + protocol * len(REASONS) + REASONS.index(reason)


class Counters:
    """
    What one process counts.  It is given to C{HTTPFactory(counters=...)}, and with
    L{attach} to the reactor, where L{ktcp.endpoint}'s connections find it.

    @ivar reads: Reads that brought bytes since L{fold}, and C{bytesIn} their bytes.
    @ivar sends: Sends that took bytes since L{fold}, and C{bytesOut} their bytes.
    @ivar began: When the reactor's turn began, as L{perf_counter} tells it.
    @ivar answered: The slots of requests that were answered at once since then.
    @ivar count: Called with the slot of each request that was answered at once.
    """

    __slots__ = (
        "answered",
        "began",
        "bytesIn",
        "bytesOut",
        "count",
        "layout",
        "reads",
        "row",
        "sends",
    )

    def __init__(self, layout: Layout | None = None, row: Row | None = None) -> None:
        """
        @param layout: Which counters there are; if not given, those without protocols.
        @param row: Where to count; if not given, in memory of this process.
        """
        self.layout = layout or Layout()
        if row is None:
            row = memoryview(bytearray(self.layout.size * SLOT)).cast("q")
        self.row = row
        self.reads = self.bytesIn = self.sends = self.bytesOut = 0
        self.began = 0.0
        self.answered: list[int] = []
        self.count: Callable[[int], None] = self.add

    def attach(self, reactor: Any) -> bool:
        """
        Count a reactor's connections.

        @return: Whether it folds by itself, as L{ktcp.reactor} does.  With another
            L{fold} is to be called now and then.
        """
        folds = hasattr(type(reactor), "counters")
        if folds:
            self.count = self.answered.append
        reactor.counters = self
        return folds

    def turn(self) -> float:
        """
        When the turn of the reactor began, or now if nobody says.
        """
        return self.began or perf_counter()

    def add(self, slot: int) -> None:
        """
        Count something that is rare.
        """
        self.row[slot] += 1

    def fold(self) -> None:
        """
        Put into the row what was counted beside it.
        """
        row = self.row
        if self.reads:
            row[_RECVMSG] += self.reads
            row[_BYTES_IN] += self.bytesIn
            self.reads = self.bytesIn = 0
        if self.sends:
            row[_SENDMSG] += self.sends
            row[_BYTES_OUT] += self.bytesOut
            self.sends = self.bytesOut = 0
        if self.answered:
            self.foldAnswered()

    def foldAnswered(self) -> None:
        """
        Put the answers there, before one of them is sent.
        """
        row, answered = self.row, self.answered
        times = len(answered)
        if times == 1:
            row[answered[0]] += 1
        else:
            # Mostly of one or two kinds, and C compares them.
            for slot in set(answered):
                row[slot] += answered.count(slot)
        self.observe(RESPONSE_SECONDS, perf_counter() - self.began, times)
        answered.clear()

    def observe(self, histogram: int, seconds: float, times: int = 1) -> None:
        """
        Put a time into a histogram.

        @param histogram: Its first slot, such as L{HANDLER_SECONDS}.
        @param seconds: How long it took.
        @param times: How often it took that.
        """
        self.row[histogram + bisect_left(BOUNDS, seconds)] += times
        self.row[histogram + len(BOUNDS) + 1] += int(seconds * 1e9) * times

    def acceptFailed(self, number: int | None) -> None:
        """
        accept(2) has failed.

        @param number: Of the error.
        """
        self.add(_ACCEPT_ERR)
        if number in SHORTAGES:
            self.add(_KMALLOC_ERR)

    def refused(self, status: int) -> None:
        """
        What came was no request, or not its body.

        @param status: Of the answer.
        """
        names = list(PARSE_ERRORS)
        self.add(_PARSE_ERRORS + (names.index(status) if status in PARSE_ERRORS else len(names)))

    def limited(self, kind: str) -> None:
        """
        A limit has ended something.

        @param kind: One of L{LIMITS}.
        """
        self.add(_LIMITS[kind])

    def turnedAway(self, kind: str) -> None:
        """
        A connection has ended before it was one.

        @param kind: One of L{TURNED_AWAY}.
        """
        self.add(_TURNED_AWAY[kind])

    def snapshot(self) -> Snapshot:
        """
        What was counted until now.
        """
        self.fold()
        return Snapshot(self.layout, list(self.row[: self.layout.size]))


class Census:
    """
    Counts the connections of one protocol.
    """

    def __init__(self, counters: Counters, protocol: int) -> None:
        """
        @param protocol: Its place in the layout.
        """
        self._row = counters.row
        self._accepted = counters.layout.starts["accepted"] + protocol
        self._ended = {reason: counters.layout.closedSlot(protocol, reason) for reason in REASONS}

    def accepted(self) -> None:
        """
        There is one more.
        """
        self._row[self._accepted] += 1

    def ended(self, reason: str) -> None:
        """
        There is one less.

        @param reason: One of L{REASONS}.
        """
        self._row[self._ended[reason]] += 1


@dataclass(frozen=True)
class Histogram:
    """
    How long something took, as counts of times between bounds.

    @ivar buckets: How many there were up to each of L{BOUNDS} and above the one before,
        and beyond the last.
    @ivar sum: Seconds, of all.
    """

    buckets: Sequence[int]
    sum: float

    @property
    def count(self) -> int:
        """
        How many there were.
        """
        return sum(self.buckets)

    def quantile(self, share: float) -> float | None:
        """
        @param share: From 0 to 1.
        @return: The bound in seconds that so many were not above, the largest for
            what is beyond it; L{None} where there were none.
        """
        wanted = self.count * share
        seen = 0
        for bound, number in zip((*BOUNDS, BOUNDS[-1]), self.buckets, strict=True):
            seen += number
            if number and seen >= wanted:
                return bound
        return None


@dataclass(frozen=True)
class Snapshot:
    """
    Counters as they were at one moment.

    @ivar layout: Which value is what.
    @ivar values: A number for each slot of the layout.
    """

    layout: Layout
    values: Sequence[int]

    def plus(self, other: Snapshot) -> Snapshot:
        """
        The sum of two.
        """
        summed = [mine + its for mine, its in zip(self.values, other.values, strict=True)]
        return Snapshot(self.layout, summed)

    def minus(self, other: Snapshot) -> Snapshot:
        """
        What came since another.
        """
        left = [mine - its for mine, its in zip(self.values, other.values, strict=True)]
        return Snapshot(self.layout, left)

    def value(self, name: str, *labels: str) -> int:
        """
        @param name: Of a L{Family}.
        @param labels: Values of its labels, from the first on.
        @return: The sum of all counters that have them.
        """
        return sum(value for series, value in self.series(name) if series[: len(labels)] == labels)

    def series(self, name: str) -> Iterator[tuple[tuple[str, ...], int]]:
        """
        Each counter of a family: the values of its labels, and its own.
        """
        start = self.layout.starts[name]
        family = next(each for each in self.layout.families if each.name == name)
        yield from zip(family.series, self.values[start : start + family.slots], strict=True)

    def histogram(self, name: str) -> Histogram:
        """
        A family of times.
        """
        start = self.layout.starts[name]
        *buckets, nanoseconds = self.values[start : start + len(BOUNDS) + 2]
        return Histogram(buckets, nanoseconds / 1e9)

    def open(self, protocol: str) -> int:
        """
        How many connections there are.
        """
        return self.value("accepted", protocol) - self.value("closed", protocol)

    def lines(self) -> Iterator[str]:
        """
        As khttpd prints them: its own seven and the other plain ones in any case, one of
        many labels if it is not 0.
        """
        for family in self.layout.families:
            if family.isTimed:
                histogram = self.histogram(family.name)
                yield f"ktcp: {family.name} count : {histogram.count}"
                yield f"ktcp: {family.name} sum : {histogram.sum:.6f}"
                continue
            for labels, value in self.series(family.name):
                if value or not labels:
                    yield f"ktcp: {' '.join((family.name, *labels))} : {value}"
