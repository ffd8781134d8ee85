"""
Tests for L{ktcp.test.peers}.
"""

from __future__ import annotations

import os
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from ktcp.test.peers import peer


class PeerTests(SynchronousTestCase):
    """
    A test that needs a program of the machine.
    """

    def environment(self, **values: str) -> None:
        """
        Let C{values} be the whole environment for this test.
        """
        self.patch(os, "environ", values)

    def test_found(self) -> None:
        """
        The program's path comes back.
        """
        self.environment(PATH="/usr/bin:/bin")
        self.assertIn(peer("sh", "dash"), ["/usr/bin/sh", "/bin/sh"])

    def test_missingSkips(self) -> None:
        """
        A missing program skips the test, and the reason says what to install.
        """
        self.environment(PATH="/nowhere")
        error = self.assertRaises(SkipTest, peer, "curl", "curl")
        self.assertEqual(str(error), "needs curl (Debian package curl)")

    def test_missingFails(self) -> None:
        """
        Where every peer is required, a missing one is a failure.
        """
        self.environment(PATH="/nowhere", KTCP_REQUIRE_PEERS="1")
        error = self.assertRaises(AssertionError, peer, "curl", "curl")
        self.assertEqual(str(error), "needs curl (Debian package curl)")
