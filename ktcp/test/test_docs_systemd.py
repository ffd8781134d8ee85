"""
Tests for the unit files of the documentation: what the page on systemd cannot try
without systemd.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.trial.unittest import TestCase

from ktcp.test.support import ACTIVATE, BIN, Client, checkout, portOf, spawn
from ktcp.test.test_supervisor import Systemd


class UnitTests(TestCase):
    """
    What they start, under a stand-in for systemd.
    """

    timeout = 60

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)

    def unit(self, name: str) -> str:
        """
        A unit, with the paths of this machine.
        """
        text = checkout(f"docs/examples/systemd/{name}").read_text()
        return text.replace("/opt/ktcp/bin", str(BIN)).replace("/var/log/ktcp", str(self.folder))

    def lines(self, key: str) -> list[str]:
        """
        What the service's unit says for a key.
        """
        lines = self.unit("ktcp.service").splitlines()
        return [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]

    async def test_started(self) -> None:
        """
        The command of the service, under a stand-in for systemd: it serves on
        the socket, tells all that the unit relies on, and stops.
        """
        [command] = self.lines("ExecStart")
        systemd = Systemd()
        name = f"\0ktcp-{os.getpid()}-{self.folder.parent.name}"
        port = reactor.listenUNIXDatagram(name, systemd)
        self.addCleanup(port.stopListening)
        environment = {"NOTIFY_SOCKET": "@" + name[1:], "WATCHDOG_USEC": "400000"}
        standIn = [sys.executable, "-c", ACTIVATE, "AF_INET", "none"]
        child = spawn(self, [*standIn, *command.split()], environment)
        await systemd.heard(b"READY=1")
        await systemd.heard(b"WATCHDOG=1")
        where = TCP4ClientEndpoint(reactor, "127.0.0.1", portOf(await child.said("protocol=http")))
        client = await connectProtocol(where, Client())
        self.addCleanup(client.drop)
        client.transport.write(b"GET / HTTP/1.0\r\n\r\n")
        await client.closed
        self.assertTrue(client.received.endswith(b"\r\n\r\nHello World!"))
        reloading, again = systemd.heard(b"RELOADING=1"), systemd.heard(b"READY=1")
        child.signal("HUP")
        await reloading
        await again
        child.signal("TERM")
        self.assertEqual(await child.ended, 0)
        self.assertIn(b"GET / HTTP/1.0", (self.folder / "access.log").read_bytes())

    def test_enoughTime(self) -> None:
        """
        systemd waits for longer than connections are given.
        """
        [command], [seconds] = self.lines("ExecStart"), self.lines("TimeoutStopSec")
        drain = command.split()[command.split().index("--drain-timeout") + 1]
        self.assertGreaterEqual(float(seconds), float(drain) + 5)
