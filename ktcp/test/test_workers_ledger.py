"""
Tests for L{ktcp.workers.ledger}.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ktcp.counters import Census, Counters, Layout
from ktcp.workers.ledger import Ledger, mapRow


class LedgerTests(SynchronousTestCase):
    """
    The counters of several processes; here all of them are this one.
    """

    def setUp(self) -> None:
        self.layout = Layout(["http"])
        self.ledger = Ledger(self.layout)
        self.addCleanup(os.close, self.ledger.descriptor)

    def start(self, place: int) -> Any:
        row = self.ledger.open(place)
        return row, Counters(self.layout, mapRow(self.ledger.descriptor, row, self.layout))

    def test_sum(self) -> None:
        """
        What each process counts is seen at once, in the sum and by its place.
        """
        (_, first), (_, second) = self.start(1), self.start(2)
        first.limited("idle")
        second.limited("idle")
        second.limited("stall")
        self.ledger.own.limited("idle")
        self.assertEqual(self.ledger.snapshot().value("limits", "idle"), 3)
        workers = self.ledger.workers()
        self.assertEqual([w.value("limits") for w in workers.values()], [1, 2])

    def test_dead(self) -> None:
        """
        What a process has counted is kept when it is no more, the row of the next
        begins with nothing, and connections that it had are not open.
        """
        row, counters = self.start(1)
        census = Census(counters, 0)
        census.accepted()
        census.accepted()
        census.ended("lost")
        self.ledger.close(row, True)
        again, counters = self.start(1)
        self.assertEqual(again, row)
        self.assertEqual(set(counters.row), {0})
        counters.limited("idle")
        for snapshot in (self.ledger.snapshot(), self.ledger.workers()[1]):
            self.assertEqual(snapshot.value("accepted", "http"), 2)
            self.assertEqual(snapshot.value("closed", "http", "killed"), 1)
            self.assertEqual(snapshot.open("http"), 0)
            self.assertEqual(snapshot.value("limits", "idle"), 1)
            self.assertEqual(snapshot.value("worker_restarts"), 1)
            self.assertEqual(snapshot.value("cthread_err"), 0)

    def test_overlap(self) -> None:
        """
        Two processes in one place, as while it is replaced, do not count over each other.
        """
        (before, old), (_, new) = self.start(1), self.start(1)
        for _ in range(10):
            old.limited("idle")
            new.limited("idle")
        self.ledger.close(before, True)
        self.assertEqual(self.ledger.workers()[1].value("limits", "idle"), 20)
        self.assertEqual(self.ledger.snapshot().value("worker_restarts"), 1)

    def test_neverServed(self) -> None:
        """
        A process that ended before it served is told apart.
        """
        row, _ = self.start(1)
        self.ledger.close(row, False)
        self.assertEqual(self.ledger.snapshot().value("cthread_err"), 1)
