"""
Tests for L{ktcp.load.caveats}.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load.caveats import caveatsOf
from ktcp.load.job import Job
from ktcp.load.process.frames import Frame
from ktcp.load.result import Plan
from ktcp.load.targets import targetOfAddress

PLAN = Plan()


class CaveatTests(SynchronousTestCase):
    """
    Tests for what a reader of the figures is told.
    """

    def words(self, frame: Frame, cpu: list[float], plan: Plan = PLAN) -> tuple[bool, str]:
        """
        Find what is said of a second's run.
        """
        job = Job("http", targetOfAddress("127.0.0.1:1"), plan)
        limited, sentences = caveatsOf(job, frame, cpu, 1.0)
        return limited, " ".join(sentences)

    def test_nothingToSay(self) -> None:
        """
        Of a run that nothing disturbed nothing is said.
        """
        self.assertEqual(self.words(Frame(good=1000), [0.5, 0.2]), (False, ""))

    def test_busy(self) -> None:
        """
        One process that was busy all the time may have been the limit.
        """
        limited, words = self.words(Frame(good=1000), [0.5, 0.95])
        self.assertTrue(limited)
        self.assertIn("busy 95% of the time", words)

    def test_behind(self) -> None:
        """
        Requests sent late though a connection was free are the generator's fault; others are not.
        """
        limited, words = self.words(Frame(good=1000, late=30, behind=20), [0.5])
        self.assertTrue(limited)
        self.assertIn("sent 20 of 1000 requests", words)
        limited, words = self.words(Frame(good=1000, late=30, unsent=5), [0.5])
        self.assertFalse(limited)
        self.assertIn("30 requests went out more than 1 ms late because all 10 connections", words)
        self.assertIn("5 requests of the plan could not be sent", words)

    def test_ports(self) -> None:
        """
        That there was no local port is explained, by what took them.
        """
        frame = Frame()
        frame.errors["ports"] = 7
        limited, words = self.words(frame, [0.1])
        self.assertTrue(limited)
        self.assertIn("7 times no local port was free", words)
        self.assertIn("10 connections may need more than there are", words)
        self.assertIn("ip_local_port_range", words)
        _, words = self.words(frame, [0.1], replace(PLAN, keepAlive=False))
        self.assertIn("TIME_WAIT", words)
        self.assertIn("Use keep-alive", words)
