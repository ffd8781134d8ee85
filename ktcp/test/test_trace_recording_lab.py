"""
Tests for L{ktcp.trace.recording.lab}.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ktcp.test.peers import kernel, peer
from ktcp.trace.kernel.namespaces import inside
from ktcp.trace.recording.lab import Attached, Loopback, sweep, veth


class PlaceTests(SynchronousTestCase):
    """
    Places that need no setting up.
    """

    def test_loopback(self) -> None:
        """
        On loopback a command is run as it is, and only our own processes are heard.
        """
        self.assertEqual(["a"], Loopback().wrap("client", ["a"]))
        self.assertEqual(frozenset(), Loopback().wide)

    def test_attached(self) -> None:
        """
        Of a running server's interface everybody is heard.
        """
        self.assertEqual("eth0", Attached("eth0").devices)
        self.assertIn("device", Attached("eth0").wide)

    def test_here(self) -> None:
        """
        No namespace is where we are.
        """
        with inside(""):
            self.assertTrue(socket.if_nameindex())


class VethTests(SynchronousTestCase):
    """
    Two namespaces of the running kernel.
    """

    def setUp(self) -> None:
        kernel("network namespaces")
        peer("ip", "iproute2")

    def test_joined(self) -> None:
        """
        One side reaches the other, by IPv4 alone; nothing is left of them, nor were they here.
        """
        before = socket.if_nameindex()
        with veth() as lab:
            with inside(lab.namespaces["server"]):
                listener = socket.create_server((lab.address, 0))
                inet6 = Path("/proc/thread-self/net/if_inet6").read_text()
            with inside(lab.namespaces["client"]):
                connection = socket.create_connection(listener.getsockname(), 5)
            connection.close()
            listener.close()
            self.assertEqual("", inet6)
            self.assertEqual(before, socket.if_nameindex())
            paths = [Path("/run/netns", name) for name in lab.namespaces.values()]
            self.assertTrue(all(path.exists() for path in paths))
        self.assertFalse(any(path.exists() for path in paths))

    def test_sweep(self) -> None:
        """
        Namespaces that a killed process left are removed, those of the living are not.
        """
        process = subprocess.Popen([sys.executable, "-S", "-c", ""])
        process.wait()
        dead, alive = f"ktp-{process.pid}-s", f"ktp-{os.getpid()}-s"
        for name in (dead, alive):
            subprocess.run(["ip", "netns", "add", name], check=True)
            self.addCleanup(subprocess.run, ["ip", "netns", "del", name], capture_output=True)
        self.assertIn(dead, sweep())
        self.assertFalse(Path("/run/netns", dead).exists())
        self.assertTrue(Path("/run/netns", alive).exists())
