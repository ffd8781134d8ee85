"""
Tests for L{ktcp.http.protocol}: connections in memory, with the real framing.
"""

from __future__ import annotations

from types import SimpleNamespace

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH
from zope.interface.verify import verifyObject

from ktcp import HTTPFactory, Response
from ktcp.http.limits import Limits
from ktcp.http.message import BodyTooLarge, HTTPError, Standing
from ktcp.testing import MemoryConnection, parseResponses, request


class Oops(Exception):
    """
    What a broken handler raises.
    """


class Harness(SynchronousTestCase):
    """
    A connection to a handler, and what came back over it.
    """

    def serve(self, handler=None, **limits):
        self.clock = Clock()
        keywords = {} if handler is None else {"handler": handler}
        factory = HTTPFactory(limits=Limits(**limits), reactor=self.clock, **keywords)
        self.connection = MemoryConnection(factory)
        return self.connection

    def pass_(self, seconds):
        """
        Let time pass, in steps smaller than the wheel's.
        """
        self.clock.pump([0.1] * round(seconds * 10))

    def responses(self, *methods):
        return parseResponses(self.connection.received, methods, closed=self.connection.closed)

    def onlyResponse(self, method=b"GET"):
        [response] = self.responses(method)
        return response

    def statuses(self):
        return [response.status for response in self.responses()]

    def assertFinished(self):
        """
        The server has closed its side, at the latest when the client did.
        """
        if not self.connection.closed:
            self.assertTrue(self.connection.transport.finished)
            self.connection.finish()
        self.assertTrue(self.connection.closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def logged(self, kind):
        return [failure.value for failure in self.flushLoggedErrors(kind)]


class HelloTests(Harness):
    """
    Without a handler it answers as khttpd does.
    """

    def test_interfaces(self):
        """
        Transports may half-close it and press back on it.
        """
        protocol = self.serve().protocol
        verifyObject(IHalfCloseableProtocol, protocol)
        verifyObject(IPushProducer, protocol)

    def test_get(self):
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

    def test_head(self):
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

    def test_otherMethods(self):
        """
        A method other than GET and HEAD is not implemented; the connection
        lives on.
        """
        for method in (b"POST", b"PUT", b"DELETE", b"OPTIONS", b"BREW", b"get"):
            self.serve().send(request(method=method) + request())
            self.assertEqual(self.statuses(), [501, 200], method)

    def test_splitAnywhere(self):
        """
        Where the network splits a request does not matter.
        """
        data = request("/split", headers={"X": "y"})
        for at in range(1, len(data)):
            self.serve().send(data[:at])
            self.assertEqual(self.connection.received, b"", at)
            self.connection.send(data[at:])
            self.assertEqual(self.onlyResponse().status, 200)

    def test_oneWriteForPipelined(self):
        """
        Answers to requests that came together leave in one write, in order.
        """
        targets = []
        self.serve(lambda request: Response(200, targets.append(request.target) or request.target))
        writes = []
        write = self.connection.transport.write
        self.connection.transport.write = lambda data: (writes.append(data), write(data))
        self.connection.send(b"".join(request(b"/%d" % n) for n in range(16)))
        self.assertEqual(len(writes), 1)
        self.assertEqual(targets, [b"/%d" % n for n in range(16)])
        self.assertEqual([response.body for response in self.responses()], targets)

    def test_manyAnswersAreNotGathered(self):
        """
        Pipelined requests for large answers do not pile these up.
        """
        handlers = (
            lambda request: Response(200, b"x" * 1000),
            lambda request: succeed(Response(200, b"x" * 1000)),
        )
        for handler in handlers:
            self.serve(handler, batch=5000)
            writes = []
            self.connection.transport.write = writes.append
            self.connection.send(request() * 20)
            self.assertGreater(len(writes), 2)
            self.assertLess(max(map(len, writes)), 7000)


class PersistenceTests(Harness):
    """
    Which connections live on.
    """

    def lives(self, data):
        self.serve().send(data)
        self.assertEqual(self.statuses(), [200])
        return not self.connection.closed

    def test_versions(self):
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

    def test_persistenceIsPromised(self):
        """
        An HTTP/1.0 client that asked to live on is told that it may (ab -k
        counts these).
        """
        self.serve().send(request(version=b"1.0", headers={"Connection": "Keep-Alive"}))
        self.assertEqual(self.onlyResponse().headers.get("Connection"), b"keep-alive")

    def test_khttpdKeepAliveMisspelt(self):
        """
        khttpd answered C{Connection: KeepAlive}, which is no such token.
        """
        for headers in ({}, {"Connection": "Keep-Alive"}):
            for version in (b"1.0", b"1.1"):
                self.serve().send(request(version=version, headers=headers))
                self.assertNotIn(b"keepalive", self.connection.received.lower())

    def test_bytesAfterTheLastRequest(self):
        """
        What follows a request that closes is dropped; its answer stands.
        """
        self.serve().send(request(headers={"Connection": "close"}) + request() + b"\x00garbage")
        self.assertEqual(self.statuses(), [200])
        self.assertTrue(self.connection.closed)

    def test_handlerCloses(self):
        """
        A handler may end the connection.
        """
        self.serve(lambda request: Response(200, b"bye", {"Connection": "close"}))
        self.connection.send(request() * 2)
        self.assertEqual(self.statuses(), [200])
        self.assertTrue(self.connection.closed)

    def test_finBetweenRequests(self):
        """
        A client that closes between requests is closed, nothing said.
        """
        self.serve().send(request())
        self.connection.finish()
        self.assertEqual(self.statuses(), [200])
        self.assertTrue(self.connection.closed)

    def test_finAfterRequests(self):
        """
        nc -N sends its requests and FIN; each is answered.
        """
        self.serve(lambda request: Response(200, request.target))
        self.connection.protocol.transport.pauseProducing()
        self.connection.protocol.dataReceived(request("/1") + request("/2"))
        self.connection.finish()
        self.assertEqual([r.body for r in self.responses()], [b"/1", b"/2"])
        self.assertTrue(self.connection.closed)

    def test_finInHead(self):
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

    def test_khttpdNoAnswerToAParseError(self):
        """
        khttpd dropped what its parser refused without a word.
        """
        self.serve().send(b"this is no HTTP\r\n\r\n")
        response = self.onlyResponse()
        self.assertEqual(response.status, 400)
        self.assertEqual(response.headers.get("Connection"), b"close")
        self.assertTrue(response.body)
        self.assertFinished()

    def test_khttpdStaleBytes(self):
        """
        khttpd parsed what the previous request had left in its buffer.
        """
        self.serve(lambda request: Response(200, request.target))
        self.connection.send(request("/a/very/long/target/that/comes/first"))
        self.connection.send(request("/x"))
        self.assertEqual(self.responses()[1].body, b"/x")

    def test_khttpdLongURL(self):
        """
        khttpd had room for 128 bytes of URL.
        """
        target = b"/" + b"x" * 4000
        self.serve(lambda request: Response(200, request.target)).send(request(target))
        self.assertEqual(self.onlyResponse().body, target)

    def test_khttpdBodyLongerThanContentLength(self):
        """
        khttpd announced fewer bytes than it sent.
        """
        self.serve().send(request(method="DELETE") + request())
        first, second = self.responses()
        self.assertEqual(first.headers.get("Content-Length"), b"%d" % len(first.body))
        self.assertEqual(second.body, b"Hello World!")

    def test_answeredOnce(self):
        """
        Whatever comes after the refusal is dropped.
        """
        self.serve().sendByteByByte(b"GET / HTTP/1.1\nHost: a\n\n" + request() * 3)
        self.assertEqual(self.statuses(), [400])
        self.assertFinished()

    def test_requestsBeforeAreAnswered(self):
        """
        Good requests before the bad one have their answers first.
        """
        self.serve().send(request() * 2 + b"\x16\x03\x01\r\n\r\n" + request())
        self.assertEqual(self.statuses(), [200, 200, 400])

    def test_lingers(self):
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

    def test_lingeringEndsWithFin(self):
        """
        A client that closes as well is not waited for.
        """
        self.serve().send(b"bad\r\n\r\n")
        self.assertFalse(self.connection.closed)
        self.assertFinished()

    def test_goneWhileLingering(self):
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

    def test_deferred(self):
        """
        A handler may answer later; requests behind it wait for their turn.
        """
        waiting = []

        def handler(request):
            waiting.append(Deferred())
            return waiting[-1]

        self.serve(handler).send(request() * 2)
        self.assertEqual((len(waiting), self.connection.received), (1, b""))
        waiting[0].callback(Response(200, b"first"))
        self.assertEqual(len(waiting), 2)
        waiting[1].callback(Response(200, b"second"))
        self.assertEqual([r.body for r in self.responses()], [b"first", b"second"])

    def test_firedDeferred(self):
        """
        A Deferred that has fired already is an answer at once.
        """
        self.serve(lambda request: succeed(Response(200, request.target)))
        self.connection.send(request("/1") + request("/2"))
        self.assertEqual([r.body for r in self.responses()], [b"/1", b"/2"])

    def test_manyFiredDeferreds(self):
        """
        A thousand pipelined requests do not recurse.
        """

        async def handler(request):
            return Response(204)

        self.serve(handler, readAhead=1 << 20).send(request() * 2000)
        self.assertEqual(len(self.responses()), 2000)

    def test_coroutine(self):
        """
        A handler may be a coroutine function that awaits Deferreds.
        """
        waiting = Deferred()

        async def handler(request):
            return Response(200, await waiting)

        self.serve(handler).send(request())
        waiting.callback(b"awaited")
        self.assertEqual(self.onlyResponse().body, b"awaited")

    def test_subclass(self):
        """
        A Response may be of a subclass.
        """

        class Special(Response):
            pass

        self.serve(lambda request: Special(200, b"special")).send(request())
        self.assertEqual(self.onlyResponse().body, b"special")

    def test_peer(self):
        """
        The handler learns whom it serves.
        """
        self.serve(lambda request: Response(200, request.peer.host.encode())).send(request())
        self.assertEqual(self.onlyResponse().body, b"192.0.2.1")

    def fails(self, handler, kind=Oops):
        self.serve(handler).send(request("/fails"))
        response = self.onlyResponse()
        self.assertEqual(response.status, 500)
        self.assertNotIn(b"secret", self.connection.received)
        self.assertEqual(len(self.logged(kind)), 1)
        self.assertFalse(self.connection.closed)

    def test_raises(self):
        """
        A handler that raises gets its client a 500 that tells nothing, one
        failure is logged, and the connection goes on.
        """

        def handler(request):
            raise Oops("secret")

        self.fails(handler)
        self.connection.send(request())
        self.assertEqual(self.statuses(), [500, 500])
        self.assertEqual(len(self.logged(Oops)), 1)

    def test_coroutineRaises(self):
        """
        So does a coroutine that raises.
        """

        async def handler(request):
            raise Oops("secret")

        self.fails(handler)

    def test_deferredFails(self):
        """
        So does a Deferred that fails, also later.
        """
        waiting = Deferred()
        self.serve(lambda request: waiting).send(request())
        waiting.errback(Oops("secret"))
        self.assertEqual(self.statuses(), [500])
        self.assertEqual(len(self.logged(Oops)), 1)

    def test_noResponse(self):
        """
        So does a handler that gives something else than a Response.
        """
        self.fails(lambda request: None, TypeError)
        self.fails(lambda request: succeed("text"), TypeError)

    def test_falseContentLength(self):
        """
        An answer whose Content-Length is a lie is not sent.
        """
        self.fails(lambda request: Response(200, b"", {"Content-Length": "5"}), ValueError)

    def test_splittingRaisesAtTheCall(self):
        """
        A header that would split fails in the handler, not on the wire.
        """
        self.fails(lambda request: Response(200, b"", {"X": "secret\r\nY: z"}), ValueError)

    def test_HTTPError(self):
        """
        A handler may raise its answer; that is no failure to be logged.
        """

        def handler(request):
            raise HTTPError(404, "No such thing.")

        self.serve(handler).send(request() * 2)
        self.assertEqual(self.statuses(), [404, 404])
        self.assertEqual(self.responses()[0].body, b"404 Not Found: No such thing.\n")

    def test_cancelledWhenTheClientIsGone(self):
        """
        A Deferred is cancelled when the connection is lost; nothing is logged.
        """
        cancelled = []
        waiting = Deferred(cancelled.append)
        self.serve(lambda request: waiting).send(request())
        self.connection.lose(Failure(ConnectionLost()))
        self.assertEqual(cancelled, [waiting])
        self.assertEqual(self.connection.received, b"")

    def test_coroutineCancelledWhenTheClientLeaves(self):
        """
        A coroutine is cancelled when the client closes its side, for a client
        that has left looks just so.
        """
        seen = []

        async def handler(request):
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

    def test_lostByTheHandler(self):
        """
        A handler may lose the connection; nothing is sent after that.
        """

        def handler(request):
            self.connection.lose()
            return Response(200)

        self.serve(handler).send(request())
        self.assertEqual(self.connection.received, b"")

    def test_answersAfterTheClientIsGone(self):
        """
        A handler that does not care to be cancelled is not heard any more; one
        that fails is still logged.
        """
        first = Deferred(lambda d: d.callback(Response(200)))
        self.serve(lambda request: first).send(request())
        self.connection.lose()
        self.assertEqual(self.connection.received, b"")
        second = Deferred(lambda d: d.errback(Oops()))
        self.serve(lambda request: second).send(request())
        self.connection.lose()
        self.assertEqual(len(self.logged(Oops)), 1)


class RequestBodyTests(Harness):
    """
    Bodies that come in.
    """

    @staticmethod
    async def echo(request):
        return Response(200, await request.body.read())

    def test_read(self):
        """
        The whole body, by length or chunked, in one piece or byte by byte.
        """
        chunked = request(
            method="PUT",
            headers={"Transfer-Encoding": "chunked"},
            body=b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: u\r\n\r\n",
        )
        for data in (request(method="PUT", body=b"abcde"), chunked):
            for send in (MemoryConnection.send, MemoryConnection.sendByteByByte):
                send(self.serve(self.echo), data * 3)
                self.assertEqual([r.body for r in self.responses()], [b"abcde"] * 3)

    def test_deferredStyle(self):
        """
        A body is read without coroutines just as well.
        """
        self.serve(lambda request: request.body.read().addCallback(lambda b: Response(200, b)))
        self.connection.send(request(method="POST", body=b"abc"))
        self.assertEqual(self.onlyResponse().body, b"abc")

    def test_noBody(self):
        """
        Reading the body of a request without one gives nothing, twice.
        """

        async def handler(request):
            return Response(200, b"%d" % len(await request.body.read() + await request.body.read()))

        self.serve(handler).send(request() * 2)
        self.assertEqual([r.body for r in self.responses()], [b"0", b"0"])

    def test_trailers(self):
        """
        Trailers are there once the body was read.
        """

        async def handler(request):
            await request.body.read()
            return Response(200, request.body.trailers.get("Checksum"))

        self.serve(handler).send(
            request(
                method="POST",
                headers={"Transfer-Encoding": "chunked"},
                body=b"1\r\na\r\n0\r\nChecksum: 97\r\n\r\n",
            )
        )
        self.assertEqual(self.onlyResponse().body, b"97")

    def test_tooLarge(self):
        """
        A body over the bound is 413, for a declared length before it comes.
        """
        for headers, sent in (
            ({"Content-Length": "1000000"}, b""),
            ({"Transfer-Encoding": "chunked"}, b"65\r\n" + b"x" * 101),
        ):
            self.serve(self.echo, body=100)
            self.connection.send(request(method="POST", headers=headers) + sent)
            self.assertEqual(self.statuses(), [413])

    def test_tooLargeIsTold(self):
        """
        The answer to a body that will not be read says that the connection
        ends, and the connection does.
        """
        self.serve(self.echo, body=100)
        self.connection.send(request(method="POST", headers={"Content-Length": "1000000"}))
        self.assertEqual(self.onlyResponse().headers.get("Connection"), b"close")
        self.assertFinished()

    def test_handlersOwnBound(self):
        """
        A handler may take more or less than the default.
        """

        async def handler(request):
            try:
                return Response(200, await request.body.read(3))
            except BodyTooLarge as error:
                return Response(200, b"limit %d" % error.limit)

        for body in (b"abc", b"abcd"):
            self.serve(handler).send(request(method="POST", body=body))
        self.assertEqual(self.onlyResponse().body, b"limit 3")

    def test_stream(self):
        """
        A body can be read as it comes.
        """
        chunks = []

        async def handler(request):
            async for chunk in request.body:
                chunks.append(chunk)
            return Response(200)

        self.serve(handler).send(request(method="POST", headers={"Content-Length": "6"}))
        for chunk in (b"ab", b"cd", b"ef"):
            self.connection.send(chunk)
            self.assertEqual(chunks[-1], chunk)
        self.assertEqual(self.statuses(), [200])

    def test_backPressure(self):
        """
        A body that is not read is not taken from the client beyond a bound, and
        is when the handler goes on.
        """
        go = Deferred()
        sizes = []

        async def handler(request):
            await go
            async for chunk in request.body:
                sizes.append(len(chunk))
            return Response(200)

        self.serve(handler, readAhead=1000)
        self.connection.send(request(method="POST", headers={"Content-Length": "3000"}))
        self.connection.send(b"x" * 900)
        self.assertEqual(self.connection.transport.producerState, "producing")
        self.connection.send(b"x" * 100)
        self.assertEqual(self.connection.transport.producerState, "paused")
        go.callback(None)
        self.assertEqual(self.connection.transport.producerState, "producing")
        self.connection.send(b"x" * 2000)
        self.assertEqual((sum(sizes), self.statuses()), (3000, [200]))

    def test_unreadIsDiscarded(self):
        """
        A small body that nobody read is dropped, and the next request served.
        """
        self.serve().send(request(method="POST", body=b"x" * 5000) + request())
        self.assertEqual(self.statuses(), [501, 200])

    def test_unreadComesLater(self):
        """
        Also when it comes after the answer.
        """
        self.serve().send(request(method="POST", headers={"Content-Length": "10"}))
        self.assertEqual(self.statuses(), [501])
        self.connection.send(b"01234")
        self.connection.send(b"56789" + request())
        self.assertEqual(self.statuses(), [501, 200])

    def test_unreadIsTooMuch(self):
        """
        A large one ends the connection; the answer is not lost.
        """
        chunk = b"2000\r\n" + b"x" * 8192 + b"\r\n"
        self.serve(drain=10000)
        self.connection.send(
            request(method="POST", headers={"Transfer-Encoding": "chunked"}) + chunk
        )
        self.assertFalse(self.connection.transport.finished)
        self.connection.send(chunk)
        self.assertEqual(self.statuses(), [501])
        self.assertFinished()

    def test_continue(self):
        """
        C{100 Continue} goes out when the handler reads, not before.
        """
        go = Deferred()

        async def handler(request):
            await go
            return Response(200, await request.body.read())

        head = {"Expect": "100-continue", "Content-Length": "3"}
        self.serve(handler).send(request(method="POST", headers=head))
        self.assertEqual(self.connection.received, b"")
        go.callback(None)
        self.assertEqual(self.connection.received, b"HTTP/1.1 100 Continue\r\n\r\n")
        self.connection.send(b"abc")
        self.assertEqual(self.onlyResponse().body, b"abc")
        self.assertFalse(self.connection.closed)

    def test_refusedBeforeContinue(self):
        """
        A refusal comes instead of C{100 Continue}, and ends the connection, for
        nobody can tell whether the body will come.
        """
        head = {"Expect": "100-continue", "Content-Length": "3"}
        self.serve().send(request(method="POST", headers=head))
        response = self.onlyResponse()
        self.assertEqual((response.status, response.headers.get("Connection")), (501, b"close"))
        self.assertNotIn(b"100 Continue", self.connection.received)
        self.assertFinished()

    def test_broken(self):
        """
        A body whose chunks are broken is 400, once, and the end.
        """
        self.serve(self.echo).send(
            request(method="POST", headers={"Transfer-Encoding": "chunked"}, body=b"zz\r\n")
            + request()
        )
        self.assertEqual(self.statuses(), [400])
        self.assertFinished()

    def test_brokenAndCaught(self):
        """
        A handler may answer to that itself; the connection ends all the same.
        """

        async def handler(request):
            try:
                return Response(200, await request.body.read())
            except HTTPError as error:
                return Response(error.status, b"mine")

        self.serve(handler).send(
            request(method="POST", headers={"Transfer-Encoding": "chunked"}, body=b"zz\r\n")
            + request()
        )
        self.assertEqual([(r.status, r.body) for r in self.responses()], [(400, b"mine")])
        self.assertTrue(self.connection.closed)

    def test_cutShort(self):
        """
        A client that closes in the middle of a body is told so.
        """
        self.serve(self.echo)
        self.connection.send(request(method="POST", headers={"Content-Length": "10"}) + b"abc")
        self.connection.finish()
        self.assertEqual(self.statuses(), [400])
        self.assertTrue(self.connection.closed)

    def test_goneWhileReading(self):
        """
        A handler that waits for more of a body is cancelled with the connection.
        """
        seen = []

        async def handler(request):
            try:
                await request.body.read()
            except CancelledError as error:
                seen.append(error)
                raise

        self.serve(handler).send(request(method="POST", headers={"Content-Length": "10"}))
        self.connection.lose()
        self.assertEqual(len(seen), 1)

    def test_readAfterTheAnswer(self):
        """
        A body that is asked for after the answer fails, rather than seem empty
        or eat the next request.
        """
        bodies = []

        def handler(request):
            bodies.append(request.body)
            return Response(200)

        self.serve(handler).send(request(method="POST", body=b"abc") + request())
        self.assertEqual(self.statuses(), [200, 200])
        failure = self.failureResultOf(bodies[0].read())
        self.assertEqual(type(failure.value).__name__, "BodyAbandoned")

    def test_readTwiceAtOnce(self):
        """
        Two readers of one body are a mistake that is told.
        """
        reads = []

        def handler(request):
            reads.extend([request.body.read(), request.body.read()])
            return Deferred()

        self.serve(handler).send(request(method="POST", headers={"Content-Length": "3"}))
        self.failureResultOf(reads[1], RuntimeError)
        self.connection.send(b"abc")
        self.assertEqual(self.successResultOf(reads[0]), b"abc")


class Producer:
    """
    An C{IBodyProducer} that the test drives.
    """

    def __init__(self, length=UNKNOWN_LENGTH):
        self.length = length
        self.done = Deferred()
        self.calls = []

    def startProducing(self, consumer):
        self.consumer = consumer
        return self.done

    def pauseProducing(self):
        self.calls.append("pause")

    def resumeProducing(self):
        self.calls.append("resume")

    def stopProducing(self):
        self.calls.append("stop")


class ResponseBodyTests(Harness):
    """
    Bodies that go out bit by bit.
    """

    @staticmethod
    async def chunks():
        for chunk in (b"one", b"", b"two"):
            yield chunk

    def test_iterable(self):
        """
        An asynchronous iterable is chunked for HTTP/1.1, and the connection
        lives on.
        """
        self.serve(lambda request: Response(200, self.chunks())).send(request() * 2)
        for response in self.responses():
            self.assertEqual(response.body, b"onetwo")
            self.assertEqual(response.headers.get("Transfer-Encoding"), b"chunked")
        self.assertFalse(self.connection.closed)

    def test_iterableForHTTP10(self):
        """
        For HTTP/1.0 closing ends it, asked to live on or not.
        """
        for headers in ({}, {"Connection": "keep-alive"}):
            self.serve(lambda request: Response(200, self.chunks()))
            self.connection.send(request(version=b"1.0", headers=headers))
            response = self.onlyResponse()
            self.assertEqual(response.body, b"onetwo")
            self.assertIsNone(response.headers.get("Transfer-Encoding"))
            self.assertTrue(self.connection.closed)

    def test_iterableOfKnownLength(self):
        """
        With a Content-Length it goes out as it is.
        """
        self.serve(lambda request: Response(200, self.chunks(), {"Content-Length": "6"}))
        self.connection.send(request() + request(version=b"1.0"))
        for response in self.responses():
            self.assertEqual(response.body, b"onetwo")
            self.assertIsNone(response.headers.get("Transfer-Encoding"))

    def test_head(self):
        """
        HEAD gets the head of a streamed answer, and its body is not begun.
        """
        producer = Producer()
        self.serve(lambda request: Response(200, producer)).send(request(method="HEAD") * 2)
        first, second = self.responses(b"HEAD", b"HEAD")
        self.assertEqual((first.status, second.status), (200, 200))
        self.assertEqual(producer.calls, [])
        self.assertFalse(self.connection.closed)

    def test_trailers(self):
        """
        Trailers follow the chunks; a function is asked when the body has gone.
        """
        seen = []

        async def body():
            for chunk in (b"a", b"b"):
                seen.append(chunk)
                yield chunk

        self.serve(
            lambda request: Response(200, body(), trailers=lambda: {"Count": str(len(seen))})
        ).send(request())
        self.assertEqual(self.onlyResponse().trailers.get("Count"), b"2")
        self.serve(lambda request: Response(200, b"abc", trailers={"X": "y"})).send(request())
        self.assertEqual(self.onlyResponse().trailers.get("X"), b"y")
        self.assertEqual(self.onlyResponse().body, b"abc")

    def test_backPressure(self):
        """
        An iterable is asked for no more than the client takes.
        """
        asked = []

        async def body():
            for n in range(10):
                asked.append(n)
                yield b"x"

        self.serve(lambda request: Response(200, body()))
        transport = self.connection.transport
        write = transport.writeSequence

        def full(data):
            write(data)
            if len(asked) == 3:
                transport.producer.pauseProducing()

        transport.writeSequence = full
        self.connection.send(request())
        self.assertEqual(asked, [0, 1, 2])
        transport.producer.resumeProducing()
        self.assertEqual(asked, list(range(10)))
        self.assertEqual(self.onlyResponse().body, b"x" * 10)

    def test_producer(self):
        """
        An C{IBodyProducer} of known length needs no chunks, and hears of
        back-pressure.
        """
        producer = Producer(6)
        self.serve(lambda request: Response(200, producer)).send(request() * 1)
        producer.consumer.write(b"abc")
        self.connection.transport.producer.pauseProducing()
        self.connection.transport.producer.resumeProducing()
        self.assertEqual(producer.calls, ["pause", "resume"])
        producer.consumer.write(b"def")
        producer.done.callback(None)
        response = self.onlyResponse()
        self.assertEqual(response.body, b"abcdef")
        self.assertEqual(response.headers.get("Content-Length"), b"6")
        self.assertFalse(self.connection.closed)

    def test_producerStops(self):
        """
        A producer is stopped when the client is gone, and not heard any more.
        """
        producer = Producer()
        self.serve(lambda request: Response(200, producer)).send(request())
        self.connection.lose()
        self.assertEqual(producer.calls, ["stop"])
        before = self.connection.received
        producer.consumer.write(b"late")
        self.assertEqual(self.connection.received, before)

    def test_generatorCloses(self):
        """
        A generator's C{finally} runs when the client is gone, whether it waits
        for its own business or for the client.
        """
        ended = []

        async def body(waiting):
            try:
                yield b"x"
                await waiting
            finally:
                ended.append(True)

        self.serve(lambda request: Response(200, body(Deferred()))).send(request())
        self.connection.lose()
        self.assertEqual(ended, [True])

        self.serve(lambda request: Response(200, body(succeed(None))))
        self.connection.transport.writeSequence = lambda data: (
            self.connection.transport.producer.pauseProducing()
        )
        self.connection.send(request())
        self.assertEqual(ended, [True])
        self.connection.lose()
        self.assertEqual(ended, [True, True])

    def failing(self, version, headers=None):
        async def body():
            yield b"abc"
            raise Oops("secret")

        self.serve(lambda request: Response(200, body(), headers))
        self.connection.send(request(version=version) + request())
        self.assertEqual(len(self.logged(Oops)), 1)
        self.assertTrue(self.connection.closed)
        return self.onlyResponse()

    def test_fails(self):
        """
        A body that fails half-way is logged once and cut, so that the client
        can tell: by a missing last chunk or missing bytes, or by a reset where
        closing would have been a good end.
        """
        self.assertFalse(self.failing(b"1.1").complete)
        self.assertFalse(self.failing(b"1.1", {"Content-Length": "10"}).complete)
        self.assertFalse(self.connection.transport.aborted)
        self.failing(b"1.0")
        self.assertTrue(self.connection.transport.aborted)

    def test_lengthIsALie(self):
        """
        A body that is longer or shorter than its Content-Length is cut too.
        """
        for length in ("5", "7"):
            self.serve(
                lambda request, n=length: Response(200, self.chunks(), {"Content-Length": n})
            )
            self.connection.send(request() * 2)
            self.assertFalse(self.onlyResponse().complete)
            self.assertTrue(self.connection.closed)
            self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_startFails(self):
        """
        A producer that cannot start is cut as well.
        """
        producer = Producer()
        producer.startProducing = lambda consumer: 1 / 0
        self.serve(lambda request: Response(200, producer)).send(request())
        self.assertEqual(len(self.logged(ZeroDivisionError)), 1)
        self.assertTrue(self.connection.closed)


class SlowClientTests(Harness):
    """
    A client that sends requests and does not read answers.
    """

    def test_noMoreIsTaken(self):
        """
        While the transport is full nothing is read and nothing handled.
        """
        handled = []

        def handler(request):
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

    def test_readAheadIsBounded(self):
        """
        Requests behind one that is not answered yet are not read beyond a bound.
        """
        waiting = Deferred()
        answers = iter([waiting])
        self.serve(lambda request: next(answers, Response(200)), readAhead=1000)
        self.connection.send(request())
        self.connection.send(request() * 100)
        self.assertEqual(self.connection.transport.producerState, "paused")
        waiting.callback(Response(200))
        self.assertEqual(self.connection.transport.producerState, "producing")


class DeadlineTests(Harness):
    """
    Each time is bounded, met within a second, and not before.
    """

    def expires(self, seconds):
        """
        The connection ends after so many seconds.
        """
        self.pass_(seconds - 0.1)
        self.assertFalse(self.connection.closed or self.connection.transport.finished)
        self.pass_(1.2)
        self.assertFinished()

    def test_silent(self):
        """
        A client that never says anything is let go without a word.
        """
        self.serve(headTime=5)
        self.expires(5)
        self.assertEqual(self.connection.received, b"")

    def test_slowHead(self):
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

    def test_slowSecondHead(self):
        """
        Also on a connection that has been of use.
        """
        self.serve(headTime=5, idle=50).send(request() + b"GET")
        self.expires(5)
        self.assertEqual(self.statuses(), [200, 408])

    def test_idle(self):
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

    def test_slowBody(self):
        """
        A body that comes too slowly is 408; one that keeps up is not.
        """

        async def handler(request):
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

    def test_slowUnreadBody(self):
        """
        So is one that nobody reads.
        """
        self.serve(bodyRate=100, bodyGrace=3)
        self.connection.send(request(method="POST", headers={"Content-Length": "10000"}))
        self.expires(3)
        self.assertEqual(self.statuses(), [501])

    def test_slowHandler(self):
        """
        A handler that does not answer is cancelled, its client has 503.
        """
        cancelled = []
        self.serve(lambda request: Deferred(cancelled.append), handlerTime=5)
        self.connection.send(request() * 2)
        self.expires(5)
        self.assertEqual(self.statuses(), [503])
        self.assertEqual(len(cancelled), 1)

    def test_handlerAfterBody(self):
        """
        The time for which a handler waits for the body is not its own.
        """
        waiting = Deferred()

        async def handler(request):
            await request.body.read()
            return await waiting

        self.serve(handler, handlerTime=5, bodyRate=1, bodyGrace=20)
        self.connection.send(request(method="POST", headers={"Content-Length": "1"}))
        self.pass_(15)
        self.connection.send(b"x")
        self.pass_(4.5)
        waiting.callback(Response(200))
        self.assertEqual(self.statuses(), [200])

    def test_stall(self):
        """
        A client that does not read is reset.
        """
        self.serve(stall=5).send(request())
        self.connection.transport.producer.pauseProducing()
        self.expires(5)
        self.assertTrue(self.connection.transport.aborted)

    def test_slowReader(self):
        """
        One that reads a little now and then is not.
        """
        self.serve(stall=5, idle=100).send(request())
        for _ in range(5):
            self.connection.transport.producer.pauseProducing()
            self.pass_(4)
            self.connection.transport.producer.resumeProducing()
        self.assertFalse(self.connection.closed)

    def test_streaming(self):
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

    def test_oneTimer(self):
        """
        A thousand connections have one timer, and it ends with them.
        """
        factory = HTTPFactory(reactor=Clock())
        connections = [MemoryConnection(factory) for _ in range(1000)]
        for connection in connections:
            connection.send(request())
        self.assertEqual(len(factory.wheel._reactor.getDelayedCalls()), 1)
        for connection in connections:
            connection.lose()
        self.assertEqual(factory.wheel._reactor.getDelayedCalls(), [])


class FactoryTests(SynchronousTestCase):
    """
    What embedding applications set.
    """

    def test_serverHeader(self):
        """
        The Server header is the embedder's, or none.
        """
        for server in (b"mine/1", None):
            connection = MemoryConnection(HTTPFactory(server=server, reactor=Clock()))
            connection.send(request())
            [response] = parseResponses(connection.received, closed=False)
            self.assertEqual(response.headers.get("Server"), server)

    def test_globalReactor(self):
        """
        Without a reactor the global one keeps the deadlines.
        """
        connection = MemoryConnection(HTTPFactory())
        connection.send(request())
        connection.lose()
        self.assertTrue(connection.closed)

    def test_limitsArePositive(self):
        """
        A limit of nothing is a mistake.
        """
        self.assertRaises(ValueError, Limits, head=0)


class RequestsTests(Harness):
    """
    A connection has so many requests.
    """

    def test_last(self):
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

    def test_pipelined(self):
        """
        Also among requests that came in one piece.
        """
        self.serve(requests=3).send(request() * 5)
        self.assertEqual(self.statuses(), [200, 200, 200])
        self.assertFinished()

    def test_otherAnswers(self):
        """
        Those to requests with a body, that come late or that stream count too.
        """

        async def stream():
            yield b"c"

        waiting = Deferred()
        answers = iter([Response(200, b"a"), waiting, Response(200, stream())])
        self.serve(lambda request: next(answers), requests=3)
        self.connection.send(request(method=b"POST", body=b"x") + request() * 4)
        waiting.callback(Response(200, b"b"))
        responses = self.responses()
        self.assertEqual([answer.body for answer in responses], [b"a", b"b", b"c"])
        self.assertEqual(responses[2].headers.get(b"connection"), b"close")
        self.assertFinished()

    def test_lastHasABody(self):
        """
        The last may have a body: it is read, and the connection closes.
        """

        async def echo(request):
            return Response(200, await request.body.read())

        self.serve(echo, requests=1)
        self.connection.send(request(method=b"POST", body=b"all of it") + request())
        response = self.onlyResponse()
        self.assertEqual(response.body, b"all of it")
        self.assertEqual(response.headers.get(b"connection"), b"close")
        self.assertFinished()

    def test_standing(self):
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

    def test_lingersBriefly(self):
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

    def test_head(self):
        """
        A head beyond it is taken all the same.
        """
        self.serve(readAhead=10)
        data = request(headers={"X": "y" * 100})
        for at in range(0, len(data), 7):
            self.assertEqual(self.connection.transport.producerState, "producing")
            self.connection.send(data[at : at + 7])
        self.assertEqual(self.statuses(), [200])

    def test_headBehindASlowAnswer(self):
        """
        One that waited for an answer is taken up again.
        """
        waiting = Deferred()
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

    def test_unreadChunks(self):
        """
        A chunk line beyond it is taken from a body that nobody reads.
        """
        self.serve(readAhead=10)
        self.connection.send(request(headers={"Transfer-Encoding": "chunked"}))
        self.connection.send(b"1;" + b"x" * 100)
        self.assertEqual(self.connection.transport.producerState, "producing")
        self.connection.send(b"\r\nx\r\n0\r\n\r\n" + request())
        self.assertEqual(self.statuses(), [200, 200])


class CrowdTests(SynchronousTestCase):
    """
    More connections than there may be.
    """

    def setUp(self):
        self.clock = Clock()
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def serve(self, **keywords):
        return HTTPFactory(reactor=self.clock, **keywords)

    def test_refused(self):
        """
        One too many is told to come again, once it has asked; when another has
        left there is room.
        """
        factory = self.serve(connections=1)
        first, second = MemoryConnection(factory), MemoryConnection(factory)
        self.assertEqual(second.received, b"")
        second.send(request() * 2)
        [response] = parseResponses(second.received, closed=False)
        self.assertEqual(response.status, 503)
        self.assertEqual(response.headers.get(b"retry-after"), b"1")
        self.assertEqual(response.headers.get(b"connection"), b"close")
        self.assertTrue(second.transport.finished)
        second.finish()
        first.send(request())
        first.lose()
        third = MemoryConnection(factory)
        third.send(request())
        for connection in (first, third):
            [response] = parseResponses(connection.received, closed=False)
            self.assertEqual(response.status, 200)
        third.lose()

    def test_ofOneClient(self):
        """
        One client has no more than its share.
        """
        factory = self.serve(clientConnections=1)
        first, second = MemoryConnection(factory), MemoryConnection(factory)
        second.send(request(method=b"POST", headers={"Content-Length": "1000000"}))
        [response] = parseResponses(second.received, closed=False)
        self.assertEqual(response.status, 503)
        second.lose()
        first.lose()

    def test_silent(self):
        """
        One too many that never asks is closed soon.
        """
        factory = self.serve(connections=1, limits=Limits(headTime=20, linger=2))
        first, second = MemoryConnection(factory), MemoryConnection(factory)
        self.clock.pump([0.1] * 31)
        self.assertTrue(second.closed)
        self.assertEqual(second.received, b"")
        self.assertFalse(first.closed)
        first.lose()

    def test_unbounded(self):
        """
        There may be no limit, for who counts elsewhere.
        """
        factory = self.serve(connections=None, clientConnections=None)
        connections = [MemoryConnection(factory) for _ in range(3)]
        for connection in connections:
            connection.send(request())
            self.assertIn(b" 200 ", connection.received)
            connection.lose()

    def test_positive(self):
        """
        A limit that lets nobody in is a mistake.
        """
        self.assertRaises(ValueError, HTTPFactory, connections=0)
        self.assertRaises(ValueError, HTTPFactory, clientConnections=-1)
