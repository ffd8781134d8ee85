"""
Tests for L{ktcp.drain}, and for how HTTP connections drain.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver, MemoryReactor
from twisted.logger import globalLogPublisher
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ktcp import EchoFactory, HTTPFactory, Request, Response
from ktcp.drain import LOOK_EVERY, Drain
from ktcp.testing import PEER, MemoryConnection, parseResponses, request


class DrainTests(SynchronousTestCase):
    """
    Connections of different kinds, and when the drain is over.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.answers: list[Deferred[Response]] = []
        self.factory = HTTPFactory(self.handle, reactor=self.clock)

    def handle(self, asked: Request) -> Any:
        """
        Answer /now at once and anything else when told to.
        """
        if asked.target == b"/now":
            return Response(200, b"now")
        if asked.target == b"/stream":
            return Response(200, self.stream())
        if asked.method == b"POST":
            return asked.body.read().addCallback(lambda body: Response(200, body))
        answer: Deferred[Response] = Deferred()
        self.answers.append(answer)
        return answer

    async def stream(self) -> Any:
        """
        Send a piece, and another when told to.
        """
        yield b"one"
        wait: Deferred[Any] = Deferred()
        self.answers.append(wait)
        await wait
        yield b"two"

    def connect(self, *sent: bytes) -> MemoryConnection:
        """
        Connect and send.
        """
        connection = MemoryConnection(self.factory)
        for data in sent:
            connection.send(data)
        self.addCleanup(connection.lose)
        return connection

    def begin(self, *connections: MemoryConnection, timeout: float = 30.0) -> list[Any]:
        """
        Drain.

        @return: Has one element when it is over.
        """
        self.drain = Drain(lambda: [each.protocol for each in connections], self.clock, timeout)
        over: list[Any] = []
        self.drain.begin().addCallback(over.append)
        return over

    def wait(self, seconds: float) -> None:
        """
        Let time pass, in small steps as a reactor would.
        """
        for _ in range(round(seconds / LOOK_EVERY)):
            self.clock.advance(LOOK_EVERY)

    def test_nothing(self) -> None:
        """
        Without connections it is over at once.
        """
        self.assertEqual(len(self.begin()), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_idle(self) -> None:
        """
        A connection that has been idle for a while is closed at once.
        """
        connection = self.connect(request("/now"))
        self.wait(5)
        over = self.begin(connection)
        self.assertTrue(connection.closed)
        self.wait(LOOK_EVERY)
        self.assertEqual(len(over), 1)

    def test_justIdle(self) -> None:
        """
        One that was just of use has a second: what is on its way is answered.
        """
        connection = self.connect(request("/now"))
        self.begin(connection)
        self.assertFalse(connection.closed)
        connection.send(request("/now"))
        first, last = parseResponses(connection.received, closed=connection.closed)
        self.assertEqual(first.headers.get("connection"), None)
        self.assertEqual((last.body, last.headers.get("connection")), (b"now", b"close"))
        # Not at once: that would reset an answer away from a client that is sending more.
        connection.finish()
        self.assertTrue(connection.closed)

    def test_justIdleEnds(self) -> None:
        """
        If nothing comes in about that second, it is closed.
        """
        connection, silent = self.connect(request("/now")), self.connect()
        over = self.begin(connection, silent)
        self.wait(3)
        self.assertEqual((connection.closed, silent.closed), (True, True))
        self.wait(LOOK_EVERY)
        self.assertEqual(len(over), 1)

    def test_wrapped(self) -> None:
        """
        The end of a connection is seen through what wraps it, as PROXY does.
        """
        kept: list[Any] = []
        build = self.factory.buildProtocol

        def keep(address: Any) -> Any:
            # Garbage is collected when it is; the drain does not wait for that.
            kept.append(build(address))
            return kept[-1]

        self.factory.buildProtocol = keep  # type: ignore[assignment]  # to hear of it
        wrapper = WrappingFactory(self.factory).buildProtocol(PEER)
        kernel = FileDescriptor(reactor=MemoryReactor())
        kernel.connected = 1
        kernel.abortConnection = lambda: self.fail("aborted")
        kernel.protocol = wrapper
        wrapper.makeConnection(kernel)
        self.drain = Drain(lambda: kept, self.clock, 30)
        over: list[Any] = []
        self.drain.begin().addCallback(over.append)
        self.wait(1)
        self.assertEqual(over, [])
        failure = Failure(ConnectionDone())
        kernel.connectionLost(failure)
        wrapper.connectionLost(failure)
        self.wait(LOOK_EVERY)
        self.assertEqual(len(over), 1)

    def test_underWay(self) -> None:
        """
        A request under way is answered, told that this is the last, and closed.
        """
        connection = self.connect(request("/later"))
        over = self.begin(connection)
        self.wait(5)
        self.assertEqual((connection.closed, over), (False, []))
        self.answers[0].callback(Response(200, b"late"))
        [response] = parseResponses(connection.received, closed=connection.closed)
        self.assertEqual((response.body, response.headers.get("connection")), (b"late", b"close"))
        self.assertTrue(connection.closed)
        self.wait(LOOK_EVERY)
        self.assertEqual(len(over), 1)

    def test_partialHead(self) -> None:
        """
        A request whose head is coming is answered too.
        """
        asked = request("/now")
        connection = self.connect(asked[:20])
        self.wait(5)
        self.begin(connection)
        self.assertFalse(connection.closed)
        connection.send(asked[20:])
        [response] = parseResponses(connection.received, closed=connection.closed)
        self.assertEqual(response.headers.get("connection"), b"close")

    def test_bodyComing(self) -> None:
        """
        A request whose body is coming is answered when it has come.
        """
        asked = request("/", "POST", body=b"x" * 10)
        connection = self.connect(asked[:-5])
        self.begin(connection)
        connection.send(asked[-5:])
        [response] = parseResponses(connection.received, [b"POST"], closed=connection.closed)
        self.assertEqual((response.body, response.headers.get("connection")), (b"x" * 10, b"close"))

    def test_streaming(self) -> None:
        """
        A body on its way is sent to its end, then the connection is closed.
        """
        connection = self.connect(request("/stream"))
        self.begin(connection)
        self.assertFalse(connection.closed)
        self.answers[0].callback(None)
        [response] = parseResponses(connection.received, closed=connection.closed)
        self.assertEqual((response.body, response.complete), (b"onetwo", True))
        self.assertTrue(connection.closed)

    def test_tooLate(self) -> None:
        """
        What does not end in time is reset, and how many that were is said.
        """
        observer = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        connections = [self.connect(request("/never")) for _ in range(3)]
        over = self.begin(*connections, timeout=10.0)
        self.wait(9.9)
        self.assertEqual(over, [])
        self.wait(0.2)
        self.assertEqual(len(over), 1)
        self.assertTrue(all(each.transport.aborted for each in connections))
        [event] = [event for event in observer if "reset" in event["log_format"]]
        self.assertEqual(event["count"], 3)

    def test_hurry(self) -> None:
        """
        Told to hurry it waits for nobody.
        """
        connection = self.connect(request("/never"))
        over = self.begin(connection)
        self.drain.hurry()
        self.wait(LOOK_EVERY)
        self.assertEqual((len(over), connection.transport.aborted), (1, True))

    def test_others(self) -> None:
        """
        A protocol that does not know how to drain is closed with what it wrote.
        """
        connection = MemoryConnection(EchoFactory())
        connection.send(b"hello")
        over = self.begin(connection)
        self.assertEqual((connection.received, connection.closed), (b"hello", True))
        self.wait(LOOK_EVERY)
        self.assertEqual(len(over), 1)
