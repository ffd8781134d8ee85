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
from ktcp.http.limits import Limits
from ktcp.http.message import (
    BadRequest,
    BodyTooLarge,
    Headers,
    HTTPError,
    IncompleteBody,
    Request,
    Response,
    reasonPhrase,
)

CONTROLS = [chr(code) for code in [*range(9), *range(10, 32), 127]]


async def stream() -> AsyncIterator[bytes]:
    """
    A streamed body.
    """
    yield b"body"


class HeadersTests(SynchronousTestCase):
    """
    What a collection of headers is, and what it refuses.
    """

    def test_kinds(self) -> None:
        """
        A mapping, pairs and L{Headers} will do, of C{str} or bytes.
        """
        expected = [(b"A", b"b"), (b"C", b"d")]
        for given in (
            {"A": "b", "C": "d"},
            {b"A": b"b", b"C": b"d"},
            [("A", b"b"), (b"C", "d")],
            (pair for pair in [("A", "b"), ("C", "d")]),
            Headers(expected),
        ):
            self.assertEqual(expected, list(Headers.of(given)))
        self.assertEqual([], list(Headers.of(None)))
        self.assertEqual([], list(Headers.of({})))

    def test_get(self) -> None:
        """
        Names are found in any case; several values come as one list.
        """
        headers = Headers.of([("X-A", "1"), ("Other", "o"), ("x-a", "2")])
        for name in ("X-A", b"x-a", "x-A"):
            self.assertEqual(b"1, 2", headers.get(name))
            self.assertEqual([b"1", b"2"], headers.getAll(name))
            self.assertIn(name, headers)
        self.assertIsNone(headers.get("missing"))
        self.assertEqual(b"default", headers.get("missing", b"default"))
        self.assertEqual([], headers.getAll("missing"))
        self.assertNotIn("missing", headers)
        self.assertNotIn(None, headers)

    def test_emptyValue(self) -> None:
        """
        A header without a value is there.
        """
        headers = Headers.of({"X": ""})
        self.assertEqual(b"", headers.get("x", b"default"))
        self.assertIn("x", headers)

    def test_collection(self) -> None:
        """
        Order, length, equality and hash are those of the pairs.
        """
        headers = Headers.of([("B", "1"), ("A", "2")])
        self.assertEqual([(b"B", b"1"), (b"A", b"2")], list(headers))
        self.assertEqual(2, len(headers))
        self.assertEqual(headers, Headers([(b"B", b"1"), (b"A", b"2")]))
        self.assertEqual(hash(headers), hash(Headers([(b"B", b"1"), (b"A", b"2")])))
        self.assertNotEqual(headers, Headers([(b"A", b"2"), (b"B", b"1")]))
        self.assertNotEqual(headers, [(b"B", b"1"), (b"A", b"2")])
        self.assertEqual("Headers([(b'B', b'1'), (b'A', b'2')])", repr(headers))

    def test_splitting(self) -> None:
        """
        A character that would split a header raises at the call, in names and
        in values, wherever it is, in C{str} and bytes.
        """
        for control in CONTROLS:
            for text in (control, "a" + control, control + "a", "a" + control + "b"):
                for headers in ({"X": text}, {text: "x"}):
                    encoded = {a.encode(): b.encode() for a, b in headers.items()}
                    self.assertRaises(ValueError, Headers.of, headers)
                    self.assertRaises(ValueError, Headers.of, encoded)
                    self.assertRaises(ValueError, Response, 200, b"", headers)
                    self.assertRaises(ValueError, Response, 200, stream(), None, headers)

    def test_names(self) -> None:
        """
        A name is a token.
        """
        for name in ("", " ", "a b", "a:", ":", "a(", "ä", b"\xff", "a\t"):
            self.assertRaises(ValueError, Headers.of, {name: "x"})

    def test_values(self) -> None:
        """
        A value may hold tabs and Latin-1; blanks around it are left out.
        """
        headers = Headers.of([("A", " \tä\tb \t"), ("B", b"\xff")])
        self.assertEqual([(b"A", b"\xe4\tb"), (b"B", b"\xff")], list(headers))
        self.assertRaises(ValueError, Headers.of, {"A": "\u20ac"})

    def test_transferEncoding(self) -> None:
        """
        How a body is framed is not the handler's to say.
        """
        for name in ("Transfer-Encoding", b"transfer-encoding"):
            self.assertRaises(ValueError, Headers.of, {name: "chunked"})


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

        for body in (stream(), Producer()):
            self.assertIs(body, Response(200, body).body)

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


class ErrorTests(SynchronousTestCase):
    """
    Errors that stand for an answer.
    """

    def test_oneParent(self) -> None:
        """
        Each error carries its status, and one C{except} catches all.
        """
        for error, status in [
            (HTTPError(404, "gone"), 404),
            (BadRequest("no"), 400),
            (BadRequest("no", 505), 505),
            (IncompleteBody("cut"), 400),
            (BodyTooLarge(5), 413),
        ]:
            self.assertIsInstance(error, HTTPError)
            self.assertEqual(status, error.status)
            self.assertIsInstance(error.reason, str)
        for status in (0, 200, 304, 399, 600):
            self.assertRaises(ValueError, HTTPError, status)
        self.assertEqual(5, BodyTooLarge(5).limit)
        self.assertIsInstance(IncompleteBody("cut"), BadRequest)
