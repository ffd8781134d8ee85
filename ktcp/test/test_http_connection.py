"""
Tests for L{ktcp.http.connection}, with bytes alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import h11
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ktcp.http.connection import HTTPConnection
from ktcp.http.door import Door
from ktcp.http.errors import BadRequest, IncompleteBody
from ktcp.http.limits import Limits
from ktcp.test.support import examples
from ktcp.test.wire import byteByByte, pieces, read, verdict

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED_HEAD = b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED = CHUNKED_HEAD + b"5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n"


def connect(data: bytes = b"", limits: Limits | None = None) -> HTTPConnection:
    """
    @return: A connection on which C{data} has come in.
    """
    connection = HTTPConnection(Door(limits or Limits()))
    if data:
        connection.receive(data)
    return connection


class RequestTests(SynchronousTestCase):
    """
    Streams of requests, by what is made of them.
    """

    def test_splitAnywhere(self) -> None:
        """
        Requests split into two at any byte are the same requests.
        """
        for data in (GET, POST, CHUNKED, GET + POST + CHUNKED + GET):
            expected = read([data])
            self.assertIsNone(expected.status)
            for at in range(1, len(data)):
                self.assertEqual(expected, read(pieces(data, [at])))
            self.assertEqual(expected, read(byteByByte(data)))

    def test_pipelined(self) -> None:
        """
        Pipelined requests come in order, each with its own body.
        """
        seen = verdict(GET + POST + CHUNKED + POST + GET)
        self.assertIsNone(seen.status)
        self.assertEqual(
            [b"/a", b"/b hello", b"/c hello world", b"/b hello", b"/a"],
            [b" ".join((one.head.target, one.body)).strip() for one in seen.requests],
        )

    def test_trailers(self) -> None:
        """
        Trailers are those of the body that they came after, and of no other.
        """
        seen = verdict(CHUNKED + POST + GET)
        self.assertEqual([(b"x-sum", b"1"), (b"x-sum", b"2")], list(seen.requests[0].trailers))
        self.assertEqual([], list(seen.requests[1].trailers))

    def test_emptyLinesBefore(self) -> None:
        """
        Empty lines before a request line are skipped (RFC 9112, 2.2): some
        clients send one after a body.
        """
        seen = verdict(b"\r\n" + GET + b"\r\n\r\n" + POST + b"\r\n" + GET + b"\r\n")
        self.assertEqual((3, None), (len(seen.requests), seen.status))

    def test_leftoverIsNextRequest(self) -> None:
        """
        A body longer than its Content-Length (khttpd read on): the surplus is
        the next request, here a bad one.
        """
        seen = verdict(POST + b"@@" + GET)
        self.assertEqual((1, b"hello"), (len(seen.requests), seen.requests[0].body))
        self.assertEqual(400, seen.status)
        seen = verdict(POST + b"!!" + GET)
        self.assertEqual([b"POST", b"!!GET"], [one.head.method for one in seen.requests])

    def test_staleBytes(self) -> None:
        """
        khttpd's buffer kept bytes of the request before: a short request after
        a long one has nothing of it.
        """
        long = b"GET /%b HTTP/1.1\r\nHost: long.example\r\nX: %b\r\n\r\n" % (b"l" * 100, b"x" * 50)
        seen = verdict(long + GET + POST + GET)
        self.assertEqual([b"/a", b"/b", b"/a"], [one.head.target for one in seen.requests[1:]])
        self.assertEqual([(b"host", b"a")], list(seen.requests[1].head.headers))
        self.assertEqual(b"", seen.requests[3].body)

    def test_endsBetweenRequests(self) -> None:
        """
        A client may close its side after a request, before one, or after an
        empty line.
        """
        for data in (GET, POST, CHUNKED, GET + b"\r\n"):
            self.assertIsNone(verdict(data).status)

    def test_endsWithinAHead(self) -> None:
        """
        A head that the end of the connection cuts short is refused.
        """
        for at in range(1, len(GET)):
            seen = verdict(GET[:at])
            self.assertEqual(([], 400), (seen.requests, seen.status))

    def test_endsWithinABody(self) -> None:
        """
        A body that the end of the connection cuts short is no whole body.
        """
        for data in (POST, CHUNKED):
            start = data.index(b"\r\n\r\n") + 4
            for at in range(start, len(data)):
                connection = connect(data[:at])
                connection.nextRequest()
                connection.receive(b"")
                error: Any = None
                while error is None:
                    try:
                        self.assertNotEqual(b"", connection.nextBody())
                    except BadRequest as caught:
                        error = caught
                self.assertIsInstance(error, IncompleteBody)


class AskingTests(SynchronousTestCase):
    """
    What a connection says about itself.
    """

    def test_nothing(self) -> None:
        """
        A connection on which nothing came has nothing to give.
        """
        connection = connect()
        self.assertIsNone(connection.nextRequest())
        self.assertEqual(0, connection.waiting)
        self.assertFalse(connection.ended)
        self.assertFalse(connection.inBody)

    def test_waiting(self) -> None:
        """
        Bytes wait until they are asked for.
        """
        connection = connect(GET + GET)
        self.assertEqual(2 * len(GET), connection.waiting)
        connection.nextRequest()
        self.assertEqual(len(GET), connection.waiting)
        connection.receive(b"GE")
        self.assertEqual(len(GET) + 2, connection.waiting)
        connection.nextRequest()
        self.assertIsNone(connection.nextRequest())
        self.assertEqual(2, connection.waiting)

    def test_known(self) -> None:
        """
        A request that the door remembers, or the last one, is taken as it comes;
        not where it is a body, or within a request, or where a body follows.
        """
        door = Door(Limits())
        for data in (GET, POST, GET, POST):
            HTTPConnection(door).known(data)
            other = HTTPConnection(door)
            other.receive(data)
            other.nextRequest()
        connection = HTTPConnection(door)
        self.assertIsNone(connection.known(POST))
        head = connection.known(GET)
        self.assertEqual(b"/a", head and head.target)
        self.assertIs(head, connection.known(GET))
        self.assertEqual(0, connection.waiting)
        connection.receive(b"G")
        self.assertIsNone(connection.known(GET))
        within = connect(POST[: -len(b"hello")])
        within.nextRequest()
        self.assertIsNone(within.known(GET))

    def test_ended(self) -> None:
        """
        A connection has ended when FIN has come and all before it was asked for.
        """
        connection = connect(GET)
        connection.receive(b"")
        self.assertFalse(connection.ended)
        connection.nextRequest()
        self.assertTrue(connection.ended)

    def test_inBody(self) -> None:
        """
        A body is open until its end was read.
        """
        connection = connect(POST[:-1])
        connection.nextRequest()
        self.assertTrue(connection.inBody)
        self.assertEqual(b"hell", connection.nextBody())
        self.assertIsNone(connection.nextBody())
        connection.receive(b"o")
        self.assertEqual(b"o", connection.nextBody())
        self.assertTrue(connection.inBody)
        self.assertEqual(b"", connection.nextBody())
        self.assertFalse(connection.inBody)

    def test_noBody(self) -> None:
        """
        The body of a request without one is at its end.
        """
        connection = connect(GET)
        connection.nextRequest()
        self.assertEqual(b"", connection.nextBody())

    def test_bodyIsNotReadAhead(self) -> None:
        """
        Of a large body that came at once, what nobody asked for still counts
        as waiting, so that the transport can be paused.
        """
        size = 1024 * 1024
        connection = connect(CHUNKED_HEAD + b"100000\r\n" + b"x" * size)
        connection.nextRequest()
        before = connection.waiting
        first = connection.nextBody()
        assert first is not None
        self.assertEqual(before, len(b"100000\r\n") + len(first) + connection.waiting)
        self.assertLess(len(first), 128 * 1024)


_names = st.sampled_from([b"Accept", b"X-A", b"cookie", b"Upgrade", b"TE", b"Via"])
_values = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=12
).map(lambda text: text.encode("latin-1"))
_connections = st.sampled_from(
    [b"close", b"keep-alive", b"Close", b"te, close", b"keep-alive, close", b"upgrade", b""]
)
_bodies = st.binary(max_size=40)
_goodTargets = [b"/", b"/a?b=c", b"http://a/b", b"/" + b"t" * 300]
_goodHosts = [b"Host: a", b"host:a:80", b"HOST: [::1]"]
# Weird is what the door may refuse and must not take when h11 refuses it.
_weird = st.sampled_from(
    [
        b"Content-Length: 3",
        b"Content-Length: 3, 3",
        b"Content-Length: x",
        b"Transfer-Encoding: gzip",
        b"Transfer-Encoding: chunked",
        b"Host: b",
        b" folded",
        b"A : b",
        b"A: b\nC: d",
        b"A: \x00",
        b"nothing",
        b"Expect: 100-continue",
    ]
)


@st.composite
def _chunked(draw: Any, body: bytes) -> bytes:
    cuts = draw(st.lists(st.integers(0, len(body)), max_size=3))
    chunks = [
        b"%x%b\r\n%b\r\n" % (len(part), draw(st.sampled_from([b"", b";a=b", b";"])), part)
        for part in pieces(body, cuts)
    ]
    trailers = draw(st.lists(st.sampled_from([b"X-T: 1\r\n", b"x-u:2\r\n"]), max_size=2))
    return b"".join([*chunks, b"0\r\n", *trailers, b"\r\n"])


@st.composite
def _requests(draw: Any) -> bytes:
    version = draw(st.sampled_from([b"1.1", b"1.1", b"1.0"]))
    method = draw(st.sampled_from([b"GET", b"HEAD", b"POST", b"PUT", b"get", b"OPTIONS"]))
    target = draw(st.sampled_from([*_goodTargets * 4, b"*", b"x"]))
    lines = [b"%b %b HTTP/%b" % (method, target, version)]
    lines.append(draw(st.sampled_from([*_goodHosts * 5, b"Host: a b"])))
    fields = draw(st.lists(st.tuples(_names, _values), max_size=4))
    lines += [b"%b:%b" % field for field in fields]
    lines += [b"Connection: " + value for value in draw(st.lists(_connections, max_size=2))]
    body = draw(_bodies)
    framing = draw(st.sampled_from(["none", "length", "chunked"]))
    if framing == "length":
        lines.append(b"Content-Length: %d" % len(body))
    elif framing == "chunked":
        lines.append(b"Transfer-Encoding: chunked")
        body = draw(_chunked(body))
    else:
        body = b""
    if draw(st.integers(0, 7)) == 0:
        lines.insert(draw(st.integers(1, len(lines))), draw(_weird))
    return b"\r\n".join([*lines, b"", body])


class Heard(NamedTuple):
    """
    A complete request, in a form that both ways of reading can give.
    """

    method: bytes
    target: bytes
    httpVersion: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    trailers: list[tuple[bytes, bytes]]
    keepAlive: bool


def plainH11(parts: list[bytes]) -> list[Heard]:
    """
    What h11 itself makes of a stream, as far as it goes: it stops at the first
    request that ends the connection, or that it refuses.
    """
    connection = h11.Connection(h11.SERVER)
    heard: list[Heard] = []
    request: Any = None
    body = b""
    for part in [*parts, b""]:
        connection.receive_data(part)
        while True:
            try:
                event = connection.next_event()
            except h11.RemoteProtocolError:
                return heard
            if event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
                break
            if isinstance(event, h11.Request):
                request, body = event, b""
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                connection.send(h11.Response(status_code=204, headers=[]))
                connection.send(h11.EndOfMessage())
                keepAlive = connection.our_state is h11.DONE
                read = request.method, request.target, request.http_version, list(request.headers)
                heard.append(Heard(*read, body, list(event.headers), keepAlive))
                if not keepAlive:
                    return heard
                connection.start_next_cycle()
    return heard


def throughTheDoor(parts: list[bytes], remember: bool) -> tuple[list[Heard], int | None]:
    """
    What ktcp makes of it: the complete requests, and what it was refused with.
    """
    seen = read(parts, remember=remember)
    heard = [
        Heard(
            head.method,
            head.target,
            head.httpVersion,
            list(head.headers),
            body,
            list(trailers),
            head.framing.keepAlive,
        )
        for head, body, trailers, complete in seen.requests
        if complete
    ]
    return heard, seen.status


class DifferentialTests(SynchronousTestCase):
    """
    Held against h11 alone, the authority.
    """

    @examples(150)
    @given(st.data())
    def test_asH11(self, data: st.DataObject) -> None:
        """
        What the door admits is what h11 reads, byte for byte, with and without
        memory and however it is split.  The door may refuse what h11 takes,
        and never takes what h11 refuses.
        """
        requests = data.draw(st.lists(_requests(), min_size=1, max_size=4))
        # The same head again is what the memory is for.
        stream = b"".join(requests + requests[:1])
        cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=6))
        parts = pieces(stream, cuts)
        heard, status = throughTheDoor(parts, True)
        self.assertEqual((heard, status), throughTheDoor(parts, False))
        self.assertEqual((heard, status), throughTheDoor([stream], False))
        authority = plainH11(parts)
        for ours, theirs in zip(heard, authority, strict=False):
            if ours.httpVersion == b"1.0":
                # h11 knows no persistence there.
                ours = ours._replace(keepAlive=False)
            self.assertEqual(theirs, ours)
        if not authority or authority[-1].keepAlive:
            # h11 went on as long as it could.
            self.assertLessEqual(len(heard), len(authority))
