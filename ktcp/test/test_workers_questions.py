"""
Tests for L{ktcp.workers.questions}.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from ktcp.workers.questions import Questions


class QuestionsTests(SynchronousTestCase):
    """
    A worker that is asked.
    """

    def setUp(self) -> None:
        """
        It has three connections.
        """
        reading, self.writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.reactor = MemoryReactorClock()
        self.reports: list[Any] = []
        rows = [{"peer": peer} for peer in "abc"]
        self.questions: Any = Questions(
            reading, lambda most: rows[:most], self.reports.append, self.reactor
        )
        self.reactor.addReader(self.questions)

    def ask(self, data: bytes) -> None:
        """
        Have bytes come from the parent.
        """
        os.write(self.writing, data)
        self.questions.doRead()

    def test_answers(self) -> None:
        """
        Each question is answered when all of it has come, by its number.
        """
        self.ask(b'{"ask": 1, "mo')
        self.assertEqual(self.reports, [])
        self.ask(b'st": 2}\n{"ask": 2, "most": 0}\n')
        self.assertEqual(
            self.reports,
            [{"answer": 1, "rows": [{"peer": "a"}, {"peer": "b"}]}, {"answer": 2, "rows": []}],
        )
        self.questions.doRead()
        self.assertEqual(len(self.reports), 2)
        os.close(self.writing)

    def test_parentGone(self) -> None:
        """
        When nobody can ask any more the reactor does not spin on it.
        """
        os.close(self.writing)
        self.questions.doRead()
        self.assertEqual(self.reactor.getReaders(), [])
