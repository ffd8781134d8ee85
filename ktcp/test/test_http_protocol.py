"""
Tests for L{ktcp.http.protocol}: connections in memory, with the real framing.
"""

# Longer than other modules: it is as its module; bodies and deadlines have modules of their own.

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from ktcp import Request, Response
from ktcp.http.errors import HTTPError
from ktcp.http.message import Standing
from ktcp.http.protocol import Handler
from ktcp.test.serving import Harness, Oops
from ktcp.testing import request


class HelloTests(Harness):
    """
    Without a handler it answers as khttpd does.
    """

    def test_interfaces(self) -> None:
        """
        Transports may half-close it and press back on it.
        """
        protocol = self.serve().protocol
        verifyObject(IHalfCloseableProtocol, protocol)
        verifyObject(IPushProducer, protocol)

    def test_get(self) -> None:
        """
        Any URL greets, with the headers a client relies on.
        """
        self.serve().send(request("/any/thing?at=all"))
        response = self.onlyResponse()
        self.assertEqual((response.status, response.body), (200, b"Hello World!"))
        self.assertEqual(response.headers.get("Server"), b"ktcp")
        self.assertEqual(response.headers.get("Content-Type"), b"text/plain")
        self.assertEqual(response.headers.get("Content-Length"), b"12")
        self.assertTrue(response.headers.get("Date").endswith(b" GMT"))

    def test_head(self) -> None:
        """
        HEAD gets the same head and no body.
        """
        self.serve().send(request())
        get = self.onlyResponse()
        self.serve().send(request(method="HEAD"))
        head = self.onlyResponse(b"HEAD")
        self.assertEqual(head.body, b"")
        self.assertEqual(
            [pair for pair in head.headers if pair[0] != b"date"],
            [pair for pair in get.headers if pair[0] != b"date"],
        )

    def test_otherMethods(self) -> None:
        """
        A method other than GET and HEAD is not implemented; the connection
        lives on.
        """
        for method in (b"POST", b"PUT", b"DELETE", b"OPTIONS", b"BREW", b"get"):
            self.serve().send(request(method=method) + request())
            self.assertEqual(self.statuses(), [501, 200], method)

    def test_splitAnywhere(self) -> None:
        """
        Where the network splits a request does not matter.
        """
        data = request("/split", headers={"X": "y"})
        for at in range(1, len(data)):
            self.serve().send(data[:at])
            self.assertEqual(self.connection.received, b"", at)
            self.connection.send(data[at:])
            self.assertEqual(self.onlyResponse().status, 200)

    def test_oneWriteForPipelined(self) -> None:
        """
        Answers to requests that came together leave in one write, in order.
        """
        targets = []
        self.serve(lambda request: Response(200, targets.append(request.target) or request.target))
        writes: list[bytes] = []
        write = self.connection.transport.write
        self.connection.transport.write = lambda data: (writes.append(data), write(data))
        self.connection.send(b"".join(request(b"/%d" % n) for n in range(16)))
        self.assertEqual(len(writes), 1)
        self.assertEqual(targets, [b"/%d" % n for n in range(16)])
        self.assertEqual([response.body for response in self.responses()], targets)

    def test_manyAnswersAreNotGathered(self) -> None:
        """
        Pipelined requests for large answers do not pile these up.
        """
        handlers = (
            lambda request: Response(200, b"x" * 1000),
            lambda request: succeed(Response(200, b"x" * 1000)),
        )
        for handler in handlers:
            self.serve(handler, batch=5000)
            writes: list[bytes] = []
            self.connection.transport.write = writes.append
            self.connection.send(request() * 20)
            self.assertGreater(len(writes), 2)
            self.assertLess(max(map(len, writes)), 7000)


