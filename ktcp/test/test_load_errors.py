"""
Tests for what goes wrong: servers that misbehave in a known way, and the counts of it.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import struct
from collections.abc import Callable
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load.engine import run
from ktcp.load.options import httpJob, httpParser
from ktcp.load.result import Result

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright"
WRONG = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"
MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nright"

Conversation = Callable[[socket.socket], None]


def answered(answers: Callable[[int], bytes]) -> Conversation:
    """
    Make a server that answers the nth request of a connection with the nth answer.
    """

    def talk(connection: socket.socket) -> None:
        number = 0
        while connection.recv(4096):
            connection.sendall(answers(number))
            number += 1

    return talk


def resets(connection: socket.socket) -> None:
    """
    Read a request, and reset.
    """
    connection.recv(4096)
    # socket(7), SO_LINGER with no time to linger: close() sends RST.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def cuts(connection: socket.socket) -> None:
    """
    Close in the middle of an answer.
    """
    connection.recv(4096)
    connection.sendall(GOOD[:-2])


def silent(connection: socket.socket) -> None:
    """
    Read, and never answer.
    """
    while connection.recv(4096):
        pass


class ErrorsTests(SynchronousTestCase):
    """
    Each kind of error is counted as what it is, and as often as it was.
    """

    def listen(self, talk: Conversation) -> int:
        """
        Serve on a free port, a thread for each connection.
        """
        listener = socket.create_server(("127.0.0.1", 0))
        threads: list[Thread] = []

        def converse(connection: socket.socket) -> None:
            # The generator may go at any time.
            with connection, contextlib.suppress(OSError):
                talk(connection)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threads.append(Thread(target=converse, args=(connection,)))
                threads[-1].start()

        def close() -> None:
            # close() alone does not wake accept(2); shutdown(2) does, on Linux.
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            accepting.join(10)
            for thread in threads:
                thread.join(10)

        accepting = Thread(target=accept)
        accepting.start()
        self.addCleanup(close)
        port: int = listener.getsockname()[1]
        return port

    def load(self, port: int, *options: str) -> Result:
        """
        Run C{ktcp-load http}.
        """
        parser = argparse.ArgumentParser()
        httpParser(parser)
        url = f"http://127.0.0.1:{port}/"
        return run(httpJob(parser.parse_args([url, *options]), ("test",)))

    def test_wrongBody(self) -> None:
        """
        Of 1000 answers 10 have a wrong body: 10 errors and 990 good answers.
        """
        port = self.listen(answered(lambda number: WRONG if number % 100 == 99 else GOOD))
        result = self.load(port, "-n", "1000", "-c", "2", "--expect-regex", "^right$")
        # Of two connections each has its own hundred; how the 1000 are shared is the run's affair.
        self.assertEqual(set(result.errors), {"body"})
        self.assertIn(result.errors["body"], (9, 10))
        self.assertEqual(result.counts.good + result.failed, 1000)
        self.assertEqual(result.statuses, {"200": 1000})

    def test_wrongBodyOfOneConnection(self) -> None:
        """
        On one connection the count is exact.
        """
        port = self.listen(answered(lambda number: WRONG if number % 100 == 99 else GOOD))
        result = self.load(port, "-n", "1000", "-c", "1", "--expect-regex", "^right$")
        self.assertEqual((result.counts.good, result.errors), (990, {"body": 10}))

    def test_wrongStatus(self) -> None:
        """
        A status that is no success is an error, unless it was to be expected.
        """
        port = self.listen(answered(lambda number: MISSING if number % 2 else GOOD))
        result = self.load(port, "-n", "100", "-c", "1")
        self.assertEqual((result.counts.good, result.errors), (50, {"status": 50}))
        result = self.load(port, "-n", "100", "-c", "1", "--expect-status", "200,404")
        self.assertEqual((result.counts.good, result.errors), (100, {}))
        self.assertEqual(result.statuses, {"200": 50, "404": 50})

    def test_reset(self) -> None:
        """
        A connection that is reset is one error for each request that was lost with it.
        """
        result = self.load(self.listen(resets), "-n", "20", "-c", "2")
        self.assertEqual((result.counts.good, result.errors), (0, {"reset": 20}))

    def test_short(self) -> None:
        """
        An answer that ends before its length is short, not good.
        """
        result = self.load(self.listen(cuts), "-n", "20", "-c", "2")
        self.assertEqual((result.counts.good, result.errors), (0, {"short": 20}))

    def test_refused(self) -> None:
        """
        Where nobody listens each attempt is refused, and the run ends.
        """
        with socket.socket() as probe:
            # Bound and not listening: refused, and nobody else can have it.
            probe.bind(("127.0.0.1", 0))
            result = self.load(probe.getsockname()[1], "-n", "20", "-c", "2")
        self.assertEqual((result.counts.good, result.errors), (0, {"refused": 20}))

    def test_neverAnswers(self) -> None:
        """
        A server that is silent makes each request time out.
        """
        result = self.load(self.listen(silent), "-n", "4", "-c", "4", "--timeout", "200ms")
        self.assertEqual((result.counts.good, result.errors), (0, {"timeout": 4}))

    def test_noHTTP(self) -> None:
        """
        Bytes that are no HTTP are told from wrong answers.
        """
        port = self.listen(answered(lambda number: b"220 smtp.example ready\r\n\r\n"))
        result = self.load(port, "-n", "5", "-c", "1")
        self.assertEqual((result.counts.good, result.errors), (0, {"framing": 5}))
