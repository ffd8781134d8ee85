"""
Tests for L{ktcp.load.process.requests}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load.job import Checks
from ktcp.load.process.requests import (
    PATTERN_STEPS,
    Asked,
    EchoReader,
    HTTPReader,
    HTTPRequest,
    Message,
    patternOf,
    ring,
)
from ktcp.load.process.responses import Answer, BadAnswer


def walk(asked: Asked, count: int) -> list[bytes]:
    """
    What a connection sends that begins behind a request.
    """
    sent = []
    for _ in range(count):
        asked = asked.next
        sent.append(asked.data)
    return sent


class AskedTests(SynchronousTestCase):
    """
    Tests for what is asked, in its order.
    """

    def test_ring(self) -> None:
        """
        Requests are asked in turn, and again from the first.
        """
        first = ring([b"a", b"b", b"c"])[0]
        self.assertEqual(walk(first, 4), [b"b", b"c", b"a", b"b"])

    def test_head(self) -> None:
        """
        Whether a request is HEAD is known of it: no body comes with its answer.
        """
        self.assertTrue(HTTPRequest(b"HEAD / HTTP/1.1\r\n\r\n").isHead)
        self.assertFalse(HTTPRequest(b"GET /HEAD HTTP/1.1\r\n\r\n").isHead)

    def test_messagesDiffer(self) -> None:
        """
        No echo can pass for that of another of the last messages, be they ever so short.
        """
        for size in (1, 64, 1000):
            message = Message(patternOf(size), size, 5)
            sent = walk(message, PATTERN_STEPS)
            self.assertEqual({len(data) for data in sent}, {size})
            self.assertEqual(len(set(sent)), PATTERN_STEPS)
            self.assertEqual(message.known, message.data)


class EchoReaderTests(SynchronousTestCase):
    """
    Tests for L{EchoReader}.
    """

    asked = HTTPRequest(b"0123456789")

    def test_inPieces(self) -> None:
        """
        The end of an echo is found, however it comes, and what is behind it is kept.
        """
        for size in range(1, 12):
            reader, data, found = EchoReader(), b"0123456789", []
            pieces = [data[at : at + size] for at in range(0, 10, size)]
            found = [reader.feed(piece, self.asked) for piece in pieces]
            self.assertEqual(found[-1], Answer(0, None, True))
            self.assertEqual(set(found[:-1]), {None} if len(found) > 1 else set())
        reader = EchoReader()
        self.assertIsNotNone(reader.feed(b"0123456789behind", self.asked))
        self.assertEqual(reader.rest, b"behind")
        self.assertIsNone(reader.closed())

    def test_wrong(self) -> None:
        """
        One wrong byte is an error, wherever it stands.
        """
        for at in range(10):
            data = bytearray(b"0123456789")
            data[at] ^= 1
            reader = EchoReader()
            with self.assertRaises(BadAnswer) as raised:
                for begin in (0, 3, 6, 9):
                    reader.feed(bytes(data[begin : begin + 3]), self.asked)
            self.assertEqual(raised.exception.kind, "body")


class HTTPReaderTests(SynchronousTestCase):
    """
    Tests for L{HTTPReader}.
    """

    def test_feeds(self) -> None:
        """
        It knows of each answer which request it is for: that of HEAD ends with its head.
        """
        reader = HTTPReader(Checks())
        data = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
        get, head = ring([b"GET / HTTP/1.1\r\n\r\n", b"HEAD / HTTP/1.1\r\n\r\n"])
        self.assertIsNone(reader.feed(data, get))
        self.assertEqual(reader.feed(b"ok" + data, get), Answer(200, None, True))
        self.assertEqual(reader.feed(reader.rest, head), Answer(200, None, True))
        self.assertEqual(reader.rest, b"")

    def test_closed(self) -> None:
        """
        The end of the connection is the end of an answer that has no other.
        """
        reader = HTTPReader(Checks())
        (get,) = ring([b"GET / HTTP/1.1\r\n\r\n"])
        self.assertIsNone(reader.feed(b"HTTP/1.1 200 OK\r\n\r\nbody", get))
        self.assertEqual(reader.closed(), Answer(200, None, False))
