"""
Tests for L{ktcp.trace.report.folded}.
"""

from __future__ import annotations

import json
import re

from twisted.trial.unittest import SynchronousTestCase

from ktcp.test import recorded
from ktcp.trace.report.folded import folded, speedscope


class FoldedTests(SynchronousTestCase):
    """
    Tests for L{folded} and L{speedscope}.
    """

    def test_folded(self) -> None:
        """
        Each line is as flamegraph.pl wants it; together they count each event once.
        """
        lines = list(folded(recorded.trace()))
        for line in lines:
            self.assertTrue(re.fullmatch(r"(client|server|other)(;[\w.]+)+ \d+", line), line)
        total = sum(int(line.rpartition(" ")[2]) for line in lines)
        self.assertEqual(len(recorded.trace().events), total)

    def test_speedscope(self) -> None:
        """
        The document has what speedscope demands: samples that name frames, as many weights.
        """
        document = json.loads(speedscope(recorded.trace(), "one connection"))
        count = len(document["shared"]["frames"])
        names = [each["name"] for each in document["profiles"]]
        self.assertEqual(["client", "server"], names)
        for profile in document["profiles"]:
            self.assertEqual(len(profile["samples"]), len(profile["weights"]))
            self.assertEqual(profile["endValue"], sum(profile["weights"]))
            self.assertTrue(all(0 <= each < count for s in profile["samples"] for each in s))
