"""
Tests for L{ktcp.http.accessformats}, through a server that writes a log.
"""

from __future__ import annotations

import json
import re
from typing import Any

from twisted.internet.defer import Deferred

from ktcp import Request, Response
from ktcp.http.accessformats import FORMATS
from ktcp.http.dates import DateClock
from ktcp.test.test_http_accesslog import Harness, hello
from ktcp.testing import MemoryConnection, request


class CombinedTests(Harness):
    """
    The format of Apache and nginx.
    """

    def test_line(self) -> None:
        """
        A line has what it has there, in their order.
        """
        headers = {"Referer": "http://a/b", "User-Agent": "curl/8"}
        self.serve().send(request("/a?b", headers=headers))
        self.assertEqual(
            self.lines(),
            [
                '192.0.2.1 - - [22/Nov/2026:12:34:56 +0000] "GET /a?b HTTP/1.1" 200 5 '
                '"http://a/b" "curl/8"'
            ],
        )

    def test_repeated(self) -> None:
        """
        The same request over again has its own line, with its own second.
        """
        self.serve()
        # The Date of answers, which the lines of a second share, is told by this clock.
        self.factory.renderer.date = DateClock(self.clock.seconds).now
        for _ in range(3):
            self.connection.send(request())
            self.clock.advance(0.6)
        self.assertEqual(
            [re.findall(r":(\d\d) ", line) for line in self.lines()], [["56"], ["56"], ["57"]]
        )

    def test_pipelined(self) -> None:
        """
        Each request has the line of its own target, method and status.
        """

        def handler(request: Request) -> Response:
            return Response(201 if request.target == b"/b" else 200, request.target)

        self.serve(handler)
        self.connection.send(
            request("/") * 2
            + request("/b")
            + request("/", "HEAD")
            + request("/bcd", "POST", body=b"x")
            + request("/")
        )
        self.assertEqual(
            [re.findall(r'"(.*?) HTTP/1.1" (.*?) "-" "-"$', line)[0] for line in self.lines()],
            [
                ("GET /", "200 1"),
                ("GET /", "200 1"),
                ("GET /b", "201 2"),
                ("HEAD /", "200 0"),
                ("POST /bcd", "200 4"),
                ("GET /", "200 1"),
            ],
        )

    def test_noForgery(self) -> None:
        """
        A client can neither end a field nor a line, nor reach a terminal.
        """
        headers = {"User-Agent": 'a" 200 5 "x\\', "Referer": b"\x9b31m\t\xe9"}
        self.serve().send(request('/"\\x', headers=headers))
        [line] = self.lines()
        self.assertTrue(
            line.endswith(r'"GET /\"\\x HTTP/1.1" 200 5 "\x9b31m\x09\xe9" "a\" 200 5 \"x\\"'),
            line,
        )

    def test_unreadable(self) -> None:
        """
        What is no request has a line without one, also after one that was.
        """
        self.serve().send(request() + b"G\0T / HTTP/1.1\r\n\r\n")
        first, second = self.lines()
        self.assertIn('"GET / HTTP/1.1" 200', first)
        self.assertRegex(second, r'^192.0.2.1 - - \[.*\] "-" 400 \d+ "-" "-"$')

    def test_peers(self) -> None:
        """
        Every kind of address makes one field.
        """
        form = FORMATS["combined"]()
        for host, text in (("::1", b"::1"), ("/a\xe9", b"/a\\xe9"), (None, b"-")):
            self.assertEqual(form.peer(host), text)

    def test_months(self) -> None:
        """
        Months are English, whatever the locale.
        """
        form = FORMATS["combined"]()
        self.assertEqual(form.moment(0), b"01/Jan/1970:00:00:00 +0000")
        self.assertEqual(form.moment(1e9), b"09/Sep/2001:01:46:40 +0000")
        self.assertEqual(form.moment(1798761599), b"31/Dec/2026:23:59:59 +0000")


