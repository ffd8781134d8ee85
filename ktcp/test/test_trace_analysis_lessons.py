"""
Tests for L{ktcp.trace.analysis.lessons}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ktcp.trace.analysis.lessons import LESSONS
from ktcp.trace.model import STEPS


class LessonsTests(SynchronousTestCase):
    """
    Tests for L{LESSONS}.
    """

    def test_complete(self) -> None:
        """
        Every step that a timeline can have is explained, in whole sentences.
        """
        self.assertEqual(set(STEPS), set(LESSONS))
        for text in LESSONS.values():
            self.assertRegex(text, r"^[A-Za-z].*\.$")
