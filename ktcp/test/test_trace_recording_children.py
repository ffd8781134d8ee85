"""
Tests for L{ktcp.trace.recording.children}.
"""

from __future__ import annotations

import os
import sys

from twisted.trial.unittest import SynchronousTestCase

from ktcp.trace.errors import TraceError
from ktcp.trace.recording.children import (
    child,
    clientCommand,
    heldCommand,
    listeningPort,
    pipeOf,
    serverCommand,
)


def python(code: str) -> list[str]:
    """
    A command that runs some Python.
    """
    return [sys.executable, "-S", "-c", code]


class ChildTests(SynchronousTestCase):
    """
    Tests for L{child} and what starts in it.
    """

    def test_ends(self) -> None:
        """
        A child is gone with its context, even one that does not want to be asked.
        """
        with child(python("import time; print('here', flush=True); time.sleep(100)")) as process:
            self.assertEqual("here\n", pipeOf(process.stdout).readline())
        self.assertIsNotNone(process.returncode)

    def test_absent(self) -> None:
        """
        A program that is not there is an error in one line.
        """
        with (
            self.assertRaisesRegex(TraceError, "cannot run /no/such/program"),
            child(["/no/such/program"]),
        ):
            self.fail("it ran")

    def test_listeningPort(self) -> None:
        """
        The port is found however many lines come with its line.
        """
        said = "one\\nktcp: listening protocol=echo address=127.0.0.1 port=1234\\nthree"
        with child(python(f"print('{said}')")) as process:
            self.assertEqual(1234, listeningPort(process))

    def test_notListening(self) -> None:
        """
        A server that ends instead of listening has its last words told.
        """
        with child(python("print('no such option')")) as process:
            error = self.assertRaises(TraceError, listeningPort, process)
        self.assertIn("no such option", str(error))

    def test_held(self) -> None:
        """
        A held command starts when it is told to, and not before.
        """
        with child(heldCommand(["echo", "hello"])) as process:
            self.assertIsNone(process.poll())
            stdin = pipeOf(process.stdin)
            stdin.write("\n")
            stdin.flush()
            self.assertEqual("hello\n", pipeOf(process.stdout).readline())

    def test_commands(self) -> None:
        """
        The server has only the protocol asked for; the client is told where it is.
        """
        self.assertIn("--no-echo", serverCommand("http", "127.0.0.1", "ktcp"))
        self.assertIn("tcp:0:interface=127.0.0.1", serverCommand("echo", "127.0.0.1", "tcp"))
        command = clientCommand("http", "127.0.0.1", 80, 2, 3)
        self.assertEqual(["127.0.0.1", "80", "--http"], command[3:6])
        self.assertEqual(os.path.basename(sys.executable), os.path.basename(command[0]))