class PersistenceTests(Harness):
    """
    Which connections live on.
    """

    def lives(self, data: bytes) -> bool:
        self.serve().send(data)
        self.assertEqual(self.statuses(), [200])
        return not self.connection.closed

    def test_versions(self) -> None:
        """
        HTTP/1.1 lives on unless asked to close, HTTP/1.0 closes unless asked to
        live on.
        """
        keep, close = {"Connection": "keep-alive"}, {"Connection": "close"}
        self.assertTrue(self.lives(request()))
        self.assertTrue(self.lives(request(headers=keep)))
        self.assertFalse(self.lives(request(headers=close)))
        self.assertFalse(self.lives(request(version=b"1.0")))
        self.assertTrue(self.lives(request(version=b"1.0", headers=keep)))
        self.assertFalse(self.lives(request(version=b"1.0", headers=close)))

    def test_persistenceIsPromised(self) -> None:
        """
        An HTTP/1.0 client that asked to live on is told that it may (ab -k
        counts these).
        """
        self.serve().send(request(version=b"1.0", headers={"Connection": "Keep-Alive"}))
        self.assertEqual(self.onlyResponse().headers.get("Connection"), b"keep-alive")

    def test_khttpdKeepAliveMisspelt(self) -> None:
        """
        khttpd answered C{Connection: KeepAlive}, which is no such token.
        """
        for headers in ({}, {"Connection": "Keep-Alive"}):
            for version in (b"1.0", b"1.1"):
                self.serve().send(request(version=version, headers=headers))
                self.assertNotIn(b"keepalive", self.connection.received.lower())

    def test_bytesAfterTheLastRequest(self) -> None:
        """
        What follows a request that closes is dropped; its answer stands.
        """
        self.serve().send(request(headers={"Connection": "close"}) + request() + b"\x00garbage")
        self.assertEqual(self.statuses(), [200])
        self.assertTrue(self.connection.closed)

    def test_handlerCloses(self) -> None:
        """
        A handler may end the connection.
        """
        self.serve(lambda request: Response(200, b"bye", {"Connection": "close"}))
        self.connection.send(request() * 2)
        self.assertEqual(self.statuses(), [200])
        self.assertTrue(self.connection.closed)

    def test_finBetweenRequests(self) -> None:
        """
        A client that closes between requests is closed, nothing said.
        """
        self.serve().send(request())
        self.connection.finish()
        self.assertEqual(self.statuses(), [200])
        self.assertTrue(self.connection.closed)

    def test_finAfterRequests(self) -> None:
        """
        nc -N sends its requests and FIN; each is answered.
        """
        self.serve(lambda request: Response(200, request.target))
        self.connection.protocol.transport.pauseProducing()
        self.connection.protocol.dataReceived(request("/1") + request("/2"))
        self.connection.finish()
        self.assertEqual([r.body for r in self.responses()], [b"/1", b"/2"])
        self.assertTrue(self.connection.closed)

    def test_finInHead(self) -> None:
        """
        A client that closes in the middle of a head is told, once.
        """
        self.serve().send(request()[:-4])
        self.connection.finish()
        self.assertEqual(self.statuses(), [400])
        self.assertTrue(self.connection.closed)


