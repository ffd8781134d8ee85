"""
Tests for L{ktcp.http.diagnostics}.
"""

from __future__ import annotations

import json

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ktcp import HTTPFactory, Request, Response
from ktcp.http.diagnostics import diagnostics, fibonacci
from ktcp.testing import MemoryConnection, ReceivedResponse, parseResponses, request


def other(request: Request) -> Response:
    """
    What is served beside the diagnostics.
    """
    return Response(200, b"other")


class Harness(SynchronousTestCase):
    """
    A connection to a server with diagnostics.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        factory = HTTPFactory(diagnostics(self.clock, other), reactor=Clock())
        self.connection = MemoryConnection(factory)
        self.addCleanup(self.connection.lose)

    def received(self, *methods: bytes) -> list[ReceivedResponse]:
        return parseResponses(self.connection.received, methods, closed=self.connection.closed)

    def ask(self, target: str, method: str = "GET", body: bytes = b"") -> ReceivedResponse:
        self.setUp()
        self.connection.send(request(target, method, body=body))
        [response] = self.received(method.encode())
        return response

    def assertRefused(self, reason: bytes, *targets: str) -> None:
        for target in targets:
            response = self.ask(target)
            self.assertEqual((response.status, reason in response.body), (400, True), target)


class EchoTests(Harness):
    """
    C{/echo}.
    """

    def test_body(self) -> None:
        """
        A body comes back with its length, and no browser takes it for a page.
        """
        got = self.ask("/echo", "POST", b"<script>")
        self.assertEqual((got.status, got.body), (200, b"<script>"))
        self.assertEqual(got.headers.get("Content-Length"), b"8")
        self.assertEqual(got.headers.get("Content-Type"), b"application/octet-stream")
        self.assertEqual(got.headers.get("X-Content-Type-Options"), b"nosniff")

    def test_streamed(self) -> None:
        """
        What has come goes back before the rest has come.
        """
        self.connection.send(request("/echo", "PUT", {"Content-Length": "6"}) + b"abc")
        [got] = self.received()
        self.assertEqual((got.body, got.complete), (b"abc", False))
        self.connection.send(b"def")
        [got] = self.received()
        self.assertEqual((got.body, got.complete), (b"abcdef", True))

    def test_slowReader(self) -> None:
        """
        A client that does not read what comes back is not read from either.
        """
        self.connection.send(request("/echo", "PUT", {"Content-Length": "9000000"}) + b"a")
        self.connection.protocol.pauseProducing()
        for _ in range(9):
            self.connection.send(b"b" * 10_000)
        self.assertEqual(self.connection.transport.producerState, "paused")
        # A chunk may have been on its way.
        self.assertLess(len(self.connection.received), 20_000)
        self.connection.protocol.resumeProducing()
        self.assertEqual(self.connection.transport.producerState, "producing")
        [got] = self.received()
        self.assertEqual(got.body, b"a" + b"b" * 90_000)

    def test_chunked(self) -> None:
        """
        A chunked body comes back chunked.
        """
        head = request("/echo", "POST", {"Transfer-Encoding": "chunked"})
        self.connection.send(head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        [got] = self.received()
        self.assertEqual((got.body, got.headers.get("Transfer-Encoding")), (b"abcde", b"chunked"))

    def test_continue(self) -> None:
        """
        A client that waits for it is told to go on, before the answer begins.
        """
        head = request("/echo", "POST", {"Content-Length": "3", "Expect": "100-continue"})
        self.connection.send(head)
        self.assertEqual(self.connection.received.split(b"\r\n")[0], b"HTTP/1.1 100 Continue")
        self.assertNotIn(b"200", self.connection.received)
        self.connection.send(b"abc")
        self.assertTrue(self.connection.received.endswith(b"\r\n\r\nabc"))

    def test_noBody(self) -> None:
        """
        A request without a body gets its head back, as it came; an empty
        body is one.
        """
        self.connection.send(request("/echo?a", headers={"X-Odd": "  b"}))
        [got] = self.received()
        self.assertEqual(got.body, request("/echo?a", headers={"X-Odd": "  b"}))
        self.assertEqual(got.headers.get("Content-Type"), b"message/http")
        self.setUp()
        self.connection.send(
            request("/echo", "POST", {"Transfer-Encoding": "chunked"}) + b"0\r\n\r\n"
        )
        self.assertEqual([one.body for one in self.received()], [b""])


class OthersTests(Harness):
    """
    The other paths.
    """

    def test_delay(self) -> None:
        """
        The answer comes when it was asked for, not before.
        """
        self.connection.send(request("/delay/2.5"))
        self.clock.advance(2.49)
        self.assertEqual(self.connection.received, b"")
        self.clock.advance(0.01)
        self.assertEqual([(one.status, one.body) for one in self.received()], [(200, b"2.5\n")])

    def test_delayOfOneWhoLeaves(self) -> None:
        """
        Nothing waits for a client that has gone.
        """
        self.connection.send(request("/delay/60"))
        self.connection.lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_delayBounded(self) -> None:
        """
        A delay is a number of seconds up to the bound.
        """
        targets = [
            f"/delay/{bad}" for bad in ("61", "60.1", "-1", "x", "nan", "1e1", "1.2.3", "%D9%A3")
        ]
        self.assertRefused(b"SECONDS must be a number from 0 to 60.", *targets)

    def test_status(self) -> None:
        """
        Any final status is answered, with a body where it may have one.
        """
        for code, body in ((200, b"200 OK\n"), (404, b"404 Not Found\n"), (299, b"299 \n")):
            got = self.ask(f"/status/{code}")
            self.assertEqual((got.status, got.body), (code, body))
        for code in (204, 205, 304):
            got = self.ask(f"/status/{code}")
            self.assertEqual((got.status, got.body), (code, b""))
        self.assertEqual(self.ask("/status/503", "POST", b"x").status, 503)
        targets = [f"/status/{bad}" for bad in ("100", "199", "600", "x", "-200", "+200")]
        self.assertRefused(b"CODE must be a whole number from 200 to 599.", *targets)

    def test_bytes(self) -> None:
        """
        As many bytes as asked for, with their length; HEAD tells it too.
        """
        block = bytes(range(256))
        for count in (0, 1, 256, 65536, 65537, 200_000):
            got = self.ask(f"/bytes/{count}")
            self.assertEqual(got.headers.get("Content-Length"), b"%d" % count)
            self.assertEqual(got.body, (block * (count // 256 + 1))[:count])
        got = self.ask("/bytes/67108864", "HEAD")
        self.assertEqual((got.headers.get("Content-Length"), got.body), (b"67108864", b""))
        self.assertRefused(b"N must be a whole number from 0 to 67108864.", "/bytes/67108865")

    def test_bytesToASlowReader(self) -> None:
        """
        They are made as the client takes them.
        """
        protocol = self.connection.protocol
        write = self.connection.transport.write

        def fills(data: bytes) -> None:
            write(data)
            protocol.pauseProducing()

        self.connection.transport.write = fills
        self.connection.send(request("/bytes/67108864"))
        self.assertLess(len(self.connection.received), 200_000)

    def test_stream(self) -> None:
        """
        As many chunks as asked for, without a length.
        """
        for count in (0, 1, 3, 99):
            got = self.ask(f"/stream/{count}")
            self.assertEqual(got.headers.get("Transfer-Encoding"), b"chunked")
            self.assertEqual(got.body, b"".join(b"%d\n" % n for n in range(1, count + 1)))
        self.assertIn(b"\r\n2\r\n2\n\r\n", self.streamed("/stream/3"))
        self.assertRefused(b"N must be a whole number from 0 to 10000.", "/stream/10001")

    def streamed(self, target: str) -> bytes:
        self.ask(target)
        return self.connection.received

    def test_streamTakesTurns(self) -> None:
        """
        A long stream lets others have their turn.
        """
        self.connection.send(request("/stream/250"))
        [got] = self.received()
        self.assertEqual((got.body.count(b"\n"), got.complete), (100, False))
        self.clock.advance(0)
        [got] = self.received()
        self.assertEqual((got.body.count(b"\n"), got.complete), (250, True))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_headers(self) -> None:
        """
        All headers in order, repeated ones too, and whatever bytes are in them.
        """
        pairs = [("Host", "a"), ("X-B", 'q"\\'), ("X-A", "1"), ("x-b", "\xe9")]
        self.connection.send(request("/headers?q", headers=pairs))
        [got] = self.received()
        self.assertEqual(got.headers.get("Content-Type"), b"application/json")
        self.assertEqual(
            json.loads(got.body),
            {
                "method": "GET",
                "target": "/headers?q",
                "httpVersion": "1.1",
                "peer": "192.0.2.1",
                "headers": [["host", "a"], ["x-b", 'q"\\'], ["x-a", "1"], ["x-b", "\xe9"]],
            },
        )

    def test_fib(self) -> None:
        """
        Fibonacci numbers, up to the largest that can be written out.
        """
        self.assertEqual(self.ask("/fib/92").body, b"7540113804746346429\n")
        self.assertEqual(len(self.ask("/fib/20000").body), 4181)
        self.assertRefused(b"N must be a whole number from 0 to 20000.", "/fib/20001", "/fib/-1")

    def test_fibonacci(self) -> None:
        """
        Each number is the sum of the two before.
        """
        numbers = [fibonacci(n) for n in range(300)]
        self.assertEqual(numbers[:2], [0, 1])
        for n in range(2, 300):
            self.assertEqual(numbers[n], numbers[n - 1] + numbers[n - 2])

    def test_everythingElse(self) -> None:
        """
        All other paths are answered as without diagnostics.
        """
        for target in ("/", "/echo/", "/fib", "/bytes/1/2", "/%zz", "/a/../fib/1"):
            self.assertEqual(self.ask(target).body, b"other", target)
        self.assertEqual(self.ask("/fib/1", "POST").status, 405)
