"""
Tests for L{ktcp.load.process.loop} and L{ktcp.load.process.connections}, over real sockets.
"""

from __future__ import annotations

import gzip
import os
from hashlib import sha256
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import Protocol
from twisted.internet.threads import deferToThread

from ktcp.echo import EchoFactory
from ktcp.load.buckets import percentile
from ktcp.load.job import Checks
from ktcp.load.process.frames import Frame
from ktcp.load.process.loop import Loop, clock
from ktcp.load.process.requests import ring
from ktcp.load.schedule import constant
from ktcp.test.loadservers import OK, LoadTestCase, ScriptedFactory, always

BIG = gzip.compress(os.urandom(300_000))


class ClosedLoopTests(LoadTestCase):
    """
    Tests for connections that ask again when they are answered.
    """

    async def test_numberedRun(self) -> None:
        """
        As many requests are made as were asked for, and all are counted as good.
        """
        factory = ScriptedFactory(always(OK))
        frame = await self.load(self.work(self.listen(factory), 100, 3))
        self.assertEqual(next(factory.numbers), 100)
        self.assertEqual((frame.good, frame.errors, frame.unanswered), (100, {}, 0))
        self.assertEqual(frame.statuses, {200: 100})
        self.assertEqual(sum(frame.total.values()), 100)
        self.assertEqual(sum(frame.firstByte.values()), 100)
        self.assertEqual((frame.connects, sum(frame.connect.values())), (3, 3))
        self.assertEqual(frame.received, 100 * len(OK))

    async def test_timedRun(self) -> None:
        """
        A run of some time ends by itself; what is under way then is neither good nor an error.
        """
        factory = ScriptedFactory(always(OK))
        frame = await self.load(self.work(self.listen(factory), None, seconds=0.05))
        self.assertLessEqual(frame.good, next(factory.numbers))
        self.assertEqual(frame.errors, {})
        self.assertLessEqual(frame.unanswered, 2)
        self.assertEqual(sum(frame.total.values()), frame.good)

    async def test_warmupIsNotCounted(self) -> None:
        """
        What is answered in the warm-up is not in the figures; the number counts after it.
        """
        factory = ScriptedFactory(always(OK))
        frame = await self.load(self.work(self.listen(factory), 20, warmup=0.05))
        self.assertEqual(frame.good, 20)
        self.assertGreater(next(factory.numbers), 20)

    async def test_wrongAnswers(self) -> None:
        """
        One wrong body in ten and one wrong status in ten are counted as such, and the rest is good.
        """

        def answer(protocol: Protocol, number: int) -> None:
            body = b"no" if number % 10 == 3 else b"ok"
            status = b"500" if number % 10 == 7 else b"200"
            protocol.transport.write(OK.replace(b"200", status).replace(b"ok", body))

        address = self.listen(ScriptedFactory(answer))
        frame = await self.load(self.work(address, 100, checks=Checks(regex=b"^ok$")))
        self.assertEqual(frame.errors, {"body": 10, "status": 10})
        self.assertEqual((frame.good, frame.statuses), (80, {200: 90, 500: 10}))
        self.assertEqual(sum(frame.total.values()), 80)

    async def test_noAnswer(self) -> None:
        """
        A server that never answers makes each request a timeout.
        """
        address = self.listen(ScriptedFactory(lambda protocol, number: None))
        frame = await self.load(self.work(address, 4, timeout=0.03))
        self.assertEqual((frame.good, frame.errors), (0, {"timeout": 4}))

    async def test_reset(self) -> None:
        """
        A connection that is reset is counted as such, and opened again.
        """

        def answer(protocol: Protocol, number: int) -> None:
            if number % 5 == 4:
                protocol.transport.abortConnection()
            else:
                protocol.transport.write(OK)

        frame = await self.load(self.work(self.listen(ScriptedFactory(answer)), 20, 1))
        self.assertEqual((frame.good, frame.errors), (16, {"reset": 4}))
        self.assertEqual(frame.connects, 4)

    async def test_short(self) -> None:
        """
        A connection that is closed in the middle of an answer is an error of its own.
        """

        def answer(protocol: Protocol, number: int) -> None:
            protocol.transport.write(OK[:-1])
            protocol.transport.loseConnection()

        frame = await self.load(self.work(self.listen(ScriptedFactory(answer)), 6))
        self.assertEqual((frame.good, frame.errors), (0, {"short": 6}))

    async def test_nonsense(self) -> None:
        """
        Bytes that are no HTTP, and more bytes than were asked for, are errors of framing.
        """
        for nonsense in (b"hello\r\n\r\n", OK + b"x"):
            frame = await self.load(self.work(self.listen(ScriptedFactory(always(nonsense))), 4))
            self.assertEqual(frame.errors["framing"], 4 if nonsense[:1] == b"h" else frame.connects)

    async def test_refused(self) -> None:
        """
        Where nobody listens, every request is a refusal, and the run still ends.
        """
        frame = await self.load(self.work(await self.nobody(), 5))
        self.assertEqual((frame.good, frame.errors, frame.connects), (0, {"refused": 5}, 0))

    async def test_answersInPieces(self) -> None:
        """
        An answer that comes in two writes is put together; its first byte came before its end.
        """

        def answer(protocol: Protocol, number: int) -> None:
            protocol.transport.write(OK[:20])
            reactor.callLater(0.01, protocol.transport.write, OK[20:])

        frame = await self.load(self.work(self.listen(ScriptedFactory(answer)), 6))
        self.assertEqual((frame.good, frame.errors), (6, {}))
        self.assertLess(max(frame.firstByte), min(frame.total))

    async def test_answersThatDiffer(self) -> None:
        """
        Answers of which no two are equal are all looked at.
        """

        def answer(protocol: Protocol, number: int) -> None:
            line = b"OK\r\nX-Number: %d" % number
            protocol.transport.write(OK.replace(b"OK", line))

        frame = await self.load(self.work(self.listen(ScriptedFactory(answer)), 50))
        self.assertEqual((frame.good, frame.statuses), (50, {200: 50}))

    async def test_bigAnswer(self) -> None:
        """
        A body larger than a read is read to its end, and its hash is that of all of it.
        """
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BIG)
        address = self.listen(ScriptedFactory(always(head + BIG)))
        checks = Checks(length=len(BIG), sha256=sha256(BIG).hexdigest())
        frame = await self.load(self.work(address, 4, checks=checks))
        self.assertEqual((frame.good, frame.received), (4, 4 * (len(head) + len(BIG))))

    async def test_connectionForEachRequest(self) -> None:
        """
        Without keep-alive each request has its own connection, which the server closes.
        """

        def answer(protocol: Protocol, number: int) -> None:
            protocol.transport.write(OK)
            protocol.transport.loseConnection()

        frame = await self.load(
            self.work(self.listen(ScriptedFactory(answer)), 20, keepAlive=False)
        )
        self.assertEqual((frame.good, frame.errors, frame.connects), (20, {}, 20))

    async def test_untilClosed(self) -> None:
        """
        An answer without a length ends with its connection, and the connection is made again.
        """

        def answer(protocol: Protocol, number: int) -> None:
            protocol.transport.write(b"HTTP/1.1 200 OK\r\n\r\nall of this")
            protocol.transport.loseConnection()

        work = self.work(
            self.listen(ScriptedFactory(answer)), 6, 1, checks=Checks(length=len("all of this"))
        )
        frame = await self.load(work)
        self.assertEqual((frame.good, frame.errors, frame.connects), (6, {}, 6))

    async def test_serverSaysClose(self) -> None:
        """
        C{Connection: close} is heeded although connections are kept: no error, a new connection.
        """

        def answer(protocol: Protocol, number: int) -> None:
            protocol.transport.write(OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"))
            protocol.transport.loseConnection()

        # Of two connections one may be opened for a request that the other has taken by then.
        frame = await self.load(self.work(self.listen(ScriptedFactory(answer)), 8, 1))
        self.assertEqual((frame.good, frame.errors, frame.connects), (8, {}, 8))

    async def test_pipeline(self) -> None:
        """
        Requests sent four at a time are each counted; a last batch may be smaller.
        """
        factory = ScriptedFactory(always(OK))
        frame = await self.load(self.work(self.listen(factory), 42, 2, pipeline=4))
        self.assertEqual((frame.good, frame.errors), (42, {}))
        self.assertEqual(next(factory.numbers), 42)

    async def test_pipelineLost(self) -> None:
        """
        When a connection is closed, every request that was under way on it is lost.
        """
        factory = ScriptedFactory(lambda protocol, number: protocol.transport.loseConnection())
        frame = await self.load(self.work(self.listen(factory), 8, 1, pipeline=4))
        self.assertEqual((frame.good, frame.errors), (0, {"short": 8}))

    async def test_mix(self) -> None:
        """
        Requests of a mix are asked in turn, each with its own answer.
        """
        seen: list[bytes] = []

        class Paths(Protocol):
            def dataReceived(self, data: bytes) -> None:
                path = data.split()[1]
                seen.append(path)
                self.transport.write(OK.replace(b"ok", path[1:]))

        factory: Any = ScriptedFactory(always(OK))
        factory.protocol = Paths
        asked = [ring([b"GET /aa HTTP/1.1\r\n\r\n", b"GET /bb HTTP/1.1\r\n\r\n"])[0]]
        frame = await self.load(self.work(self.listen(factory), 10, 1, asked=asked))
        self.assertEqual(frame.good, 10)
        self.assertEqual((seen.count(b"/aa"), seen.count(b"/bb")), (5, 5))

    async def test_headHasNoBody(self) -> None:
        """
        The answer to HEAD ends with its head, though it says how long a body would be.
        """
        factory = ScriptedFactory(always(OK[:-2]))
        asked = ring([b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"])
        frame = await self.load(self.work(self.listen(factory), 6, 1, asked=asked))
        self.assertEqual((frame.good, frame.errors), (6, {}))


class EchoTests(LoadTestCase):
    """
    Tests for echoes.
    """

    async def test_echo(self) -> None:
        """
        Messages come back whole, small ones and such as no buffer holds.
        """
        for size, number in ((1, 50), (64, 50), (3_000_000, 4)):
            frame = await self.load(self.echoes(self.listen(EchoFactory()), size, requests=number))
            self.assertEqual((frame.good, frame.errors), (number, {}))
            self.assertEqual((frame.sent, frame.received), (number * size, number * size))

    async def test_wrongEcho(self) -> None:
        """
        An echo that changes a byte is noticed.
        """

        class Wrong(Protocol):
            def dataReceived(self, data: bytes) -> None:
                self.transport.write(data[:-1] + bytes([data[-1] ^ 1]))

        factory: Any = EchoFactory()
        factory.protocol = Wrong
        frame = await self.load(self.echoes(self.listen(factory), 64, requests=6))
        self.assertEqual((frame.good, frame.errors), (0, {"body": 6}))

    async def test_connectionForEachMessage(self) -> None:
        """
        kecho's client test: a connection for each message, closed by the client.
        """
        work = self.echoes(self.listen(EchoFactory()), 64, requests=20, keepAlive=False)
        frame = await self.load(work)
        self.assertEqual((frame.good, frame.errors, frame.connects), (20, {}, 20))


class OpenLoopTests(LoadTestCase):
    """
    Tests for requests that have a planned time.
    """

    async def test_planned(self) -> None:
        """
        As many requests are sent as are planned within the run, each counted both ways.
        """
        factory = ScriptedFactory(always(OK))
        work = self.work(self.listen(factory), None, seconds=0.1, arrivals=constant(500))
        frame = await self.load(work)
        self.assertEqual(frame.good + frame.unanswered + frame.unsent, 50)
        self.assertEqual(sum(frame.uncorrected.values()), frame.good)
        self.assertEqual(sum(frame.total.values()), 50)

    async def test_nothingPlannedIsLost(self) -> None:
        """
        Requests whose time passed while the generator could not run are counted as unsent.
        """
        work = self.work(self.listen(ScriptedFactory(always(OK))), None, seconds=0.05)
        work.arrivals = constant(1000)
        frames: list[Frame] = []
        loop = Loop(work, frames.append)
        # It begins after its end: so it was kept from running all the while.
        await deferToThread(loop.run, clock() - 10**9)
        self.assertEqual(sum(frame.unsent for frame in frames), 50)

    async def test_stall(self) -> None:
        """
        While a server holds its first answer, the requests planned meanwhile wait: the corrected
        latencies count from the plan, so half of them are long, and the uncorrected do not show it.
        """

        def answer(protocol: Protocol, number: int) -> None:
            reactor.callLater(0.3 if number == 0 else 0, protocol.transport.write, OK)

        address = self.listen(ScriptedFactory(answer))
        frame = await self.load(self.work(address, 11, 1, arrivals=constant(100)))
        self.assertEqual((frame.good, frame.errors), (11, {}))
        # All were planned in the first 100 ms, and answered after 300.
        self.assertGreaterEqual(percentile(frame.total, 1), 199_000_000)
        # The first may be late too: its connection has to be made.
        self.assertGreaterEqual(frame.late, 10)
        self.assertLess(percentile(frame.uncorrected, 50), percentile(frame.total, 1))

    async def test_stallAtTheEnd(self) -> None:
        """
        A server that answers nothing any more shows in the corrected latencies, as do
        the requests that could not be sent.
        """
        address = self.listen(ScriptedFactory(lambda protocol, number: None))
        work = self.work(address, None, 1, seconds=0.2, arrivals=constant(100))
        frame = await self.load(work)
        self.assertEqual((frame.good, frame.unanswered, frame.unsent), (0, 1, 19))
        self.assertEqual(sum(frame.total.values()), 20)
        self.assertEqual(sum(frame.uncorrected.values()), 0)
