"""
Tests for L{bench.macro.attack} and L{bench.macro.memory}: small ones of what
they do, against a real server.
"""

from __future__ import annotations

from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from bench.macro import attack, memory
from bench.macro.verdicts import Verdicts
from ktcp.test.peers import peer


class VerdictsTests(SynchronousTestCase):
    """
    What is printed.
    """

    def test_missed(self) -> None:
        """
        A bar that was missed is seen, and kept for the exit status.
        """
        output = StringIO()
        verdicts = Verdicts(output)
        verdicts.judge("this", "1", True)
        verdicts.judge("that", "2", False)
        self.assertEqual(["that"], verdicts.missed)
        self.assertEqual("met    this: 1\nMISSED that: 2\n", output.getvalue())


class AttackTests(SynchronousTestCase):
    """
    A small wave.
    """

    def test_wave(self) -> None:
        """
        Attackers of each kind are let go, and wrk works meanwhile.
        """
        peer("wrk", "wrk")
        output = StringIO()
        kinds = ["--slow=5", "--silent=5", "--deaf=2"]
        times = ["--head-time=0.5", "--stall=0.5", "--ramp=0.1", "--rounds=1"]
        attack.main([*kinds, *times], output)
        lines = output.getvalue().splitlines()
        self.assertEqual(6, len(lines), lines)
        for line, count in zip(lines, ("5 of 5", "5 of 5", "2 of 2"), strict=False):
            self.assertIn(f"within 1 s: {count}, ", line)
        self.assertIn("met    wrk: no error: none in ", lines[3])


class MemoryTests(SynchronousTestCase):
    """
    Small ones of large things.
    """

    def test_all(self) -> None:
        """
        Each is answered as it is to be, however much memory that takes.
        """
        output = StringIO()
        memory.main(["--body", "4", "--entries", "200", "--file", "4", "--clients", "3"], output)
        text = output.getvalue()
        self.assertIn("413 before the body: 413, 0 bytes of it sent", text)
        self.assertIn("met    a POST of 4 MiB discarded: 204", text)
        self.assertIn("200 entries", text)
        self.assertIn("4 MiB to 3 clients: 12 MiB", text)
