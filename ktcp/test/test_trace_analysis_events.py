"""
Tests for L{ktcp.trace.analysis.events}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ktcp.trace.analysis.events import TRACEPOINTS, Seen, chosen, filterOf


class TracepointTests(SynchronousTestCase):
    """
    Tests for the choice of tracepoints.
    """

    def test_filters(self) -> None:
        """
        What knows a port is filtered by it, what knows a device by that.
        """
        by = {each.name: filterOf(each, 80, "ktp*") for each in TRACEPOINTS}
        self.assertEqual("sport==80||dport==80", by["sock/inet_sock_set_state"])
        self.assertEqual('name ~ "ktp*"', by["net/net_dev_queue"])
        self.assertEqual("(family==2||family==10)&&protocol==6", by["sock/sk_data_ready"])
        self.assertEqual("", by["skb/kfree_skb"])

    def test_states(self) -> None:
        """
        A trace of states alone hears of nothing that is not filtered by port.
        """
        self.assertEqual({"port"}, {each.scope for each in chosen("states")})
        self.assertEqual(list(TRACEPOINTS), chosen("all"))


class SeenTests(SynchronousTestCase):
    """
    Tests for L{Seen}.
    """

    def test_near(self) -> None:
        """
        What a softirq does is not what the system call below it does.
        """
        stack = ("tcp_v4_rcv", "net_rx_action", "handle_softirqs", "tcp_sendmsg")
        event = Seen(0, 0, 1, "softirq", "tcp_probe", {"len": 3, "name": "lo"}, stack)
        self.assertEqual(("tcp_v4_rcv",), event.near())
        self.assertEqual((3, 0, 0), tuple(map(event.number, ("len", "name", "nothing"))))
