"""
Tests for L{ktcp.load.process.responses}.
"""

from __future__ import annotations

from hashlib import sha256

import h11
from twisted.trial.unittest import SynchronousTestCase

from ktcp.load.job import Checks
from ktcp.load.process.responses import LONGEST_HEAD, Answer, AnswerReader, BadAnswer

GOOD = {
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello": b"hello",
    b"HTTP/1.1 200\r\ncontent-length:  0  \r\n\r\n": b"",
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok": b"ok",
    b"HTTP/1.1 204 No Content\r\n\r\n": b"",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n": b"",
    b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\na": b"a",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na": b"a",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n2\r\nde\r\n0\r\n\r\n": (
        b"abcde"
    ),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\nT: x\r\n\r\n": (
        b"0123456789"
    ),
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na": b"a",
}

BAD = [
    b"hello\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nName : x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
]


def ask() -> h11.Connection:
    """
    Make a client that asked for something.
    """
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    return client


def events(data: bytes) -> list[object]:
    """
    What h11 makes of an answer.
    """
    client = ask()
    client.receive_data(data)
    found: list[object] = []
    while not isinstance(event := client.next_event(), type(h11.NEED_DATA) | type(h11.PAUSED)):
        found.append(event)
        if isinstance(event, h11.EndOfMessage):
            found.append(client.their_state is h11.MUST_CLOSE or client.our_state is h11.MUST_CLOSE)
            break
    return found


class AnswerReaderTests(SynchronousTestCase):
    """
    Tests for L{AnswerReader}.
    """

    def test_goodAsH11(self) -> None:
        """
        Good answers end where h11 says, hold what h11 says, and leave the connection as h11 says.
        """
        for data, body in GOOD.items():
            checks = Checks(length=len(body), sha256=sha256(body).hexdigest())
            reader = AnswerReader(checks)
            answer = reader.feed(data + b"behind")
            assert answer is not None, data
            found = events(data)
            response = next(each for each in found if isinstance(each, h11.Response))
            said = b"".join(bytes(each.data) for each in found if isinstance(each, h11.Data))
            self.assertEqual(said, body)
            self.assertEqual(answer, Answer(response.status_code, None, not found[-1]), data)
            self.assertEqual(reader.rest, b"behind")

    def test_byteByByte(self) -> None:
        """
        However an answer is cut, it is the same answer, there with its last byte.
        """
        for data, body in GOOD.items():
            reader = AnswerReader(Checks(regex=b"^" + body + b"$"))
            found = [reader.feed(data[at : at + 1]) for at in range(len(data))]
            self.assertEqual([each for each in found[:-1] if each is not None], [], data)
            assert found[-1] is not None
            self.assertIsNone(found[-1].bad, data)

    def test_badAsH11(self) -> None:
        """
        What h11 refuses is refused.
        """
        for data in BAD:
            self.assertRaises(h11.RemoteProtocolError, events, data)
            error = self.assertRaises(BadAnswer, AnswerReader(Checks()).feed, data)
            self.assertEqual(error.kind, "framing")

    def test_endless(self) -> None:
        """
        A head or a chunk's line that does not end is given up, not kept for ever.
        """
        start = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for data in (b"a" * (LONGEST_HEAD + 1), start + b"1" * 5000):
            self.assertRaises(BadAnswer, AnswerReader(Checks()).feed, data)

    def test_switching(self) -> None:
        """
        101 is no answer to a request that did not ask to switch.
        """
        data = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
        self.assertRaises(BadAnswer, AnswerReader(Checks()).feed, data)

    def test_untilClosed(self) -> None:
        """
        Without a length the body ends with the connection; with one, that is too early.
        """
        reader = AnswerReader(Checks(length=3))
        self.assertIsNone(reader.feed(b"HTTP/1.1 200 OK\r\n\r\nabc"))
        self.assertEqual(reader.closed(), Answer(200, None, False))
        self.assertIsNone(reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"))
        self.assertIsNone(reader.closed())

    def test_head(self) -> None:
        """
        The answer to HEAD has no body.
        """
        reader = AnswerReader(Checks())
        answer = reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", isHead=True)
        self.assertEqual(answer, Answer(200, None, True))

    def test_checks(self) -> None:
        """
        Each check fails under its name, and the status before the body.
        """
        data = b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc"
        for checks, bad in (
            (Checks(), "status"),
            (Checks(statuses=frozenset([404])), None),
            (Checks(statuses=frozenset([200]), length=1), "status"),
            (Checks(statuses=frozenset([404]), length=4), "body"),
            (Checks(statuses=frozenset([404]), sha256="0" * 64), "body"),
            (Checks(statuses=frozenset([404]), regex=b"^b"), "body"),
            (Checks(statuses=frozenset([404]), length=3, regex=b"b"), None),
        ):
            answer = AnswerReader(checks).feed(data)
            assert answer is not None
            self.assertEqual(answer.bad, bad, checks)