class JSONTests(Harness):
    """
    One object a line.
    """

    def objects(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.lines()]

    def test_line(self) -> None:
        """
        A line has all fields, apart.
        """
        headers = {"Referer": 'a"\\', "User-Agent": b"\xe9\x9b"}
        answer: Deferred[Response] = Deferred()
        self.serve(lambda request: answer, "json")
        self.connection.send(request('/"?b', "POST", headers, version=b"1.0"))
        self.clock.advance(0.25)
        answer.callback(Response(404, b"no"))
        self.assertEqual(
            self.objects(),
            [
                {
                    "time": "2026-11-22T12:34:56Z",
                    "peer": "192.0.2.1",
                    "method": "POST",
                    "target": '/"?b',
                    "version": "1.0",
                    "status": 404,
                    "bytes": 2,
                    "durationUs": 250000,
                    "complete": True,
                    "referer": 'a"\\',
                    "userAgent": "\xe9\x9b",
                }
            ],
        )
        self.assertTrue(self.path.read_text().isascii())

    def test_missing(self) -> None:
        """
        What is missing is null.
        """
        self.serve(format="json").send(request() + b"\0")
        first, second = self.objects()
        self.assertEqual((first["referer"], first["userAgent"]), (None, None))
        self.assertEqual((second["method"], second["target"], second["status"]), (None, None, 400))

    def test_streamed(self) -> None:
        """
        A streamed answer counts the bytes of its body, not of its framing, and
        has its line when it is complete.
        """
        more: Deferred[None] = Deferred()

        async def body() -> Any:
            yield b"abc"
            await more
            yield b"de"

        self.serve(lambda request: Response(200, body()), "json").send(request())
        self.assertEqual(self.lines(), [])
        self.clock.advance(2)
        more.callback(None)
        [line] = self.objects()
        told = line["status"], line["bytes"], line["durationUs"], line["complete"]
        self.assertEqual(told, (200, 5, 2000000, True))
        # Nothing of it is left for the next one.
        self.connection.send(request(method="HEAD"))
        self.assertEqual([line["bytes"] for line in self.objects()], [5, 0])

    def test_clientLeaves(self) -> None:
        """
        A client that leaves in the middle has a line that says so, one; one
        that leaves later has none.
        """

        async def body() -> Any:
            yield b"abc"
            await Deferred()

        for handler, told in (
            (lambda request: Response(200, body()), (200, 3, False)),
            (lambda request: Deferred(), (499, 0, False)),
            (hello, (200, 5, True)),
        ):
            for leave in (MemoryConnection.lose, MemoryConnection.finish):
                self.serve(handler, "json").send(request())
                leave(self.connection)
                self.connection.lose()
                [line] = self.objects()
                self.assertEqual((line["status"], line["bytes"], line["complete"]), told)

    def test_bodyFails(self) -> None:
        """
        A body that breaks off has an incomplete line.
        """

        async def body() -> Any:
            yield b"abc"
            raise ValueError("oops")

        self.serve(lambda request: Response(200, body()), "json").send(request())
        self.flushLoggedErrors(ValueError)
        self.assertTrue(self.connection.closed)
        [line] = self.objects()
        self.assertEqual((line["bytes"], line["complete"]), (3, False))

    def test_refusedBody(self) -> None:
        """
        A request whose body is broken has one line, with its target.
        """

        async def handler(request: Request) -> Response:
            return Response(200, await request.body.read())

        self.serve(handler, "json")
        head = request("/a", "POST", {"Transfer-Encoding": "chunked"})
        self.connection.send(head + b"x\r\n")
        self.connection.finish()
        [line] = self.objects()
        self.assertEqual((line["target"], line["status"]), ("/a", 400))

    def test_handlerFails(self) -> None:
        """
        A handler that fails is the 500 that the client got.
        """

        def handler(request: Request) -> Response:
            raise ValueError("oops")

        self.serve(handler, "json").send(request())
        self.flushLoggedErrors(ValueError)
        self.assertEqual([line["status"] for line in self.objects()], [500])
