"""
C{twistd ktcp} and C{twist ktcp} as a user starts them.
"""

from __future__ import annotations

import re
import resource
import signal
import socket
from pathlib import Path
from typing import Any

from twisted.internet import reactor as globalReactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from ktcp.test.support import BIN, Child, Client, portOf, spawn

reactor: Any = globalReactor

TWISTD = (BIN / "twistd", "-n", "ktcp")
TWIST = (BIN / "twist", "--log-format=text", "ktcp")
DAEMON = (BIN / "twistd", "ktcp")

MIB = 2**20

PLUGINS = """
from ktcp.plugin import ProtocolPlugin
again = ProtocolPlugin("echo", "Another echo", "ktcp.echo.makeDiscard", 0)
fresh = ProtocolPlugin("fresh", "A new one", "ktcp.echo.makeEcho", 0)
"""


class ProcessTests(TestCase):
    """
    Real processes, real signals, real clients.
    """

    timeout = 120

    async def serve(self, *arguments: object, **environment: str) -> tuple[Child, int]:
        """
        Start a server that echoes at a free port.
        """
        child = spawn(self, [*arguments, "--no-http", "--echo-port=0"], environment)
        return child, portOf(await child.said("ktcp: listening protocol=echo "))

    async def connect(self, port: int) -> Client:
        """
        Connect, and see that the connection echoes.
        """
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        client: Client = await connectProtocol(endpoint, Client())
        self.addCleanup(client.drop)
        transport: Any = client.transport
        transport.write(b"a\0b")
        self.assertEqual(await client.got(3), b"a\0b")
        return client

    def taken(self) -> int:
        """
        A port that somebody else listens at.
        """
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        port: int = listener.getsockname()[1]
        return port

    async def test_signals(self) -> None:
        """
        SIGTERM and SIGINT close open connections and end the server with
        status 0 and no word on stderr; one more signal does not matter.
        """
        for command in (TWISTD, TWIST):
            for name in ("TERM", "INT"):
                child, port = await self.serve(*command)
                client = await self.connect(port)
                child.signal(name)
                child.signal(name)
                self.assertEqual(await child.ended, 0)
                self.assertEqual(child.errors(), [])
                await client.closed
                self.assertNotIn(b"Traceback", child.output[1])
                self.assertFalse((child.folder / "twistd.pid").exists())

    async def get(self, port: int, target: bytes) -> None:
        """
        Have a path answered.
        """
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        client: Client = await connectProtocol(endpoint, Client())
        transport: Any = client.transport
        transport.write(b"GET " + target + b" HTTP/1.0\r\n\r\n")
        await client.closed

    async def test_accessLog(self) -> None:
        """
        The access log is complete when the server has stopped; SIGHUP and
        SIGUSR1 have it begin anew where it was moved away, and stop nothing.
        """
        child = spawn(self, [*TWISTD, "--no-echo", "--port=0", "--access-log=a.log"])
        port = portOf(await child.said("ktcp: listening protocol=http "))
        log = child.folder / "a.log"
        for name in ("HUP", "USR1"):
            log.rename(child.folder / f"{name}.log")
            transport: Any = child.transport
            transport.signalProcess(getattr(signal, f"SIG{name}"))
            # The first may come in together with the signal; by the second
            # one the reactor has had a turn for it.
            for number in (b"1", b"2"):
                await self.get(port, b"/%b/%b" % (name.encode(), number))
            self.assertTrue(log.exists())
        child.signal("TERM")
        self.assertEqual(await child.ended, 0)
        # Where a line is depends on when its second was over.
        written = "".join(path.read_text() for path in child.folder.glob("*.log"))
        self.assertEqual(
            sorted(re.findall(r'"GET (.*) HTTP/1.0" 200 12 "-" "-"\n', written)),
            ["/HUP/1", "/HUP/2", "/USR1/1", "/USR1/2"],
        )

    async def refused(self, child: Child) -> str:
        """
        The one line of a server that does not start.
        """
        self.assertEqual(await child.ended, 1)
        (line,) = child.errors()
        self.assertNotIn(b"Traceback", child.output[1])
        self.assertFalse((child.folder / "twistd.pid").exists())
        return line

    async def test_badOptions(self) -> None:
        """
        A bad option is one line on stderr and status 1, and nothing else.
        """
        # Refused while options are read, in postOptions, and when the service is made.
        misspelt = (["--backlogg=1"], "--backlogg: no such option; did you mean --backlog?")
        nothing = (["--no-http", "--no-echo"], "nothing to serve; give at least one of --http")
        noEndpoint = (["--no-http", "--echo=foo:1"], "--echo foo:1: not an endpoint (")
        outside = (["--port", "70000"], "--port 70000: must be a whole number from 0 to 65535")
        for command, mistakes in (
            (TWISTD, (misspelt, nothing, noEndpoint, outside)),
            (TWIST, (misspelt, noEndpoint)),
            (DAEMON, (misspelt, noEndpoint)),
        ):
            for arguments, line in mistakes:
                child = spawn(self, [*command, *arguments])
                said = await self.refused(child)
                self.assertTrue(said.startswith(f"ktcp: {line}"), said)
                self.assertEqual(child.output[1], b"")

    async def test_portTaken(self) -> None:
        """
        A port that is taken is one line, with the address and what to do,
        even where stderr has become the log.
        """
        port = self.taken()
        arguments = ("--no-http", "--echo-port=0", f"--discard-port={port}")
        for command in (TWISTD, TWIST, (BIN / "twistd", "-n", "-l", "file.log", "ktcp")):
            line = await self.refused(spawn(self, [*command, *arguments]))
            self.assertEqual(
                line,
                f"ktcp: --discard-port {port}: 127.0.0.1:{port} is already in use; stop what "
                f"listens there (ss -ltnp sport = :{port}) or choose another port, 0 for any "
                "free one",
            )

    async def test_portTakenDaemon(self) -> None:
        """
        A daemon that cannot listen fails in front of the user too, in full,
        before what twistd says.  (Its pid file goes after it has said so, which
        nobody can wait for.)
        """
        port = self.taken()
        child = spawn(self, [*DAEMON, "--no-http", f"--echo-port={port}"])
        self.assertEqual(await child.ended, 1)
        self.assertEqual(
            child.errors(),
            [
                f"ktcp: --echo-port {port}: 127.0.0.1:{port} is already in use; stop what "
                f"listens there (ss -ltnp sport = :{port}) or choose another port, 0 for any "
                "free one",
                "An error has occurred: b'ktcp.refusal.Refusal: the line above says why'",
                "Please look at log file for more information.",
            ],
        )
        self.assertIn("choose another port, 0", (child.folder / "twistd.log").read_text())

    async def test_badPlugins(self) -> None:
        """
        A plugin that does not load and a second one of a name are a line
        each; everything else is served.
        """
        folder = Path(self.mktemp()).resolve()
        plugins = folder / "twisted" / "plugins"
        plugins.mkdir(parents=True)
        (plugins / "broken_one.py").write_text("import ktcp.nothere\n")
        (plugins / "second_one.py").write_text(PLUGINS)
        for command in (TWISTD, TWIST):
            child, port = await self.serve(*command, PYTHONPATH=str(folder))
            await self.connect(port)
            await child.said("ktcp: listening protocol=fresh ")
            self.assertEqual(
                [line for line in child.errors() if line.startswith("ktcp: ")],
                [
                    "ktcp: plugin module twisted.plugins.broken_one does not load "
                    "(ModuleNotFoundError: No module named 'ktcp.nothere'); "
                    "what it offers is not served",
                    "ktcp: plugin twisted.plugins.second_one.again: --echo belongs to "
                    "twisted.plugins.ktcp_plugin.echo; it is not served",
                ],
            )
            child.signal("TERM")
            self.assertEqual(await child.ended, 0)

    async def test_thousandAtOnce(self) -> None:
        """
        A thousand connections opened at once, as kecho's bench does, are all
        echoed with the default backlog.
        """
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 2000:
            self.skipTest("needs 2000 file descriptors")
        if soft < 2000:
            # The child inherits this.
            resource.setrlimit(resource.RLIMIT_NOFILE, (2000, hard))
            self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        _, port = await self.serve(*TWISTD)
        clients = [Deferred.fromCoroutine(self.connect(port)) for _ in range(1000)]
        self.assertEqual(len(await gatherResults(clients, consumeErrors=True)), 1000)

    async def test_neverReads(self) -> None:
        """
        A client that sends and never reads is stopped, and the server has
        not grown by 4 MiB.
        """
        child, port = await self.serve(*TWISTD)
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"x")
            self.assertEqual(await deferToThread(client.recv, 1), b"x")
            before = self.memory(child)
            sent = await deferToThread(self.push, client, 64 * MIB)
            self.assertLess(sent, 64 * MIB)
            self.assertLess(self.memory(child) - before, 4 * MIB)

    def push(self, client: socket.socket, size: int) -> int:
        """
        Send, until a second passes without a byte taken.
        """
        client.settimeout(1)
        sent = 0
        try:
            while sent < size:
                sent += client.send(bytes(MIB))
        except TimeoutError:
            pass
        return sent

    def memory(self, child: Child) -> int:
        """
        The most bytes that a process has had resident.
        """
        transport: Any = child.transport
        status = Path(f"/proc/{transport.pid}/status").read_text()
        found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.M)
        assert found is not None
        return int(found[1]) * 1024

    async def test_unixAndIPv6(self) -> None:
        """
        The log says where listeners of other kinds are, too.
        """
        child = spawn(
            self,
            [*TWISTD, "--no-http", "--echo=unix:e.sock", "--discard-port=0", "--interface=::1"],
        )
        line = await child.said("ktcp: listening protocol=echo ")
        self.assertTrue(line.endswith("transport=unix path=e.sock"), line)
        line = await child.said("ktcp: listening protocol=discard ")
        self.assertRegex(line, r"transport=tcp address=::1 port=[1-9]\d*$")
        child.signal("TERM")
        self.assertEqual(await child.ended, 0)

    async def test_version(self) -> None:
        """
        --version is ktcp's.
        """
        child = spawn(self, [*TWISTD, "--version"])
        self.assertEqual(await child.ended, 0)
        self.assertRegex(child.output[1].decode(), r"^ktcp \d+\.\d+")
