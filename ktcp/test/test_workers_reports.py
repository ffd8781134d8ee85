"""
Tests for L{ktcp.workers.reports}.
"""

from __future__ import annotations

import json
import os
from typing import Any

from twisted.logger import Logger, LogPublisher
from twisted.trial.unittest import SynchronousTestCase

from ktcp.workers.reports import LONGEST, LONGEST_TEXT, Lines, Reporter


class ReportsTests(SynchronousTestCase):
    """
    From a worker's log to a pipe.
    """

    def test_reporter(self) -> None:
        """
        Events arrive with their level and without a time, failures with
        their traceback; an event without text does not.
        """
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        os.set_inheritable(writing, True)
        reporter: Any = Reporter(writing)
        self.addCleanup(reporter._file.close)
        self.assertFalse(os.get_inheritable(writing))
        log = Logger("x", observer=LogPublisher(reporter))
        log.warn("a {b}", b="c\nd")
        log.debug("")
        try:
            raise ValueError("oh")
        except ValueError:
            log.failure("broken")
        log.info("{long}", long="x" * LONGEST)
        reporter.report({"ready": True})
        first, second, cut, third = map(json.loads, os.read(reading, LONGEST).splitlines())
        self.assertEqual(first, {"level": "warn", "text": "a c\nd"})
        self.assertEqual(second["level"], "critical")
        self.assertTrue(second["text"].startswith("broken\nTraceback"), second)
        self.assertIn("ValueError: oh", second["text"])
        self.assertEqual(len(cut["text"]), LONGEST_TEXT)
        self.assertEqual(third, {"ready": True})

    def test_lines(self) -> None:
        """
        Lines come out whole, however they went in.
        """
        data = b"a\n\nbc\nd"
        for step in range(1, len(data) + 1):
            lines = Lines()
            found = []
            for at in range(0, len(data), step):
                found += lines.feed(data[at : at + step])
            self.assertEqual(found, [b"a", b"", b"bc"])

    def test_noLine(self) -> None:
        """
        Bytes without an end of line are not kept for ever.
        """
        lines = Lines()
        self.assertEqual(lines.feed(b"x" * LONGEST), [])
        self.assertEqual(lines.feed(b"x"), [b"x" * (LONGEST + 1)])
        self.assertEqual(lines.feed(b"y\n"), [b"y"])
