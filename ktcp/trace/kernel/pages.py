# -*- test-case-name: ktcp.test.test_trace_kernel_pages -*-
"""
Pages of the kernel's ring buffer, as read from C{trace_pipe_raw}, into
records.  Pure, little-endian, and ready for any bytes: every turn of the loop
takes at least four bytes off the page.

A page is a time, a length and records; a record has a word with its length in
5 bits and the nanoseconds since the one before in 27 (C{events/header_event};
C{include/linux/ring_buffer.h} has the special lengths).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ktcp.trace.kernel.formats import Layout, PageLayout, Values

# The lengths that are none.
_PADDING, _TIME_EXTEND, _TIME_STAMP = 29, 30, 31
# An absolute time has 59 bits, which nanoseconds since 1970 outgrew in 1988: the page has the rest.
_STAMP_BITS = 59
# Bits of the length of a page: events were lost before it; their number follows its data.
_MISSED, _MISSED_STORED = 1 << 31, 1 << 30
_LENGTH = (1 << 30) - 1

_WORD = struct.Struct("<I")
_TIME = struct.Struct("<Q")
# What each record begins with: type, flags, preempt count, pid.
_COMMON = struct.Struct("<HBBi")
_STACK = struct.Struct("<8xi")

# Interrupts nest in a few levels only; beyond them a stack was lost.
_DEEPEST = 16

# Of the flags of a record (linux/trace_events.h).
HARDIRQ, SOFTIRQ = 0x08, 0x10


@dataclass
class Record:
    """
    A tracepoint that was hit.

    @ivar flags: C{HARDIRQ}, C{SOFTIRQ} and others.
    @ivar stack: Return addresses, innermost first; empty if none was recorded.
    """

    time: int
    cpu: int
    pid: int
    flags: int
    name: str
    values: Values
    stack: tuple[int, ...] = ()


def parsePage(page: bytes, layout: PageLayout) -> tuple[list[tuple[int, bytes]], int]:
    """
    Take a page apart.

    @return: Times and records, in order; and how many events were lost before
        them: at least one where the kernel does not say how many.
    """
    if len(page) < layout.data:
        return [], 0
    (time,) = _TIME.unpack_from(page)
    commit = int.from_bytes(page[layout.commit : layout.commit + layout.commitSize], "little")
    end = min(layout.data + (commit & _LENGTH), len(page))
    missed = 0
    if commit & _MISSED:
        missed = 1
        if commit & _MISSED_STORED and end + 8 <= len(page):
            missed = max(_TIME.unpack_from(page, end)[0], 1)
    return list(_recordsOf(page, layout.data, end, time)), missed


def _recordsOf(page: bytes, at: int, end: int, time: int) -> Iterator[tuple[int, bytes]]:
    """
    The records between two places of a page.
    """
    while at + 4 <= end:
        (head,) = _WORD.unpack_from(page, at)
        kind, delta = head & 31, head >> 5
        at += 4
        if 1 <= kind < _PADDING:
            time += delta
            size = kind * 4
            if at + size > end:
                return
            yield time, page[at : at + size]
            at += size
            continue
        if at + 4 > end:
            return
        (more,) = _WORD.unpack_from(page, at)
        if kind == 0:
            # The length counts the word that holds it.
            time += delta
            if more < 4 or at + more > end:
                return
            yield time, page[at + 4 : at + more]
            at += (more + 3) & ~3
        elif kind == _TIME_EXTEND:
            time += (more << 27) + delta
            at += 4
        elif kind == _TIME_STAMP:
            stamp = (more << 27) + delta
            time = (time >> _STAMP_BITS << _STAMP_BITS) | stamp
            at += 4
        elif delta == 0:
            # Padding to the end of the page.
            return
        else:
            # A record that was discarded after it had been written.
            time += delta
            at += (more + 3) & ~3 or 4


class Decoder:
    """
    Pages into L{Record}s, with their stacks.

    @ivar missed: Events that the pages say were lost.
    @ivar unknown: Records that were too short or of no known type.
    """

    def __init__(self, layout: PageLayout, layouts: Mapping[int, Layout], stackID: int) -> None:
        """
        @param layouts: By the type that records begin with.
        @param stackID: The type of the record that carries a stack.
        """
        self.missed = 0
        self.unknown = 0
        self._layout = layout
        self._layouts = layouts
        self._stackID = stackID

    def decode(self, cpu: int, pages: Iterable[bytes]) -> list[Record]:
        """
        Decode all the pages of one processor, in the order read.
        """
        records: list[Record] = []
        waiting: list[Record] = []
        for page in pages:
            items, missed = parsePage(page, self._layout)
            if missed:
                self.missed += missed
                waiting.clear()
            for time, data in items:
                self._take(time, cpu, data, records, waiting)
        return records

    def _take(
        self, time: int, cpu: int, data: bytes, records: list[Record], waiting: list[Record]
    ) -> None:
        """
        Take one record: an event, or the stack of one before.

        A stack follows its event, but an interrupt may put its own pair
        between the two: so the last event without a stack gets it.
        """
        if len(data) < _COMMON.size:
            self.unknown += 1
            return
        kind, flags, _, pid = _COMMON.unpack_from(data)
        if kind == self._stackID:
            if waiting:
                waiting.pop().stack = _addresses(data)
            return
        layout = self._layouts.get(kind)
        values = None if layout is None else layout.read(data)
        if layout is None or values is None:
            self.unknown += 1
            return
        record = Record(time, cpu, pid, flags, layout.name, values)
        records.append(record)
        waiting.append(record)
        if len(waiting) > _DEEPEST:
            del waiting[0]


def _addresses(data: bytes) -> tuple[int, ...]:
    """
    The return addresses in a stack's record.
    """
    if len(data) < 16:
        return ()
    (count,) = _STACK.unpack_from(data)
    count = max(0, min(count, (len(data) - 16) // 8))
    return struct.unpack_from(f"<{count}Q", data, 16)
