"""
Tests for L{ktcp.trace.commands.capture}, beside a real kernel.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from ktcp.test import test_trace_kernel_ring
from ktcp.test.peers import peer
from ktcp.test.support import Child, runKtcp, spawn


class CaptureTests(TestCase):
    """
    The command, as a process.
    """

    timeout = 60
    setUp: Any = test_trace_kernel_ring.NetworkTests.setUp
    listen: Any = test_trace_kernel_ring.NetworkTests.listen
    connect: Any = test_trace_kernel_ring.NetworkTests.connect

    def start(self, *words: object) -> tuple[Child, Deferred[str]]:
        """
        Start a capture, and wait until it sees frames.
        """
        command = [sys.executable, "-m", "ktcp.trace", "capture", "--port", self.port, *words]
        # Its messages come where its lines do, in order.
        child = spawn(self, ["/bin/sh", "-c", 'exec "$@" 2>&1', "-", *command])
        return child, child.said("capturing")

    async def test_file(self) -> None:
        """
        tcpdump reads the file and counts as many SYNs as there were connections; Ctrl-C
        ends the capture, and it says what it has.
        """
        tcpdump = peer("tcpdump", "tcpdump")
        child, ready = self.start("-w", "it.pcapng")
        await ready
        self.connect(times=20)
        # The lines are shown as the frames come.
        await child.said("SYN seq", 20)
        child.signal("INT")
        self.assertEqual(await child.ended, 0)
        self.assertRegex(child.output[1], rb"\n\d+ frames captured, 0 dropped for want of room")
        with (child.folder / "it.pcapng").open("rb") as file:
            syns = "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn"
            read = subprocess.run(
                [tcpdump, "-nr", "-", syns], stdin=file, capture_output=True, check=True
            )
        self.assertEqual(len(read.stdout.splitlines()), 20)

    async def test_drops(self) -> None:
        """
        Frames that a tiny ring has no room for are told of.
        """
        child, ready = self.start("--blocks", 1, "--block-size", 4096, "-q", "--for", "2s")
        await ready
        child.signal(signal.SIGSTOP)
        self.connect(times=50)
        child.signal(signal.SIGCONT)
        child.signal("INT")
        line = await child.said("dropped for want of room in the ring")
        self.assertGreater(int(line.split()[3]), 100)
        self.assertEqual(await child.ended, 0)

    async def test_count(self) -> None:
        """
        C{--count} ends it.
        """
        child, ready = self.start("--count", 3)
        await ready
        self.connect()
        await child.said("3 frames captured, 0 dropped")
        self.assertEqual(await child.ended, 0)
        self.assertEqual(child.output[1].count(b" in  127.0.0.1:"), 3)

    def test_noFile(self) -> None:
        """
        A file that cannot be written is one line.
        """
        words = "capture", "--port", self.port, "-w", "/nowhere/it.pcapng"
        status, _, errors = runKtcp(self, *words)
        self.assertEqual(status, 1)
        self.assertIn("cannot write /nowhere/it.pcapng: No such file", errors)
