"""
Tests for L{bench.macro.operate}: small ones of what it does, with real programs.
"""

from __future__ import annotations

from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from bench.macro.operate.__main__ import COMMANDS, main, parse
from bench.macro.operate.running import readWrk
from ktcp.test.peers import peer


class WrkTests(SynchronousTestCase):
    """
    What wrk prints.
    """

    def test_errors(self) -> None:
        """
        Requests, and what failed by kind.
        """
        output = (
            "  1200 requests in 2.00s, 1.00MB read\n"
            "  Socket errors: connect 0, read 7, write 0, timeout 1\n"
            "  Non-2xx or 3xx responses: 3\n"
        )
        self.assertEqual(readWrk(output), (1200, {"read": 7, "timeout": 1, "status": 3}))

    def test_none(self) -> None:
        """
        Nothing failed.
        """
        self.assertEqual(readWrk("  5 requests in 1.00s, 1KB read\n"), (5, {}))


class CommandTests(SynchronousTestCase):
    """
    The commands.
    """

    def test_defaults(self) -> None:
        """
        Each runs as the issue has it unless told otherwise.
        """
        for name, (_, parameters) in COMMANDS.items():
            self.assertEqual(vars(parse([name])), {"command": name, **parameters})

    def run_(self, *arguments: str) -> None:
        """
        Run one, and see that all bars are met.
        """
        output = StringIO()
        self.assertEqual(main(arguments, output), 0, output.getvalue())

    def test_reload(self) -> None:
        """
        A worker is replaced without a failure.
        """
        peer("wrk", "wrk")
        self.run_("reload", "--times=1")

    def test_descriptors(self) -> None:
        """
        More clients than descriptors do no harm.
        """
        self.run_("descriptors", "--limit=100", "--clients=150", "--established=3")
