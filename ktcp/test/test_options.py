"""
Tests for L{ktcp.options}.
"""

from __future__ import annotations

import io
import os
import sys

from twisted.python.usage import Options as UsageOptions
from twisted.trial.unittest import SynchronousTestCase

from ktcp import __version__
from ktcp.options import BaseOptions, Options, optionsFor
from ktcp.parameters import Parameter, integerBetween
from ktcp.plugin import ProtocolPlugin
from ktcp.refusal import Refusal

PLUGINS = (
    ProtocolPlugin("http", "A web server", "x.http", 8081),
    ProtocolPlugin(
        "echo",
        "An echo",
        "x.echo",
        12345,
        (
            Parameter("echo-size", "Bytes.", 10, integerBetween(1, 20), "BYTES"),
            Parameter("echo-loud", "Shout.", False, None),
            Parameter("echo-to", "Whom.", ("a",), str, "WHOM", repeatable=True),
        ),
    ),
    ProtocolPlugin("discard", "A sink", "x.discard"),
)


def parse(*arguments: str) -> BaseOptions:
    """
    Parse a command line.
    """
    options = optionsFor(PLUGINS)()
    options.parseOptions(list(arguments))
    return options


class OptionsTests(SynchronousTestCase):
    """
    A command line that is right.
    """

    def test_defaults(self) -> None:
        """
        Nothing needs to be said.
        """
        options = parse()
        self.assertEqual(
            dict(options),
            {
                "interface": "127.0.0.1",
                "log-format": "text",
                "backlog": 4096,
                "tls-cert": [],
                "tls-key": [],
                "tls-client-ca": None,
                "tls-self-signed": False,
                "tls-handshake-time": 10.0,
                "proxy-protocol": False,
                "proxy-trust": [],
                "proxy-headers": "x-forwarded",
                "http-tls-port": None,
                "echo-tls-port": None,
                "discard-tls-port": None,
                "workers": None,
                "bound": False,
                "limit-connections": 10_240,
                "limit-client-connections": 1_024,
                "admin-port": None,
                "admin": [],
                "admin-token-file": None,
                "limit-buffers": 512 * 1024 * 1024,
                "drain-delay": 0.0,
                "drain-timeout": 25.0,
                "http-port": 8081,
                "http": [],
                "no-http": False,
                "echo-port": 12345,
                "echo": [],
                "no-echo": False,
                "echo-size": 10,
                "echo-loud": False,
                "echo-to": ["a"],
                "discard-port": None,
                "discard": [],
                "no-discard": False,
            },
        )
        self.assertEqual([plugin.name for plugin in options.served()], ["http", "echo"])

    def test_values(self) -> None:
        """
        What is given is checked, and replaces the default.
        """
        options = parse(
            *("--interface", "::1", "--backlog=0", "--port", "0", "--no-echo"),
            *("--discard", "tcp:1", "--discard", "unix:/x"),
        )
        self.assertEqual(options["interface"], "::1")
        self.assertEqual(options["backlog"], 0)
        self.assertEqual(options["http-port"], 0)
        self.assertEqual(options["discard"], ["tcp:1", "unix:/x"])
        self.assertEqual([plugin.name for plugin in options.served()], ["http", "discard"])

    def test_arguments(self) -> None:
        """
        The command line is kept, for workers to be given the same.
        """
        self.assertEqual(parse("--port", "0").arguments, ["--port", "0"])

    def test_portIsHTTPPort(self) -> None:
        """
        --port and --http-port are one option; the last one holds.
        """
        self.assertEqual(parse("--http-port", "1", "--port", "2")["http-port"], 2)
        self.assertEqual(parse("--port", "1", "--http-port", "2")["http-port"], 2)

    def test_parametersOfAProtocol(self) -> None:
        """
        A protocol gets its own parameters and no others.
        """
        options = parse("--echo-size", "7", "--echo-loud", "--echo-to", "b", "--echo-to", "c")
        self.assertEqual(
            options.parametersOf(PLUGINS[1]),
            {"echo-size": 7, "echo-loud": True, "echo-to": ["b", "c"]},
        )

    def test_defaultsAreNotShared(self) -> None:
        """
        One command line leaves nothing behind for the next.
        """
        parse("--http", "tcp:1")
        self.assertEqual(parse()["http"], [])

    def test_help(self) -> None:
        """
        --help explains each option with its value and its default, by group,
        within the width of the terminal.
        """
        text = optionsFor(PLUGINS)().getUsage(width=80)
        self.assertLessEqual(max(map(len, text.splitlines())), 80)
        for part in (
            "Service:\n",
            "http - A web server:\n",
            "echo - An echo:\n",
            "  --port, --http-port PORT ",
            "[default: 8081]",
            "  --backlog COUNT ",
            "net.core.somaxconn",
            "[default: 4096]",
            "  --echo-size BYTES         Bytes. [default: 10]\n",
            "  --echo-loud               Shout. [default: off]\n",
            "  --echo-to WHOM            Whom. [default: a]\n",
            "  --no-discard ",
        ):
            self.assertIn(part, text)
        self.assertNotIn("  \n", text)

    def test_version(self) -> None:
        """
        --version is ktcp's.
        """
        out = io.StringIO()
        self.patch(sys, "stdout", out)
        self.assertEqual(self.assertRaises(SystemExit, parse, "--version").code, 0)
        self.assertEqual(out.getvalue(), f"ktcp {__version__}\n")

    def test_helpOption(self) -> None:
        """
        --help has what a manual page has, as wide as the terminal.
        """
        out = io.StringIO()
        self.patch(sys, "stdout", out)
        self.patch(os, "environ", {**os.environ, "COLUMNS": "70"})
        self.assertEqual(self.assertRaises(SystemExit, parse, "--help").code, 0)
        text = out.getvalue()
        for title in ("Usage: ", "\nServe HTTP/1.1", "\nService:\n", "\nExamples:\n"):
            self.assertIn(title, text)
        for title in ("\nExit status:\n  0  ", "\nSee also:\n"):
            self.assertIn(title, text)
        for line in text.splitlines():
            # A command line is to be copied, whole.
            self.assertTrue(len(line) <= 70 or line.startswith("  twistd "), line)

    def test_zshCompletion(self) -> None:
        """
        zsh is told every option, and which may come more than once.
        """
        written = io.BytesIO()

        class Parent(UsageOptions):
            subCommands = [["ktcp", None, optionsFor(PLUGINS), "x"]]
            _shellCompFile = written

        self.assertRaises(
            SystemExit, Parent().parseOptions, ["ktcp", "--", "--_shell-completion", "zsh:3"]
        )
        text = written.getvalue().decode()
        for part in (
            "'--port=[",
            "'--http-port=[",
            '"*--echo=[',
            "is any free port.]:port:'",
            "in this file.]:tls-client-ca (*):_files",
            "'--no-discard[",
            "'--echo-loud[",
        ):
            self.assertIn(part, text)

    def test_zshEndpoints(self) -> None:
        """
        How endpoint strings begin is offered, the colon not taken for zsh's
        own, and no blank put behind it.
        """
        options = optionsFor(PLUGINS)
        action = options.compData.optActions["echo"]._shellCode("echo", "zsh")
        self.assertEqual(
            action,
            ":echo:{compadd -S '' -- tcp\\: tcp6\\: ktcp\\: ssl\\: unix\\: systemd\\: haproxy\\:}",
        )

    def test_installed(self) -> None:
        """
        The protocols of ktcp itself are there, in its own order, first.
        """
        names = [plugin.name for plugin in Options().plugins]
        self.assertEqual(names[:4], ["http", "echo", "discard", "chargen"])


