"""
Tests for L{ktcp.supervisor}, with a stand-in for systemd.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ktcp.supervisor import Supervisor
from ktcp.test.support import ACTIVATE, BIN, Child, Client, portOf, spawn


class SupervisorTests(SynchronousTestCase):
    """
    What goes over the socket.
    """

    def setUp(self) -> None:
        # In the abstract namespace there is nothing to clean up.
        self.name = f"@ktcp-{os.getpid()}-{self.id()}"
        self.systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.systemd.close)
        self.systemd.bind(self.name.replace("@", "\0", 1))
        self.systemd.setblocking(False)
        self.clock = Clock()

    def supervisor(self, **environment: str) -> Supervisor:
        return Supervisor({"NOTIFY_SOCKET": self.name, **environment}, self.clock)

    def heard(self) -> dict[str, str]:
        """
        What was told last, as systemd reads it.
        """
        lines = self.systemd.recv(4096).decode().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def test_ready(self) -> None:
        """
        That it serves, in words for C{systemctl status} too.
        """
        self.supervisor().ready("serving")
        pid = str(os.getpid())
        self.assertEqual(self.heard(), {"READY": "1", "STATUS": "serving", "MAINPID": pid})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_reloading(self) -> None:
        """
        That it reloads, and since when (C{Type=notify-reload}).
        """
        self.supervisor().reloading()
        heard = self.heard()
        self.assertEqual(heard["RELOADING"], "1")
        self.assertTrue(heard["MONOTONIC_USEC"].isdigit())

    def test_stopping(self) -> None:
        """
        That it stops, and for how long it may take.
        """
        self.supervisor().stopping(30.5)
        heard = self.heard()
        self.assertEqual((heard["STOPPING"], heard["EXTEND_TIMEOUT_USEC"]), ("1", "30500000"))

    def test_watchdog(self) -> None:
        """
        That it lives, twice as often as it must.
        """
        supervisor = self.supervisor(WATCHDOG_USEC="2000000", WATCHDOG_PID=str(os.getpid()))
        supervisor.ready("serving")
        supervisor.ready("serving")
        for _ in range(3):
            self.systemd.recv(4096)
        self.clock.advance(1)
        self.assertEqual(self.heard(), {"WATCHDOG": "1"})
        self.assertRaises(BlockingIOError, self.systemd.recv, 4096)

    def test_othersWatchdog(self) -> None:
        """
        A watchdog that is meant for another process is not ours.
        """
        self.supervisor(WATCHDOG_USEC="2000000", WATCHDOG_PID="1").ready("serving")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nobody(self) -> None:
        """
        Without a socket, with one that is gone or full, nothing happens.
        """
        for environment in ({}, {"NOTIFY_SOCKET": "@gone"}, {"NOTIFY_SOCKET": "vsock:2:1"}):
            supervisor = Supervisor(environment, self.clock)
            supervisor.ready("serving")
            self.assertEqual(supervisor.isThere, "@gone" in environment.values())
        for _ in range(1000):  # net.unix.max_dgram_qlen is far below.
            self.supervisor().ready("serving")


class Systemd(DatagramProtocol):
    """
    Hears what a service tells.
    """

    def __init__(self) -> None:
        self.said: list[bytes] = []
        self._waiting: list[tuple[bytes, Deferred[None]]] = []

    def datagramReceived(self, datagram: bytes, addr: object) -> None:
        """
        Keep it.
        """
        self.said.append(datagram)
        for text, waiter in list(self._waiting):
            if text in datagram:
                self._waiting.remove((text, waiter))
                waiter.callback(None)

    def heard(self, text: bytes) -> Deferred[None]:
        """
        Wait until something is told from now on.
        """
        waiter: Deferred[None] = Deferred()
        self._waiting.append((text, waiter))
        return waiter


class ServiceTests(TestCase):
    """
    The service under a stand-in for systemd.
    """

    timeout = 60

    def start(self, *arguments: object) -> tuple[Child, Systemd]:
        systemd = Systemd()
        path = Path(self.mktemp()).absolute()
        # A path of trial's is longer than sun_path.
        name = f"\0ktcp-{os.getpid()}-{path.parent.name}"
        port = reactor.listenUNIXDatagram(name, systemd)
        self.addCleanup(port.stopListening)
        command = [BIN / "twistd", "-n", "--pidfile=", "ktcp", "--no-echo", *arguments]
        child = spawn(self, command, {"NOTIFY_SOCKET": "@" + name[1:], "WATCHDOG_USEC": "400000"})
        return child, systemd

    async def test_told(self) -> None:
        """
        Ready, alive, reloading and ready again, stopping: each is told.
        """
        for workers in ([], ["--workers=1"]):
            child, systemd = self.start("--port=0", *workers)
            await systemd.heard(b"READY=1")
            await systemd.heard(b"WATCHDOG=1")
            reloading, again = systemd.heard(b"RELOADING=1"), systemd.heard(b"READY=1")
            child.signal("HUP")
            await reloading
            await again
            stopping = systemd.heard(b"STOPPING=1")
            child.signal("TERM")
            await stopping
            self.assertEqual(await child.ended, 0)

    async def test_socket(self) -> None:
        """
        A socket that systemd opened is served.
        """
        child = spawn(
            self,
            [
                *(sys.executable, "-c", ACTIVATE, "AF_INET", "none"),
                *(BIN / "twistd", "-n", "--pidfile=", "ktcp", "--no-http"),
                "--echo=systemd:domain=INET:index=0",
            ],
        )
        port = portOf(await child.said("protocol=echo"))
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        client = await connectProtocol(endpoint, Client())
        self.addCleanup(client.drop)
        client.transport.write(b"hello")
        await client.got(5)
        child.signal("TERM")
        self.assertEqual(await child.ended, 0)
