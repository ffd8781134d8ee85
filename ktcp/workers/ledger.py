# -*- test-case-name: ktcp.test.test_workers_ledger -*-
"""
The counters of a parent and its workers, in memory that they share.

Each process that was started has a row to itself, not each worker's place: while
workers are replaced, the one that leaves and the one that follows count at the same
time, and an add is a read and a write.  When a process has ended, its counts are put
to those of its place, and its row is given to the next.

A row begins on a page, so that a process maps its own and no other.  The memory has
no name (memfd_create(2)): the descriptor is handed down with the sockets, and the
kernel keeps it for as long as the parent lives.
"""

from __future__ import annotations

import mmap
import os
from collections import defaultdict

from ktcp.counters import CTHREAD_ERR, SLOT, WORKER_RESTARTS, Counters, Layout, Row, Snapshot

_PAGE = mmap.PAGESIZE


def _stride(layout: Layout) -> int:
    """
    Bytes from one row to the next.
    """
    return -(-layout.size * SLOT // _PAGE) * _PAGE


def mapRow(descriptor: int, number: int, layout: Layout) -> Row:
    """
    Map a row.

    @param descriptor: Of the memory; it may be closed then.
    @param number: From 0.
    """
    stride = _stride(layout)
    return memoryview(mmap.mmap(descriptor, stride, offset=number * stride)).cast("q")


class Ledger:
    """
    The parent's: its own counters, and those of all workers.

    @ivar own: What the parent counts itself.
    @ivar descriptor: Of the memory, for workers.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.own = Counters(layout)
        self.descriptor = os.memfd_create("ktcp-counters", os.MFD_CLOEXEC)
        self._rows: list[Row] = []
        self._free: list[int] = []
        # By the number of the place: of those who have ended, and who counts.
        self._kept: defaultdict[int, Counters] = defaultdict(lambda: Counters(layout))
        self._holders: dict[int, int] = {}

    def open(self, place: int) -> int:
        """
        Give a row to a process.

        @param place: Which worker it is.
        @return: The number of the row.
        """
        if place in self._kept or place in self._holders.values():
            self._kept[place].add(WORKER_RESTARTS)
        if self._free:
            row = self._free.pop()
        else:
            row = len(self._rows)
            os.ftruncate(self.descriptor, (row + 1) * _stride(self.layout))
            self._rows.append(mapRow(self.descriptor, row, self.layout))
        self._holders[row] = place
        return row

    def close(self, row: int, served: bool) -> None:
        """
        A process has ended: keep what it counted.  Connections that it had, it has no
        more.

        @param served: Whether it ever was ready.
        """
        kept = self._kept[self._holders.pop(row)]
        ended = self._rows[row]
        snapshot = Snapshot(self.layout, list(ended[: self.layout.size]))
        for slot, value in enumerate(snapshot.values):
            kept.row[slot] += value
            ended[slot] = 0
        for number, protocol in enumerate(self.layout.protocols):
            kept.row[self.layout.closedSlot(number, "killed")] += snapshot.open(protocol)
        if not served:
            kept.add(CTHREAD_ERR)
        self._free.append(row)

    def workers(self) -> dict[int, Snapshot]:
        """
        The counts of each place, of all its processes.
        """
        found = {place: self._kept[place].snapshot() for place in self._kept}
        for row, place in self._holders.items():
            running = Snapshot(self.layout, list(self._rows[row][: self.layout.size]))
            found[place] = found[place].plus(running) if place in found else running
        return dict(sorted(found.items()))

    def snapshot(self) -> Snapshot:
        """
        The sum of all.
        """
        total = self.own.snapshot()
        for each in self.workers().values():
            total = total.plus(each)
        return total
