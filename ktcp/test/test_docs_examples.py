"""
Tests for what the README and the documentation show.
"""

from __future__ import annotations

import re
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.internet.utils import getProcessOutput
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

import ktcp
from ktcp.interfaces import Context, IProtocolPlugin
from ktcp.test.peers import peer
from ktcp.test.support import checkout, stopAfter
from ktcp.testing import MemoryConnection, parseResponses, request

CHECKOUT = Path(ktcp.__file__).parent.parent
EXAMPLES = CHECKOUT / "docs" / "examples"


def load(path: Path) -> ModuleType:
    """
    Import a file of the documentation.

    @raise SkipTest: ktcp was installed without its documentation.
    """
    if not path.exists():
        raise SkipTest("needs ktcp's checkout: docs/ is not installed")
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class DaytimeTests(SynchronousTestCase):
    """
    The protocol plugin that the how-to walks through.
    """

    # 2025-11-01 12:00:00 UTC
    NOON = 1761998400

    def setUp(self) -> None:
        """
        Put the example on the path as if it was installed, for this test only.
        """
        folder = EXAMPLES / "daytime"
        self.plugin = load(folder / "twisted" / "plugins" / "daytime_plugin.py").daytime
        self.patch(sys, "path", [str(folder), *sys.path])
        self.addCleanup(sys.modules.pop, "daytime", None)
        self.clock = Clock()
        self.clock.advance(self.NOON)

    def answer(self, timeFormat: object) -> StringTransport:
        """
        Connect to the plugin's factory and give back what it did.
        """
        parameters = {"daytime-format": timeFormat}
        factory = self.plugin.makeFactory(parameters, Context(reactor=self.clock))
        transport = StringTransport()
        factory.buildProtocol(None).makeConnection(transport)
        return transport

    def test_interface(self) -> None:
        """
        The plugin is one that ktcp can serve, and is off until asked for.
        """
        verifyObject(IProtocolPlugin, self.plugin)
        self.assertIsNone(self.plugin.defaultPort)

    def test_importsLate(self) -> None:
        """
        Help about the plugin does not load its protocol.
        """
        self.assertNotIn("daytime", sys.modules)

    def test_tellsTheTimeAndCloses(self) -> None:
        """
        Whoever connects reads one line with the time in UTC, then the end.
        """
        (parameter,) = self.plugin.parameters
        transport = self.answer(parameter.default)
        self.assertEqual(transport.value(), b"Saturday, November 01, 2025 12:00:00-UTC\r\n")
        self.assertTrue(transport.disconnecting)

    def test_format(self) -> None:
        """
        C{--daytime-format} decides how the time is written.
        """
        self.assertEqual(self.answer("%H:%M").value(), b"12:00\r\n")


