"""
What tests of the clients that people use share: servers to ask, and ways to run a client.
"""

from __future__ import annotations

import atexit
import gzip
import os
from collections import deque
from functools import cache
from pathlib import Path
from shutil import rmtree
from subprocess import PIPE, Popen
from tempfile import mkdtemp
from threading import Thread

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from ktcp import HTTPFactory
from ktcp.http.protocol import Handler
from ktcp.test.peers import peer
from ktcp.test.support import BIN, ROOT, portOf, spawn, stopAfter

LARGE = os.urandom(1_000_003) * 5


@cache
def shared(*options: str) -> dict[str, int]:
    """
    Start a server for all tests of this process that only ask it: a start takes
    longer than most of them.  It is stopped when this process ends.

    @return: Its ports, by protocol.
    """
    command = [BIN / "twistd", "-n", "--pidfile=", "ktcp", "--port=0", "--echo-port=0", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    # Not the reactor's: trial leaves it no child between tests.
    server = Popen(command, stdout=PIPE, env=environment)
    atexit.register(server.wait)
    atexit.register(server.terminate)
    assert server.stdout is not None
    ports: dict[str, int] = {}
    for line in map(bytes.decode, server.stdout):
        if "listening protocol=" in line:
            ports[line.partition("protocol=")[2].partition(" ")[0]] = portOf(line)
        if len(ports) == 2:
            break
    # What it says from now on must not fill the pipe.
    Thread(target=deque, args=(server.stdout, 0), daemon=True).start()
    return ports


@cache
def sharedFolder() -> Path:
    """
    Make a folder of files to serve, until this process ends.
    """
    folder = Path(mkdtemp())
    atexit.register(rmtree, folder)
    fill(folder)
    return folder


def fill(folder: Path) -> None:
    """
    Put files into a folder.
    """
    (folder / "large").write_bytes(LARGE)
    (folder / "page.html").write_bytes(b"<p>page")
    (folder / "page.html.gz").write_bytes(gzip.compress(b"<p>packed"))


class ClientsTestCase(TestCase):
    """
    C{twistd -n ktcp} on free ports.
    """

    timeout = 60

    def use(self, *options: str) -> None:
        """
        Ask a server that others ask too.
        """
        ports = shared(*options)
        self.http, self.echo = ports["http"], ports["echo"]
        self.url = f"http://127.0.0.1:{self.http}"

    async def start(self, *options: object) -> None:
        """
        Start one for this test alone.
        """
        self.server = spawn(
            self, [BIN / "twistd", "-n", "ktcp", "--port", "0", "--echo-port", "0", *options]
        )
        self.http = portOf(await self.server.said("listening protocol=http"))
        self.echo = portOf(await self.server.said("listening protocol=echo"))
        self.url = f"http://127.0.0.1:{self.http}"

    def serve(self, handler: Handler) -> str:
        """
        Serve from here what no option makes.

        @return: Its URL.
        """
        port = reactor.listenTCP(0, HTTPFactory(handler), interface="127.0.0.1")
        stopAfter(self, port)
        return f"http://127.0.0.1:{port.getHost().port}/"

    async def run_(self, program: str, package: str, *arguments: object) -> tuple[bytes, bytes]:
        """
        Run a client to its end; it must succeed.
        """
        command = [os.fsencode(peer(program, package)), *map(os.fsencode, map(str, arguments))]
        out, err, status = await getProcessOutputAndValue(command[0], command[1:], env=os.environ)
        self.assertEqual(status, 0, (command, out[-2000:], err[-2000:]))
        return out, err

    async def curl(self, *arguments: object) -> tuple[bytes, bytes]:
        return await self.run_("curl", "curl", "-sv", "--max-time", "20", *arguments)

    async def shell(self, command: str) -> bytes:
        """
        Run a line of shell, as the README has them.
        """
        out, _ = await self.run_("bash", "bash", "-euo", "pipefail", "-c", command)
        return out
