"""
Tests for L{ktcp.load.job}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load.job import Job, Share
from ktcp.load.result import Plan
from ktcp.load.targets import targetOfAddress

JOB = Job("echo", targetOfAddress("127.0.0.1:7"), Plan())


class ShareTests(SynchronousTestCase):
    """
    Tests for L{Share}.
    """

    def test_part(self) -> None:
        """
        What is dealt to processes is all there is, and no two parts differ by more than one.
        """
        self.assertEqual([Share(JOB, index, 4).part(10) for index in range(4)], [3, 3, 2, 2])
        self.assertEqual([Share(JOB, index, 3).part(2) for index in range(3)], [1, 1, 0])
