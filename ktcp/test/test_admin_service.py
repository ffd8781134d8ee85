"""
Tests for L{ktcp.admin.service}: C{twistd ktcp} with an admin plane.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ktcp.admin.service import isLocal, readToken
from ktcp.refusal import Refusal
from ktcp.test.support import BIN, Child, Client, portOf, spawn

TOKEN = "0123456789abcdef"


class TokenTests(SynchronousTestCase):
    """
    The file of the token.
    """

    def write(self, text: str) -> str:
        path: str = self.mktemp()
        Path(path).write_text(text)
        return path

    def test_read(self) -> None:
        """
        It is the first line.
        """
        self.assertEqual(readToken(self.write(f"{TOKEN}\nmore\n")), TOKEN.encode())

    def test_short(self) -> None:
        """
        One that can be guessed, or none, is refused.
        """
        for text in ("", "secret\n", f"\n{TOKEN}\n"):
            error = self.assertRaises(Refusal, readToken, self.write(text))
            self.assertIn("16 bytes or more", str(error))
        self.assertIn("No such file", str(self.assertRaises(Refusal, readToken, "/missing")))

    def test_local(self) -> None:
        """
        Loopback addresses and UNIX sockets are this machine's.
        """
        for host in ("127.0.0.1", "127.8.8.8"):
            self.assertTrue(isLocal(IPv4Address("TCP", host, 1)))
        self.assertTrue(isLocal(IPv6Address("TCP", "::1", 1)))
        self.assertTrue(isLocal(UNIXAddress("/x")))
        self.assertFalse(isLocal(IPv4Address("TCP", "0.0.0.0", 1)))
        self.assertFalse(isLocal(IPv6Address("TCP", "fe80::1%1", 1)))


class PlaneTests(TestCase):
    """
    The whole of it.
    """

    def start(self, *options: str) -> Child:
        command = [sys.executable, BIN / "twistd", "-n", "ktcp", "--no-echo", "--port=0"]
        return spawn(self, [*command, *options])

    async def get(self, port: int, target: bytes) -> tuple[int, bytes]:
        client = Client()
        await connectProtocol(HostnameEndpoint(reactor, b"127.0.0.1", port), client)
        self.addCleanup(client.drop)
        client.transport.write(b"GET %b HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n" % target)
        await client.closed
        head, _, body = bytes(client.received).partition(b"\r\n\r\n")
        return int(head.split()[1]), body

    async def served(self, *options: str) -> tuple[Child, int, int]:
        child = self.start("--admin-port=0", *options)
        admin = portOf(await child.said("protocol=admin"))
        return child, portOf(await child.said("protocol=http")), admin

    async def look(self, *options: str) -> tuple[Child, Any]:
        child, data, admin = await self.served(*options)
        client = Client()
        await connectProtocol(HostnameEndpoint(reactor, b"127.0.0.1", data), client)
        self.addCleanup(client.drop)
        client.transport.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.got(100)
        _, body = await self.get(admin, b"/connections")
        [row] = json.loads(body)["connections"]
        self.assertEqual(row["protocol"], "http")
        self.assertEqual(row["peer"], f"127.0.0.1:{client.transport.getHost().port}")
        self.assertEqual((row["state"], row["requests"]), ("idle", 1))
        self.assertGreater(row["rttUs"], 0)
        self.assertEqual(row["bytesIn"], 27)
        _, body = await self.get(admin, b"/workers")
        found = json.loads(body)
        self.assertEqual((found["requests"], found["accepted"]), (1, 1))
        for path in (b"/readyz", b"/metrics", b"/connections"):
            self.assertNotIn(b"ready", (await self.get(data, path))[1])
        return child, found

    async def test_oneProcess(self) -> None:
        """
        Connections are listed with what the kernel knows of them; the plane's own are
        not counted; a data port has none of it.
        """
        _, found = await self.look()
        self.assertEqual(found["workers"], [])

    async def test_workers(self) -> None:
        """
        The same with workers, asked over their pipes.
        """
        _, found = await self.look("--workers=2")
        self.assertEqual([each["number"] for each in found["workers"]], [1, 2])

    async def test_drain(self) -> None:
        """
        From the signal on it is not ready, and says so while it still serves.
        """
        child, data, admin = await self.served("--drain-delay=1")
        self.assertEqual(await self.get(admin, b"/readyz"), (200, b"ready\n"))
        child.signal("TERM")
        await child.said("still serving")
        self.assertEqual(await self.get(admin, b"/readyz"), (503, b"draining\n"))
        self.assertEqual((await self.get(data, b"/"))[0], 200)
        self.assertEqual(await child.ended, 0)

    async def test_strangers(self) -> None:
        """
        An address that others reach is refused without a token.
        """
        child = self.start("--admin=tcp:0")
        self.assertEqual(await child.ended, 1)
        [line] = child.errors()
        self.assertEqual(
            line,
            "ktcp: --admin tcp:0: others than this machine reach it; give --admin-token-file too",
        )

    async def test_tokenOfNothing(self) -> None:
        """
        A token without a plane is a mistake.
        """
        child = self.start("--admin-token-file=/missing")
        self.assertEqual(await child.ended, 1)
        self.assertIn("give --admin-port or --admin too", child.errors()[0])
