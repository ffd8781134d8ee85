"""
Tests for L{ktcp.http.message}.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from ktcp.http.door import Door
from ktcp.http.flow import RequestBody
from ktcp.http.headers import Headers
from ktcp.http.limits import Limits
from ktcp.http.message import Request, Response, reasonPhrase


async def stream() -> AsyncIterator[bytes]:
    """
    A streamed body.
    """
    yield b"body"


class ResponseTests(SynchronousTestCase):
    """
    What a handler can give, and what raises where it is written.
    """

    def test_plain(self) -> None:
        """
        An answer without arguments is an empty 200.
        """
        response = Response()
        self.assertEqual((200, b"", []), (response.status, response.body, list(response.headers)))
        self.assertIsNone(response.trailers)
        self.assertEqual("<Response 200>", repr(response))

    def test_status(self) -> None:
        """
        A status is final: 200 to 599; the standard library's will do.
        """
        for status in (200, 299, 404, 599, HTTPStatus.NOT_FOUND):
            self.assertEqual(int(status), Response(status).status)
        for status in (-1, 0, 100, 101, 199, 600, 1000, True):
            self.assertRaises(ValueError, Response, status)

    def test_bodies(self) -> None:
        """
        Bytes of any kind, an asynchronous iterable or a producer.
        """
        for body in (b"body", bytearray(b"body"), memoryview(b"body")):
            self.assertEqual(b"body", Response(200, body).body)
            self.assertIs(bytes, type(Response(200, body).body))

        class Producer:
            length = 4

            def startProducing(self, consumer: Any) -> None:
                """
                Begin.
                """

        for streamed in (stream(), Producer()):
            self.assertIs(streamed, Response(200, streamed).body)

    def test_splitting(self) -> None:
        """
        Headers that would split make no answer, of whatever body.
        """
        self.assertRaises(ValueError, Response, 200, b"", {"A": "b\r\nC: d"})
        self.assertRaises(ValueError, Response, 200, stream(), None, {"A": "b\r\nC: d"})

    def test_bodiesRefused(self) -> None:
        """
        Text has no bytes until it is encoded, and other things have none.
        """
        for body in ("text", None, 5, [b"a"], {"a": 1}, iter([b"a"])):
            self.assertRaises(TypeError, Response, 200, body)

    def test_contentLength(self) -> None:
        """
        A Content-Length that is not the body's raises at the call.
        """
        Response(200, b"body", {"Content-Length": "4"})
        for value in ("3", "5", "-4", "four", "4, 4", "", "+4", "0x4"):
            for body in (b"body", bytearray(b"body")):
                self.assertRaises(ValueError, Response, 200, body, {"Content-Length": value})
        twice = [("Content-Length", "4"), ("content-length", "4")]
        self.assertRaises(ValueError, Response, 200, b"body", twice)

    def test_contentLengthOfHead(self) -> None:
        """
        An answer to HEAD may tell the length of a body that it does not give.
        """
        Response(200, b"", {"Content-Length": "5000"})

    def test_bodilessStream(self) -> None:
        """
        Nor can one be streamed with them.
        """

        async def chunks() -> AsyncIterator[bytes]:
            yield b"x"

        for status in (204, 304):
            self.assertRaises(ValueError, Response, status, chunks())
            self.assertRaises(ValueError, Response, status, b"", trailers={"A": "b"})

    def test_types(self) -> None:
        """
        A status is a number; a header's name and value are text.
        """
        self.assertRaises(TypeError, Response, "200")
        self.assertRaises(TypeError, Response, 200.7)
        self.assertRaises(TypeError, Response, 200, b"", {"X": 5})

    def test_bodiless(self) -> None:
        """
        204 and 304 have no body.
        """
        for status in (204, 304):
            Response(status)
            self.assertRaises(ValueError, Response, status, b"body")

    def test_trailers(self) -> None:
        """
        Trailers are headers, or a function that is not called yet; a
        Content-Length rules them out.
        """
        self.assertEqual(Headers([(b"X", b"y")]), Response(200, b"a", None, {"X": "y"}).trailers)
        late = dict
        self.assertIs(late, Response(200, b"a", None, late).trailers)
        for body in (b"a", stream()):
            self.assertRaises(ValueError, Response, 200, body, {"Content-Length": "1"}, {"X": "y"})
        self.assertRaises(ValueError, Response, 200, b"a", None, {"Transfer-Encoding": "chunked"})

    def test_reasonPhrases(self) -> None:
        """
        Registered statuses have their phrase, others none.
        """
        self.assertEqual(b"Not Found", reasonPhrase(404))
        self.assertEqual(b"", reasonPhrase(299))


class RequestTests(SynchronousTestCase):
    """
    What a handler gets.
    """

    def test_attributes(self) -> None:
        """
        A request shows its head, its peer and its body.
        """
        head = Door(Limits()).admit(b"PUT /a?b HTTP/1.0\r\nX-A: b\r\n\r\n")
        body = RequestBody(None, 0, 1)
        peer = IPv4Address("TCP", "192.0.2.1", 1)
        request = Request(head, peer, body)
        self.assertEqual(
            (b"PUT", b"/a?b", b"1.0", b"b"),
            (request.method, request.target, request.httpVersion, request.headers.get("X-A")),
        )
        self.assertIs(peer, request.peer)
        self.assertIs(body, request.body)
        self.assertIn("b'PUT' b'/a?b'", repr(request))
