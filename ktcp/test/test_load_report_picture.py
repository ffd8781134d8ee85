"""
Tests for results as PNG.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ktcp.test.test_load_report_page import RESULT, barrier, open_

try:
    from ktcp.load.report import picture
except ImportError:
    picture = None  # type: ignore[assignment]  # the tests that need it say so


class PictureTests(SynchronousTestCase):
    """
    Runs are drawn.
    """

    def setUp(self) -> None:
        """
        Need matplotlib.
        """
        if picture is None:
            raise SkipTest("needs matplotlib (pip install ktcp[plot])")

    def test_drawn(self) -> None:
        """
        Each kind of run has its picture, and no two are the same.
        """
        drawn = set()
        for result in (RESULT, open_(), barrier()):
            path = Path(self.mktemp())
            picture.drawResult(result, path)
            drawn.add(path.read_bytes())
            self.assertEqual(path.read_bytes()[:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual(len(drawn), 3)
