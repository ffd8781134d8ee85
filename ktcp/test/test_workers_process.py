"""
C{twistd ktcp --workers} as a user starts it.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet import reactor as globalReactor
from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import (
    SSL4ClientEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
    connectProtocol,
)
from twisted.internet.ssl import CertificateOptions
from twisted.trial.unittest import TestCase

from ktcp.test.support import ACTIVATE, BIN, Child, Client, makePEM, portOf, spawn

reactor: Any = globalReactor

TWISTD = (BIN / "twistd", "-n", "ktcp")
TWIST = (BIN / "twist", "--log-format=text", "ktcp")
DAEMON = (BIN / "twistd", "ktcp")

# A protocol that starts in the parent, and then does something else.
SICK = """
import os, sys
from ktcp.echo import makeEcho
from ktcp.plugin import ProtocolPlugin
sick = ProtocolPlugin("sick", "Sick", "twisted.plugins.sick_one.make", 0)
def make(parameters, context):
    if sys.argv[0].endswith("__main__.py"):
        {what}
    return makeEcho(parameters, context)
"""


class End(FileDescriptor):
    """
    The end of a process that is not our child: pidfd_open(2).
    """

    def __init__(self, pid: int) -> None:
        super().__init__(reactor)
        self._descriptor = os.pidfd_open(pid)
        self.came: Deferred[None] = Deferred()
        self.startReading()

    def fileno(self) -> int:
        """
        What becomes readable.
        """
        return self._descriptor

    def doRead(self) -> None:
        """
        The process has ended.
        """
        self.close()
        self.came.callback(None)

    def close(self) -> None:
        """
        Look no more.
        """
        if self._descriptor != -1:
            self.stopReading()
            os.close(self._descriptor)
            self._descriptor = -1


class WorkersTests(TestCase):
    """
    Real processes, real signals, real clients.
    """

    timeout = 120

    async def serve(self, *arguments: object, **environment: str) -> tuple[Child, list[int]]:
        """
        Start a server with two workers.

        @return: It, and the pids of the workers.
        """
        child = spawn(self, [*arguments, "--workers=2", "--no-http"], environment)
        await child.said("ktcp: listening ")
        return child, [await self.pidOf(child, number) for number in (1, 2)]

    async def pidOf(self, child: Child, number: int, time: int = 1) -> int:
        """
        Wait until a worker serves.

        @param time: 2 for the second one of that number, and so on.
        """
        for each in range(1, time + 1):
            line = await child.said(f"ktcp: worker {number}/2 (pid ", 2 * each - 1)
        found = re.search(r"\(pid (\d+)\) serves$", line)
        assert found is not None, line
        return int(found[1])

    def endOf(self, pid: int) -> Deferred[None]:
        """
        Wait for the end of a process; it does not outlive the test.
        """
        end = End(pid)

        def clean() -> None:
            end.close()
            if not end.came.called:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

        self.addCleanup(clean)
        return end.came

    async def echo(self, endpoint: Any, first: bytes = b"") -> Client:
        """
        Connect, and see that the connection echoes.

        @param first: What is to be sent first, and is not echoed.
        """
        client: Client = await connectProtocol(endpoint, Client())
        self.addCleanup(client.drop)
        transport: Any = client.transport
        transport.write(first + b"a\0b")
        self.assertEqual(await client.got(3), b"a\0b")
        return client

    def tcp(self, port: int) -> TCP4ClientEndpoint:
        """
        Where a port is.
        """
        return TCP4ClientEndpoint(reactor, "127.0.0.1", port)

    async def all(self, make: Callable[[], Any], count: int = 32) -> list[Client]:
        """
        Connect so often that every worker is met: with one of two missed
        once in 2 ** 31 times.
        """
        echoes = [Deferred.fromCoroutine(self.echo(make())) for _ in range(count)]
        clients: list[Client] = await gatherResults(echoes, consumeErrors=True)
        return clients

    async def stop(self, child: Child, pids: list[int]) -> None:
        """
        Stop a server, and see that nothing is left.
        """
        ends = [self.endOf(pid) for pid in pids]
        child.signal("TERM")
        self.assertEqual(await child.ended, 0)
        await gatherResults(ends)
        self.assertEqual(child.errors(), [])
        self.assertNotIn(b"Traceback", child.output[1])
        self.assertFalse((child.folder / "twistd.pid").exists())

    async def test_serves(self) -> None:
        """
        Two workers serve one port, which the log names once, when both serve;
        SIGTERM ends all, with status 0.
        """
        for command in (TWISTD, TWIST):
            child, pids = await self.serve(*command, "--echo-port=0")
            log = child.output[1].decode()
            self.assertEqual(log.count("ktcp: listening "), 1)
            self.assertEqual(log[: log.index("ktcp: listening ")].count(" serves\n"), 2)
            port = portOf(await child.said("ktcp: listening "))
            clients = await self.all(partial(self.tcp, port))
            await self.stop(child, pids)
            await gatherResults([client.closed for client in clients])

    async def test_interrupt(self) -> None:
        """
        SIGINT ends all as well; the workers leave it, and a terminal's
        SIGHUP, to the parent.  They run on any processor.
        """
        child, pids = await self.serve(*TWISTD, "--echo-port=0")
        for pid in pids:
            self.assertEqual(os.sched_getaffinity(pid), os.sched_getaffinity(0))
            status = Path(f"/proc/{pid}/status").read_text()
            ignored = int(status.partition("SigIgn:")[2].split()[0], 16)
            for number in (signal.SIGINT, signal.SIGHUP):
                self.assertTrue(ignored >> (number - 1) & 1)
        ends = [self.endOf(pid) for pid in pids]
        child.signal("INT")
        self.assertEqual(await child.ended, 0)
        await gatherResults(ends)

    async def test_killedWorker(self) -> None:
        """
        A worker that is killed takes its connections along and no others; who
        connects before its successor serves is served by it.
        """
        child, pids = await self.serve(*TWISTD, "--echo-port=0")
        port = portOf(await child.said("ktcp: listening "))
        before = await self.all(lambda: self.tcp(port))
        gone = self.endOf(pids[0])
        os.kill(pids[0], signal.SIGKILL)
        await gone
        after = await self.all(lambda: self.tcp(port))
        self.assertEqual(len(after), 32)
        line = await child.said("worker 1/2 (pid ", 3)
        self.assertRegex(line, r"has ended: killed by SIGKILL; the next one starts now$")
        pids[0] = await self.pidOf(child, 1, 2)
        lost = [client for client in before if client.closed.called]
        self.assertTrue(0 < len(lost) < len(before), len(lost))
        await self.stop(child, pids)

    async def test_killedParent(self) -> None:
        """
        When the parent is killed, no worker is left.
        """
        # Under twist; under twistd in the test below.
        child, pids = await self.serve(*TWIST, "--echo-port=0")
        ends = [self.endOf(pid) for pid in pids]
        child.signal("KILL")
        self.assertEqual(await child.ended, -signal.SIGKILL)
        await gatherResults(ends)

    async def test_killedParentOfStuckWorker(self) -> None:
        """
        The same for a worker that does not run its reactor any more.
        """
        child, pids = await self.serve(*TWISTD, "--echo-port=0")
        ends = [self.endOf(pid) for pid in pids]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        child.signal("KILL")
        await gatherResults(ends)

    async def test_reload(self) -> None:
        """
        SIGHUP replaces the workers one by one, at the same port.
        """
        child, pids = await self.serve(*TWISTD, "--echo-port=0", "--discard=unix:d.sock")
        port = portOf(await child.said("ktcp: listening protocol=echo "))
        ends = [self.endOf(pid) for pid in pids]
        child.signal("HUP")
        await child.said("ktcp: the workers are replaced")
        await gatherResults(ends)
        await self.all(lambda: self.tcp(port))
        self.assertTrue((child.folder / "d.sock").is_socket())
        log = child.output[1].decode()
        fresh = [int(each) for each in re.findall(r"ktcp: worker ./2 \(pid (\d+)\) serves", log)]
        self.assertEqual(len(set(fresh)), 4)
        await self.stop(child, fresh[2:])
        self.assertFalse((child.folder / "d.sock").exists())

    async def test_reloadWhileStarting(self) -> None:
        """
        SIGHUP before the first worker serves is heeded once all of them do.
        """
        command = [*TWISTD, "--workers=1", "--no-http", "--echo-port=0"]
        child = spawn(self, command)
        # The log begins when the service is made, and a worker takes longer than that.
        await child.said("reactor class")
        child.signal("HUP")
        await child.said("ktcp: the workers are replaced")
        child.signal("TERM")
        self.assertEqual(await child.ended, 0)

    async def test_unix(self) -> None:
        """
        All workers share a UNIX socket; it stays, with its mode, when one of
        them is killed.
        """
        child, pids = await self.serve(*TWISTD, "--echo=unix:e.sock:mode=600")
        path = child.folder / "e.sock"
        await self.all(lambda: UNIXClientEndpoint(reactor, str(path)))
        for pid in pids:
            gone = self.endOf(pid)
            os.kill(pid, signal.SIGKILL)
            await gone
        await self.all(lambda: UNIXClientEndpoint(reactor, str(path)))
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        pids = [await self.pidOf(child, number, 2) for number in (1, 2)]
        await self.stop(child, pids)
        self.assertFalse(path.exists())

    async def test_endpointStrings(self) -> None:
        """
        Endpoint strings of every kind work as without workers.
        """
        pem = Path(self.mktemp()).resolve()
        pem.write_bytes(makePEM())
        child, pids = await self.serve(
            *TWISTD,
            f"--echo=ssl:0:interface=127.0.0.1:privateKey={pem}",
            "--echo=haproxy:tcp:0:interface=127.0.0.1",
            "--echo=ktcp:0:interface=\\:\\:1",
        )
        ports = [portOf(await child.said("ktcp: listening ", time)) for time in (1, 2, 3)]
        for _ in range(8):
            await self.echo(
                SSL4ClientEndpoint(reactor, "127.0.0.1", ports[0], CertificateOptions())
            )
            await self.echo(self.tcp(ports[1]), b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
            await self.echo(TCP6ClientEndpoint(reactor, "::1", ports[2]))
        await self.stop(child, pids)

    async def test_socketActivation(self) -> None:
        """
        All workers share a socket that systemd opened.
        """
        for kind, domain in (("AF_INET", "INET"), ("AF_UNIX", "UNIX")):
            child, pids = await self.serve(
                *(sys.executable, "-c", ACTIVATE, kind, "s.sock"),
                *(*TWISTD, f"--echo=systemd:domain={domain}:index=0"),
            )
            line = await child.said("ktcp: listening ")
            path = str(child.folder / "s.sock")

            def make(line: str = line, path: str = path) -> Any:
                if "transport=unix" in line:
                    return UNIXClientEndpoint(reactor, path)
                return self.tcp(portOf(line))

            await self.all(make)
            gone = self.endOf(pids[0])
            os.kill(pids[0], signal.SIGKILL)
            await gone
            pids[0] = await self.pidOf(child, 1, 2)
            await self.all(make)
            await self.stop(child, pids)

    async def test_bound(self) -> None:
        """
        With --bound a worker runs on one processor; see C{test_interrupt} for others.
        """
        usable = sorted(os.sched_getaffinity(0))
        _, pids = await self.serve(*TWISTD, "--echo-port=0", "--bound")
        for index, pid in enumerate(pids):
            self.assertEqual(os.sched_getaffinity(pid), {usable[index % len(usable)]})

    async def test_daemon(self) -> None:
        """
        A daemon's start returns when its workers serve; what they log is in
        its log; it ends as any.
        """
        child = spawn(self, [*DAEMON, "--workers=2", "--no-http", "--echo-port=0"])
        self.assertEqual(await child.ended, 0)
        parent = int((child.folder / "twistd.pid").read_text())
        end = self.endOf(parent)
        log = (child.folder / "twistd.log").read_text()
        pids = re.findall(r"ktcp: worker ./2 \(pid (\d+)\) serves\n", log)
        self.assertEqual(len(pids), 2)
        ends = [self.endOf(int(pid)) for pid in pids]
        os.kill(parent, signal.SIGTERM)
        await gatherResults([end, *ends])
        log = (child.folder / "twistd.log").read_text()
        for pid in pids:
            self.assertRegex(log, rf"worker ./2 \(pid {pid}\): ktcp: stopping on SIGTERM\n")
            self.assertRegex(log, rf"ktcp: worker ./2 \(pid {pid}\) has ended: exit status 0\n")

    def sick(self, what: str) -> str:
        """
        Make a folder with a plugin that does something when it is made in a
        worker.
        """
        folder = Path(self.mktemp()).resolve()
        plugins = folder / "twisted" / "plugins"
        plugins.mkdir(parents=True)
        (plugins / "sick_one.py").write_text(SICK.format(what=what))
        return str(folder)

    async def test_workerRefuses(self) -> None:
        """
        If a worker finds that it cannot serve, ktcp does not start: one line
        with the reason, status 1, for a daemon too.
        """
        folder = self.sick('raise ValueError("not today")')
        for command in (TWISTD, TWIST, DAEMON):
            child = spawn(
                self,
                [*command, "--workers=2", "--no-http", "--echo-port=0"],
                {"PYTHONPATH": folder},
            )
            self.assertEqual(await child.ended, 1)
            expected = r"worker ./2 \(pid \d+\): sick: not today"
            if command is DAEMON:
                # The pid file goes after the one who started it was told.
                self.assertRegex(child.errors()[0], expected)
            else:
                (line,) = child.errors()
                self.assertRegex(line, rf"^ktcp: {expected}$")
                self.assertFalse((child.folder / "twistd.pid").exists())

    async def test_workerCrashes(self) -> None:
        """
        The same if it ends without a word.
        """
        child = spawn(
            self,
            [*TWISTD, "--workers=2", "--no-http", "--echo-port=0"],
            {"PYTHONPATH": self.sick("os._exit(3)")},
        )
        self.assertEqual(await child.ended, 1)
        (line,) = child.errors()
        self.assertRegex(
            line, r"^ktcp: worker ./2 \(pid \d+\): ended before it served \(exit status 3\)$"
        )

    async def test_output(self) -> None:
        """
        What a worker prints, from whatever depth, is in the log under its
        name; modules are found where the parent finds them, and the
        environment is the user's.
        """
        what = """
        os.system("echo deep $PYTHONPATH $PYTHONSAFEPATH.; echo deeper >&2")
        print("flat")
