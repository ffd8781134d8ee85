"""
Tests for docs/howto/mistakes.rst: each line that it explains is made to appear,
by the mistake that it names.
"""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import SkipTest

from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet import reactor
from twisted.internet.defer import fail
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.utils import getProcessOutputAndValue
from twisted.scripts._twistd_unix import checkPID

from ktcp import service
from ktcp.admin import routes
from ktcp.certificates import loadPair
from ktcp.endpoint.admission import Room
from ktcp.endpoint.server import KTCPServerEndpoint
from ktcp.endpoint.sockets import SocketOptions
from ktcp.listening import Listener
from ktcp.load import __main__ as load
from ktcp.load import team
from ktcp.load.caveats import caveatsOf
from ktcp.load.process.frames import Frame
from ktcp.load.report import outputs, words
from ktcp.refusal import Refusal
from ktcp.test.loadresults import exampleResult
from ktcp.test.mistakes import Mistakes, asNobody
from ktcp.test.support import BIN, ROOT, Client, runKtcp, spawn
from ktcp.tls import Certificates
from ktcp.trace.__main__ import COMMANDS, makeParser
from ktcp.twistd import complaint

PAGE = ROOT / "docs" / "howto" / "mistakes.rst"


class MistakesTests(Mistakes):
    """
    The page.
    """

    def setUp(self) -> None:
        """
        Have the page.
        """
        if not PAGE.exists():
            raise SkipTest("needs ktcp's checkout: docs/ is not installed")
        super().setUp()

    async def holds(self, title: str, *mistakes: Callable[[], str | Awaitable[str]]) -> None:
        """
        Each line of a section is said when the mistake in its place is made.
        """
        lines = linesOf(PAGE.read_text(), title)
        self.assertEqual(len(lines), len(mistakes), title)
        for line, mistake in zip(lines, mistakes, strict=True):
            self.patch(sys, "__stderr__", io.StringIO())
            del self.logged[:]
            said = mistake()
            if not isinstance(said, str):
                said = await said
            for here, there in self.names.items():
                said = said.replace(here, there)
            self.assertIn(line, said.splitlines())

    def test_sections(self) -> None:
        """
        Every section has a test below.
        """
        titles = re.findall(r"\n\n\n([^\n]+)\n-+\n", PAGE.read_text())
        self.assertEqual(
            titles,
            [
                *("The command line", "Where it listens", "Files, keys and users", "Limits"),
                *("Behind a proxy", "What is not installed", "Load", "The lab"),
            ],
        )

    async def test_commandLine(self) -> None:
        """
        What is not understood, and what contradicts itself.
        """
        await self.holds(
            "The command line",
            lambda: self.refused("--prot", 1),
            lambda: self.refused(8081),
            lambda: self.refused("--port", 80801),
            lambda: self.refused("--interface", "eth0"),
            lambda: self.refused("--http", "tpc:8080"),
            lambda: self.refused("--no-http", "--root", self.folder),
            lambda: self.refused("--workers", 0),
            lambda: self.refused("--bound"),
        )

    async def test_listening(self) -> None:
        """
        Ports and paths.
        """
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        port = taken.getsockname()[1]
        stale, live = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        for name, each in (("stale", stale), ("live", live)):
            # Where the path is short enough for bind(2), wherever the tests run.
            each.bind(f"{os.path.relpath(self.folder)}/{name}")
        live.listen()
        stale.close()
        self.addCleanup(live.close)
        folder = os.path.relpath(self.folder)
        self.names = {
            str(port): "8081",
            f"{folder}/none/x": "/run/web/web.sock",
            f"{folder}/stale": "/run/web.sock",
            f"{folder}/live": "/run/web.sock",
        }

        def unprivileged() -> str:
            least = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
            if least <= 80:
                raise SkipTest("needs a kernel where port 80 is not everybody's")
            with asNobody():
                return self.refused("--no-echo", "--port", 80)

        await self.holds(
            "Where it listens",
            lambda: self.refused("--no-echo", "--port", port),
            unprivileged,
            lambda: self.cannot("192.0.2.1", errno.EADDRNOTAVAIL, "--interface", "192.0.2.1"),
            lambda: self.cannot("::1", errno.EAFNOSUPPORT),
            lambda: self.cannot("fe80::1", errno.EINVAL),
            lambda: self.refused("--no-echo", "--http", f"unix:{folder}/none/x"),
            lambda: self.refused("--no-echo", "--http", f"unix:{folder}/stale"),
            lambda: self.refused("--no-echo", "--http", f"unix:{folder}/live"),
        )
        # A lock beside either would have the next one take the socket for its own.
        self.assertEqual(sorted(os.listdir(folder)), ["live", "stale"])

    def cannot(self, interface: str, number: int, *arguments: str) -> str:
        """
        Have the kernel refuse port 8081 of an address; to be free of what this
        machine has for IPv6, by a double.
        """
        if arguments:
            said = self.refused("--no-echo", "--port", 0, *arguments)
            return said.replace(":0;", ":8081;").replace("--port 0", "--port 8081")
        error = CannotListenError(interface, 8081, OSError(number, os.strerror(number)))
        endpoint: Any = KTCPServerEndpoint(reactor, 8081, interface, SocketOptions())
        self.patch(endpoint, "listen", lambda factory: fail(error))
        listener = Listener("http", "--port 8081", endpoint, Factory(), reactor)
        return str(self.assertRaises(Refusal, listener.startService).code)

    async def test_files(self) -> None:
        """
        Certificates and logs, and twistd's own files and users.
        """
        # Longer than other functions: it is one section of the page, line by line.
        # Others have no way into the folders of the tests.
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.folder.chmod(0o755)
        one, another = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        good, key = self.certificate("site.pem", one), self.key("site.key", one)
        other, locked = self.key("other.key", another), self.key("locked.key", one, b"x")
        old = self.certificate("old.pem", one, 2021)
        der = self.file("site.der", b"\x30\x03\x02\x01\x01")
        self.names = {str(self.folder): "/etc/ktcp", "http: --access-log /etc/ktcp/": ""}

        def tls(certificate: Path, *keys: Path) -> str:
            pairs = [f"--tls-cert={certificate}", *(f"--tls-key={each}" for each in keys)]
            return self.refused("--port", 0, "--tls-port", 0, *pairs)

        def unreadable() -> str:
            key.chmod(0 if os.geteuid() else 0o600)
            with asNobody():
                return tls(good, key)

        def expired() -> str:
            key.chmod(0o600)
            Certificates(lambda: [loadPair(str(old), str(key))], None)
            return "\n".join(self.logged)

        def written(name: str, path: str, **options: object) -> str:
            return f"ktcp: {complaint({name: path, 'nodaemon': True, **options})}"

        def anybody(uid: int, who: int) -> str:
            for name in ("getuid", "geteuid"):
                self.patch(os, name, lambda: who)
            return f"ktcp: {complaint({'uid': uid})}"

        def runs() -> str:
            path = self.file("twistd.pid", b"%d" % os.getppid())
            said = str(self.assertRaises(SystemExit, checkPID, str(path)).code)
            return said.replace(str(os.getppid()), "4177")

        await self.holds(
            "Files, keys and users",
            lambda: self.refused("--root", "public"),
            lambda: tls(self.folder / "none", key).replace("none", "site.pem"),
            lambda: tls(der, key),
            lambda: tls(good, other),
            lambda: tls(good, locked),
            unreadable,
            lambda: tls(good),
            expired,
            lambda: self.refused("--access-log", "logs/access.log", "--port", 0),
            lambda: self.refused("--access-log", self.folder, "--port", 0).replace(
                str(self.folder), "/var/log"
            ),
            lambda: written("logfile", "logs/ktcp.log"),
            lambda: written("pidfile", "run/ktcp.pid"),
            lambda: anybody(33, 1000),
            lambda: anybody(60606, 0),
            lambda: self.twistd("--uid", "nosuch", "web"),
            runs,
            lambda: self.twistd("--reactor", "foo", "web"),
        )

    async def test_limits(self) -> None:
        """
        Descriptors.
        """

        def room() -> str:
            service._sayRoom(Room(1000, 935, 32), 10240)
            return "\n".join(self.logged)

        def few() -> str:
            error = self.assertRaises(Refusal, service._checkRoom, Room(30, 20, 5), 0)
            return str(error.code)

        await self.holds("Limits", room, few)
        error = self.assertRaises(Refusal, service._checkRoom, Room(200, 100, 5), 1)
        self.assertIn("allow 256 or more", str(error.code))

    async def test_proxies(self) -> None:
        """
        Who stands before ktcp, or beside it.
        """
        token = self.file("token", b"short\n")

        async def ask(data: bytes, *arguments: str) -> bytes:
            served = self.start("--no-echo", "--port=0", *arguments)
            ((_, place),) = served.addresses()
            endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", place.port)
            client: Client = await connectProtocol(endpoint, Client())
            client.transport.write(data)
            await client.closed
            return bytes(client.received)

        async def missing() -> str:
            request = b"GET / HTTP/1.0\r\n\r\n"
            answer = await ask(request, "--proxy-protocol", "--proxy-trust", "127.0.0.1")
            # What curl says of that.
            return "" if answer else "curl: (52) Empty reply from server"

        async def unexpected() -> str:
            answer = await ask(b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\nGET / HTTP/1.0\r\n\r\n")
            return answer.decode().replace("HTTP/1.1 ", "")

        await self.holds(
            "Behind a proxy",
            lambda: self.refused("--proxy-protocol"),
            lambda: self.refused("--proxy-trust", "10.0.0.1/8"),
            missing,
            unexpected,
            lambda: self.refused(
                "--port=0", "--no-echo", "--admin", "tcp:0:interface=0.0.0.0"
            ).replace("tcp:0", "tcp:8082"),
            lambda: self.refused(
                "--port=0", "--no-echo", "--admin-port", 0, "--admin-token-file", token
            ),
            lambda: self.refused("--http", "systemd:domain=INET:index=0"),
        )

    async def test_missing(self) -> None:
        """
        What is not installed, or not in a way that works.
        """
        plugins = self.folder / "twisted" / "plugins"
        plugins.mkdir(parents=True)
        (plugins / "daytime_plugin.py").write_text("import daytime\n")
        script = self.file("python3", b'#!/bin/sh\ncase "$2" in *venv*) exit 1; esac\n')
        script.chmod(0o755)

        async def plugin() -> str:
            command = [BIN / "twistd", "ktcp", "--version"]
            child = spawn(self, command, {"PYTHONPATH": str(self.folder)})
            await child.ended
            return "\n".join(child.errors())

        async def make(python: str) -> str:
            if not (ROOT / "Makefile").exists():
                raise SkipTest("needs ktcp's checkout: its Makefile is not installed")
            command = ["-C", str(ROOT), f"PYTHON={python}", f"VENV={self.folder}/venv", "run"]
            _, err, status = await getProcessOutputAndValue("make", command, env=os.environ)
            self.assertEqual(status, 2)
            told: str = err.decode()
            return told.replace(python, "python3")

        def withoutLibraries() -> str:
            self.patch(load, "find_spec", lambda name: None)
            return self.load("http", "http://127.0.0.1/")

        def withoutMatplotlib() -> str:
            from importlib import util

            self.patch(load, "find_spec", lambda name: name)
            self.patch(util, "find_spec", lambda name: None)
            return self.load("http", "http://127.0.0.1/", "--png", "x.png")

        await self.holds(
            "What is not installed",
            plugin,
            lambda: routes._NO_METRICS.decode(),
            withoutLibraries,
            withoutMatplotlib,
            lambda: make("false"),
            lambda: make(str(script)),
        )

    async def test_load(self) -> None:
        """
        C{ktcp-load}.
        """

        def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        def nobody() -> str:
            patched = self.patch(socket, "getaddrinfo", unknown)
            said = self.load("http", "http://nosuch.invalid/")
            patched.restore()
            return said

        def failed(kind: str) -> str:
            result = exampleResult()
            result = replace(result, errors={kind: 1}, counts=replace(result.counts, good=0))
            made = io.StringIO()
            parser = load.commands()[0]
            args = parser.parse_args(["http", "http://x/", "--quiet"])
            outputs.emit(outputs.ofResult(result, "text"), args, made)
            return made.getvalue()

        def compared() -> str:
            result = exampleResult()
            one = self.file("a.json", result.toJSON().encode())
            other = replace(result, plan=replace(result.plan, connections=20))
            another = self.file("b.json", other.toJSON().encode())
            return self.load("compare", one, another)

        def many() -> str:
            self.patch(team, "getrlimit", lambda _: (1024, 1024))
            return self.load("http", "http://127.0.0.1:1/", "-c", 2000)

        def ports() -> str:
            frame = Frame()
            frame.errors["ports"] = 1200
            result = exampleResult()
            job: Any = SimpleNamespace(plan=replace(result.plan, keepAlive=False))
            said = caveatsOf(job, frame, [0.0], 1.0)[1]
            return words.text(replace(result, generator=replace(result.generator, words=said)))

        await self.holds(
            "Load",
            lambda: self.load("http", "127.0.0.1:8081"),
            nobody,
            lambda: failed("refused"),
            lambda: failed("tls"),
            lambda: failed("short"),
            lambda: self.load("http", "http://x/", "--json", "runs/1.json"),
            compared,
            many,
            ports,
        )

    async def test_lab(self) -> None:
        """
        C{ktcp}.
        """
        self.names = {str(self.folder): "/mnt"}

        def withoutRights(*words: object) -> str:
            # What it loads may be out of reach for others.
            makeParser(COMMANDS).format_help()
            with asNobody():
                return runKtcp(self, *words)[2]

        with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as unused:
            listening = server.getsockname()[1]
            # Bound and not listening, so that nobody else does.
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            await self.holds(
                "The lab",
                lambda: runKtcp(self, "trace", "run", "--tracefs", self.folder)[2],
                lambda: withoutRights("capture", "--port", 8081),
                lambda: withoutRights("drop", "--port", listening, "--listeners"),
                lambda: runKtcp(self, "queues", "--port", port)[2].replace(str(port), "8081"),
                lambda: runKtcp(self, "drop")[2],
            )


def linesOf(page: str, title: str) -> list[str]:
    """
    The lines that a section of the page explains.
    """
    section = page.partition(f"\n{title}\n-")[2].partition("\n\n\n")[0]
    return re.findall(r"^``(.+)``$", section, re.M)
