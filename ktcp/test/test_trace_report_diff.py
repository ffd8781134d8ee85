"""
Tests for L{ktcp.trace.report.diff}.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ktcp.test import recorded
from ktcp.trace.model import Event, Trace
from ktcp.trace.report.diff import diff, profileOf

IDLE = 1_000_000


def traceOf(*events: tuple[int, str, str]) -> Trace:
    """
    A trace of one task: times, names and layers of events.
    """
    trace = recorded.trace()
    stacks = {
        layer: next(i for i, s in enumerate(trace.stacks) if trace.symbols[s[0]].layer == layer)
        for layer in ("syscall", "tcp")
    }
    made = (Event(t, 0, 0, "task", name, {}, stacks[layer], 0) for t, name, layer in events)
    return replace(trace, events=tuple(made))


class CompareTests(SynchronousTestCase):
    """
    Tests for L{profileOf} and L{diff}.
    """

    def test_layers(self) -> None:
        """
        Time goes to the layer in which it began; waiting goes to none.
        """
        profile = profileOf(
            traceOf(
                (0, "sys_enter_sendto", "syscall"),
                (100, "tcp_probe", "tcp"),
                (130, "sys_exit_sendto", "syscall"),
                (140, "sys_enter_epoll_wait", "syscall"),
                (1_140, "sys_exit_epoll_wait", "syscall"),
                (IDLE, "sys_enter_sendto", "syscall"),
            )
        )
        self.assertEqual({"syscall": 110, "tcp": 30}, dict(profile.layersNs))
        self.assertEqual({"sendto": 2, "epoll_wait": 1}, dict(profile.system))

    def test_same(self) -> None:
        """
        A trace differs from itself in nothing.
        """
        lines = list(diff(recorded.trace(), recorded.trace()))
        rows = [line for line in lines if line.endswith("0.00")]
        self.assertTrue(rows)
        self.assertTrue(all(line.endswith("+0.00") for line in rows))

    def test_perRequest(self) -> None:
        """
        Counts are per request, so that traces of different lengths compare.
        """
        trace = recorded.trace()
        double = replace(trace, environment=replace(trace.environment, requests=2))
        [frames] = [line for line in diff(trace, double) if line.startswith("frames sent")]
        self.assertEqual(["10.00", "5.00", "-5.00"], frames.split()[-3:])

    def test_unknownRequests(self) -> None:
        """
        Where requests are unknown, a connection counts as one.
        """
        trace = recorded.trace()
        unknown = replace(trace, environment=replace(trace.environment, requests=0))
        self.assertEqual(1, profileOf(unknown).requests)
        self.assertEqual(
            0, profileOf(replace(unknown, connections=(), events=(), frames=())).requests
        )
        list(diff(unknown, replace(unknown, connections=(), events=(), frames=())))
