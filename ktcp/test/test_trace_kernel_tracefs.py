"""
Tests for L{ktcp.trace.kernel.tracefs}.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ktcp.test.peers import kernel
from ktcp.trace.errors import Unavailable
from ktcp.trace.kernel import tracefs
from ktcp.trace.kernel.tracefs import TraceFS


def gone() -> int:
    """
    The pid of a process that has ended.
    """
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


class UnavailableTests(SynchronousTestCase):
    """
    Where there is no tracefs, or another one than ktcp knows.
    """

    def test_absent(self) -> None:
        """
        The error says what is missing and how to get it.
        """
        with self.assertRaisesRegex(Unavailable, "/nowhere.*mount -t tracefs"):
            TraceFS("/nowhere")

    def mounts(self, text: str) -> None:
        """
        Let this be the list of what is mounted.
        """
        file = Path(self.mktemp())
        file.write_text(text)
        self.patch(tracefs, "MOUNTS", file)
        self.patch(tracefs, "DEBUGFS", "/nowhere")

    def test_mounted(self) -> None:
        """
        It is found wherever it is mounted.
        """
        place = Path(self.mktemp())
        (place / "instances").mkdir(parents=True)
        self.mounts(f"proc /proc proc rw 0 0\nnodev {place} tracefs rw 0 0\n")
        self.assertEqual(TraceFS().path, place)

    def test_notMounted(self) -> None:
        """
        When it is not mounted, the line has the command.
        """
        self.mounts("proc /proc proc rw 0 0\n")
        error = self.assertRaises(Unavailable, TraceFS)
        self.assertIn("mount -t tracefs nodev /sys/kernel/tracing", str(error))

    def test_notAllowed(self) -> None:
        """
        When it is not ours, the line says whose it is.
        """
        place = Path(self.mktemp())
        place.mkdir()
        self.patch(os, "access", lambda path, mode: False)
        error = self.assertRaises(Unavailable, TraceFS, str(place))
        self.assertIn("run it as root", str(error))

    def test_strange(self) -> None:
        """
        A ring buffer with other pages is refused, an unknown event is just not there.
        """
        root = Path(self.mktemp())
        (root / "instances").mkdir(parents=True)
        (root / "events").mkdir()
        (root / "events/header_page").write_text("something else")
        found = TraceFS(str(root))
        self.assertRaises(Unavailable, found.pageLayout)
        self.assertIsNone(found.format("sock/inet_sock_set_state"))

    def test_sweep(self) -> None:
        """
        Only instances of ktcp processes that are gone are removed.
        """
        root = Path(self.mktemp())
        dead = f"ktcp-{gone()}-tasks"
        keep = [f"ktcp-{os.getpid()}-tasks", "ktcp-x", "somebody"]
        for name in (dead, *keep):
            (root / "instances" / name).mkdir(parents=True)
        self.assertEqual([dead], TraceFS(str(root)).sweep())
        self.assertEqual(sorted(keep), sorted(os.listdir(root / "instances")))


class KernelTests(SynchronousTestCase):
    """
    The running kernel's tracefs.
    """

    def setUp(self) -> None:
        kernel("tracefs")
        self.tracefs = TraceFS()

    def test_instance(self) -> None:
        """
        An instance is there for as long as it is used, and switches nothing on for others.
        """
        switch = self.tracefs.path / "events/sock/inet_sock_set_state/enable"
        before = switch.read_text()
        with self.tracefs.instance("test", "tai", 64) as instance:
            self.assertTrue(instance.enable("sock/inet_sock_set_state", "sport==1||dport==1"))
            self.assertEqual(before, switch.read_text())
            self.assertEqual(0, instance.lost())
            self.assertTrue(instance.path.exists())
        self.assertFalse(instance.path.exists())

    def test_missing(self) -> None:
        """
        An event that this kernel lacks, or will not filter so, is noted, not an error.
        """
        with self.tracefs.instance("test", "tai", 64) as instance:
            self.assertFalse(instance.enable("sock/no_such_event"))
            self.assertFalse(instance.enable("sock/sk_data_ready", "no_such_field==1"))
            self.assertEqual(["sock/no_such_event", "sock/sk_data_ready"], instance.missing)

    def test_sweepEnabled(self) -> None:
        """
        An instance that a killed process left tracing is removed.
        """
        folder = self.tracefs.path / "instances" / f"ktcp-{gone()}-tasks"
        folder.mkdir()
        self.addCleanup(lambda: folder.rmdir() if folder.exists() else None)
        (folder / "events/sock/enable").write_text("1")
        self.assertIn(folder.name, self.tracefs.sweep())
        self.assertFalse(folder.exists())
