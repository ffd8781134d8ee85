"""
Tests for L{ktcp.http.errorpages}.
"""

from __future__ import annotations

import json

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ktcp import HTTPFactory, Request, Response
from ktcp.http.errorpages import errorResponse
from ktcp.http.errors import HTTPError
from ktcp.testing import MemoryConnection, ReceivedResponse, parseResponses, request

TEXT = b"text/plain; charset=utf-8"
PAGE = b"text/html; charset=utf-8"
PROBLEM = b"application/problem+json"


class NegotiationTests(SynchronousTestCase):
    """
    The type of an error's body is the client's choice.
    """

    def test_types(self) -> None:
        """
        Each Accept header, and what its client gets.
        """
        for accept, expected in [
            (None, TEXT),
            (b"", TEXT),
            (b"*/*", TEXT),
            (b"text/*", TEXT),
            (b"text/html", PAGE),
            (b"TEXT/HTML", PAGE),
            (b"text/html, text/plain", TEXT),
            (b"text/html, text/plain;q=0.9", PAGE),
            (b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", PAGE),
            (b"application/problem+json", PROBLEM),
            (b"application/json", PROBLEM),
            (b"application/json, text/plain, */*", TEXT),
            (b"application/json, */*;q=0.1", PROBLEM),
            (b"application/*", PROBLEM),
            (b"application/json, application/problem+json;q=0", TEXT),
            (b"text/*;q=0.5, text/plain;q=0, */*;q=0.1", PAGE),
            (b"text/html;level=1;q=1, text/plain;q=0.5", PAGE),
            (b"text/html ; q=0.7 ,\ttext/plain ; q=0.3", PAGE),
            (b"image/png", TEXT),
            (b"*/*;q=0", TEXT),
            (b"text/html;q=2", TEXT),
            (b"text/html;q=nan", TEXT),
            (b"text/html;q=1e0, text/plain;q=0.1", TEXT),
            (b",,;,;q=,=", TEXT),
        ]:
            with self.subTest(accept=accept):
                response = errorResponse(HTTPError(404), accept)
                self.assertEqual(expected, response.headers.get("content-type"))

    def test_bodies(self) -> None:
        """
        Each type says the status, its name and the reason.
        """
        error = HTTPError(404, "No such thing.")
        self.assertEqual(b"404 Not Found: No such thing.\n", errorResponse(error).body)
        page = errorResponse(error, b"text/html").body
        self.assertIn(b"<title>404 Not Found</title>", page)
        self.assertIn(b"<p>No such thing.</p>", page)
        self.assertEqual(
            {"title": "Not Found", "status": 404, "detail": "No such thing."},
            json.loads(errorResponse(error, b"application/json").body),
        )

    def test_headers(self) -> None:
        """
        What an error says in headers goes out with each type; a header that
        would split is refused.
        """
        error = HTTPError(503, headers={"Retry-After": "5"})
        for accept in (None, b"text/html", b"application/json"):
            headers = errorResponse(error, accept).headers
            self.assertEqual((headers.get("retry-after"), headers.get("vary")), (b"5", b"Accept"))
        self.assertNotIn("retry-after", errorResponse(HTTPError(503)).headers)
        self.assertRaises(ValueError, HTTPError, 503, headers={"Retry-After": "5\r\na: b"})

    def test_noReason(self) -> None:
        """
        Without a reason there is the status alone, also one without a name.
        """
        self.assertEqual(b"500 Internal Server Error\n", errorResponse(HTTPError(500)).body)
        self.assertEqual(b"599\n", errorResponse(HTTPError(599)).body)
        self.assertNotIn(b"<p>", errorResponse(HTTPError(500), b"text/html").body)
        problem = json.loads(errorResponse(HTTPError(500), b"application/json").body)
        self.assertEqual({"title": "Internal Server Error", "status": 500}, problem)

    def test_escaped(self) -> None:
        """
        A handler's reason that holds what a client sent is harmless in each
        type, and never makes a second failure.
        """
        error = HTTPError(404, "<script>alert(\"1\")</script> & '\udcff' \u00e4\r\n\x00")
        page = errorResponse(error, b"text/html").body
        self.assertNotIn(b"<script", page)
        self.assertIn(b"&lt;script&gt;alert(&quot;1&quot;)", page)
        self.assertIn("\u00e4".encode(), page)
        self.assertIn(b"\\udcff", errorResponse(error).body)
        problem = errorResponse(error, b"application/json").body
        self.assertEqual(error.reason, json.loads(problem)["detail"])
        for accept in (b"text/plain", b"text/html", b"application/json"):
            headers = errorResponse(error, accept).headers
            self.assertEqual(b"nosniff", headers.get("x-content-type-options"))
            self.assertEqual(b"Accept", headers.get("vary"))


async def failing(asked: Request) -> Response:
    """
    Fails in the way that the target names.
    """
    await asked.body.read()
    if asked.target == b"/teapot":
        raise HTTPError(418, "short & stout")
    if asked.target == b"/status":
        raise HTTPError(200)
    raise RuntimeError("secret")


class ServedTests(SynchronousTestCase):
    """
    Errors as they come over a connection.
    """

    def ask(self, data: bytes, method: bytes = b"GET") -> ReceivedResponse:
        connection = MemoryConnection(HTTPFactory(failing, reactor=Clock()))
        self.addCleanup(connection.lose)
        connection.send(data)
        [response] = parseResponses(connection.received, [method], closed=False)
        return response

    def test_handlers(self) -> None:
        """
        What a handler raises has the type that the request asks for.
        """
        got = self.ask(request("/teapot", headers={"Accept": "text/html"}))
        self.assertEqual((418, PAGE), (got.status, got.headers.get("content-type")))
        self.assertIn(b"<p>short &amp; stout</p>", got.body)

    def test_failure(self) -> None:
        """
        A failure tells the client nothing of what failed.
        """
        got = self.ask(request("/", headers={"Accept": "application/json"}))
        self.assertEqual({"title": "Internal Server Error", "status": 500}, json.loads(got.body))
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))

    def test_noError(self) -> None:
        """
        An HTTPError with a status that is none is a fault of the handler.
        """
        self.assertEqual(500, self.ask(request("/status")).status)
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))

    def test_unread(self) -> None:
        """
        A request that could not be read is answered in text, and nothing of it
        comes back.
        """
        got = self.ask(b"GET /<script> HTTP/1.1\r\nAccept: text/html\r\n<b>: \r\n\r\n")
        self.assertEqual((400, TEXT), (got.status, got.headers.get("content-type")))
        self.assertNotIn(b"<", got.body)

    def test_brokenBody(self) -> None:
        """
        A request that breaks in its body is answered in the type it asked for.
        """
        fields = {"Transfer-Encoding": "chunked", "Accept": "application/problem+json"}
        got = self.ask(request("/", "POST", fields) + b"x\r\n")
        self.assertEqual((400, PROBLEM), (got.status, got.headers.get("content-type")))
        self.assertEqual(b"close", got.headers.get("connection"))

    def test_brokenBodyOfHead(self) -> None:
        """
        The answer to HEAD has no body, though the request had a broken one.
        """
        data = request("/", "HEAD", {"Transfer-Encoding": "chunked"}) + b"x\r\n"
        got = self.ask(data, b"HEAD")
        self.assertEqual((400, b""), (got.status, got.body))