class RefusalTests(SynchronousTestCase):
    """
    A command line that is wrong: one line, status 1.
    """

    def refused(self, *arguments: str) -> str:
        """
        The line.
        """
        refusal = self.assertRaises(Refusal, parse, *arguments)
        self.assertIsInstance(refusal, SystemExit)
        line = str(refusal.code)
        self.assertEqual(len(line.splitlines()), 1)
        self.assertTrue(line.startswith("ktcp: "))
        return line.removeprefix("ktcp: ")

    def test_values(self) -> None:
        """
        A bad value is named, with its option and what it must be.
        """
        number = "must be a whole number from"
        for arguments, line in (
            (("--port", "70000"), f"--port 70000: {number} 0 to 65535"),
            (("--http-port", "abc"), f"--http-port abc: {number} 0 to 65535"),
            (("--echo-port", ""), f"--echo-port '': {number} 0 to 65535"),
            (("--port", "1\n2"), f"--port '1\\n2': {number} 0 to 65535"),
            (("--port", "9" * 5000), f"--port {'9' * 5000}: {number} 0 to 65535"),
            (("--backlog", "-1"), f"--backlog -1: {number} 0 to 2147483647"),
            (("--echo-size", "21"), f"--echo-size 21: {number} 1 to 20"),
            (
                ("--interface", "foo"),
                "--interface foo: must be an IPv4 or IPv6 address, such as 127.0.0.1 or ::1",
            ),
        ):
            self.assertEqual(self.refused(*arguments), line)

    def test_unknown(self) -> None:
        """
        An unknown option comes with the likely one.
        """
        for argument, line in (
            ("--prot", "--prot: no such option; did you mean --port?"),
            ("--backlogs", "--backlogs: no such option; did you mean --backlog?"),
            (
                "--no",
                "--no: no such option; did you mean --no-http or --no-echo or --no-discard?",
            ),
            ("--zzz", "--zzz: no such option; see --help"),
            ("-p", "-p: no such option; see --help"),
        ):
            self.assertEqual(self.refused(argument), line)

    def test_valueMissingOrTooMany(self) -> None:
        """
        An option that lacks its value, and a flag that is given one.
        """
        self.assertEqual(self.refused("--port"), "--port: needs a value")
        self.assertEqual(self.refused("--no-http=1"), "--no-http: takes no value")

    def test_stray(self) -> None:
        """
        What is no option is not ignored.
        """
        self.assertEqual(self.refused("8081"), "8081: not an option; every option begins with --")

    def test_contradictions(self) -> None:
        """
        What is turned off cannot be asked for.
        """
        for other in ("--http=tcp:1", "--port=1"):
            name = other.partition("=")[0]
            self.assertEqual(
                self.refused(other, "--no-http"),
                f"--no-http: contradicts {name}; give one of the two",
            )
        self.assertIn("contradicts --echo-loud", self.refused("--no-echo", "--echo-loud"))

    def test_boundWithoutWorkers(self) -> None:
        """
        There is nothing to bind without workers.
        """
        self.assertEqual(self.refused("--bound"), "--bound: binds workers; give --workers too")

    def test_nothing(self) -> None:
        """
        A server that serves nothing is a mistake.
        """
        self.assertEqual(
            self.refused("--no-http", "--no-echo"),
            "nothing to serve; give at least one of --http, --echo, --discard",
        )

    def test_announce(self) -> None:
        """
        Once stderr is a log, the line still reaches the user, once.
        """
        log, stderr = io.StringIO(), io.StringIO()
        self.patch(sys, "stderr", log)
        self.patch(sys, "__stderr__", stderr)
        refusal = Refusal("no")
        refusal.announce()
        self.assertEqual((log.getvalue(), stderr.getvalue()), ("", "ktcp: no\n"))
        self.assertEqual(refusal.code, 1)

    def test_announceNotNeeded(self) -> None:
        """
        Where stderr is the user's, Python prints the line.
        """
        self.patch(sys, "stderr", sys.__stderr__)
        refusal = Refusal("no")
        refusal.announce()
        self.assertEqual(refusal.code, "ktcp: no")
