"""
Tests for L{ktcp}, the package: what is public, and what importing it costs.
"""

from __future__ import annotations

import sys
from importlib import import_module

from twisted.trial.unittest import SynchronousTestCase, TestCase

import ktcp
from ktcp.test.support import spawn

HEAVY = "print([name for name in ('twisted.internet.reactor', 'h11') if name in sys.modules])"


class PublicTests(SynchronousTestCase):
    """
    The names that users import; L{ktcp.test.test_public} has which.
    """

    def test_loaded(self) -> None:
        """
        Each name is there when it is asked for.
        """
        for name in ktcp.__all__:
            room = ktcp._ROOMS.get(name, "ktcp")
            self.assertIs(getattr(ktcp, name), getattr(import_module(room), name))

    def test_noSuchName(self) -> None:
        """
        A name that is not there is the usual error.
        """
        error = self.assertRaises(AttributeError, getattr, ktcp, "nothere")
        self.assertEqual(str(error), "module 'ktcp' has no attribute 'nothere'")


class CheapTests(TestCase):
    """
    twistd imports ktcp to print its help, so neither a reactor nor h11 comes along.
    """

    timeout = 60

    async def heavy(self, code: str) -> str:
        """
        What a fresh Python has loaded after some code.
        """
        child = spawn(self, [sys.executable, "-c", f"import sys\n{code}\n{HEAVY}"])
        line = child.said("[")
        self.assertEqual(await child.ended, 0)
        return await line

    async def test_import(self) -> None:
        """
        C{import ktcp} is cheap.
        """
        self.assertEqual(await self.heavy("import ktcp"), "[]")

    async def test_echoFactory(self) -> None:
        """
        So is embedding an echo: the reactor stays the application's choice.
        """
        self.assertEqual(await self.heavy("from ktcp import EchoFactory"), "[]")

    async def test_options(self) -> None:
        """
        So are the options, until they are parsed.
        """
        self.assertEqual(await self.heavy("from ktcp.service import Options; Options()"), "[]")

    async def test_help(self) -> None:
        """
        So is C{twistd ktcp --help}.
        """
        code = """
sys.argv = ["twistd", "ktcp", "--help"]
from twisted.scripts.twistd import run
try:
    run()
except SystemExit:
    pass
sys.stdout.write("\\n")
"""
        child = spawn(self, [sys.executable, "-c", f"import sys\n{code}\n{HEAVY}"])
        self.assertEqual(await child.ended, 0)
        lines = child.output[1].decode().splitlines()
        self.assertIn("  --port, --http-port PORT", "\n".join(lines))
        self.assertEqual(lines[-1], "[]")
