"""
Tests for L{ktcp.service}.
"""

from __future__ import annotations

import io
import os
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Any

from twisted.application.service import IService, Service
from twisted.internet import reactor as globalReactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.error import (
    ConnectionDone,
    ConnectionRefusedError,
)
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from ktcp import service
from ktcp.echo import EchoFactory
from ktcp.endpoint.sockets import SocketOptions
from ktcp.interfaces import Context
from ktcp.options import optionsFor
from ktcp.parameters import Parameter
from ktcp.plugin import ProtocolPlugin
from ktcp.refusal import Refusal
from ktcp.root import KTCPService
from ktcp.service import assemble
from ktcp.test.support import BIN, Client, ListeningLog, spawn

reactor: Any = globalReactor

made: list[tuple[Mapping[str, object], Context]] = []


def makeRecorded(parameters: Mapping[str, object], context: Context) -> Factory:
    """
    Make an echo's factory, and remember what with.
    """
    made.append((parameters, context))
    return EchoFactory()


def makeImpossible(parameters: Mapping[str, object], context: Context) -> Factory:
    """
    Find that parameters do not go together.
    """
    raise ValueError("--odd-x and --odd-y do not go together")


ECHO = ProtocolPlugin(
    "echo", "E", f"{__name__}.makeRecorded", 7, [Parameter("echo-x", "X.", 1, int)]
)
SINK = ProtocolPlugin("sink", "S", f"{__name__}.makeRecorded", 9)
ODD = ProtocolPlugin("odd", "O", f"{__name__}.makeImpossible")
BROKEN = ProtocolPlugin("broken", "B", f"{__name__}.nothere")


def assembled(useReactor: Any, *arguments: str) -> KTCPService:
    """
    What a command line is made into.
    """
    options = optionsFor([ECHO, SINK, ODD, BROKEN])()
    options.parseOptions(arguments)
    return assemble(options, useReactor)


def asTwisted(
    useReactor: Any, port: int, interface: str, options: SocketOptions
) -> TCP4ServerEndpoint:
    """
    Stands for L{KTCPServerEndpoint}, which opens sockets of its own, and asks
    a memory reactor for the same.
    """
    return TCP4ServerEndpoint(useReactor, port, options.backlog, interface)


