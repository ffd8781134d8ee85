"""
Tests for L{ktcp.test.peers}.
"""

from __future__ import annotations

import os
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from ktcp.test import peers
from ktcp.test.peers import kernel, peer
from ktcp.trace.commands.doctor import Finding
from ktcp.trace.errors import Unavailable


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


class KernelTests(SynchronousTestCase):
    """
    A test that needs something of the kernel.
    """

    def needs(self, present: bool, **environment: str) -> None:
        """
        Ask for a moon.
        """

        def probe() -> Finding:
            if present:
                return Finding("full")
            raise Unavailable("a moon", "ktcp tide", "go to Earth")

        self.patch(os, "environ", environment)
        self.patch(peers, "PROBES", {"moon": probe})
        kernel("moon")

    def test_present(self) -> None:
        """
        The test goes on.
        """
        self.assertIsNone(self.needs(True, KTCP_REQUIRE_KERNEL="1"))

    def test_missingSkips(self) -> None:
        """
        It is skipped, and the reason is what C{ktcp doctor} says.
        """
        error = self.assertRaises(SkipTest, self.needs, False)
        self.assertEqual(str(error), "a moon is missing; ktcp tide needs it; go to Earth")

    def test_missingFails(self) -> None:
        """
        Where the kernel is required to have it, that is a failure.
        """
        self.assertRaises(AssertionError, self.needs, False, KTCP_REQUIRE_KERNEL="1")
