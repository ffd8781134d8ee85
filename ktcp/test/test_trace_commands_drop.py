"""
Tests for L{ktcp.trace.commands.drop} and L{ktcp.trace.commands.connections}, beside a real kernel.
"""

from __future__ import annotations

import errno
import io
import json
import socket

from twisted.trial.unittest import SynchronousTestCase

from ktcp.test.support import enterNamespace, runKtcp
from ktcp.trace.__main__ import makeParser
from ktcp.trace.commands import drop
from ktcp.trace.commands.selection import CONNECTED, Selection, parseLines
from ktcp.trace.errors import Refused
from ktcp.trace.kernel.diagmessages import ALL_STATES


class ChosenTests(SynchronousTestCase):
    """
    What is to be dropped, and what is too much.
    """

    def chosen(self, words: str, lines: str = "", terminal: bool = False) -> object:
        """
        What a command line selects.
        """
        stream = io.StringIO(lines)
        self.patch(stream, "isatty", lambda: terminal)
        return drop.chosen(makeParser(["drop"]).parse_args(["drop", *words.split()]), stream)

    def test_options(self) -> None:
        """
        A port, and either end.
        """
        self.assertEqual(self.chosen("--port 80"), Selection(CONNECTED, 80))
        self.assertEqual(
            self.chosen("--src :80 --dst [::1]:9 --state established --state time-wait"),
            Selection(frozenset({"ESTABLISHED", "TIME_WAIT"}), 0, ("", 80), ("::1", 9)),
        )

    def test_timeWait(self) -> None:
        """
        All that nobody owns any more may go.
        """
        self.assertEqual(self.chosen("--state time-wait"), Selection(frozenset({"TIME_WAIT"})))

    def test_everything(self) -> None:
        """
        All of the machine's connections take C{--all}.
        """
        for words in (
            "",
            "--state established",
            "--listeners",
            "--state time-wait --state close-wait",
        ):
            with self.assertRaises(Refused) as raised:
                self.chosen(words)
            self.assertIn("say which, or --all", str(raised.exception))
        self.assertEqual(self.chosen("--all"), Selection())

    def test_terminal(self) -> None:
        """
        A person who gave no option is not left before a silent prompt.
        """
        with self.assertRaises(Refused):
            self.chosen("", "127.0.0.1:1 127.0.0.1:2", terminal=True)

    def test_listeners(self) -> None:
        """
        Listening sockets go only when it is said twice.
        """
        with self.assertRaises(Refused) as raised:
            self.chosen("--port 80 --state listen")
        self.assertIn("say --listeners too", str(raised.exception))
        self.assertEqual(self.chosen("--port 80 --listeners"), Selection(ALL_STATES, 80))

    def test_lines(self) -> None:
        """
        kecho's lines are read from standard input.
        """
        pairs = self.chosen("", "127.0.0.1:1 127.0.0.1:2\n\n[::1]:3\t[::1]:4\n")
        first = ("127.0.0.1", 1), ("127.0.0.1", 2)
        self.assertEqual(pairs, {first, (("::1", 3), ("::1", 4))})

    def test_badLine(self) -> None:
        """
        A line that is none is named, and nothing is dropped.
        """
        for line in ("nonsense", "127.0.0.1:1", "127.0.0.1 127.0.0.1:2", "a b c", ":1 :2"):
            with self.assertRaises(Refused) as raised:
                parseLines(["127.0.0.1:1 127.0.0.1:2\n", line])
            self.assertEqual(str(raised.exception), f"line 2: {line!r} is not 'src:port dst:port'")


class KernelTests(SynchronousTestCase):
    """
    Real sockets, in a network of their own.
    """

    def setUp(self) -> None:
        enterNamespace(self)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.server.close)
        self.place = self.server.getsockname()
        self.port = self.place[1]

    def connect(self) -> tuple[socket.socket, socket.socket]:
        """
        A connection: its client and its server.
        """
        client = socket.create_connection(self.place)
        self.addCleanup(client.close)
        accepted, _ = self.server.accept()
        self.addCleanup(accepted.close)
        return client, accepted

    def test_timeWait(self) -> None:
        """
        200 sockets in TIME_WAIT keep a port from being bound, until they are dropped.
        """
        for _ in range(200):
            client, accepted = self.connect()
            accepted.close()
            self.assertEqual(client.recv(1), b"")
            client.close()
        self.server.close()
        again = socket.socket()
        self.addCleanup(again.close)
        error = self.assertRaises(OSError, again.bind, self.place)
        self.assertEqual(error.errno, errno.EADDRINUSE)
        words = "--port", self.port, "--state", "time-wait"
        status, output, _ = runKtcp(self, "drop", *words, "--dry-run")
        self.assertEqual((status, output.splitlines()[-1]), (0, "would drop 200"))
        self.assertEqual(runKtcp(self, "drop", *words), (0, "dropped 200\n", ""))
        again.bind(self.place)

    def test_established(self) -> None:
        """
        One end is dropped by kecho's line: its owner is told, and so is the peer.
        """
        client, accepted = self.connect()
        other, _ = self.connect()
        line = "{}:{} {}:{}\n".format(*self.place, *client.getsockname())
        stream = io.StringIO(line)
        args = makeParser(["drop"]).parse_args(["drop"])
        pairs = drop.chosen(args, stream)
        self.patch(drop, "chosen", lambda args, lines: pairs)
        self.assertEqual(runKtcp(self, "drop")[:2], (0, "dropped 1\n"))
        self.assertEqual(self.assertRaises(OSError, accepted.recv, 1).errno, errno.ECONNABORTED)
        self.assertEqual(self.assertRaises(OSError, client.recv, 1).errno, errno.ECONNRESET)
        other.sendall(b"still there")

    def test_listener(self) -> None:
        """
        A port's connections go and its listener stays, until C{--listeners}.
        """
        self.connect()
        self.assertEqual(runKtcp(self, "drop", "--port", self.port)[0], 0)
        self.connect()
        words = "--port", self.port, "--state", "listen", "--listeners", "-v"
        _, output, _ = runKtcp(self, "drop", *words)
        self.assertEqual(output, f"LISTEN 127.0.0.1:{self.port} 0.0.0.0:0\ndropped 1\n")
        self.assertRaises(ConnectionRefusedError, socket.create_connection, self.place)

    def test_connections(self) -> None:
        """
        Both ends of a connection are told of, with what waits in them.
        """
        client, _ = self.connect()
        client.sendall(b"hello")
        _, output, _ = runKtcp(self, "connections", "--port", self.port)
        heading, *rows = output.splitlines()
        self.assertTrue(heading.startswith("state "))
        self.assertEqual(len(rows), 2)
        _, output, _ = runKtcp(self, "connections", "--src", f":{self.port}", "--json")
        (entry,) = json.loads(output)
        self.assertEqual((entry["state"], entry["unreadBytes"]), ("ESTABLISHED", 5))
        self.assertEqual(entry["tcpInfo"]["bytes_received"], 5)

    def test_none(self) -> None:
        """
        Without connections there is the heading only, and nothing to drop.
        """
        self.assertEqual(len(runKtcp(self, "connections")[1].splitlines()), 1)
        self.assertEqual(runKtcp(self, "drop", "--port", 1)[1], "dropped 0\n")
