"""
Tests for L{ktcp.http.rendering}: what h11 alone would have sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import product
from typing import Any

import h11
from twisted.trial.unittest import SynchronousTestCase

from ktcp.http.door import Door
from ktcp.http.errors import BadRequest
from ktcp.http.headers import Headers
from ktcp.http.limits import Limits
from ktcp.http.message import RequestHead, Response, reasonPhrase
from ktcp.http.rendering import CONTINUE, Renderer
from ktcp.testing import parseResponses

DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
DOOR = Door(Limits())

_Pairs = list[tuple[bytes, bytes]]


def rawHead(method: bytes = b"GET", version: bytes = b"1.1", connection: bytes = b"") -> bytes:
    """
    Write a request head.
    """
    line = b"Connection: %b\r\n" % connection if connection else b""
    return b"%b / HTTP/%b\r\nHost: a\r\n%b\r\n" % (method, version, line)


def asked(method: bytes = b"GET", version: bytes = b"1.1", connection: bytes = b"") -> RequestHead:
    """
    The same, read.
    """
    return DOOR.admit(rawHead(method, version, connection))


def plainH11(raw: bytes, status: int, pairs: _Pairs, body: bytes) -> tuple[bytes, bool]:
    """
    What a server that is h11 and nothing else sends, and whether it must close.
    """
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(raw)
    request = connection.next_event()
    assert isinstance(request, h11.Request)
    connection.next_event()
    event = h11.Response(status_code=status, headers=pairs, reason=reasonPhrase(status))
    sent = connection.send(event)
    if body and request.method != b"HEAD":
        sent += connection.send(h11.Data(data=body))
    sent += connection.send(h11.EndOfMessage())
    return sent, connection.our_state is not h11.DONE


class Ticking:
    """
    A date that a test moves on.
    """

    def __init__(self) -> None:
        self.date = DATE

    def now(self) -> bytes:
        return self.date


def renderer(server: bytes | None = b"ktcp") -> Renderer:
    """
    A renderer whose time stands still.
    """
    return Renderer(server, lambda: DATE)


async def nothing() -> AsyncIterator[bytes]:
    """
    A body that is streamed: the renderer only looks at it.
    """
    yield b""


class Producer:
    """
    An C{IBodyProducer}, as far as the renderer looks at it.
    """

    def __init__(self, length: Any) -> None:
        self.length = length

    def startProducing(self, consumer: Any) -> None:
        raise NotImplementedError


class WholeTests(SynchronousTestCase):
    """
    Responses whose body is bytes.
    """

    def test_asH11(self) -> None:
        """
        For each kind of request and answer the bytes are those h11 sends, the
        first time and when the head is remembered.
        """
        own = [(b"Date", b"mine"), (b"Server", b"me")]
        render = renderer()
        for method, version, wish, status, extra in product(
            (b"GET", b"HEAD"),
            (b"1.0", b"1.1"),
            (b"", b"close", b"keep-alive", b"te, close"),
            (200, 204, 304, 404, 299, 500),
            (
                [],
                own,
                [(b"CONNECTION", b"Close")],
                [(b"CONNECTION", b"te")],
                [(b"X", b"1"), (b"x", b"2")],
                # Of a shape with the one before.
                [(b"X", b"\xe9\t2"), (b"x", b"")],
            ),
        ):
            if version == b"1.0" and wish == b"keep-alive":
                # See PersistentTests: h11 knows none.
                continue
            body = b"" if status in (204, 304) else b"body %d" % status
            pairs = list(extra)
            if extra is not own:
                pairs += [(b"Server", b"ktcp"), (b"Date", DATE)]
            if status not in (204, 304):
                pairs.append((b"Content-Length", b"%d" % len(body)))
            raw = rawHead(method, version, wish)
            expected = plainH11(raw, status, pairs, body)
            for _ in range(2):
                got = render.whole(DOOR.admit(raw), Response(status, body, extra))
                self.assertEqual(expected, got, (raw, status, extra))

    def test_contentLengthGiven(self) -> None:
        """
        A Content-Length the handler gives goes out once, as a number.
        """
        for given in (b"4", "4", b"04"):
            sent, _ = renderer().whole(asked(), Response(200, b"body", {"content-length": given}))
            self.assertEqual(1, sent.lower().count(b"content-length"))
            [response] = parseResponses(sent)
            self.assertEqual((b"body", True), (response.body, response.complete))

    def test_contentLengthWithoutBody(self) -> None:
        """
        Where no body goes, after HEAD and with 304, a handler may tell the
        length of the one it does not give.
        """
        sent, _ = renderer().whole(asked(b"HEAD"), Response(200, b"", {"Content-Length": "5000"}))
        [response] = parseResponses(sent, [b"HEAD"])
        self.assertEqual((b"5000", b""), (response.headers.get("content-length"), response.body))
        sent, _ = renderer().whole(asked(), Response(304, b"", {"Content-Length": "5000"}))
        [response] = parseResponses(sent)
        self.assertEqual((b"5000", b""), (response.headers.get("content-length"), response.body))

    def test_contentLengthOfNothing(self) -> None:
        """
        Where a body goes, a length that is not the body's is refused.
        """
        response = Response(200, b"", {"Content-Length": "5000"})
        for method in (b"GET", b"POST"):
            self.assertRaises(ValueError, renderer().whole, asked(method), response)

    def test_noContentLengthWith204(self) -> None:
        """
        A 204 has no Content-Length, not even one of 0 (RFC 9110, 8.6).
        """
        sent, _ = renderer().whole(asked(), Response(204, b"", {"Content-Length": "0"}))
        self.assertNotIn(b"content-length", sent.lower())

    def test_valueLikeAHole(self) -> None:
        """
        No value of a handler's is taken for the place of the length.
        """
        for value in (
            b"18446744073709551557",
            b"Content-Length: 18446744073709551557",
            b"Date: ",
        ):
            headers = [(b"ETag", value), (b"X-Content-Length", value)]
            sent, _ = renderer().whole(asked(), Response(200, b"body", headers))
            [response] = parseResponses(sent)
            self.assertEqual(
                (value.strip(), value.strip(), b"4", b"body"),
                (
                    response.headers.get("etag"),
                    response.headers.get("x-content-length"),
                    response.headers.get("content-length"),
                    response.body,
                ),
            )

    def test_dateChanges(self) -> None:
        """
        Each answer has the date of its second, also from a remembered head.
        """
        time = Ticking()
        render = Renderer(None, time.now)
        for second in range(3):
            time.date = b"Sun, 06 Nov 1994 08:49:%d GMT" % second
            for method in (b"GET", b"HEAD", b"GET"):
                sent, _ = render.whole(asked(method), Response(200, b"body"))
                [response] = parseResponses(sent, [method])
                self.assertEqual(time.date, response.headers.get("date"))
            sent, _ = render.whole(asked(), Response(204))
            self.assertEqual(1, sent.count(time.date))

    def test_noServer(self) -> None:
        """
        The Server header can be left out.
        """
        sent, _ = renderer(None).whole(asked(), Response())
        self.assertNotIn(b"server", sent.lower())

    def test_memoryIsBounded(self) -> None:
        """
        A handler whose headers change each time is answered for correctly.
        """
        render = renderer()
        for number in range(1100):
            for name in ("X", f"X{number}"):
                sent, _ = render.whole(asked(), Response(200, b"b", {name: str(number)}))
                self.assertIn(f"{name}: {number}\r\n".encode(), sent)
        sizes = [len(kept) for kept in (*render._templates, *render._shapes)]
        self.assertEqual(sorted(filter(None, sizes)), [128, 512])


class PersistentTests(SynchronousTestCase):
    """
    HTTP/1.0 that asked to be kept alive (RFC 9112, C.2.2).
    """

    def test_promised(self) -> None:
        """
        The answer promises to keep the connection, as C{ab -k} expects, and is
        otherwise that of HTTP/1.1.
        """
        request = asked(version=b"1.0", connection=b"keep-alive")
        sent, closes = renderer().whole(request, Response(200, b"body", {"X": "y"}))
        [response] = parseResponses(sent)
        self.assertFalse(closes)
        self.assertEqual([b"keep-alive"], response.headers.getAll("connection"))
        self.assertEqual((b"4", b"body"), (response.headers.get("content-length"), response.body))

    def test_handlerCloses(self) -> None:
        """
        A handler that closes is not contradicted.
        """
        request = asked(version=b"1.0", connection=b"keep-alive")
        for headers in ({"Connection": "close"}, {"connection": "te, Close"}):
            sent, closes = renderer().whole(request, Response(200, b"body", headers))
            self.assertTrue(closes)
            self.assertNotIn(b"keep-alive", sent)
            sent, sender = renderer().begin(request, Response(200, Producer(0), headers))
            self.assertTrue(sender.end()[1])
            self.assertNotIn(b"keep-alive", sent)

    def test_closedOtherwise(self) -> None:
        """
        HTTP/1.0 that did not ask is told that the connection closes.
        """
        sent, closes = renderer().whole(asked(version=b"1.0"), Response(200, b"body"))
        self.assertTrue(closes)
        self.assertEqual([b"close"], parseResponses(sent)[0].headers.getAll("connection"))

    def test_streamed(self) -> None:
        """
        A body of unknown length cannot be told from a cut one but by closing,
        one of known length can.
        """
        request = asked(version=b"1.0", connection=b"keep-alive")
        sent, sender = renderer().begin(request, Response(200, nothing()))
        self.assertFalse(sender.delimited)
        self.assertIn(b"Connection: close\r\n", sent)
        self.assertNotIn(b"chunked", sent)
        self.assertEqual((b"", True), sender.end())
        sent, sender = renderer().begin(request, Response(200, Producer(0)))
        self.assertTrue(sender.delimited)
        self.assertIn(b"Connection: keep-alive\r\n", sent)
        self.assertEqual((b"", False), sender.end())


class StreamedTests(SynchronousTestCase):
    """
    Responses whose body comes later.
    """

    def stream(
        self, request: RequestHead, response: Response, *chunks: bytes
    ) -> tuple[bytes, bool]:
        """
        @return: All that is sent, and whether the connection must close.
        """
        sent, sender = renderer().begin(request, response)
        for chunk in chunks:
            sent += b"".join(sender.data(chunk))
        end, closes = sender.end()
        return sent + end, closes

    def test_asH11(self) -> None:
        """
        The bytes are those h11 sends, for each kind of request.
        """
        for method, version, wish, status, length in product(
            (b"GET", b"HEAD"), (b"1.0", b"1.1"), (b"", b"close"), (200, 404), (None, 4)
        ):
            raw = rawHead(method, version, wish)
            pairs = [(b"X", b"y"), (b"Server", b"ktcp"), (b"Date", DATE)]
            if length is not None:
                pairs.append((b"Content-Length", b"4"))
            expected = plainH11(raw, status, pairs, b"body")
            chunks = [] if method == b"HEAD" else [b"body"]
            body: Any = nothing() if length is None else Producer(length)
            response = Response(status, body, {"X": "y"})
            self.assertEqual(expected, self.stream(DOOR.admit(raw), response, *chunks))

    def test_chunked(self) -> None:
        """
        A body of unknown length is chunked, and an empty chunk does not end it.
        """
        sent, closes = self.stream(asked(), Response(200, nothing()), b"a", b"", b"bc")
        self.assertFalse(closes)
        self.assertTrue(sent.endswith(b"\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"))

    def test_unknownLength(self) -> None:
        """
        A producer that does not know its length is chunked.
        """
        response = Response(200, Producer("unknown"))
        self.assertIn(b"Transfer-Encoding: chunked\r\n", self.stream(asked(), response, b"a")[0])

    def test_sized(self) -> None:
        """
        A length the handler or the producer names goes out instead.
        """
        for response in (
            Response(200, nothing(), {"Content-Length": "3"}),
            Response(200, Producer(3)),
            Response(200, Producer(3), {"Content-Length": "3"}),
        ):
            sent, closes = self.stream(asked(), response, b"ab", b"c")
            [got] = parseResponses(sent, closed=False)
            self.assertEqual((b"abc", True, False), (got.body, got.complete, closes))
            self.assertEqual([b"3"], got.headers.getAll("content-length"))
            self.assertNotIn("transfer-encoding", got.headers)

    def test_lengthsDisagree(self) -> None:
        """
        A producer and a header that name two lengths are refused.
        """
        response = Response(200, Producer(3), {"Content-Length": "4"})
        self.assertRaises(h11.LocalProtocolError, renderer().begin, asked(), response)

    def test_tooMuch(self) -> None:
        """
        Bytes beyond the length named are not sent.
        """
        _, sender = renderer().begin(asked(), Response(200, Producer(3)))
        sender.data(b"ab")
        self.assertRaises(h11.LocalProtocolError, sender.data, b"cd")

    def test_tooLittle(self) -> None:
        """
        A body that ends before the length named does not end well.
        """
        _, sender = renderer().begin(asked(), Response(200, Producer(3)))
        sender.data(b"ab")
        self.assertRaises(h11.LocalProtocolError, sender.end)

    def test_closeDelimited(self) -> None:
        """
        HTTP/1.0 gets a body of unknown length as it is, then the end.
        """
        sent, closes = self.stream(asked(version=b"1.0"), Response(200, nothing()), b"a", b"b")
        self.assertTrue(closes)
        self.assertTrue(sent.endswith(b"\r\n\r\nab"))
        [got] = parseResponses(sent)
        self.assertEqual((b"ab", True), (got.body, got.complete))

    def test_notCopied(self) -> None:
        """
        A large chunk is passed on, not copied.
        """
        _, sender = renderer().begin(asked(), Response(200, nothing()))
        data = b"x" * 100_000
        self.assertTrue(any(part is data for part in sender.data(data)))

    def test_trailers(self) -> None:
        """
        Trailers follow the last chunk; a function is asked once the body is out.
        """
        called: list[str] = []

        def late() -> list[tuple[str, str]]:
            called.append("now")
            return [("X-Sum", "1"), ("X-Sum", "2")]

        for trailers in ([("X-Sum", "1"), ("X-Sum", "2")], late):
            sent, sender = renderer().begin(asked(), Response(200, b"body", trailers=trailers))
            sent += b"".join(sender.data(b"body"))
            self.assertEqual([], called)
            sent += sender.end()[0]
            [got] = parseResponses(sent, closed=False)
            self.assertEqual([b"1", b"2"], got.trailers.getAll("x-sum"))
            self.assertEqual((b"body", True), (got.body, got.complete))
        self.assertEqual(["now"], called)

    def test_trailersThatSplit(self) -> None:
        """
        What a function gives is checked as well.
        """
        response = Response(200, nothing(), trailers=lambda: {"X": "a\r\nb"})
        _, sender = renderer().begin(asked(), response)
        self.assertRaises(ValueError, sender.end)

    def test_trailersThatCannotBeSent(self) -> None:
        """
        Where nothing is chunked, trailers are left out: HTTP/1.0 and HEAD.
        """
        for request in (asked(version=b"1.0"), asked(b"HEAD")):
            sent, _ = self.stream(request, Response(200, nothing(), trailers={"X-Sum": "1"}))
            self.assertNotIn(b"X-Sum", sent)


class ErrorTests(SynchronousTestCase):
    """
    Answers to what is no request.
    """

    def test_closes(self) -> None:
        """
        The answer says what is wrong and that the connection closes.
        """
        [got] = parseResponses(renderer().error(BadRequest("why")))
        self.assertEqual((400, b"400 Bad Request: why\n"), (got.status, got.body))
        self.assertEqual([b"close"], got.headers.getAll("connection"))
        self.assertEqual((b"ktcp", DATE), (got.headers.get("server"), got.headers.get("date")))

    def test_continue(self) -> None:
        """
        The go-ahead is one status line.
        """
        self.assertEqual(b"HTTP/1.1 100 Continue\r\n\r\n", CONTINUE)

    def test_headersAreHeaders(self) -> None:
        """
        A request that could not be read leaves nothing in the next answer.
        """
        render = renderer()
        render.error(BadRequest("why"))
        sent, closes = render.whole(asked(), Response(200, b"body", Headers()))
        self.assertEqual((False, 0), (closes, sent.count(b"close")))
