"""
Tests for L{ktcp.http.protocol}: bodies of requests.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from ktcp import Request, Response
from ktcp.http.errors import BodyTooLarge, HTTPError
from ktcp.test.serving import Harness
from ktcp.testing import MemoryConnection, request


class RequestBodyTests(Harness):
    """
    Bodies that come in.
    """

    @staticmethod
    async def echo(request: Request) -> Response:
        return Response(200, await request.body.read())

    def test_read(self) -> None:
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

    def test_deferredStyle(self) -> None:
        """
        A body is read without coroutines just as well.
        """
        self.serve(lambda request: request.body.read().addCallback(lambda b: Response(200, b)))
        self.connection.send(request(method="POST", body=b"abc"))
        self.assertEqual(self.onlyResponse().body, b"abc")

    def test_noBody(self) -> None:
        """
        Reading the body of a request without one gives nothing, twice.
        """

        async def handler(request: Request) -> Response:
            return Response(200, b"%d" % len(await request.body.read() + await request.body.read()))

        self.serve(handler).send(request() * 2)
        self.assertEqual([r.body for r in self.responses()], [b"0", b"0"])

    def test_trailers(self) -> None:
        """
        Trailers are there once the body was read.
        """

        async def handler(request: Request) -> Response:
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

    def test_tooLarge(self) -> None:
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

    def test_tooLargeIsTold(self) -> None:
        """
        The answer to a body that will not be read says that the connection
        ends, and the connection does.
        """
        self.serve(self.echo, body=100)
        self.connection.send(request(method="POST", headers={"Content-Length": "1000000"}))
        self.assertEqual(self.onlyResponse().headers.get("Connection"), b"close")
        self.assertFinished()

    def test_handlersOwnBound(self) -> None:
        """
        A handler may take more or less than the default.
        """

        async def handler(request: Request) -> Response:
            try:
                return Response(200, await request.body.read(3))
            except BodyTooLarge as error:
                return Response(200, b"limit %d" % error.limit)

        for body in (b"abc", b"abcd"):
            self.serve(handler).send(request(method="POST", body=body))
        self.assertEqual(self.onlyResponse().body, b"limit 3")

    def test_stream(self) -> None:
        """
        A body can be read as it comes.
        """
        chunks = []

        async def handler(request: Request) -> Response:
            async for chunk in request.body:
                chunks.append(chunk)
            return Response(200)

        self.serve(handler).send(request(method="POST", headers={"Content-Length": "6"}))
        for chunk in (b"ab", b"cd", b"ef"):
            self.connection.send(chunk)
            self.assertEqual(chunks[-1], chunk)
        self.assertEqual(self.statuses(), [200])

    def test_backPressure(self) -> None:
        """
        A body that is not read is not taken from the client beyond a bound, and
        is when the handler goes on.
        """
        go: Deferred[None] = Deferred()
        sizes = []

        async def handler(request: Request) -> Response:
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

    def test_unreadIsDiscarded(self) -> None:
        """
        A small body that nobody read is dropped, and the next request served.
        """
        self.serve().send(request(method="POST", body=b"x" * 5000) + request())
        self.assertEqual(self.statuses(), [501, 200])

    def test_unreadComesLater(self) -> None:
        """
        Also when it comes after the answer.
        """
        self.serve().send(request(method="POST", headers={"Content-Length": "10"}))
        self.assertEqual(self.statuses(), [501])
        self.connection.send(b"01234")
        self.connection.send(b"56789" + request())
        self.assertEqual(self.statuses(), [501, 200])

    def test_unreadIsTooMuch(self) -> None:
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

    def test_continue(self) -> None:
        """
        C{100 Continue} goes out when the handler reads, not before.
        """
        go: Deferred[None] = Deferred()

        async def handler(request: Request) -> Response:
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

    def test_refusedBeforeContinue(self) -> None:
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

    def test_broken(self) -> None:
        """
        A body whose chunks are broken is 400, once, and the end.
        """
        self.serve(self.echo).send(
            request(method="POST", headers={"Transfer-Encoding": "chunked"}, body=b"zz\r\n")
            + request()
        )
        self.assertEqual(self.statuses(), [400])
        self.assertFinished()

    def test_brokenAndCaught(self) -> None:
        """
        A handler may answer to that itself; the connection ends all the same.
        """

        async def handler(request: Request) -> Response:
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

    def test_cutShort(self) -> None:
        """
        A client that closes in the middle of a body is told so.
        """
        self.serve(self.echo)
        self.connection.send(request(method="POST", headers={"Content-Length": "10"}) + b"abc")
        self.connection.finish()
        self.assertEqual(self.statuses(), [400])
        self.assertTrue(self.connection.closed)

    def test_goneWhileReading(self) -> None:
        """
        A handler that waits for more of a body is cancelled with the connection.
        """
        seen = []

        async def handler(request: Request) -> Any:
            try:
                await request.body.read()
            except CancelledError as error:
                seen.append(error)
                raise

        self.serve(handler).send(request(method="POST", headers={"Content-Length": "10"}))
        self.connection.lose()
        self.assertEqual(len(seen), 1)

    def test_readAfterTheAnswer(self) -> None:
        """
        A body that is asked for after the answer fails, rather than seem empty
        or eat the next request.
        """
        bodies = []

        def handler(request: Request) -> Response:
            bodies.append(request.body)
            return Response(200)

        self.serve(handler).send(request(method="POST", body=b"abc") + request())
        self.assertEqual(self.statuses(), [200, 200])
        failure = self.failureResultOf(bodies[0].read())
        self.assertEqual(type(failure.value).__name__, "BodyAbandoned")

    def test_readTwiceAtOnce(self) -> None:
        """
        Two readers of one body are a mistake that is told.
        """
        reads = []

        def handler(request: Request) -> Any:
            reads.extend([request.body.read(), request.body.read()])
            return Deferred()

        self.serve(handler).send(request(method="POST", headers={"Content-Length": "3"}))
        self.failureResultOf(reads[1], RuntimeError)
        self.connection.send(b"abc")
        self.assertEqual(self.successResultOf(reads[0]), b"abc")
