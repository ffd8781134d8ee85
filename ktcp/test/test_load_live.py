"""
Tests for the progress of a run.
"""

from __future__ import annotations

import io
import os
from collections import deque
from unittest.mock import patch

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ktcp.load import live
from ktcp.load.result import Progress

HALF = Progress(5.0, 0.5, 1234, 1, 2468.0, 1_500_000)


class Terminal(io.StringIO):
    """
    A stream that says it is a terminal.
    """

    def isatty(self) -> bool:
        return True


class LinesTests(SynchronousTestCase):
    """
    Plain lines, where nobody watches.
    """

    def setUp(self) -> None:
        """
        Have a clock.
        """
        self.clock = Clock()
        self.stream = io.StringIO()
        self.lines = live.Lines(self.stream, self.clock.seconds)

    def test_line(self) -> None:
        """
        A line has the figures of its moment.
        """
        self.clock.advance(1)
        self.lines.tell(HALF)
        self.assertEqual(
            self.stream.getvalue(),
            "ktcp-load:  50%, 5 s, 2,468/s, p99 1.50 ms, 1,234 good, 1 error\n",
        )

    def test_pace(self) -> None:
        """
        There is a line a second at most, and twenty in a run however long it is.
        """
        self.clock.advance(0.99)
        self.lines.tell(HALF)
        self.assertEqual(self.stream.getvalue(), "")
        self.clock.advance(0.01)
        for step in range(4000):
            self.lines.tell(_at(step / 4000))
            self.clock.advance(0.25)
        self.assertIn(len(self.stream.getvalue().splitlines()), (18, 19, 20))

    def test_warmUp(self) -> None:
        """
        A warm-up is not measured, so it has no figures.
        """
        self.clock.advance(5)
        self.lines.tell(Progress(-1.0, 0.5, 0, 0, 0.0))
        self.assertEqual(self.stream.getvalue(), "")


def _at(share: float) -> Progress:
    return Progress(1000 * share, share, 10, 0, 1.0)


class PanelTests(SynchronousTestCase):
    """
    The panel on a terminal.
    """

    def show(self, stream: io.StringIO, *moments: Progress, **environment: str) -> str:
        """
        Show some moments as a run would.
        """
        given = {"TERM": "xterm-256color", "COLUMNS": "70", **environment}
        with patch.dict(os.environ, given), live.display(stream) as tell:
            for moment in moments:
                tell(moment)
        return stream.getvalue()

    def test_panel(self) -> None:
        """
        The panel has the figures, and the report that follows has its place.
        """
        said = self.show(Terminal(), HALF)
        self.assertIn("2,468/s, p99 1.50 ms, 1,234 good, 1 error", said)
        self.assertIn("ktcp-load, 5 s", said)
        # The last thing is to erase it: ECMA-48, EL.
        self.assertIn("\x1b[2K", said.rpartition("ktcp-load, 5 s")[2])

    def test_warmUp(self) -> None:
        """
        A warm-up is called so.
        """
        self.assertIn("warming up", self.show(Terminal(), Progress(-1.0, 0.0, 0, 0, 0.0)))

    def test_noColour(self) -> None:
        """
        NO_COLOR leaves the panel and takes the colours (SGR 30 to 37 and 38).
        """
        colours = r"\x1b\[[0-9;]*3[0-8][0-9;]*m"
        self.assertRegex(self.show(Terminal(), HALF, NO_COLOR=""), colours)
        said = self.show(Terminal(), HALF, NO_COLOR="1")
        self.assertNotRegex(said, colours)
        self.assertIn("2,468/s", said)

    def test_notATerminal(self) -> None:
        """
        A pipe, a log and a dumb terminal get no escape sequences.
        """
        self.assertNotIn("\x1b", self.show(io.StringIO(), HALF))
        self.assertNotIn("\x1b", self.show(Terminal(), HALF, TERM="dumb"))

    def test_quiet(self) -> None:
        """
        Quiet is quiet.
        """
        stream = Terminal()
        with live.display(stream, quiet=True) as tell:
            tell(HALF)
        self.assertEqual(stream.getvalue(), "")

    def test_pace(self) -> None:
        """
        However often the engine tells, the panel is drawn twice a second.
        """
        drawn = []

        class Recorder:
            def update(self, what: object, refresh: bool) -> None:
                drawn.append(what)

        clock = Clock()
        panel = live.Panel(Recorder(), clock.seconds)  # all it needs
        for _ in range(40):
            panel.tell(HALF)
            clock.advance(0.25)
        self.assertEqual(len(drawn), 20)

    def test_curve(self) -> None:
        """
        The little curve goes from nothing to the highest.
        """
        self.assertEqual(live.curve(deque([0.0, 50.0, 100.0])), "\u2581\u2585\u2588")
        self.assertEqual(live.curve(deque([0.0])), "")
