"""
Tests for L{ktcp.load.engine}: whole runs, in processes of their own.
"""

from __future__ import annotations

import socket
import sys
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.protocol import Protocol
from twisted.internet.threads import deferToThread

from ktcp.echo import EchoFactory
from ktcp.load.engine import probe, run
from ktcp.load.job import Job
from ktcp.load.result import Plan, Progress, Result
from ktcp.load.targets import Target, targetOfAddress, targetOfURL
from ktcp.load.team import CannotRun
from ktcp.test.loadservers import GET, OK, LoadTestCase, ScriptedFactory, always
from ktcp.test.support import Child, enterNamespace

TIMED = Plan(connections=4, seconds=0.5)
NUMBERED = Plan(connections=4, seconds=None, requests=200)


class EngineTests(LoadTestCase):
    """
    Tests for L{run}.
    """

    async def http(self, plan: Plan, address: str, **more: object) -> Result:
        """
        Run GET against an address.
        """
        job = Job("http", targetOfURL(f"http://{address}/"), plan, ("test",), (GET,))
        return await deferToThread(run, job, **more)

    async def test_processes(self) -> None:
        """
        Several processes make one run: their counts are added up, and nothing is asked twice.
        """
        factory = ScriptedFactory(always(OK))
        result = await self.http(replace(NUMBERED, processes=2), self.listen(factory))
        self.assertEqual((result.counts.requests, result.counts.good), (200, 200))
        # One of those that were accepted only looked whether somebody is there.
        self.assertEqual((next(factory.numbers), result.counts.connects), (200, 4))
        self.assertEqual((result.errors, result.statuses), ({}, {"200": 200}))
        self.assertEqual(len(result.generator.cpu), 2)
        self.assertEqual(result.histograms["total"].count, 200)
        self.assertEqual(sum(second.requests for second in result.series), 200)
        self.assertEqual(Result.fromJSON(result.toJSON()), result)

    async def test_progress(self) -> None:
        """
        The caller is told how far the run is, from its beginning to near its end.
        """
        told: list[Progress] = []
        address = self.listen(ScriptedFactory(always(OK)))
        result = await self.http(TIMED, address, progress=told.append)
        self.assertGreaterEqual(len(told), 2)
        shares = [progress.share for progress in told]
        self.assertEqual(shares, sorted(shares))
        self.assertGreaterEqual(result.counts.good, told[-1].requests)
        self.assertAlmostEqual(result.elapsed, 0.5)

    async def test_openLoop(self) -> None:
        """
        A rate is that of all processes together, and both kinds of latencies are there.
        """
        plan = replace(TIMED, rate=200.0, processes=2)
        result = await self.http(plan, self.listen(ScriptedFactory(always(OK))))
        counts = result.counts
        self.assertEqual(counts.good + counts.unanswered + counts.unsent, 100)
        self.assertEqual(result.histograms["uncorrected"].count, counts.good)

    async def test_refused(self) -> None:
        """
        That nobody listens is a finding: it is counted.
        """
        result = await self.http(replace(NUMBERED, requests=8), await self.nobody())
        self.assertEqual((result.counts.good, result.errors), (0, {"refused": 8}))

    async def test_unreachable(self) -> None:
        """
        Where there is no way to the target, nothing is run, and one line says so.
        """
        # RFC 6890: 255.255.255.255 is no address to connect to.
        address = ("255.255.255.255", 1)
        target = Target("http://nowhere/", "nowhere", "nowhere", "/", socket.AF_INET, address)
        job = Job("http", target, NUMBERED, (), (GET,))
        error = await self.assertFailure(deferToThread(run, job), CannotRun)
        self.assertIn("cannot reach http://nowhere/: ", str(error))

    def test_noLocalPort(self) -> None:
        """
        Where no local port is free nothing is run, and the one line says what to look at.
        """
        enterNamespace(self)
        # A range of one port, and that one is taken.
        Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40001 40001")
        server = socket.create_server(("127.0.0.1", 40000))
        self.addCleanup(server.close)
        holder = socket.create_connection(("127.0.0.1", 40000))
        self.addCleanup(holder.close)
        error = self.assertRaises(CannotRun, probe, targetOfAddress("127.0.0.1:40000"), 5.0)
        self.assertIn("no local port is free", str(error))
        self.assertEqual(len(str(error).splitlines()), 1)

    async def test_unixSocket(self) -> None:
        """
        A server on a unix socket can be loaded.
        """
        # unix(7): a path of 108 bytes at most, and trial's own are longer.
        folder = mkdtemp()
        self.addCleanup(rmtree, folder)
        path = f"{folder}/socket"
        port = await UNIXServerEndpoint(reactor, path).listen(ScriptedFactory(always(OK)))
        self.addCleanup(port.stopListening)
        job = Job("http", targetOfURL("http://a/", unix=path), NUMBERED, (), (GET,))
        result = await deferToThread(run, job)
        self.assertEqual((result.counts.good, result.errors), (200, {}))

    async def test_barrier(self) -> None:
        """
        Each round has a time for each of its connections; a message of every one is different.
        """
        seen: list[bytes] = []

        class Seeing(Protocol):
            def dataReceived(self, data: bytes) -> None:
                seen.append(data)
                self.transport.write(data)

        factory: Any = EchoFactory()
        factory.protocol = Seeing
        plan = Plan(connections=20, processes=2, seconds=None, size=64, rounds=3, keepAlive=False)
        job = Job("barrier", targetOfAddress(self.listen(factory)), plan, peerCloses=False)
        result = await deferToThread(run, job)
        self.assertEqual([len(each.times) for each in result.rounds], [20, 20, 20])
        for each in result.rounds:
            self.assertEqual((each.worst, each.errors), (max(each.times), 0))
            self.assertEqual(each.mean, sum(each.times) / 20)
        self.assertEqual((result.counts.good, result.counts.connects, result.errors), (60, 60, {}))
        self.assertEqual(len(set(seen)), 60)

    async def test_barrierErrors(self) -> None:
        """
        A barrier's wrong echoes and refusals are counted, and its rounds go on.
        """

        class Wrong(Protocol):
            def dataReceived(self, data: bytes) -> None:
                self.transport.write(data[:-1] + b"\x00")

        factory: Any = EchoFactory()
        factory.protocol = Wrong
        plan = Plan(connections=3, seconds=None, size=64, rounds=2, keepAlive=False)
        for address, kind in ((self.listen(factory), "body"), (await self.nobody(), "refused")):
            job = Job("barrier", targetOfAddress(address), plan, peerCloses=False)
            result = await deferToThread(run, job)
            self.assertEqual((result.counts.good, result.errors), (0, {kind: 6}))

    async def test_interrupted(self) -> None:
        """
        Ctrl-C ends a run with a report of what was measured so far, and leaves no process.
        """
        asked = []

        def answer(protocol: Protocol, number: int) -> None:
            protocol.transport.write(OK)
            if number == 500:
                asked.append(child.transport.signalProcess("INT"))

        address = self.listen(ScriptedFactory(answer))
        child = Child(self.mktemp())
        arguments = ["http", f"http://{address}/", "-d", "60", "-c", "4", "--format", "htstress"]
        reactor.spawnProcess(
            child, sys.executable, [sys.executable, "-m", "ktcp.load", *arguments], env=None
        )
        self.assertEqual(await child.ended, 130, child.output)
        self.assertEqual(len(asked), 1)
        self.assertIn(b"requests:", child.output[1])
        self.assertNotIn(b"Traceback", child.output[2])
