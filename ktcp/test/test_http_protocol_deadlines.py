"""
Tests for L{ktcp.http.protocol}: what is due when.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ktcp import HTTPFactory, Request, Response
from ktcp.http.limits import Limits
from ktcp.test.serving import Harness, Producer
from ktcp.testing import PEER, MemoryTransport, request


class DeadlineTests(Harness):
    """
    Each time is bounded, met within a second, and not before.
    """

    def expires(self, seconds: float) -> None:
        """
        The connection ends after so many seconds.
        """
        self.pass_(seconds - 0.1)
        self.assertFalse(self.connection.closed or self.connection.transport.finished)
        self.pass_(1.2)
        self.assertFinished()

    def test_silent(self) -> None:
        """
        A client that never says anything is let go without a word.
        """
        self.serve(headTime=5)
        self.expires(5)
        self.assertEqual(self.connection.received, b"")

    def test_slowHead(self) -> None:
        """
        A head that trickles is 408 in the end, however often a byte of it comes.
        """
        self.serve(headTime=5)
        for at in range(49):
            self.pass_(0.1)
            self.connection.send(b"G" if at == 0 else b"E")
        self.assertEqual(self.connection.received, b"")
        self.pass_(1.2)
        self.assertEqual(self.statuses(), [408])
        self.assertFinished()

    def test_slowSecondHead(self) -> None:
        """
        Also on a connection that has been of use.
        """
        self.serve(headTime=5, idle=50).send(request() + b"GET")
        self.expires(5)
        self.assertEqual(self.statuses(), [200, 408])

    def test_idle(self) -> None:
        """
        A connection of no use is closed; each request makes it last longer.
        """
        self.serve(idle=5)
        for _ in range(4):
            self.connection.send(request())
            self.pass_(4)
        self.connection.send(request())
        self.expires(5)
        self.assertEqual(self.statuses(), [200] * 5)

    def test_slowBody(self) -> None:
        """
        A body that comes too slowly is 408; one that keeps up is not.
        """

        async def handler(request: Request) -> Response:
            return Response(200, await request.body.read())

        head = request(method="POST", headers={"Content-Length": "10000"})
        self.serve(handler, bodyRate=100, bodyGrace=3).send(head)
        self.expires(3)
        self.assertEqual(self.statuses(), [408])
        self.serve(handler, bodyRate=100, bodyGrace=3).send(head)
        for _ in range(100):
            self.connection.send(b"x" * 100)
            self.pass_(1)
        self.assertEqual(self.statuses(), [200])

    def test_slowUnreadBody(self) -> None:
        """
        So is one that nobody reads.
        """
        self.serve(bodyRate=100, bodyGrace=3)
        self.connection.send(request(method="POST", headers={"Content-Length": "10000"}))
        self.expires(3)
        self.assertEqual(self.statuses(), [501])

    def test_slowHandler(self) -> None:
        """
        A handler that does not answer is cancelled, its client has 503.
        """
        cancelled: list[Any] = []
        self.serve(lambda request: Deferred(cancelled.append), handlerTime=5)
        self.connection.send(request() * 2)
        self.expires(5)
        self.assertEqual(self.statuses(), [503])
        self.assertEqual(len(cancelled), 1)

    def test_handlerAfterBody(self) -> None:
        """
        The time for which a handler waits for the body is not its own.
        """
        waiting: Deferred[Any] = Deferred()

        async def handler(request: Request) -> Any:
            await request.body.read()
            return await waiting

        self.serve(handler, handlerTime=5, bodyRate=1, bodyGrace=20)
        self.connection.send(request(method="POST", headers={"Content-Length": "1"}))
        self.pass_(15)
        self.connection.send(b"x")
        self.pass_(4.5)
        waiting.callback(Response(200))
        self.assertEqual(self.statuses(), [200])

    def test_stall(self) -> None:
        """
        A client that does not read is reset.
        """
        self.serve(stall=5).send(request())
        self.connection.transport.producer.pauseProducing()
        self.expires(5)
        self.assertTrue(self.connection.transport.aborted)

    def test_slowReader(self) -> None:
        """
        One that reads a little now and then is not.
        """
        self.serve(stall=5, idle=100).send(request())
        for _ in range(5):
            self.connection.transport.producer.pauseProducing()
            self.pass_(4)
            self.connection.transport.producer.resumeProducing()
        self.assertFalse(self.connection.closed)

    def waits(self, count: int, transport: Any = None) -> None:
        """
        So much of what was sent was not taken, as Twisted's transports tell it.
        """
        transport = transport or self.connection.transport
        transport.dataBuffer, transport.offset, transport._tempDataLen = bytes(count), 0, 0

    def takesSteadily(self, transport: Any) -> None:
        """
        A client that never takes all of a large answer, but some of it all the time,
        is not reset; when it takes no more, it is.
        """
        for left in range(900, 0, -100):
            self.pass_(4)
            self.waits(left, transport)
        self.assertFalse(transport.aborted)
        # The last look was up to a stall ago.
        self.pass_(11.2)
        self.assertTrue(transport.aborted)

    def test_steadyReader(self) -> None:
        """
        It goes on.
        """
        transport = self.serve(stall=5).transport
        self.connection.send(request())
        self.waits(1000)
        transport.producer.pauseProducing()
        self.takesSteadily(transport)

    def test_steadyReaderOfTheLast(self) -> None:
        """
        It is the last answer of its connection.
        """
        self.clock = Clock()
        factory = HTTPFactory(limits=Limits(stall=5), reactor=self.clock)
        protocol: Any = factory.buildProtocol(PEER)
        transport: Any = MemoryTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived(request(headers={"Connection": "close"}))
        self.assertTrue(transport.disconnecting)
        self.waits(1000, transport)
        self.takesSteadily(transport)

    def test_growing(self) -> None:
        """
        Whoever takes nothing while more is written for it is reset.
        """
        self.serve(stall=5).send(request())
        self.waits(1000)
        self.connection.transport.producer.pauseProducing()
        self.pass_(4)
        self.waits(2000)
        self.pass_(2.2)
        self.assertTrue(self.connection.transport.aborted)

    def test_streaming(self) -> None:
        """
        A body that takes long has no deadline while its client reads.
        """
        producer = Producer()
        self.serve(lambda request: Response(200, producer), handlerTime=5, idle=5)
        self.connection.send(request())
        for _ in range(10):
            self.pass_(60)
            producer.consumer.write(b"x")
        producer.done.callback(None)
        self.assertEqual(self.onlyResponse().body, b"x" * 10)