class AssembleTests(ListeningLog, SynchronousTestCase):
    """
    What is asked of the reactor.
    """

    def setUp(self) -> None:
        """
        Have ports opened in memory.
        """
        super().setUp()
        self.addCleanup(made.clear)
        self.patch(service, "KTCPServerEndpoint", asTwisted)

    def start(self, *arguments: str) -> MemoryReactorClock:
        """
        Start a service, as twistd does.
        """
        memory = MemoryReactorClock()
        served = assembled(memory, *arguments)
        verifyObject(IService, served)
        served.privilegedStartService()
        served.startService()
        return memory

    def listening(self, *arguments: str) -> list[tuple[int, int, str]]:
        """
        The port, backlog and interface of each TCP listener.
        """
        return [
            (port, backlog, interface)
            for port, _, backlog, interface in self.start(*arguments).tcpServers
        ]

    def test_defaults(self) -> None:
        """
        Each protocol listens at its port, on loopback only.
        """
        self.assertEqual(self.listening(), [(7, 4096, "127.0.0.1"), (9, 4096, "127.0.0.1")])

    def test_options(self) -> None:
        """
        Interface, backlog and ports are those that were given.
        """
        self.assertEqual(
            self.listening("--interface", "::", "--backlog", "3", "--echo-port=1", "--no-sink"),
            [(1, 3, "::")],
        )

    def test_endpointsReplaceThePort(self) -> None:
        """
        With endpoints given, a protocol listens there and nowhere else.
        """
        self.assertEqual(
            self.listening("--no-sink", "--echo=tcp:1", "--echo=tcp:2:interface=\\:\\:1:backlog=5"),
            [(1, 50, ""), (2, 5, "::1")],
        )

    def test_oneFactory(self) -> None:
        """
        All listeners of a protocol share a factory, made once with its own
        parameters and the reactor that serves it.
        """
        memory = self.start("--no-sink", "--echo=tcp:1", "--echo=tcp:2", "--echo-x=4")
        factories = {id(server[1]) for server in memory.tcpServers}
        self.assertEqual(len(factories), 1)
        self.assertEqual(made, [({"echo-x": 4}, Context(memory))])

    def test_startServiceAlone(self) -> None:
        """
        twist only calls startService, and everything listens, once.
        """
        memory = MemoryReactorClock()
        assembled(memory).startService()
        self.assertEqual(len(memory.tcpServers), 2)

    def test_saysWhereWhenRunning(self) -> None:
        """
        A listener is announced once the reactor runs, not before: by then a
        signal stops the service cleanly.
        """
        memory = self.start("--no-sink")
        self.assertEqual(self.logged, [])
        memory.run()
        (line,) = self.logged
        self.assertTrue(line.startswith("ktcp: listening protocol=echo transport=tcp "), line)

    def test_notAnEndpoint(self) -> None:
        """
        A string that is no endpoint is one line, with the reason.
        """
        for text, reason in (
            ("foo:1", "Unknown endpoint type: 'foo'"),
            ("tcp:x", "invalid literal"),
            ("tcp", "missing 1 required positional argument"),
            ("tcp:1:colour=red", "unexpected keyword argument 'colour'"),
            ("haproxy:tcp:x", "invalid literal"),
            ("", "Unknown endpoint type"),
        ):
            refusal = self.assertRaises(Refusal, assembled, MemoryReactorClock(), f"--echo={text}")
            line = str(refusal.code)
            self.assertTrue(line.startswith(f"ktcp: --echo {text or repr(text)}: not an endpoint"))
            self.assertIn(reason, line)
            self.assertEqual(len(line.splitlines()), 1)

    def test_notPassed(self) -> None:
        """
        A socket that systemd has not passed is named, and how it would be.
        """
        for text in ("systemd:domain=INET:index=40", "systemd:domain=INET:name=nobody"):
            refusal = self.assertRaises(Refusal, assembled, MemoryReactorClock(), f"--echo={text}")
            self.assertEqual(
                refusal.code,
                f"ktcp: --echo {text}: systemd has passed no such socket; start this by its "
                ".socket unit, or by systemd-socket-activate",
            )

    def test_noCertificate(self) -> None:
        """
        A certificate that is not there is named.
        """
        refusal = self.assertRaises(
            Refusal, assembled, MemoryReactorClock(), "--echo=ssl:0:privateKey=/nothere/x.pem"
        )
        self.assertEqual(
            refusal.code,
            "ktcp: --echo ssl:0:privateKey=/nothere/x.pem: /nothere/x.pem: "
            "No such file or directory",
        )

    def test_parametersDoNotGoTogether(self) -> None:
        """
        A protocol may refuse its parameters; nothing is served then.
        """
        refusal = self.assertRaises(Refusal, assembled, MemoryReactorClock(), "--odd=tcp:0")
        self.assertEqual(refusal.code, "ktcp: odd: --odd-x and --odd-y do not go together")

    def test_protocolDoesNotStart(self) -> None:
        """
        A protocol that breaks down is one line; the others are served.
        """
        stderr = io.StringIO()
        self.patch(sys, "stderr", stderr)
        self.assertEqual(len(self.listening("--broken-port=1")), 2)
        (line,) = stderr.getvalue().splitlines()
        self.assertTrue(line.startswith("ktcp: broken: does not start (AttributeError: "), line)

    def test_nothingLeft(self) -> None:
        """
        If all of them break down, there is no service.
        """
        self.patch(sys, "stderr", io.StringIO())
        arguments = ("--no-echo", "--no-sink", "--broken-port=1")
        refusal = self.assertRaises(Refusal, assembled, MemoryReactorClock(), *arguments)
        self.assertEqual(refusal.code, "ktcp: nothing is left to serve")


class InterruptedService(Service):
    """
    A service whose start is interrupted.
    """

    def privilegedStartService(self) -> None:
        """
        Meet Ctrl-C.
        """
        os.kill(os.getpid(), signal.SIGINT)


class InterruptedTests(SynchronousTestCase):
    """
    Ctrl-C while it starts.
    """

    def test_refuses(self) -> None:
        """
        It is a reason not to start, told where the user of a daemon looks.
        """
        root = KTCPService(Context(MemoryReactorClock()))
        InterruptedService().setServiceParent(root)
        root.stderr = io.StringIO()
        refusal = self.assertRaises(Refusal, root.privilegedStartService)
        self.assertEqual(root.stderr.getvalue(), "ktcp: stopped by SIGINT before it served\n")
        # What twistd adds for that user.
        self.assertEqual((refusal.code, str(refusal)), (1, "the line above says why"))


