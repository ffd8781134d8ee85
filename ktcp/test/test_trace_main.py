"""
Tests for L{ktcp.trace.__main__}: the command C{ktcp}, and what its subcommands share.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from argparse import ArgumentTypeError

from twisted.trial.unittest import SynchronousTestCase, TestCase

from ktcp import __version__
from ktcp.test.support import runKtcp, spawn
from ktcp.trace import __main__ as command
from ktcp.trace.commands import arguments, terminal
from ktcp.trace.errors import Refused, Unavailable

KTCP = [sys.executable, "-m", "ktcp.trace"]

# As any of our modules would run for somebody without rights, whoever runs the tests.
AS_NOBODY = """
import contextlib, os, sys
import ctypes, encodings.idna, fcntl, locale, shutil
from ktcp.trace.commands import capture, drop, queues
from ktcp.trace.__main__ import makeParser
makeParser(["capture"]).format_help()
from ktcp.trace.__main__ import main
# Root without even this right has none of the others.
with contextlib.suppress(PermissionError):
    os.setgroups([])
    os.setuid(65534)
sys.argv[0] = "ktcp"
main()
"""


class Room:
    """
    A subcommand that ends as a test says.
    """

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def addArguments(self, parser: object) -> None:
        """
        None.
        """

    def main(self, args: object) -> int:
        """
        End.
        """
        if self.error is not None:
            raise self.error
        return 3


class CommandTests(SynchronousTestCase):
    """
    The command line.
    """

    def run_(self, error: Exception | None) -> tuple[int, str, str]:
        """
        Run a subcommand that ends in some way.
        """
        self.patch(command, "import_module", lambda path: Room(error))
        return runKtcp(self, "doctor")

    def test_status(self) -> None:
        """
        A subcommand says how the command ends.
        """
        self.assertEqual(self.run_(None), (3, "", ""))

    def test_refused(self) -> None:
        """
        A request that makes no sense is one line.
        """
        self.assertEqual(self.run_(Refused("no")), (2, "", "ktcp doctor: no\n"))

    def test_unavailable(self) -> None:
        """
        What cannot be done here is status 77, and says what, for whom and how.
        """
        status, _, errors = self.run_(Unavailable("a moon", "ktcp tide", "go to Earth"))
        self.assertEqual(status, 77)
        self.assertEqual(
            errors, "ktcp doctor: a moon is missing; ktcp tide needs it; go to Earth\n"
        )

    def test_version(self) -> None:
        """
        C{--version} tells ktcp's.
        """
        self.assertEqual(runKtcp(self, "--version")[:2], (0, f"ktcp {__version__}\n"))

    def test_help(self) -> None:
        """
        C{--help} has a line for each subcommand, and imports none of them.
        """
        self.patch(command, "import_module", None)
        status, output, _ = runKtcp(self, "--help")
        self.assertEqual(status, 0)
        for name, summary in command.COMMANDS.items():
            self.assertIn(f"{name} ", output)
            self.assertIn(summary, output)

    def test_noCommand(self) -> None:
        """
        Without a subcommand, and with an unknown one, there is a line with what to do.
        """
        for words, line in [
            ((), "needs COMMAND; see ktcp --help"),
            (("tarce",), "COMMAND: no 'tarce'; did you mean trace?"),
        ]:
            self.assertEqual(runKtcp(self, *words), (2, "", f"ktcp: {line}\n"))


class ProcessTests(TestCase):
    """
    The command as a process.
    """

    timeout = 60

    async def test_interrupt(self) -> None:
        """
        Ctrl-C ends C{--watch}, without a traceback.
        """
        child = spawn(self, [*KTCP, "queues", "--port", 1, "--watch"])
        await child.said("0")
        child.signal("INT")
        self.assertEqual(await child.ended, 0)
        self.assertEqual(child.errors(), [])

    async def test_interruptAnywhere(self) -> None:
        """
        Where a subcommand has nothing to finish, Ctrl-C is status 130.
        """
        code = "import os, signal; from ktcp.trace import __main__ as m\n"
        code += "m.run = lambda arguments: os.kill(os.getpid(), signal.SIGINT)\nm.main()"
        child = spawn(self, [sys.executable, "-c", code])
        self.assertEqual(await child.ended, 128 + signal.SIGINT)
        self.assertEqual(child.errors(), [])

    async def test_brokenPipe(self) -> None:
        """
        C{ktcp doctor | head} ends in peace when nobody reads on.
        """
        code = f"exec 3>&1; {' '.join(KTCP)} doctor 2>&3 | true; echo ${{PIPESTATUS[0]}}"
        child = spawn(self, ["/bin/bash", "-c", f"sleep() {{ :; }}; {code}"])
        self.assertEqual(await child.ended, 0)
        # Either it wrote before the reader was gone, or it noticed.
        self.assertIn(child.output[1], [b"0\n", b"77\n", b"141\n"])

    async def test_nobody(self) -> None:
        """
        Without rights, each subcommand says in one line what it lacks.
        """
        for words, status in [
            (["capture", "--port", 1], 77),
            (["queues", "--port", 1], 2),
            (["drop", "--port", 1], 0),
        ]:
            child = spawn(self, [sys.executable, "-c", AS_NOBODY, *words])
            self.assertEqual(await child.ended, status)
            self.assertEqual(len(child.errors()), 1 if status else 0, child.errors())


class ColourTests(SynchronousTestCase):
    """
    Colour, and none.
    """

    def stream(self, isTerminal: bool) -> io.StringIO:
        """
        Where to write.
        """
        stream = io.StringIO()
        self.patch(stream, "isatty", lambda: isTerminal)
        return stream

    def test_terminal(self) -> None:
        """
        A terminal has colour.
        """
        self.patch(os, "environ", {"NO_COLOR": ""})
        self.assertEqual(terminal.paint("x", "good", self.stream(True)), "\x1b[32mx\x1b[0m")

    def test_file(self) -> None:
        """
        A file or a pipe has none.
        """
        self.patch(os, "environ", {})
        self.assertEqual(terminal.paint("x", "good", self.stream(False)), "x")

    def test_refused(self) -> None:
        """
        Nor has a terminal whose owner wants none, or that cannot.
        """
        for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            self.patch(os, "environ", environment)
            self.assertEqual(terminal.paint("x", "good", self.stream(True)), "x")


class ArgumentTests(SynchronousTestCase):
    """
    Values that several subcommands take.
    """

    def test_seconds(self) -> None:
        """
        Times have units; seconds need none.
        """
        values = [arguments.positiveSeconds(text) for text in ("5", "0.5s", "200ms", "2m")]
        self.assertEqual(values, [5.0, 0.5, 0.2, 120.0])

    def test_notSeconds(self) -> None:
        """
        Other times are refused, and the line shows them.
        """
        for text in ("", "s", "0", "-1s", "1h", "nan", "inf", "1e99", "1ss", "5sm"):
            with self.assertRaises(ArgumentTypeError) as raised:
                arguments.positiveSeconds(text)
            self.assertIn(repr(text), str(raised.exception))

    def test_port(self) -> None:
        """
        A port is between 1 and 65535.
        """
        self.assertEqual(arguments.portNumber("65535"), 65535)
        for text in ("0", "65536", "-1", "x", "", "٣", "9" * 5000):
            self.assertRaises(ArgumentTypeError, arguments.portNumber, text)

    def test_state(self) -> None:
        """
        States are as people write them.
        """
        for text in ("time-wait", "TIME_WAIT", "Time-Wait"):
            self.assertEqual(arguments.stateName(text), "TIME_WAIT")
        with self.assertRaises(ArgumentTypeError) as raised:
            arguments.stateName("waiting")
        self.assertIn("fin-wait1", str(raised.exception))

    def test_place(self) -> None:
        """
        An end of a connection, in full or in part, as netstat and ss write it.
        """
        for text, place in {
            "127.0.0.1:80": ("127.0.0.1", 80),
            "127.0.0.1": ("127.0.0.1", 0),
            ":80": ("", 80),
            "[::1]:80": ("::1", 80),
            "[::1]": ("::1", 0),
            "::1": ("::1", 0),
            "0:0:0:0:0:0:0:1": ("::1", 0),
            "[::ffff:10.0.0.1]:80": ("10.0.0.1", 80),
        }.items():
            self.assertEqual(arguments.place(text), place)

    def test_noPlace(self) -> None:
        """
        Anything else is refused.
        """
        for text in ("localhost:80", "1.2.3:80", "1.2.3.4:0", "[::1:80", "1.2.3.4:http", "::1]:8x"):
            self.assertRaises(ArgumentTypeError, arguments.place, text)
