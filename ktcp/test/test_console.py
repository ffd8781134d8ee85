"""
Tests for L{ktcp.console}.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import Any

from twisted.trial.unittest import SynchronousTestCase, TestCase

from ktcp import console
from ktcp.test.support import BIN, spawn

# What a command is that a signal meets in the midst of its imports, and in its work.
IMPORTING = """
import os, signal
from ktcp.console import loading, script
def run(arguments):
    with loading():
        os.kill(os.getpid(), signal.SIGINT)
script(run)
"""
WORKING = """
import os, signal
from ktcp.console import loading, script
def run(arguments):
    with loading():
        pass
    os.kill(os.getpid(), signal.SIGINT)
script(run)
"""

# Becomes a command whose stdout nobody reads.
UNREAD = """
import os, sys
reading, writing = os.pipe()
os.close(reading)
os.dup2(writing, 1)
os.execv(sys.argv[1], sys.argv[1:])
"""

# Becomes a command whose stdout, stderr and stdin are a terminal.
ON_TERMINAL = """
import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))
"""


class ScriptTests(SynchronousTestCase):
    """
    The exit status of a console script.
    """

    def status(self, run: Any) -> object:
        """
        Be a script.
        """
        self.patch(sys, "argv", ["x", "a"])
        return self.assertRaises(SystemExit, console.script, run).code

    def test_status(self) -> None:
        """
        It is what the command returns, or what argparse ends with.
        """
        self.assertEqual(self.status(len), 1)
        self.assertEqual(self.status(lambda arguments: sys.exit(2)), 2)

    def test_interrupt(self) -> None:
        """
        Ctrl-C is status 130.
        """

        def run(arguments: object) -> int:
            raise KeyboardInterrupt

        self.assertEqual(self.status(run), 130)

    def test_nobodyReads(self) -> None:
        """
        A closed pipe is status 141, whoever writes last; C{stdout} takes the rest.
        """
        for flushed in (False, True):
            reading, writing = os.pipe()
            os.close(reading)
            with open(writing, "w", buffering=1 if flushed else -1) as stdout:
                self.patch(sys, "stdout", stdout)
                self.assertEqual(self.status(lambda arguments: print("x") or 0), 141)
                stdout.write("more\n")
                stdout.flush()

    def test_show(self) -> None:
        """
        So it is for C{--help}, which is printed in full to others.
        """
        text = io.StringIO()
        self.patch(sys, "stdout", text)
        console.show("help")
        self.assertEqual(text.getvalue(), "help\n")
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "w") as stdout:
            self.patch(sys, "stdout", stdout)
            self.assertEqual(self.assertRaises(SystemExit, console.show, "help").code, 141)


class SignalTests(SynchronousTestCase):
    """
    What becomes of signals.
    """

    def test_loading(self) -> None:
        """
        Python's way to raise C{KeyboardInterrupt} is put off; another's is left alone.
        """
        before = signal.getsignal(signal.SIGINT)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        for handler, meanwhile in (
            (signal.default_int_handler, signal.SIG_DFL),
            (signal.SIG_IGN, signal.SIG_IGN),
        ):
            signal.signal(signal.SIGINT, handler)
            with console.loading():
                self.assertIs(signal.getsignal(signal.SIGINT), meanwhile)
            self.assertIs(signal.getsignal(signal.SIGINT), handler)

    def test_noticing(self) -> None:
        """
        Signals are noticed, and do nothing; then they are as before.
        """
        before = signal.getsignal(signal.SIGUSR2)
        with console.noticing(signal.SIGUSR2) as noticed:
            os.kill(os.getpid(), signal.SIGUSR2)
            self.assertEqual(noticed, [signal.SIGUSR2])
        self.assertIs(signal.getsignal(signal.SIGUSR2), before)


class ProcessTests(TestCase):
    """
    Commands as processes.
    """

    timeout = 60

    async def test_interrupt(self) -> None:
        """
        Ctrl-C is never a traceback: neither in the midst of imports, nor later.
        """
        for code, status in ((IMPORTING, -signal.SIGINT), (WORKING, 130)):
            child = spawn(self, [sys.executable, "-c", code])
            self.assertEqual(await child.ended, status)
            self.assertEqual(child.errors(), [])

    async def test_head(self) -> None:
        """
        Every command of ours ends in peace when nobody reads what it says.
        """
        for words in (
            ["ktcp", "--help"],
            ["ktcp", "connections"],
            ["ktcp-load", "--version"],
            ["ktcp-load", "http", "http://127.0.0.1:1/", "-n", "1", "--quiet"],
            ["twistd", "ktcp", "--help"],
            ["twistd", "ktcp", "--version"],
        ):
            child = spawn(self, [sys.executable, "-c", UNREAD, BIN / words[0], *words[1:]])
            # argparse, for one, takes no notice of what it cannot print.
            self.assertIn(await child.ended, (0, 141))
            self.assertEqual(child.errors(), [])

    async def escapes(self, *words: str, **environment: str) -> bool:
        """
        Whether a command writes escape sequences to a terminal.
        """
        command = [sys.executable, "-c", ON_TERMINAL, BIN / words[0], *words[1:]]
        child = spawn(self, command, {"NO_COLOR": "", **environment})
        await child.ended
        self.assertNotEqual(child.output[1], b"")
        return b"\x1b" in child.output[1]

    async def test_escapes(self) -> None:
        """
        C{NO_COLOR} and a dumb terminal are respected by what has colours, or draws.
        """
        doctor = ("ktcp", "doctor")
        self.assertTrue(await self.escapes(*doctor, TERM="xterm"))
        self.assertFalse(await self.escapes(*doctor, TERM="xterm", NO_COLOR="1"))
        self.assertFalse(await self.escapes(*doctor, TERM="dumb"))
        load = ("ktcp-load", "http", "http://127.0.0.1:1/", "-n", "1")
        self.assertFalse(await self.escapes(*load, TERM="dumb"))

    async def test_pipes(self) -> None:
        """
        Nobody writes escape sequences into a pipe.
        """
        for words in (
            ["ktcp", "doctor"],
            ["ktcp", "--help"],
            ["ktcp-load", "http", "http://127.0.0.1:1/", "-n", "1"],
            ["twistd", "ktcp", "--help"],
        ):
            child = spawn(self, [BIN / words[0], *words[1:]], {"TERM": "xterm", "NO_COLOR": ""})
            await child.ended
            self.assertNotEqual(child.output[1], b"")
            self.assertNotIn(b"\x1b", child.output[1] + child.output[2])
