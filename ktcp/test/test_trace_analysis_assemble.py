"""
Tests for L{ktcp.trace.analysis.assemble}.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ktcp.test import recorded
from ktcp.trace.analysis.assemble import Namer, assemble
from ktcp.trace.kernel.kallsyms import Symbols
from ktcp.trace.kernel.pages import HARDIRQ, SOFTIRQ, Record


class AssembleTests(SynchronousTestCase):
    """
    Tests for L{assemble}.
    """

    def test_recorded(self) -> None:
        """
        A real connection becomes one connection, with every step's stack and every layer.
        """
        trace = recorded.trace()
        [connection] = trace.connections
        self.assertEqual([], [each for each in connection.steps if each.stack is None])
        layers = {trace.symbols[each].layer for stack in trace.stacks for each in stack}
        self.assertLessEqual({"syscall", "tcp", "ip", "device", "softirq"}, layers)
        self.assertEqual("syn", connection.steps[0].step)

    def test_who(self) -> None:
        """
        The server's half of the handshake is told to run in softirq, in the client's task.
        """
        trace = recorded.trace()
        [child] = [each for each in trace.connections[0].steps if each.step == "child"]
        self.assertEqual(("softirq", "server"), (child.who, child.side))
        self.assertEqual("client", trace.tasks[child.task].role)

    def test_times(self) -> None:
        """
        Times count from the first event, which is at the origin.
        """
        trace = recorded.trace()
        self.assertEqual(0, trace.events[0].time)
        self.assertEqual(sorted(each.time for each in trace.events), [e.time for e in trace.events])

    def test_otherTraffic(self) -> None:
        """
        What is no connection's is counted and left out.
        """
        trace = recorded.trace()
        self.assertEqual(len(recorded.events()), len(trace.events) + trace.otherEvents)
        names = {each.name for each in trace.events if each.connection is None}
        self.assertLessEqual(names, {f"sys_{w}_{c}" for w in ("enter", "exit") for c in CALLS})

    def test_begunBefore(self) -> None:
        """
        A connection that had begun before is left out where the workload is ours.
        """
        late = recorded.events()[60:]
        self.assertEqual((), assemble(recorded.material(late)).connections)
        attached = replace(recorded.material(late), wholeOnly=False)
        self.assertEqual(1, len(assemble(attached).connections))

    def test_strangers(self) -> None:
        """
        Without being told who is who, a task has the side of the sockets that it uses.
        """
        trace = assemble(replace(recorded.material(), roles={}))
        roles = {each.pid: each.role for each in trace.tasks}
        self.assertEqual("client", roles[recorded.CLIENT])
        self.assertEqual("server", roles[recorded.SERVER])

    def test_nothing(self) -> None:
        """
        A trace of nothing is a trace.
        """
        trace = assemble(recorded.material([]))
        self.assertEqual(((), ()), (trace.connections, trace.frames))


CALLS = ("accept", "accept4", "epoll_wait")


class NamerTests(SynchronousTestCase):
    """
    Tests for L{Namer}.
    """

    def test_names(self) -> None:
        """
        Numbers that have names get them; a softirq and an interrupt are told from a task.
        """
        namer = Namer(Symbols([(0x1000, "tcp_v4_rcv")]), {"kfree_skb": {"reason": {2: "WHY"}}})
        record = Record(1, 0, 5, SOFTIRQ, "kfree_skb", {"reason": 2, "location": 0x1004}, (0x1005,))
        event = namer.name(record)
        self.assertEqual({"reason": "WHY", "location": "tcp_v4_rcv"}, event.values)
        self.assertEqual(("softirq", ("tcp_v4_rcv",)), (event.context, event.stack))
        self.assertEqual("irq", namer.name(replace(record, flags=HARDIRQ | SOFTIRQ)).context)
        self.assertEqual("task", namer.name(replace(record, flags=0)).context)

    def test_noSymbols(self) -> None:
        """
        Where the kernel hides its symbols there are no stacks, rather than numbers.
        """
        record = Record(1, 0, 5, 0, "tcp_probe", {}, (0x1005,))
        self.assertEqual((), Namer(Symbols([]), {}).name(record).stack)
