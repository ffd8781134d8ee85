"""
Tests for L{ktcp.commandline}.
"""

from __future__ import annotations

import contextlib
import io
import os

from twisted.trial.unittest import SynchronousTestCase, TestCase

from ktcp.commandline import Parser, Section, likely, sections
from ktcp.load.__main__ import commands
from ktcp.test.support import BIN, spawn
from ktcp.trace.__main__ import COMMANDS, makeParser


def parser() -> Parser:
    """
    A command with a subcommand.
    """
    made = Parser(prog="x")
    sub = made.add_subparsers(metavar="COMMAND", required=True).add_parser("run")
    sub.add_argument("--port", type=int, required=True)
    sub.add_argument("--kind", choices=("one", "another"))
    return made


class LikelyTests(SynchronousTestCase):
    """
    What may have been meant.
    """

    def test_likely(self) -> None:
        """
        What begins so, else what is most alike, all of that; nothing if it is far.
        """
        words = ("port", "root", "no-http", "no-echo", "drain-timeout")
        for word, found in (
            ("no", ["no-http", "no-echo"]),
            ("prot", ["port", "root"]),
            ("portt", ["port"]),
            ("daytime", []),
            ("p", []),
        ):
            self.assertEqual(likely(word, words), found, word)


class SectionTests(SynchronousTestCase):
    """
    What follows the options.
    """

    def test_layout(self) -> None:
        """
        Short words stand beside their meaning, command lines above it, whole.
        """
        made = [
            Section("status", (("0", "all is well and there is more"), ("130", "Ctrl-C"))),
            Section("examples", (("a long command line of some sort", "does it"),)),
        ]
        self.assertEqual(
            list(sections(made, 30)),
            [
                *("", "status:", "  0    all is well and there", "       is more", "  130  Ctrl-C"),
                *("", "examples:", "  a long command line of some sort", "      does it"),
            ],
        )


class ParserTests(SynchronousTestCase):
    """
    Mistakes, each one line.
    """

    def said(self, *arguments: str) -> str:
        """
        What a mistake is answered with.
        """
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors):
            error = self.assertRaises(SystemExit, parser().parse_args, arguments)
        self.assertEqual(error.code, 2)
        return errors.getvalue()

    def test_mistakes(self) -> None:
        """
        Each is told by the parser that knows better.
        """
        for arguments, line in (
            ((), "x: needs COMMAND; see x --help"),
            (("runn",), "x: COMMAND: no 'runn'; did you mean run?"),
            (("go",), "x: COMMAND: no 'go'; it is one of run; see x --help"),
            (("run",), "x run: needs --port; see x run --help"),
            (("run", "--port", "y"), "x run: --port: invalid int value: 'y'; see x run --help"),
            (
                ("run", "--port", "1", "--prt=2"),
                "x run: --prt: no such option; did you mean --port?",
            ),
            (("run", "--port", "1", "-z"), "x run: -z: no such option; see x run --help"),
            (("run", "--port", "1", "y"), "x run: y: one too many; see x run --help"),
            (
                ("run", "--port", "1", "--kind", "nother"),
                "x run: --kind: no 'nother'; did you mean another?",
            ),
        ):
            self.assertEqual(self.said(*arguments), f"{line}\n")

    def test_width(self) -> None:
        """
        Every C{--help} is as wide as the terminal.
        """
        parsers = [*commands()[1].values(), commands()[0], makeParser(COMMANDS)]
        for columns in (60, 100):
            self.patch(os, "environ", {**os.environ, "COLUMNS": str(columns)})
            for each in parsers:
                for line in each.format_help().splitlines():
                    # A command line is to be copied, whole.
                    copied = line.startswith("  ktcp")
                    self.assertTrue(copied or len(line) <= columns, line)

    def test_pages(self) -> None:
        """
        C{--help} of a command has what a manual page has.
        """
        for each in (commands()[0], makeParser(())):
            text = each.format_help()
            for title in ("usage: ", "\nexit status:\n  0 ", "\nsee also:\n"):
                self.assertIn(title, text)
        self.assertIn("\nexamples:\n", commands()[1]["http"].format_help())


class CompletionTests(TestCase):
    """
    What a shell is offered, asked as bash, zsh and fish ask through argcomplete.
    """

    timeout = 60

    async def offered(self, line: str) -> set[str]:
        """
        Complete a command line.
        """
        asking = {
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_IFS": "\n",
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
        }
        command = line.partition(" ")[0]
        # It answers on descriptor 8.
        child = spawn(self, ["/bin/bash", "-c", f"{BIN}/{command} 8>&1 9>/dev/null"], asking)
        self.assertEqual(await child.ended, 0)
        return {word.strip() for word in child.output[1].decode().split("\n") if word}

    async def test_options(self) -> None:
        """
        Subcommands, their options, and words of which one is to be chosen.
        """
        self.assertEqual(await self.offered("ktcp-load "), {"http", "echo", "compare", *HELP})
        self.assertLessEqual(
            {"--rate", "--json", "--fail-if"}, await self.offered("ktcp-load http --")
        )
        self.assertEqual(await self.offered("ktcp-load compare --fa"), {"--fail-if"})
        self.assertEqual(await self.offered("ktcp-load http --arrivals "), {"constant", "poisson"})
        self.assertEqual(await self.offered("ktcp "), {*COMMANDS, *HELP})
        self.assertEqual(await self.offered("ktcp trace run --tr"), {"--transport", "--tracefs"})


HELP = {"-h", "--help", "--version"}


class VersionTests(TestCase):
    """
    C{--version}.
    """

    timeout = 60

    async def test_version(self) -> None:
        """
        Each command has it.
        """
        for words in (["ktcp"], ["ktcp-load"], ["twistd", "ktcp"], ["twist", "ktcp"]):
            child = spawn(self, [BIN / words[0], *words[1:], "--version"])
            self.assertEqual(await child.ended, 0)
            self.assertRegex(child.output[1].decode(), r"^ktcp(-load)? \d+\.\d+\S*\n$")
            self.assertEqual(child.errors(), [])
