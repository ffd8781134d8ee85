"""
Tests for L{ktcp.trace.kernel.queues}.
"""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from ktcp.test.peers import kernel
from ktcp.test.support import STEADY
from ktcp.test.test_trace_kernel_diag import listening
from ktcp.trace.errors import Unavailable
from ktcp.trace.kernel import queues
from ktcp.trace.kernel.diag import Diag

NETSTAT = """\
TcpExt: SyncookiesSent ListenOverflows ListenDrops
TcpExt: 1 14 15
IpExt: InNoRoutes ListenDrops
IpExt: 0 99
"""


class NetstatTests(SynchronousTestCase):
    """
    C{/proc/net/netstat}.
    """

    def test_counters(self) -> None:
        """
        Counters have their names; those of IP are not taken for TCP's.
        """
        counted = {"SyncookiesSent": 1, "ListenOverflows": 14, "ListenDrops": 15}
        self.assertEqual(queues.parseNetstat(NETSTAT), counted)

    @STEADY
    @given(some.text())
    def test_anything(self, text: str) -> None:
        """
        Whatever the text, the answer is some counters.
        """
        for damaged in (text, "TcpExt: a b\nTcpExt: " + text):
            self.assertTrue(all(n >= 0 for n in queues.parseNetstat(damaged).values()))


class SampleTests(SynchronousTestCase):
    """
    Tests for L{queues.takeSample}.
    """

    def test_taken(self) -> None:
        """
        A sample has the listener, the counters and what bounds its queues.
        """
        kernel("inet_diag")
        with Diag() as diag:
            sample = queues.takeSample(listening(self, 5).getsockname()[1], diag)
        self.assertEqual([each.limit for each in sample.listeners], [5])
        self.assertEqual(set(sample.counters), set(queues.COUNTERS))
        self.assertGreaterEqual(min(sample.bounds), 0)

    def test_noProc(self) -> None:
        """
        Without /proc one line says what is missing.
        """
        kernel("inet_diag")
        self.patch(queues, "NETSTAT", Path("/nowhere/netstat"))
        with Diag() as diag:
            error = self.assertRaises(Unavailable, queues.takeSample, 1, diag)
        self.assertIn("/nowhere/netstat", str(error))