class RealTests(ListeningLog, TestCase):
    """
    Real listeners and connections.
    """

    timeout = 30

    def service(self, *arguments: str) -> KTCPService:
        """
        A service on the real reactor; nothing of it stays.
        """
        self.addCleanup(made.clear)
        service = assembled(reactor, *arguments)
        self.addCleanup(service.stopService)
        return service

    async def turn(self) -> None:
        """
        Let the reactor turn once, which also has it running.
        """
        turned: Deferred[None] = Deferred()
        reactor.callLater(0, turned.callback, None)
        await turned

    async def connect(self, port: int) -> Client:
        """
        Connect to a port.
        """
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        client: Client = await connectProtocol(endpoint, Client())
        self.addCleanup(client.drop)
        return client

    async def test_stopClosesConnections(self) -> None:
        """
        When the service stops, an idle client sees the end of its connection.
        """
        await self.turn()
        service = self.service("--no-sink", "--echo-port=0")
        service.privilegedStartService()
        service.startService()
        (line,) = self.logged
        client = await self.connect(int(line.rpartition("=")[2]))
        transport: Any = client.transport
        transport.write(b"x")
        await client.got(1)
        await service.stopService()
        self.assertIsInstance(await client.closed, ConnectionDone)

    async def test_limitsConnections(self) -> None:
        """
        Connections are counted for all protocols together; one too many is
        closed without a word where its protocol knows none, and there is room
        again when one has ended.
        """
        await self.turn()
        service = self.service("--limit-connections=1", "--sink-port=0", "--echo-port=0")
        service.startService()
        await self.turn()
        sink, echo = (int(line.rpartition("=")[2]) for line in self.logged)
        first = await self.connect(sink)
        first.transport.write(b"a")
        await first.got(1)
        second = await self.connect(echo)
        self.assertIsInstance(await second.closed, ConnectionDone)
        self.assertEqual(second.received, b"")
        [lost] = [each for part in service for each in part.factory.connections()]
        ended: Deferred[None] = Deferred()
        connectionLost = lost.connectionLost

        def tell(reason: Any) -> None:
            connectionLost(reason)
            ended.callback(None)

        lost.connectionLost = tell
        first.drop()
        await ended
        third = await self.connect(echo)
        third.transport.write(b"b")
        self.assertEqual(await third.got(1), b"b")

    async def test_allOrNothing(self) -> None:
        """
        If one port is taken, those opened before it are closed again.
        """
        await self.turn()
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        port = taken.getsockname()[1]
        service = self.service("--echo-port=0", f"--sink-port={port}")
        stderr = io.StringIO()
        self.patch(sys, "stderr", io.StringIO())
        self.patch(sys, "__stderr__", stderr)
        self.assertRaises(Refusal, service.privilegedStartService)
        self.assertTrue(
            stderr.getvalue().startswith(
                f"ktcp: --sink-port {port}: 127.0.0.1:{port} is already in use; "
            )
        )
        opened = self.logged[0]
        self.assertIn("protocol=echo", opened)
        await self.refused(int(opened.rpartition("=")[2]))

    async def refused(self, port: int) -> None:
        """
        Assert that nothing listens.
        """
        await self.turn()  # In which a listener is closed.
        try:
            await self.connect(port)
        except ConnectionRefusedError:
            return
        self.fail("something listens")


class ReactorTests(TestCase):
    """
    Which reactor a process runs.
    """

    timeout = 60

    async def installed(self, before: str) -> str:
        """
        The class of the reactor, once the options were parsed in a process that
        ran some code before.
        """
        code = (
            f"{before}; import sys; from ktcp.service import Options; options = Options(); "
            "options.parseOptions(['--port', '0']); "
            "print(type(sys.modules['twisted.internet.reactor']).__name__)"
        )
        child = spawn(self, [sys.executable, "-c", code])
        self.assertEqual(await child.ended, 0)
        return child.output[1].decode().strip()

    async def test_own(self) -> None:
        """
        ktcp's, where none was chosen: under twist too, which installs Twisted's
        right after the options are parsed.
        """
        self.assertEqual(await self.installed("pass"), "KTCPReactor")

    async def test_chosen(self) -> None:
        """
        The one that was chosen.
        """
        choose = "from twisted.internet import pollreactor; pollreactor.install()"
        self.assertEqual(await self.installed(choose), "PollReactor")

    async def test_twistd(self) -> None:
        """
        twistd runs ktcp's by itself, and another when it is told to.
        """
        for options, name in (([], "KTCPReactor"), (["--reactor=poll"], "PollReactor")):
            child = spawn(
                self, [BIN / "twistd", *options, "-n", "ktcp", "--port", "0", "--no-echo"]
            )
            await child.said("listening protocol=http")
            await child.said(name)
            child.signal("TERM")
            self.assertEqual(await child.ended, 0)
