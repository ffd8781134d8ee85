"""
Tests for L{ktcp.load.targets}.
"""

from __future__ import annotations

import socket
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load import targets
from ktcp.load.targets import (
    SOURCES,
    BadTarget,
    Connector,
    isLoopback,
    targetOfAddress,
    targetOfURL,
)


class TargetTests(SynchronousTestCase):
    """
    Where load goes to, as it is written.
    """

    def test_targets(self) -> None:
        """
        URLs, addresses and sockets are read.
        """
        target = targetOfURL("http://[::1]:81?x")
        self.assertEqual((target.family, target.path, target.host), (socket.AF_INET6, "/?x", "::1"))
        self.assertEqual((target.authority, target.address[1]), ("[::1]:81", 81))
        self.assertEqual(targetOfURL("https://127.0.0.1").address, ("127.0.0.1", 443))
        unix = targetOfURL("http://whoever/a", unix="/run/a.sock")
        self.assertEqual((unix.family, unix.address), (socket.AF_UNIX, "/run/a.sock"))
        self.assertEqual(targetOfAddress("[::1]:7").address[:2], ("::1", 7))

    def test_badTargets(self) -> None:
        """
        What is no target is refused before anything is started.
        """
        for url in (
            *("ftp://127.0.0.1/", "127.0.0.1:80", "http://", "http://127.0.0.1:x/", ""),
            *("http://127.0.0.1:99999/", "http://127.0.0.1/a b", "http://[::1/"),
        ):
            self.assertRaises(BadTarget, targetOfURL, url)
        for address in ("127.0.0.1", ":7", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x", ""):
            self.assertRaises(BadTarget, targetOfAddress, address)

    def test_unknownHost(self) -> None:
        """
        A name that cannot be looked up is told in one line, with the name.
        """
        error = self.assertRaises(BadTarget, targetOfURL, f"http://{'a' * 64}.invalid/")
        self.assertIn("cannot find ", str(error))
        self.assertEqual(len(str(error).splitlines()), 1)


class ConnectorTests(SynchronousTestCase):
    """
    Sockets that are connecting.
    """

    def sources(self, many: bool, count: int, first: int = 0) -> list[str]:
        """
        From which addresses connections come.
        """
        with socket.create_server(("127.0.0.1", 0)) as server:
            host, port = server.getsockname()
            connector = Connector(targetOfAddress(f"{host}:{port}"), many, first)
            found = []
            for _ in range(count):
                sock, _ = connector.open()
                with sock:
                    found.append(sock.getsockname()[0])
        return found

    def test_fewHaveOneSource(self) -> None:
        """
        Where one address has ports enough, no other is used.
        """
        self.assertEqual(self.sources(False, 3), ["127.0.0.1"] * 3)

    def test_manyTakeTurns(self) -> None:
        """
        Many connections on loopback take turns in its addresses, each process from its own.
        """
        found = self.sources(True, SOURCES + 1)
        self.assertEqual(len(set(found)), SOURCES)
        self.assertEqual(found[0], found[-1])
        self.assertEqual(self.sources(True, 2, 3), found[3:5])

    def test_loopbackOnly(self) -> None:
        """
        Elsewhere the source is the kernel's to choose.
        """
        self.assertTrue(isLoopback(targetOfAddress("127.9.9.9:1")))
        self.assertFalse(isLoopback(targetOfAddress("192.0.2.1:1")))
        self.assertFalse(isLoopback(targetOfAddress("[::1]:1")))

    def test_enoughPorts(self) -> None:
        """
        How many may come from one address is what the kernel has ports for, and a reserve.
        """
        file = Path(self.mktemp())
        file.write_text("32768\t60999\n")
        self.patch(targets, "PORT_RANGE", file)
        self.assertEqual(targets.enoughPorts(), 19762)