"""
        folder = self.sick(what.strip())
        child, _ = await self.serve(*TWISTD, "--no-echo", PYTHONPATH=folder)
        line = await child.said("): deep ")
        self.assertRegex(line, rf"worker ./2 \(pid \d+\): deep {re.escape(folder)}:[^:]+ \.$")
        await child.said("): deeper")
        await child.said("): flat")

    async def test_badOptions(self) -> None:
        """
        A bad option is one line, as without workers.
        """
        for arguments, line in (
            (["--workers=many"], "--workers many: must be auto or a whole number from 1 to 1024"),
            (["--workers=2", "--no-http", "--echo=foo:1"], "--echo foo:1: not an endpoint ("),
        ):
            child = spawn(self, [*TWISTD, *arguments])
            self.assertEqual(await child.ended, 1)
            (said,) = child.errors()
            self.assertTrue(said.startswith(f"ktcp: {line}"), said)

    async def test_startedTwice(self) -> None:
        """
        A second server at the port of the first is refused in one line.
        """
        child, _ = await self.serve(*TWISTD, "--echo-port=0")
        port = portOf(await child.said("ktcp: listening "))
        second = spawn(self, [*TWISTD, "--workers=2", "--no-http", f"--echo-port={port}"])
        self.assertEqual(await second.ended, 1)
        (line,) = second.errors()
        self.assertIn(f"--echo-port {port}: 127.0.0.1:{port} is already in use; ", line)
