"""
Tests for L{ktcp.load.team}; whole runs of it are in L{ktcp.test.test_load_engine}.
"""

from __future__ import annotations

import os
import signal
from resource import RLIMIT_NOFILE, getrlimit

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load.job import Job
from ktcp.load.process.channel import Ready
from ktcp.load.result import Plan
from ktcp.load.targets import targetOfAddress
from ktcp.load.team import OTHERS, CannotRun, Team, raiseDescriptors


class DescriptorTests(SynchronousTestCase):
    """
    Tests for L{raiseDescriptors}.
    """

    def test_descriptors(self) -> None:
        """
        More connections than a process may have are refused, with the numbers.
        """
        _, hard = getrlimit(RLIMIT_NOFILE)
        error = self.assertRaises(CannotRun, raiseDescriptors, hard, 1)
        self.assertIn(f"{hard} connections", str(error))
        self.assertIn(f"need {hard + OTHERS}", str(error))
        self.assertEqual(len(str(error).splitlines()), 1)
        raiseDescriptors(1, 1)


class TeamTests(SynchronousTestCase):
    """
    Tests for L{Team}, with processes that have nothing to load.
    """

    def test_processDies(self) -> None:
        """
        A process that ends before its work makes the run fail, in one line, and leaves no other.
        """
        job = Job("echo", targetOfAddress("127.0.0.1:7"), Plan(processes=2))
        with self.assertRaises(CannotRun) as raised, Team(job) as team:
            pids = [child.pid for child in team._children]
            heard: list[object] = []
            while len(heard) < 2:
                heard += [message for _, message in team.hear(60.0)]
            self.assertEqual(heard, [Ready(), Ready()])
            os.kill(pids[1], signal.SIGKILL)
            while True:
                team.hear(60.0)
        self.assertEqual(str(raised.exception), "process 2 of the generator ended before its work")
        for pid in pids:
            self.assertRaises(ProcessLookupError, os.kill, pid, 0)
