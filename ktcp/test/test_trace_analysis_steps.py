"""
Tests for L{ktcp.trace.analysis.steps}.
"""

from __future__ import annotations

import random
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ktcp.test import recorded
from ktcp.trace.analysis.events import Seen
from ktcp.trace.analysis.link import link
from ktcp.trace.analysis.steps import Story, Teller, dwellOf, queueLengths
from ktcp.trace.model import STEPS, Dwell

SERVER = 9


def seen(
    name: str,
    *stack: str,
    time: int = 0,
    connection: int | None = 0,
    side: str = "",
    **values: object,
) -> Seen:
    """
    An event that is linked.
    """
    known = {key: value for key, value in values.items() if isinstance(value, (int, str))}
    context = "task" if name.startswith("sys_") else "softirq"
    return Seen(time, 0, SERVER, context, name, known, stack, connection, side)


def tell(*events: Seen, count: int = 1) -> list[Story]:
    """
    The stories in some events.
    """
    return Teller(count, {SERVER: "server"}).tell(events)


class RecordedTests(SynchronousTestCase):
    """
    A real connection, step by step.
    """

    def setUp(self) -> None:
        self.events = recorded.events()
        conversations = link(self.events, recorded.PORT)
        [self.story] = Teller(len(conversations), recorded.ROLES).tell(self.events)

    def test_order(self) -> None:
        """
        All steps of a connection are there, each side's in the order of the textbook.
        """
        both = {side: self._steps(side) for side in ("client", "server")}
        self.assertEqual(
            "syn established send queued read fin finAcked timeWait eof destroyed", both["client"]
        )
        self.assertEqual(
            "synQueue synAck child established acceptQueue accept queued read send"
            " finReceived eof fin closed destroyed",
            both["server"].replace(" queued accept", " accept queued"),
        )

    def _steps(self, side: str) -> str:
        """
        The names of a side's steps.
        """
        return " ".join(each.step for each in self.story.steps if each.side == side)

    def test_evidence(self) -> None:
        """
        The steps without a tracepoint of their own say by which function they are known.
        """
        evidence = {each.step: each.evidence for each in self.story.steps}
        self.assertEqual("net_dev_start_xmit < tcp_connect", evidence["syn"])
        self.assertEqual("net_dev_queue < tcp_conn_request", evidence["synQueue"])
        self.assertEqual("net_dev_start_xmit < tcp_v4_send_synack", evidence["synAck"])
        self.assertEqual("inet_sock_set_state < tcp_v4_syn_recv_sock", evidence["child"])
        accepting = "sk_data_ready < tcp_child_process on the listener"
        self.assertEqual(accepting, evidence["acceptQueue"])
        self.assertEqual("sys_exit_accept4, first in first out", evidence["accept"])

    def test_states(self) -> None:
        """
        A step that changes a state has both, the SYN's too.
        """
        changes = [(each.step, each.oldState, each.newState) for each in self.story.steps]
        self.assertIn(("syn", "CLOSE", "SYN_SENT"), changes)
        self.assertIn(("timeWait", "FIN_WAIT2", "CLOSE"), changes)

    def test_dwell(self) -> None:
        """
        The time in each queue is that between its two steps.
        """
        dwell = dwellOf(self.story, self.events)
        assert dwell.synQueue is not None and dwell.acceptQueue is not None
        self.assertTrue(0 < dwell.synQueue < 10_000_000)
        self.assertTrue(0 < dwell.acceptQueue < 100_000_000)

    def test_queues(self) -> None:
        """
        One connection is in the SYN queue, then in the accept queue, then in none.
        """
        lengths = queueLengths([self.story], self.events)
        self.assertEqual([(0, 1), (0, 0), (1, 0), (0, 0)], [each[1:] for each in lengths])

    def test_anyOrder(self) -> None:
        """
        Events that were lost or mixed up give other steps, all of them known, and raise nothing.
        """
        for seed in range(20):
            choice = random.Random(seed)
            some = [replace(each) for each in self.events if choice.random() < 0.5]
            choice.shuffle(some)
            count = len(link(some, recorded.PORT))
            for story in Teller(count, recorded.ROLES).tell(some):
                self.assertLessEqual({each.step for each in story.steps}, set(STEPS))
                dwellOf(story, some)


class RuleTests(SynchronousTestCase):
    """
    Steps that the recorded connection does not have.
    """

    def test_firstInFirstOut(self) -> None:
        """
        accept(2) takes the connection that waits longest; one that finds none takes none.
        """
        ready = [
            seen("sk_data_ready", "tcp_child_process", connection=number, skaddr=1)
            for number in (1, 0)
        ]
        accepts = [seen("sys_exit_accept4", connection=None, ret=each) for each in (7, -11, 8, 9)]
        tell(*ready, *accepts, count=2)
        self.assertEqual([1, None, 0, None], [each.connection for each in accepts])

    def test_drop(self) -> None:
        """
        A dropped frame says why, and which hook of netfilter it was.
        """
        stack = ("sk_skb_reason_drop", "nft_do_chain", "nf_hook_slow", "ip_local_deliver")
        event = seen("kfree_skb", *stack, reason="NETFILTER_DROP")
        [drop] = tell(event)[0].steps
        self.assertEqual("NETFILTER_DROP by netfilter, hook input", drop.text)
        self.assertEqual("kfree_skb < nft_do_chain", drop.evidence)

    def test_harmless(self) -> None:
        """
        A buffer that goes with its socket was not dropped.
        """
        self.assertEqual([], tell(seen("kfree_skb", reason="QUEUE_PURGE"))[0].steps)

    def test_arp(self) -> None:
        """
        The question for a neighbour on the way of a SYN is not the SYN.
        """
        syn = seen("inet_sock_set_state", side="client", oldstate=7, newstate=2)
        stack = ("arp_solicit", "neigh_resolve_output", "tcp_connect")
        [step] = tell(syn, seen("net_dev_start_xmit", *stack, protocol=0x0806))[0].steps
        self.assertEqual("inet_sock_set_state", step.evidence)

    def test_noData(self) -> None:
        """
        A FIN wakes the reader, but queues no data; reading nothing is the end.
        """
        probe = seen("tcp_probe", side="server", data_len=0)
        ready = seen("sk_data_ready", "tcp_data_queue", side="server")
        again, end = (seen("sock_recv_length", side="server", ret=each) for each in (-11, 0))
        self.assertEqual(["eof"], [each.step for each in tell(probe, ready, again, end)[0].steps])

    def test_peeking(self) -> None:
        """
        Looking at data is not reading them.
        """
        self.assertEqual([], tell(seen("sock_recv_length", side="server", ret=5, flags=2))[0].steps)

    def test_resets(self) -> None:
        """
        A reset and a retransmission are told.
        """
        events = [
            seen("tcp_retransmit_skb", side="client", state=2),
            seen("tcp_send_reset", side="server"),
            seen("tcp_receive_reset", side="client"),
        ]
        told = [(each.step, each.text) for each in tell(*events)[0].steps]
        expected = [("retransmit", "in SYN_SENT"), ("reset", "sent"), ("reset", "received")]
        self.assertEqual(expected, told)

    def test_notSeen(self) -> None:
        """
        A time in a queue whose end was not seen is unknown.
        """
        events = [seen("net_dev_queue", "tcp_v4_send_synack", "tcp_conn_request")]
        self.assertEqual(Dwell(None, None), dwellOf(tell(*events)[0], events))