class RefusalTests(Harness):
    """
    What is no request is answered once, and the connection ends.
    """

    def test_khttpdNoAnswerToAParseError(self) -> None:
        """
        khttpd dropped what its parser refused without a word.
        """
        self.serve().send(b"this is no HTTP\r\n\r\n")
        response = self.onlyResponse()
        self.assertEqual(response.status, 400)
        self.assertEqual(response.headers.get("Connection"), b"close")
        self.assertTrue(response.body)
        self.assertFinished()

    def test_khttpdStaleBytes(self) -> None:
        """
        khttpd parsed what the previous request had left in its buffer.
        """
        self.serve(lambda request: Response(200, request.target))
        self.connection.send(request("/a/very/long/target/that/comes/first"))
        self.connection.send(request("/x"))
        self.assertEqual(self.responses()[1].body, b"/x")

    def test_khttpdLongURL(self) -> None:
        """
        khttpd had room for 128 bytes of URL.
        """
        target = b"/" + b"x" * 4000
        self.serve(lambda request: Response(200, request.target)).send(request(target))
        self.assertEqual(self.onlyResponse().body, target)

    def test_khttpdBodyLongerThanContentLength(self) -> None:
        """
        khttpd announced fewer bytes than it sent.
        """
        self.serve().send(request(method="DELETE") + request())
        first, second = self.responses()
        self.assertEqual(first.headers.get("Content-Length"), b"%d" % len(first.body))
        self.assertEqual(second.body, b"Hello World!")

    def test_answeredOnce(self) -> None:
        """
        Whatever comes after the refusal is dropped.
        """
        self.serve().sendByteByByte(b"GET / HTTP/1.1\nHost: a\n\n" + request() * 3)
        self.assertEqual(self.statuses(), [400])
        self.assertFinished()

    def test_requestsBeforeAreAnswered(self) -> None:
        """
        Good requests before the bad one have their answers first.
        """
        self.serve().send(request() * 2 + b"\x16\x03\x01\r\n\r\n" + request())
        self.assertEqual(self.statuses(), [200, 200, 400])

    def test_lingers(self) -> None:
        """
        The answer is not reset away: the server sends FIN, and drops what the
        client still sends, for a bounded time.
        """
        self.serve(linger=3.0).send(b"bad\r\n\r\n")
        self.assertTrue(self.connection.transport.finished)
        self.connection.send(b"x" * 100000)
        self.pass_(2.9)
        self.assertFalse(self.connection.closed)
        self.pass_(1.2)
        self.assertTrue(self.connection.closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lingeringEndsWithFin(self) -> None:
        """
        A client that closes as well is not waited for.
        """
        self.serve().send(b"bad\r\n\r\n")
        self.assertFalse(self.connection.closed)
        self.assertFinished()

    def test_goneWhileLingering(self) -> None:
        """
        The timer does not outlive the connection.
        """
        self.serve().send(b"bad\r\n\r\n")
        self.connection.lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class HandlerTests(Harness):
    """
    What handlers may be, and how they fail.
    """

    def test_deferred(self) -> None:
        """
        A handler may answer later; requests behind it wait for their turn.
        """
        waiting: list[Deferred[Response]] = []

        def handler(request: Request) -> Any:
            waiting.append(Deferred())
            return waiting[-1]

        self.serve(handler).send(request() * 2)
        self.assertEqual((len(waiting), self.connection.received), (1, b""))
        waiting[0].callback(Response(200, b"first"))
        self.assertEqual(len(waiting), 2)
        waiting[1].callback(Response(200, b"second"))
        self.assertEqual([r.body for r in self.responses()], [b"first", b"second"])

    def test_firedDeferred(self) -> None:
        """
        A Deferred that has fired already is an answer at once.
        """
        self.serve(lambda request: succeed(Response(200, request.target)))
        self.connection.send(request("/1") + request("/2"))
        self.assertEqual([r.body for r in self.responses()], [b"/1", b"/2"])

    def test_manyFiredDeferreds(self) -> None:
        """
        A thousand pipelined requests do not recurse.
        """

        async def handler(request: Request) -> Response:
            return Response(204)

        self.serve(handler, readAhead=1 << 20).send(request() * 2000)
        self.assertEqual(len(self.responses()), 2000)

    def test_coroutine(self) -> None:
        """
        A handler may be a coroutine function that awaits Deferreds.
        """
        waiting: Deferred[Any] = Deferred()

        async def handler(request: Request) -> Response:
            return Response(200, await waiting)

        self.serve(handler).send(request())
        waiting.callback(b"awaited")
        self.assertEqual(self.onlyResponse().body, b"awaited")

    def test_subclass(self) -> None:
        """
        A Response may be of a subclass.
        """

        class Special(Response):
            pass

        self.serve(lambda request: Special(200, b"special")).send(request())
        self.assertEqual(self.onlyResponse().body, b"special")

    def test_peer(self) -> None:
        """
        The handler learns whom it serves.
        """
        self.serve(lambda request: Response(200, request.peer.host.encode())).send(request())
        self.assertEqual(self.onlyResponse().body, b"192.0.2.1")

    def fails(self, handler: Handler, kind: type[Exception] = Oops) -> None:
        self.serve(handler).send(request("/fails"))
        response = self.onlyResponse()
        self.assertEqual(response.status, 500)
        self.assertNotIn(b"secret", self.connection.received)
        self.assertEqual(len(self.logged(kind)), 1)
        self.assertFalse(self.connection.closed)

    def test_raises(self) -> None:
        """
        A handler that raises gets its client a 500 that tells nothing, one
        failure is logged, and the connection goes on.
        """

        def handler(request: Request) -> Any:
            raise Oops("secret")

        self.fails(handler)
        self.connection.send(request())
        self.assertEqual(self.statuses(), [500, 500])
        self.assertEqual(len(self.logged(Oops)), 1)

    def test_coroutineRaises(self) -> None:
        """
        So does a coroutine that raises.
        """

        async def handler(request: Request) -> Any:
            raise Oops("secret")

        self.fails(handler)

    def test_deferredFails(self) -> None:
        """
        So does a Deferred that fails, also later.
        """
        waiting: Deferred[Any] = Deferred()
        self.serve(lambda request: waiting).send(request())
        waiting.errback(Oops("secret"))
        self.assertEqual(self.statuses(), [500])
        self.assertEqual(len(self.logged(Oops)), 1)

    def test_noResponse(self) -> None:
        """
        So does a handler that gives something else than a Response.
        """
        self.fails(lambda request: None, TypeError)
        self.fails(lambda request: succeed("text"), TypeError)

    def test_falseContentLength(self) -> None:
        """
        An answer whose Content-Length is a lie is not sent.
        """
        self.fails(lambda request: Response(200, b"", {"Content-Length": "5"}), ValueError)

    def test_splittingRaisesAtTheCall(self) -> None:
        """
        A header that would split fails in the handler, not on the wire.
        """
        self.fails(lambda request: Response(200, b"", {"X": "secret\r\nY: z"}), ValueError)

    def test_HTTPError(self) -> None:
        """
        A handler may raise its answer; that is no failure to be logged.
        """

        def handler(request: Request) -> Any:
            raise HTTPError(404, "No such thing.")

        self.serve(handler).send(request() * 2)
        self.assertEqual(self.statuses(), [404, 404])
        self.assertEqual(self.responses()[0].body, b"404 Not Found: No such thing.\n")

    def test_cancelledWhenTheClientIsGone(self) -> None:
        """
        A Deferred is cancelled when the connection is lost; nothing is logged.
        """
        cancelled: list[Any] = []
        waiting: Deferred[Any] = Deferred(cancelled.append)
        self.serve(lambda request: waiting).send(request())
        self.connection.lose(Failure(ConnectionLost()))
        self.assertEqual(cancelled, [waiting])
        self.assertEqual(self.connection.received, b"")

    def test_coroutineCancelledWhenTheClientLeaves(self) -> None:
        """
        A coroutine is cancelled when the client closes its side, for a client
        that has left looks just so.
        """
        seen = []

        async def handler(request: Request) -> Any:
            try:
                await Deferred()
            except CancelledError as error:
                seen.append(error)
                raise

        self.serve(handler).send(request())
        self.connection.finish()
        self.assertEqual(len(seen), 1)
        self.assertTrue(self.connection.closed)
        self.assertEqual(self.connection.received, b"")

    def test_lostByTheHandler(self) -> None:
        """
        A handler may lose the connection; nothing is sent after that.
        """

        def handler(request: Request) -> Response:
            self.connection.lose()
            return Response(200)

        self.serve(handler).send(request())
        self.assertEqual(self.connection.received, b"")

    def test_answersAfterTheClientIsGone(self) -> None:
        """
        A handler that does not care to be cancelled is not heard any more; one
        that fails is still logged.
        """
        first: Deferred[Any] = Deferred(lambda d: d.callback(Response(200)))
        self.serve(lambda request: first).send(request())
        self.connection.lose()
        self.assertEqual(self.connection.received, b"")
        second: Deferred[Any] = Deferred(lambda d: d.errback(Oops()))
        self.serve(lambda request: second).send(request())
        self.connection.lose()
        self.assertEqual(len(self.logged(Oops)), 1)


class SlowClientTests(Harness):
    """
    A client that sends requests and does not read answers.
    """

    def test_noMoreIsTaken(self) -> None:
        """
        While the transport is full nothing is read and nothing handled.
        """
        handled = []

        def handler(request: Request) -> Response:
            handled.append(request.target)
            return Response(200)

        self.serve(handler)
        self.connection.transport.producer.pauseProducing()
        self.assertEqual(self.connection.transport.producerState, "paused")
        self.connection.send(request() * 3)
        self.assertEqual(handled, [])
        self.connection.transport.producer.resumeProducing()
        self.assertEqual(len(handled), 3)
        self.assertEqual(self.connection.transport.producerState, "producing")

    def test_readAheadIsBounded(self) -> None:
        """
        Requests behind one that is not answered yet are not read beyond a bound.
        """
        waiting: Deferred[Any] = Deferred()
        answers = iter([waiting])
        self.serve(lambda request: next(answers, Response(200)), readAhead=1000)
        self.connection.send(request())
        self.connection.send(request() * 100)
        self.assertEqual(self.connection.transport.producerState, "paused")
        waiting.callback(Response(200))
        self.assertEqual(self.connection.transport.producerState, "producing")


class RequestsTests(Harness):
    """
    A connection has so many requests.
    """

    def test_last(self) -> None:
        """
        The answer to the last one says so; what follows is dropped, and not by a
        reset, which could take the answer with it.
        """
        self.serve(requests=3)
        self.connection.send(request())
        self.connection.send(request())
        self.assertFalse(self.connection.transport.finished)
        self.connection.send(request())
        closing = [answer.headers.get(b"connection") for answer in self.responses()]
        self.assertEqual(closing, [None, None, b"close"])
        self.assertTrue(self.connection.transport.finished)
        self.assertFalse(self.connection.closed)
        self.connection.send(request())
        self.assertEqual(self.statuses(), [200, 200, 200])
        self.assertFinished()

    def test_pipelined(self) -> None:
        """
        Also among requests that came in one piece.
        """
        self.serve(requests=3).send(request() * 5)
        self.assertEqual(self.statuses(), [200, 200, 200])
        self.assertFinished()

    def test_otherAnswers(self) -> None:
        """
        Those to requests with a body, that come late or that stream count too.
        """

        async def stream() -> AsyncIterator[bytes]:
            yield b"c"

        waiting: Deferred[Any] = Deferred()
        answers = iter([Response(200, b"a"), waiting, Response(200, stream())])
        self.serve(lambda request: next(answers), requests=3)
        self.connection.send(request(method=b"POST", body=b"x") + request() * 4)
        waiting.callback(Response(200, b"b"))
        responses = self.responses()
        self.assertEqual([answer.body for answer in responses], [b"a", b"b", b"c"])
        self.assertEqual(responses[2].headers.get(b"connection"), b"close")
        self.assertFinished()

    def test_lastHasABody(self) -> None:
        """
        The last may have a body: it is read, and the connection closes.
        """

        async def echo(request: Request) -> Response:
            return Response(200, await request.body.read())

        self.serve(echo, requests=1)
        self.connection.send(request(method=b"POST", body=b"all of it") + request())
        response = self.onlyResponse()
        self.assertEqual(response.body, b"all of it")
        self.assertEqual(response.headers.get(b"connection"), b"close")
        self.assertFinished()

    def test_standing(self) -> None:
        """
        Answers that stand, and are sent over again, count as any.
        """
        standing = Standing(
            Response(200, b"over and over"), SimpleNamespace(until=60.0), lambda: 0.0
        )
        self.serve(lambda request: standing, requests=5)
        for _ in range(6):
            self.connection.send(request())
        closing = [answer.headers.get(b"connection") for answer in self.responses()]
        self.assertEqual(closing, [None] * 4 + [b"close"])
        self.assertFinished()

    def test_lingersBriefly(self) -> None:
        """
        A client that does not close is closed.
        """
        self.serve(requests=1, linger=2).send(request())
        self.assertFalse(self.connection.closed)
        self.pass_(3.1)
        self.assertTrue(self.connection.closed)


class ReadAheadTests(Harness):
    """
    What is read ahead may be less than what other limits allow for.
    """

    def test_head(self) -> None:
        """
        A head beyond it is taken all the same.
        """
        self.serve(readAhead=10)
        data = request(headers={"X": "y" * 100})
        for at in range(0, len(data), 7):
            self.assertEqual(self.connection.transport.producerState, "producing")
            self.connection.send(data[at : at + 7])
        self.assertEqual(self.statuses(), [200])

    def test_headBehindASlowAnswer(self) -> None:
        """
        One that waited for an answer is taken up again.
        """
        waiting: Deferred[Any] = Deferred()
        answers = iter([waiting])
        self.serve(lambda request: next(answers, Response(200)), readAhead=10)
        self.connection.send(request())
        data = request(headers={"X": "y" * 100})
        self.connection.send(data[:50])
        self.assertEqual(self.connection.transport.producerState, "paused")
        waiting.callback(Response(200))
        self.assertEqual(self.connection.transport.producerState, "producing")
        self.connection.send(data[50:])
        self.assertEqual(self.statuses(), [200, 200])

    def test_unreadChunks(self) -> None:
        """
        A chunk line beyond it is taken from a body that nobody reads.
        """
        self.serve(readAhead=10)
        self.connection.send(request(headers={"Transfer-Encoding": "chunked"}))
        self.connection.send(b"1;" + b"x" * 100)
        self.assertEqual(self.connection.transport.producerState, "producing")
        self.connection.send(b"\r\nx\r\n0\r\n\r\n" + request())
        self.assertEqual(self.statuses(), [200, 200])
