"""
Tests for L{ktcp.load.machine}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load.machine import machine


class MachineTests(SynchronousTestCase):
    """
    Tests for L{machine}.
    """

    def test_here(self) -> None:
        """
        The machine has a name for its processor, and as many cores as may be used.
        """
        found = machine()
        self.assertNotEqual(found.cpu, "")
        self.assertEqual(found.cores, len(os.sched_getaffinity(0)))
        self.assertIn(os.uname().release, found.kernel)
