"""
Tests for L{ktcp.trace.analysis.link}.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ktcp.test import recorded
from ktcp.trace.analysis.events import Seen
from ktcp.trace.analysis.link import link

PORT = 80
LO = b"\x7f\0\0\1"


def state(
    pid: int, sk: int, old: int, new: int, sport: int, dport: int, context: str = "task"
) -> Seen:
    """
    A change of state.
    """
    values = {"skaddr": sk, "oldstate": old, "newstate": new, "sport": sport, "dport": dport}
    addresses: Any = {"family": 2, "saddr": LO, "daddr": LO}
    return Seen(0, 0, pid, context, "inet_sock_set_state", {**values, **addresses}, ())


def frame(pid: int, name: str, skb: int, context: str, *stack: str) -> Seen:
    """
    A frame on its way.
    """
    return Seen(0, 0, pid, context, name, {"skbaddr": skb, "len": 60, "name": "lo"}, stack)


class LinkTests(SynchronousTestCase):
    """
    Tests for L{link}.
    """

    def test_bothSides(self) -> None:
        """
        The two sockets of a connection are one connection, by the client's port.
        """
        events = [
            state(1, 0xA, 7, 2, 0, PORT),
            state(1, 0xA, 2, 1, 5000, PORT),
            state(1, 0xB, 10, 3, PORT, 5000, "softirq"),
        ]
        [conversation] = link(events, PORT)
        self.assertEqual("127.0.0.1:5000", conversation.client)
        self.assertEqual("127.0.0.1:80", conversation.server)
        self.assertTrue(conversation.begun)
        self.assertEqual(["client", "client", "server"], [each.side for each in events])

    def test_reusedAddress(self) -> None:
        """
        Memory of a socket that was destroyed may be another connection's next.
        """
        gone = Seen(0, 0, 1, "task", "tcp_destroy_sock", {"skaddr": 0xA}, ())
        events = [state(1, 0xA, 7, 2, 5000, PORT), gone, state(1, 0xA, 7, 2, 5001, PORT)]
        self.assertEqual(2, len(link(events, PORT)))
        self.assertEqual([0, 0, 1], [each.connection for each in events])

    def test_begunBefore(self) -> None:
        """
        A connection that was there before the trace is told, but marked.
        """
        [conversation] = link([state(1, 0xB, 1, 8, PORT, 5000)], PORT)
        self.assertFalse(conversation.begun)

    def test_softirq(self) -> None:
        """
        A softirq works for the frame it received last, in the task that it borrows.
        """
        events = [
            state(1, 0xA, 7, 2, 5000, PORT),
            frame(1, "net_dev_queue", 0x1, "task", "tcp_connect"),
            frame(1, "netif_receive_skb", 0x1, "softirq"),
            frame(1, "net_dev_queue", 0x2, "softirq", "tcp_conn_request", "net_rx_action"),
            frame(1, "netif_receive_skb", 0x9, "softirq"),
            frame(1, "net_dev_queue", 0x3, "softirq", "tcp_conn_request", "net_rx_action"),
        ]
        link(events, PORT)
        self.assertEqual([0, 0, 0, 0, None, None], [each.connection for each in events])

    def test_reusedBuffer(self) -> None:
        """
        Another connection's frame in the memory of one of ours is not ours.
        """
        events = [
            state(1, 0xA, 7, 2, 5000, PORT),
            frame(1, "net_dev_queue", 0x1, "task", "tcp_connect"),
            frame(2, "net_dev_queue", 0x1, "task", "tcp_connect"),
            frame(2, "netif_receive_skb", 0x1, "softirq"),
        ]
        link(events, PORT)
        self.assertEqual([0, 0, None, None], [each.connection for each in events])

    def test_sending(self) -> None:
        """
        A frame sent by send(2) is of the socket that the call names when it is done, not of the
        one that the task used before.
        """
        sent = {"sk": 0xB, "ret": 5}
        events = [
            state(1, 0xB, 7, 2, 5001, PORT),
            state(1, 0xA, 7, 2, 5000, PORT),
            Seen(0, 0, 1, "task", "sys_enter_sendto", {"fd": 4}, ()),
            frame(1, "net_dev_queue", 0x1, "task", "tcp_sendmsg_locked", "tcp_sendmsg"),
            Seen(0, 0, 1, "task", "sock_send_length", sent, ()),
            Seen(0, 0, 1, "task", "sys_exit_sendto", {"ret": 5}, ()),
        ]
        link(events, PORT)
        self.assertEqual([0, 1, 0, 0, 0, 0], [each.connection for each in events])

    def test_otherTraffic(self) -> None:
        """
        What our processes do besides is no connection's.
        """
        events = [
            state(1, 0xA, 7, 2, 5000, PORT),
            frame(1, "net_dev_queue", 0x1, "task", "udp_sendmsg"),
            Seen(0, 0, 1, "task", "sys_enter_read", {"fd": 4}, ()),
            Seen(0, 0, 1, "irq", "sched_wakeup", {"pid": 4}, ()),
        ]
        link(events, PORT)
        self.assertEqual([0, None, None, None], [each.connection for each in events])

    def test_recorded(self) -> None:
        """
        Of a real connection all frames are linked, and what an Ethernet card received is not.
        """
        events = recorded.events()
        self.assertEqual(1, len(link(events, recorded.PORT)))
        frames = [each for each in events if each.values.get("name") == "lo"]
        self.assertEqual(50, len(frames))
        self.assertEqual({0}, {each.connection for each in frames})

    def test_anyOrder(self) -> None:
        """
        Events that were lost or mixed up may be linked wrongly, and raise nothing.
        """
        events = recorded.events()
        for seed in range(20):
            choice = random.Random(seed)
            some = [replace(each) for each in events if choice.random() < 0.5]
            choice.shuffle(some)
            link(some, recorded.PORT)
