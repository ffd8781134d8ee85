"""
The clients that people use, against a server as they start it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from ktcp.test.peers import peer
from ktcp.test.support import BIN, portOf, spawn


class ClientsTestCase(TestCase):
    """
    C{twistd -n ktcp} on free ports.
    """

    timeout = 60

    async def start(self, *options):
        self.server = spawn(
            self, [BIN / "twistd", "-n", "ktcp", "--port", "0", "--echo-port", "0", *options]
        )
        self.http = portOf(await self.server.said("listening protocol=http"))
        self.echo = portOf(await self.server.said("listening protocol=echo"))
        self.url = f"http://127.0.0.1:{self.http}"

    async def run_(self, program, package, *arguments):
        """
        Run a client to its end; it must succeed.
        """
        command = [os.fsencode(peer(program, package)), *map(os.fsencode, map(str, arguments))]
        out, err, status = await getProcessOutputAndValue(command[0], command[1:], env=os.environ)
        self.assertEqual(status, 0, (command, out[-2000:], err[-2000:]))
        return out, err

    async def shell(self, command):
        """
        Run a line of shell, as the README has them.
        """
        out, _ = await self.run_("bash", "bash", "-euo", "pipefail", "-c", command)
        return out


class CurlTests(ClientsTestCase):
    """
    curl, the client every operator types.
    """

    async def curl(self, *arguments):
        out, err = await self.run_("curl", "curl", "-sv", "--max-time", "20", *arguments)
        return out, err

    async def test_methods(self) -> None:
        """
        GET greets, HEAD has no body, DELETE is not implemented.
        """
        await self.start()
        out, _ = await self.curl("-i", f"{self.url}/")
        head, _, body = out.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertIn(b"\r\nServer: ktcp\r\n", head + b"\r\n")
        self.assertEqual(body, b"Hello World!")
        out, _ = await self.curl("-I", f"{self.url}/x")
        self.assertTrue(out.startswith(b"HTTP/1.1 200 OK\r\n") and out.endswith(b"\r\n\r\n"))
        out, _ = await self.curl("-i", "-X", "DELETE", f"{self.url}/")
        self.assertTrue(out.startswith(b"HTTP/1.1 501 Not Implemented\r\n"))

    async def test_connectionIsReused(self) -> None:
        """
        Several URLs take one connection; with HTTP/1.0 it closes.
        """
        await self.start()
        out, err = await self.curl(f"{self.url}/a", f"{self.url}/b", f"{self.url}/c")
        self.assertEqual(out, b"Hello World!" * 3)
        self.assertEqual(err.count(b"Re-using existing connection"), 2)
        out, err = await self.curl("--http1.0", f"{self.url}/")
        self.assertEqual(out, b"Hello World!")
        self.assertIn(b"Closing connection", err)

    async def test_uploadIsRefused(self) -> None:
        """
        A large upload is refused before it is sent: curl asks by C{Expect}.
        """
        await self.start()
        upload = Path(self.mktemp())
        upload.write_bytes(b"x" * 5_000_000)
        out, _ = await self.curl("-T", upload, "-w", "%{http_code} %{size_upload}", self.url)
        self.assertTrue(out.endswith(b"501 0"), out)


class EchoTests(ClientsTestCase):
    """
    nc, as the README has it.
    """

    async def test_binary(self) -> None:
        """
        NUL bytes come back, and the end of input ends it.
        """
        await self.start()
        peer("nc", "netcat-openbsd")
        out = await self.shell(rf"printf 'a\0b\n' | nc -N 127.0.0.1 {self.echo}")
        self.assertEqual(out, b"a\0b\n")

    async def test_large(self) -> None:
        """
        A 100 MB file of random bytes compares equal.
        """
        await self.start()
        peer("nc", "netcat-openbsd")
        path = self.mktemp()
        await self.shell(
            f"head -c 100000000 /dev/urandom > {path}; "
            f"nc -N 127.0.0.1 {self.echo} < {path} | cmp - {path}; rm {path}"
        )


class LoadTests(ClientsTestCase):
    """
    Load generators: not how fast it is, but that nothing fails.
    """

    async def test_ab(self) -> None:
        """
        ab -k speaks HTTP/1.0 and asks for persistence: every request has it.
        """
        await self.start()
        out, _ = await self.run_(
            "ab", "apache2-utils", "-q", "-k", "-n", "20000", "-c", "50", f"{self.url}/"
        )
        self.assertRegex(out, rb"Complete requests: +20000\n")
        self.assertRegex(out, rb"Failed requests: +0\n")
        self.assertRegex(out, rb"Keep-Alive requests: +20000\n")
        self.assertNotIn(b"Non-2xx", out)

    async def test_abClosing(self) -> None:
        """
        A connection for each request loses none either.
        """
        await self.start()
        out, _ = await self.run_(
            "ab", "apache2-utils", "-q", "-n", "5000", "-c", "50", f"{self.url}/"
        )
        self.assertRegex(out, rb"Complete requests: +5000\n")
        self.assertRegex(out, rb"Failed requests: +0\n")

    async def test_wrk(self) -> None:
        """
        wrk keeps 50 connections busy; no error, no other status.
        """
        await self.start()
        out, _ = await self.run_("wrk", "wrk", "-t1", "-c50", "-d5s", f"{self.url}/")
        self.assertRegex(out, rb"[1-9][0-9]* requests in")
        self.assertNotIn(b"Socket errors", out)
        self.assertNotIn(b"Non-2xx", out)

    async def test_h2load(self) -> None:
        """
        h2load in HTTP/1.1.
        """
        await self.start()
        out, _ = await self.run_(
            "h2load", "nghttp2-client", "--h1", "-n", "20000", "-c", "20", f"{self.url}/"
        )
        self.assertIn(b" 20000 succeeded, 0 failed, 0 errored, 0 timeout", out)
        self.assertIsNotNone(re.search(rb"20000 2xx, 0 3xx, 0 4xx, 0 5xx", out))

    async def test_stopUnderLoad(self) -> None:
        """
        SIGTERM under load ends the server with status 0.
        """
        await self.start()
        load = getProcessOutputAndValue(
            peer("wrk", "wrk"), ["-t1", "-c50", "-d2s", f"{self.url}/"], env=os.environ
        )
        pause: Deferred[None] = Deferred()
        from twisted.internet import reactor

        reactor.callLater(0.5, pause.callback, None)
        await pause
        self.server.signal("TERM")
        status, _ = await gatherResults([self.server.ended, load])
        self.assertEqual(status, 0)
