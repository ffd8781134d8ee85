"""
Tests for L{ktcp.trace.commands.queues}, some beside a real kernel.
"""

from __future__ import annotations

import argparse
import io
import json
import socket
import sys

from twisted.trial.unittest import SynchronousTestCase

from ktcp.test.peers import kernel
from ktcp.test.support import enterNamespace, runKtcp
from ktcp.test.test_trace_kernel_diag import connecting, listening
from ktcp.trace.commands import queues
from ktcp.trace.kernel.diag import Diag, Listener, listenQueues
from ktcp.trace.kernel.queues import Bounds, Sample, takeSample

BOUNDS = Bounds(4096, 2048, 1)
LISTENER = Listener("127.0.0.1", 8081, 0, 5, 0, 7)


class ExplainTests(SynchronousTestCase):
    """
    Which limit bites, in words.
    """

    def explain(
        self, listener: Listener = LISTENER, bounds: Bounds = BOUNDS, **counters: int
    ) -> str:
        """
        What is said of a sample.
        """
        return "\n".join(queues.explain(Sample((listener,), 3, counters, bounds), {}))

    def test_room(self) -> None:
        """
        Nothing bites: how many more may come.
        """
        said = self.explain()
        self.assertIn("room for 6 more", said)
        self.assertNotIn("bites", said)

    def test_backlog(self) -> None:
        """
        The server asked for too little.
        """
        said = self.explain(LISTENER._replace(waiting=6))
        self.assertIn("the accept queue is full: 6 wait, the limit is 5", said)
        self.assertIn("what bites is the backlog that the server gave to listen(), 5", said)

    def test_somaxconn(self) -> None:
        """
        The server asked for more than the system allows.
        """
        listener = LISTENER._replace(waiting=129, limit=128)
        said = self.explain(listener, BOUNDS._replace(somaxconn=128))
        self.assertIn("what bites is net.core.somaxconn = 128", said)
        self.assertIn("sysctl -w net.core.somaxconn=256", said)

    def test_before(self) -> None:
        """
        It has bitten, and does not any more.
        """
        said = self.explain(LISTENER._replace(drops=14), ListenOverflows=15)
        self.assertIn("has room now, but the socket has dropped 14 packets", said)
        self.assertIn("have overflowed 15 times", said)

    def test_withoutCookies(self) -> None:
        """
        Without SYN cookies the SYN queue has a bound of its own.
        """
        said = self.explain(LISTENER._replace(limit=128), Bounds(4096, 64, 0), TCPReqQFullDrop=7)
        self.assertIn("holds 3 of about 48", said)
        self.assertIn("7 SYNs were dropped", said)

    def test_cookies(self) -> None:
        """
        With SYN cookies nothing is lost when it is full.
        """
        said = self.explain(TCPReqQFullDoCookies=7)
        self.assertIn("holds 3 of 6", said)
        self.assertIn("7 SYNs were answered with a cookie", said)


class KernelTests(SynchronousTestCase):
    """
    Real queues, in a network of their own.
    """

    def setUp(self) -> None:
        enterNamespace(self)

    def test_overflow(self) -> None:
        """
        20 clients of a blocked server with a backlog of 5: the queue stands at 6/5, 14
        are turned away, and C{--watch} shows it happen.
        """
        server = listening(self, 5)
        args = argparse.Namespace(port=server.getsockname()[1], json=False, count=2, interval=1.0)
        output = io.StringIO()
        self.patch(sys, "stdout", output)
        with Diag() as diag:
            first = takeSample(args.port, diag)
            queues.watch(args, diag, first, lambda _: connecting(self, server, 20))
        _, before, *said, last = output.getvalue().splitlines()
        self.assertEqual(before.split()[1:], ["0/5", "0", "0", "0", "0"])
        after = next(line for line in said if "6/5" in line).split()
        self.assertEqual(after[1:3], ["6/5", "0"])
        for count in after[3:]:
            self.assertGreaterEqual(int(count), 14)
        self.assertIn(
            "  what bites is the backlog that the server gave to listen(), 5", output.getvalue()
        )
        self.assertIn("the SYN queue holds", last)

    def test_deferAccept(self) -> None:
        """
        Three clients that have said nothing yet are half-open.
        """
        server = listening(self, 5)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
        connecting(self, server, 3)
        port = server.getsockname()[1]
        self.assertEqual(listenQueues(port).synReceived, 3)
        self.assertEqual(listenQueues(port, halfOpen=False).synReceived, 0)
        _, output, _ = runKtcp(self, "queues", "--port", port)
        self.assertIn(f"port {port}: 3 in SYN_RECV\n", output)
        # The kernel counts their ACKs as dropped, but no queue has overflowed.
        self.assertIn("accept queue 0/5, 3 packets dropped", output)
        self.assertIn("room for 6 more", output)

    def test_json(self) -> None:
        """
        C{--json} is an object on each line.
        """
        server = listening(self, 5)
        connecting(self, server, 8)
        port = server.getsockname()[1]
        _, output, _ = runKtcp(
            self, "queues", "--port", port, "--json", "--watch", "--count", 2, "--interval", "1ms"
        )
        first, second = map(json.loads, output.splitlines())
        (listener,) = first["listeners"]
        self.assertEqual((listener["waiting"], listener["limit"], listener["drops"]), (6, 5, 2))
        self.assertEqual(first["counters"]["ListenOverflows"], 2)
        self.assertEqual(second["sinceStart"]["ListenOverflows"], 0)
        self.assertIn("somaxconn", first["sysctls"])


class AnywhereTests(SynchronousTestCase):
    """
    What works without rights, too.
    """

    def test_nobodyListens(self) -> None:
        """
        A port without a server is one line.
        """
        kernel("inet_diag")
        self.assertEqual(
            runKtcp(self, "queues", "--port", 1),
            (2, "", "ktcp queues: nothing listens on TCP port 1 in this network namespace\n"),
        )
