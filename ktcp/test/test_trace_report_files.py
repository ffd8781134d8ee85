"""
Tests for L{ktcp.trace.report.files}.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ktcp.test import recorded
from ktcp.test.peers import peer
from ktcp.trace.errors import TraceError
from ktcp.trace.report.files import load, save


class OutputTests(SynchronousTestCase):
    """
    Tests for L{save} and L{load}.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()) / "deep"

    def test_files(self) -> None:
        """
        All files are there, and the trace is read back from its folder or its file.
        """
        names = save(recorded.trace(), self.folder)
        self.assertEqual(sorted(names), sorted(each.name for each in self.folder.iterdir()))
        for path in (self.folder, self.folder / "trace.json"):
            self.assertEqual(recorded.trace(), load(path))

    def test_frames(self) -> None:
        """
        tcpdump reads the frames, each of them once.
        """
        tcpdump = peer("tcpdump", "tcpdump")
        save(recorded.trace(), self.folder)
        command = [tcpdump, "-nr", str(self.folder / "frames.pcapng")]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        self.assertEqual(10, len(shown.splitlines()))
        self.assertEqual(1, shown.count("Flags [S],"))

    def test_comment(self) -> None:
        """
        A packet's comment is the kernel's way to it.
        """
        save(recorded.trace(), self.folder)
        self.assertIn(b"< tcp_connect <", (self.folder / "frames.pcapng").read_bytes())

    def test_refused(self) -> None:
        """
        What cannot be read or written is an error in one line, with its name.
        """
        with self.assertRaisesRegex(TraceError, "cannot read .*nowhere"):
            load(Path("nowhere"))
        self.folder.mkdir(parents=True)
        (self.folder / "trace.json").write_text("{}")
        with self.assertRaisesRegex(TraceError, "trace.json: its schema"):
            load(self.folder)
        with self.assertRaisesRegex(TraceError, "cannot write .*trace.json"):
            save(recorded.trace(), self.folder / "trace.json")
