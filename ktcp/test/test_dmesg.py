"""
Tests for L{ktcp.dmesg}, and that counters agree with what clients saw.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections import Counter
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.task import Clock
from twisted.logger import LogPublisher, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ktcp.counters import Counters
from ktcp.counting import Counting
from ktcp.dmesg import printCounters
from ktcp.test.support import BIN, Child, Client, portOf, spawn


class PrintTests(SynchronousTestCase):
    """
    Counters in the log.
    """

    def test_form(self) -> None:
        """
        A line for each, in khttpd's form.
        """
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        self.assertIsInstance(globalLogPublisher, LogPublisher)
        counters = Counters()
        counters.reads = 200_046
        printCounters(counters.snapshot)
        self.assertIn("ktcp: recvmsg : 200046", [event.get("line") for event in events])


class CountingTests(SynchronousTestCase):
    """
    Counting on a reactor that knows nothing of it.
    """

    def test_folds(self) -> None:
        """
        What connections add up is put into the row a few times a second.
        """
        clock, counters = Clock(), Counters()
        counting = Counting(counters)
        counting.start(clock)
        self.assertIs(clock.counters, counters)
        counters.reads += 1
        clock.advance(0.25)
        self.assertEqual(sum(counters.row), 1)
        counters.reads += 1
        counting.stop()
        self.assertEqual(sum(counters.row), 2)
        self.assertEqual(clock.getDelayedCalls(), [])


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n\r\n"


class ReconcileTests(TestCase):
    """
    C{twistd ktcp}, its clients and its counters.
    """

    async def serve(self, *options: str) -> tuple[Child, int]:
        command = [sys.executable, BIN / "twistd", "-n", "ktcp", "--port=0", "--no-echo", *options]
        child = spawn(self, command)
        return child, portOf(await child.said("ktcp: listening"))

    async def connect(self, port: int) -> Client:
        client = Client()
        await connectProtocol(HostnameEndpoint(reactor, b"127.0.0.1", port), client)
        self.addCleanup(client.drop)
        return client

    async def ask(self, port: int, data: bytes, answers: int) -> int:
        """
        @return: How many bytes were the answer, which closes the connection.
        """
        client = await self.connect(port)
        client.transport.write(data + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await client.closed
        self.assertEqual(client.received.count(b"HTTP/1.1 "), answers + 1)
        return len(client.received)

    def found(self, child: Child) -> Counter[str]:
        """
        The counters that the child printed last.
        """
        lines = child.output[1].decode().splitlines()
        return Counter(
            {
                match[1]: int(match[2])
                for match in (re.search(r"ktcp: ([^:]+) : (\d+)$", line) for line in lines)
                if match
            }
        )

    async def reconcile(self, *options: str) -> None:
        child, port = await self.serve(*options)
        received = await gatherResults(
            [self.asking(port, GET * count + POST, count + 1) for count in range(20)]
        )
        child.signal(signal.SIGUSR2)
        await child.said("ktcp: recvmsg : ")
        child.signal("TERM")
        self.assertEqual(await child.ended, 0)
        found = self.found(child)
        self.assertEqual(found["requests GET 2xx"], sum(range(20)) + 20)
        self.assertEqual(found["requests POST 5xx"], 20)
        self.assertEqual(found["bytes_out"], sum(received))
        self.assertEqual(found["accepted http"], 20)
        self.assertEqual(found["closed http done"], 20)
        self.assertEqual(found["response_seconds count"], sum(range(20)) + 40)

    def asking(self, *arguments: Any) -> Deferred[int]:
        return Deferred.fromCoroutine(self.ask(*arguments))

    async def test_oneProcess(self) -> None:
        """
        Each request, byte and connection that clients saw was counted, and no other.
        """
        await self.reconcile()

    async def test_workers(self) -> None:
        """
        The same of two workers together.
        """
        await self.reconcile("--workers=2")

    async def test_killed(self) -> None:
        """
        What a worker had answered before it was killed stays counted, and so does the
        connection it took with it.
        """
        child, port = await self.serve("--workers=1")
        serves = re.search(r"\(pid (\d+)\)", await child.said(" serves"))
        assert serves is not None
        pid = int(serves[1])
        client = await self.connect(port)
        client.transport.write(GET * 100)
        while client.received.count(b"Hello World!") < 100:
            await client.got(len(client.received) + 1)
        os.kill(pid, 9)
        await client.closed
        await child.said(" serves", 2)
        await self.ask(port, b"", 0)
        child.signal("TERM")
        self.assertEqual(await child.ended, 0)
        found = self.found(child)
        self.assertEqual(found["requests GET 2xx"], 101)
        self.assertEqual(found["closed http killed"], 1)
        self.assertEqual(found["closed http done"], 1)
        self.assertEqual(found["worker_restarts"], 1)
        self.assertEqual(found["cthread_err"], 0)