class Exchange(Protocol):
    """
    Send bytes once connected, and collect what comes until the peer closes.

    @ivar received: Fires with all that came.
    """

    def __init__(self, data: bytes, thenFIN: bool) -> None:
        self._data = data
        self._thenFIN = thenFIN
        self._chunks: list[bytes] = []
        self.received: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        """
        Send, and say that nothing follows where the protocol has no other way to end.
        """
        self.transport.write(self._data)
        if self._thenFIN:
            self.transport.loseWriteConnection()

    def dataReceived(self, data: bytes) -> None:
        """
        Keep what came.
        """
        self._chunks.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        That was all.
        """
        self.received.callback(b"".join(self._chunks))


async def exchange(port: IListeningPort, data: bytes, thenFIN: bool = False) -> bytes:
    """
    Connect to a port, send C{data} and give back all that comes.
    """
    endpoint = clientFromString(reactor, f"tcp:127.0.0.1:{port.getHost().port}")
    protocol = Exchange(data, thenFIN)
    await endpoint.connect(Factory.forProtocol(lambda: protocol))
    return await protocol.received


class EmbedTests(TestCase):
    """
    The application of the how-to on embedding, on real sockets.
    """

    async def listen(self) -> list[IListeningPort]:
        """
        Start the application, to be stopped after the test.
        """
        embed = load(EXAMPLES / "embed.py")
        ports: list[IListeningPort] = await embed.listen(
            reactor, *["tcp:0:interface=127.0.0.1"] * 3
        )
        for port in ports:
            stopAfter(self, port)
        return ports

    async def test_echo(self) -> None:
        """
        The first port gives every byte back, then ends.
        """
        echo, _, _ = await self.listen()
        self.assertEqual(await exchange(echo, b"a\0b\n", thenFIN=True), b"a\0b\n")

    async def test_http(self) -> None:
        """
        The second port answers a GET from the application's function.
        """
        _, http, _ = await self.listen()
        answer = await exchange(http, b"GET /you HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        head, body = answer.split(b"\r\n\r\n", 1)
        self.assertTrue(head.startswith(b"HTTP/1.1 200 "), head)
        self.assertEqual(body, b"hello /you")

    async def test_body(self) -> None:
        """
        A posted body comes back.
        """
        _, http, _ = await self.listen()
        answer = await exchange(
            http,
            b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\nfour",
        )
        self.assertEqual(answer.split(b"\r\n\r\n", 1)[1], b"four")

    async def test_bodyTooLarge(self) -> None:
        """
        A posted body over the application's bound is refused with 413.
        """
        _, http, _ = await self.listen()
        answer = await exchange(
            http,
            b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
            b"Content-Length: 65537\r\n\r\n" + bytes(65537),
        )
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)

    async def test_site(self) -> None:
        """
        The application's C{twisted.web} site is served beside them.
        """
        _, _, site = await self.listen()
        answer = await exchange(site, b"GET / HTTP/1.0\r\n\r\n")
        self.assertTrue(answer.endswith(b"\r\n\r\nhello from twisted.web"), answer)


class RoutesTests(SynchronousTestCase):
    """
    The program of the how-to on routers.
    """

    def ask(self, *requests: bytes) -> list[tuple[int, bytes]]:
        """
        Send requests over one connection to a fresh copy of the program.
        """
        connection = MemoryConnection(
            ktcp.HTTPFactory(load(EXAMPLES / "routes.py").router, reactor=Clock())
        )
        connection.send(b"".join(requests))
        return [(one.status, one.body) for one in parseResponses(connection.received, closed=False)]

    def test_parameter(self) -> None:
        """
        A user is told by id, and renamed.
        """
        self.assertEqual(
            self.ask(
                request("/users/1"),
                request("/users/1", "PUT", body=b"Grace"),
                request("/users/1"),
                request("/users/3"),
            ),
            [(200, b"Ada"), (204, b""), (200, b"Grace"), (404, b"")],
        )

    def test_tail(self) -> None:
        """
        A tail keeps its segments apart.
        """
        self.assertEqual(self.ask(request("/files/a/b%2Fc")), [(200, b"a > b/c")])

    def test_mount(self) -> None:
        """
        What is mounted sees the rest of the target.
        """
        self.assertEqual(self.ask(request("/old/a?b", "DELETE")), [(200, b"the old site, /a?b")])


class ReadmeTests(TestCase):
    """
    The README's first screen, which nobody reads twice before trying it.
    """

    def shown(self, path: str) -> str:
        """
        Give the text of a file of the checkout.
        """
        return checkout(path).read_text()

    def test_example(self) -> None:
        """
        The program in the README is the one in the documentation.
        """
        (code,) = re.findall(r"```python\n(.*?)```", self.shown("README.md"), re.DOTALL)
        self.assertEqual(code, self.shown("docs/examples/hello.py"))

    async def test_exampleAnswers(self) -> None:
        """
        Its function answers as the tutorial shows.
        """
        factory = ktcp.HTTPFactory(load(EXAMPLES / "hello.py").app)
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        stopAfter(self, port)
        answer = await exchange(port, b"GET /you HTTP/1.0\r\n\r\n")
        self.assertEqual(answer.split(b"\r\n\r\n", 1)[1], b"hello /you")

    async def test_curl(self) -> None:
        """
        C{curl -si} prints what README and tutorial say that it prints, but for the date.
        """
        curl = peer("curl", "curl")
        port = reactor.listenTCP(0, ktcp.HTTPFactory(), interface="127.0.0.1")
        stopAfter(self, port)
        url = f"http://127.0.0.1:{port.getHost().port}/"
        printed = (await getProcessOutput(curl, ["-si", "--noproxy", "*", url])).decode()
        for path in ("README.md", "docs/tutorial/first-steps.rst"):
            answer = re.search(
                r"curl -si localhost:8081/\n(.*?Hello World!)", self.shown(path), re.DOTALL
            )
            assert answer is not None
            self.assertEqual(dated(printed), dated(answer[1]), path)


def dated(text: str) -> list[str]:
    """
    Split an answer in lines, with a date that is the same for all of them.

    @raise ValueError: Its date is not one (RFC 9110, 5.6.7).
    """
    lines = [line.strip() for line in text.splitlines()]
    for index, line in enumerate(lines):
        if line.startswith("Date: "):
            time.strptime(line, "Date: %a, %d %b %Y %H:%M:%S GMT")
            lines[index] = "Date:"
    return lines
