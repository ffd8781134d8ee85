"""
Tests for L{ktcp.trace.report.timeline}.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ktcp.test import recorded
from ktcp.trace.model import Cost, Lost, Trace
from ktcp.trace.report.timeline import WIDTH, timeline


def text(trace: Trace, most: int = 3, full: bool = False) -> str:
    """
    A timeline in one piece.
    """
    return "\n".join(timeline(trace, most, full))


class TimelineTests(SynchronousTestCase):
    """
    Tests for L{timeline}.
    """

    def test_steps(self) -> None:
        """
        A line says when, who, what and which state; below it stands the way there.
        """
        shown = text(recorded.trace())
        self.assertRegex(shown, r"(?m)^ +[\d.]+  client +SYN sent +CLOSE > SYN_SENT$")
        self.assertRegex(shown, r"(?m)^ +[\d.]+  softirq in client +into the accept queue$")
        self.assertRegex(shown, r"(?m)^ +[\d.]+  server +accept\(\): descriptor \d+$")
        self.assertIn("tcp_v4_connect > tcp_connect", shown)
        self.assertRegex(shown, r"in the SYN queue [\d.]+ us, in the accept queue [\d.]+ [um]s")

    def test_summary(self) -> None:
        """
        The end says what was seen, and that nothing was lost.
        """
        lines = text(recorded.trace()).splitlines()
        self.assertIn("frames sent: 10, joined to their stack: 10", lines)
        self.assertIn("lost: 0", lines)
        self.assertIn(
            "layers: system call and socket, TCP segment, IP datagram, qdisc and device frame,"
            " softirq and NAPI",
            lines,
        )

    def test_lost(self) -> None:
        """
        Losses of both kinds, what the kernel lacks and the cost are printed, never hidden.
        """
        trace = recorded.trace()
        environment = replace(trace.environment, notAvailable=("tcp/tcp_probe",))
        shown = text(replace(trace, lost=Lost(7, 3), environment=environment, cost=Cost("dear")))
        for line in ("lost: 7", "frames lost: 3", "not available: tcp/tcp_probe", "cost: dear"):
            self.assertIn(line, shown.splitlines())

    def test_width(self) -> None:
        """
        No line is wider than a wide terminal.
        """
        self.assertLessEqual(max(map(len, text(recorded.trace(), full=True).splitlines())), WIDTH)

    def test_brief(self) -> None:
        """
        What a task did before a softirq ran in it is shown when asked for.
        """
        brief, full = (text(recorded.trace(), full=full) for full in (False, True))
        self.assertIn("__x64_sys_connect > ... > net_rx_action", brief)
        self.assertNotIn("...", full)
        self.assertIn("do_softirq", full)

    def test_many(self) -> None:
        """
        Of many connections the first are shown, and how many more there are.
        """
        trace = recorded.trace()
        shown = text(replace(trace, connections=trace.connections * 5), most=2)
        self.assertIn("connection 2:", shown)
        self.assertNotIn("connection 3:", shown)
        self.assertIn("and 3 more connections", shown)

    def test_noStack(self) -> None:
        """
        A step without a stack says by what it is known.
        """
        trace = recorded.trace()
        bare = tuple(replace(each, stack=None) for each in trace.connections[0].steps)
        connection = replace(trace.connections[0], steps=bare)
        self.assertIn(
            "no stack; net_dev_start_xmit", text(replace(trace, connections=(connection,)))
        )
