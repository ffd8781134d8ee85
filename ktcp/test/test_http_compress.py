"""
Tests for L{ktcp.http.compress}.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from ktcp import HTTPFactory, Request, Response
from ktcp.http.compress import Compression
from ktcp.http.errors import HTTPError
from ktcp.test.folder import HOP, ThreadedClock
from ktcp.test.test_http_codings import TEXT, decoded
from ktcp.testing import MemoryConnection, ReceivedResponse, parseResponses, request

PAGE = {"Content-Type": "text/html; charset=utf-8"}
SHORT = TEXT[:2000]


class CompressionTests(SynchronousTestCase):
    """
    The settings.
    """

    def test_types(self) -> None:
        """
        Text shrinks, whatever it is called; pictures do not, and events have
        to come through.
        """
        takes = Compression().takes
        for kind in (
            b"text/css",
            b"TEXT/HTML ; charset=utf-8",
            b"application/json",
            b"application/problem+json",
            b"image/svg+xml",
            b"application/wasm",
        ):
            self.assertTrue(takes(kind), repr(kind))
        for other in (None, b"", b"text", b"image/png", b"video/mp4", b"application/zip", b"\xff"):
            self.assertFalse(takes(other), repr(other))
        self.assertFalse(takes(b"text/event-stream"))
        only = Compression(types=frozenset(("application/x-own",)))
        self.assertTrue(only.takes(b"application/x-own"))
        self.assertFalse(only.takes(b"text/html"))

    def test_refused(self) -> None:
        """
        What cannot be meant is refused.
        """
        self.assertRaises(ValueError, Compression, minimum=-1)
        self.assertRaises(ValueError, Compression, largest=-1)
        self.assertRaises(ValueError, Compression, types=frozenset(("json",)))


class CompressingTests(SynchronousTestCase):
    """
    A factory whose handler's answers are compressed.
    """

    def ask(
        self, answer: Any, accept: str | None = "gzip", method: bytes = b"GET", **headers: str
    ) -> ReceivedResponse:
        """
        Have a handler give an answer.
        """
        clock = ThreadedClock()

        def handler(request: Request) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

        connection = MemoryConnection(HTTPFactory(handler, compress=True, reactor=clock))
        pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
        if accept is not None:
            pairs.append(("Accept-Encoding", accept))
        connection.send(request("/", method, pairs))
        for _ in range(500):
            clock.advance(HOP)
        [response] = parseResponses(connection.received, [method], closed=connection.closed)
        connection.lose()
        return response

    def test_negotiated(self) -> None:
        """
        The client has the coding it likes best, and caches are told.
        """
        for accept, coding in (
            (None, None),
            ("", None),
            ("identity", None),
            ("gzip", b"gzip"),
            ("br", b"br"),
            ("zstd", b"zstd"),
            ("gzip, deflate, br, zstd", b"zstd"),
            ("gzip;q=1, br;q=0.9", b"gzip"),
            ("gzip;q=0", None),
            ("*", b"zstd"),
            ("deflate", None),
            ("gzip;q=0.1, identity", None),
        ):
            got = self.ask(Response(200, SHORT, PAGE), accept)
            self.assertEqual(got.headers.get("content-encoding"), coding, accept)
            self.assertEqual(got.headers.get("vary"), b"Accept-Encoding")
            self.assertEqual(decoded(coding, got.body), SHORT)
            self.assertEqual(got.headers.get("content-type"), b"text/html; charset=utf-8")
            self.assertEqual(got.headers.get("content-length"), b"%d" % len(got.body))

    def test_leftAlone(self) -> None:
        """
        What must not be compressed, or is not worth it, is not.
        """
        noise = os.urandom(2000)
        for response in (
            Response(200, SHORT[:1000], PAGE),
            Response(200, SHORT),
            Response(200, SHORT, {"Content-Type": "image/png"}),
            Response(206, SHORT, {**PAGE, "Content-Range": "bytes 0-1999/4000"}),
            Response(416, SHORT, {**PAGE, "Content-Range": "bytes */4000"}),
            Response(200, SHORT, {**PAGE, "Content-Encoding": "x-own"}),
            Response(200, SHORT, {**PAGE, "Cache-Control": "public, No-Transform"}),
            Response(200, SHORT, {**PAGE, "Repr-Digest": "sha-256=:AAAA:"}),
            Response(200, noise, PAGE),
            Response(204, b"", PAGE),
        ):
            got = self.ask(response)
            self.assertEqual(got.body, response.body)
            own = response.headers.get("content-encoding")
            self.assertEqual(got.headers.get("content-encoding"), own)

    def test_tags(self) -> None:
        """
        A strong tag becomes weak, as it is not of these bytes; ranges of them
        are not offered.  A 304 names the tag that the client has.
        """
        headers = {**PAGE, "ETag": '"x"', "Accept-Ranges": "bytes", "Vary": "Cookie"}
        got = self.ask(Response(200, SHORT, headers))
        self.assertEqual(got.headers.get("etag"), b'W/"x"')
        self.assertEqual(got.headers.get("vary"), b"Cookie, Accept-Encoding")
        self.assertNotIn("accept-ranges", got.headers)
        got = self.ask(Response(200, SHORT, headers), None)
        self.assertEqual(got.headers.get("etag"), b'"x"')
        self.assertEqual(got.headers.get("accept-ranges"), b"bytes")
        unchanged = Response(304, b"", {"ETag": '"x"'})
        for given, tag in (('W/"x"', b'W/"x"'), ('"x"', b'"x"')):
            got = self.ask(unchanged, if_none_match=given)
            self.assertEqual((got.status, got.headers.get("etag")), (304, tag))
            self.assertEqual(got.headers.get("vary"), b"Accept-Encoding")

    def test_head(self) -> None:
        """
        HEAD has GET's head, for short bodies and long; where the handler told
        only a length, the coding.
        """
        for body in (SHORT, TEXT):
            response = Response(200, body, PAGE)
            got, asked = self.ask(response), self.ask(response, method=b"HEAD")
            self.assertEqual(list(asked.headers), list(got.headers))
        response = Response(200, b"", {**PAGE, "Content-Length": "5000"})
        asked = self.ask(response, method=b"HEAD")
        self.assertEqual(asked.headers.get("content-encoding"), b"gzip")
        self.assertNotIn("content-length", asked.headers)

    def test_long(self) -> None:
        """
        A long body goes through threads, and reads back.
        """
        for coding in (b"gzip", b"br", b"zstd"):
            got = self.ask(Response(200, TEXT, PAGE), coding.decode())
            self.assertEqual(got.headers.get("content-encoding"), coding)
            self.assertEqual(decoded(coding, got.body), TEXT)

    def test_streamed(self) -> None:
        """
        What a handler yields can be read before it yields more; trailers follow
        and its C{finally} runs.
        """
        ended: list[bool] = []
        more: Deferred[None] = Deferred()

        async def chunks() -> AsyncIterator[bytes]:
            try:
                yield b"first"
                yield TEXT
                await more
                yield b"last"
            finally:
                ended.append(True)

        clock = ThreadedClock()
        answer = Response(200, chunks(), PAGE, trailers={"X-End": "1"})
        connection = MemoryConnection(
            HTTPFactory(lambda request: succeed(answer), compress=True, reactor=clock)
        )
        connection.send(request("/", b"GET", [("Accept-Encoding", "gzip")]))
        for _ in range(100):
            clock.advance(HOP)
        [partial] = parseResponses(connection.received + b"0\r\n\r\n", closed=False)
        self.assertEqual(decoded(b"gzip", partial.body), b"first" + TEXT)
        more.callback(None)
        [whole] = parseResponses(connection.received, closed=False)
        self.assertEqual(decoded(b"gzip", whole.body), b"first" + TEXT + b"last")
        self.assertEqual(whole.trailers.get("x-end"), b"1")
        self.assertEqual(ended, [True])

    def test_clientLeaves(self) -> None:
        """
        A handler whose client leaves in the middle is closed.
        """
        ended: list[bool] = []

        async def chunks() -> AsyncIterator[bytes]:
            try:
                yield b"first"
                await Deferred()
            finally:
                ended.append(True)

        clock = ThreadedClock()
        answer = Response(200, chunks(), PAGE)
        connection = MemoryConnection(
            HTTPFactory(lambda request: answer, compress=True, reactor=clock)
        )
        connection.send(request("/", b"GET", [("Accept-Encoding", "gzip")]))
        connection.lose()
        self.assertEqual(ended, [True])

    def test_errors(self) -> None:
        """
        A handler that raises, or gives no answer at all, is told of as ever.
        """
        self.assertEqual(self.ask(HTTPError(404)).status, 404)
        self.assertEqual(self.ask("text").status, 500)
        self.assertEqual(self.ask(succeed("text")).status, 500)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 2)

    def test_plansAreBounded(self) -> None:
        """
        Headers that differ each time do not pile up.
        """
        clock = ThreadedClock()

        def handler(request: Request) -> Response:
            return Response(200, SHORT, {**PAGE, "X": request.target})

        factory = HTTPFactory(handler, compress=True, reactor=clock)
        connection = MemoryConnection(factory)
        for number in range(600):
            connection.send(request(f"/{number}", b"GET", [("Accept-Encoding", "gzip")]))
        got = parseResponses(connection.received, closed=False)
        self.assertEqual([each.headers.get("x") for each in got], [b"/%d" % n for n in range(600)])
        self.assertEqual(len(factory.handler._plans), 512)
        connection.lose()
