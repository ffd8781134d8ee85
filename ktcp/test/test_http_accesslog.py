"""
Tests for L{ktcp.http.accesslog}, most of them through a server that writes one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from ktcp import HTTPFactory, Request, Response
from ktcp.http.accesslog import AccessLog
from ktcp.http.protocol import Handler
from ktcp.testing import MemoryConnection, request

# 2026-11-22 12:34:56 UTC
NOON = 1795350896


def hello(request: Request) -> Response:
    """
    Answer at once.
    """
    return Response(200, b"hello", {"Content-Type": "text/plain"})


class Harness(SynchronousTestCase):
    """
    A server that writes its log to a file.
    """

    def serve(self, handler: Handler = hello, format: str = "combined") -> MemoryConnection:
        self.clock = Clock()
        self.clock.advance(NOON)
        self.path = Path(self.mktemp())
        self.log = AccessLog(
            str(self.path),
            format,
            reactor=self.clock,
            wallClock=self.clock.seconds,
            clock=self.clock.seconds,
        )
        self.addCleanup(self.log.close)
        self.factory = HTTPFactory(handler, accessLog=self.log, reactor=Clock())
        self.connection = MemoryConnection(self.factory)
        self.addCleanup(self.connection.lose)
        return self.connection

    def lines(self) -> list[str]:
        self.log.flush()
        return self.path.read_text().splitlines()

    def said(self) -> list[str]:
        """
        Collect from now on what is said about the log.
        """
        said: list[str] = []

        def observe(event: Any) -> None:
            if "trouble" in event:
                said.append(event["trouble"])

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        return said


class WritingTests(Harness):
    """
    How lines come into the file.
    """

    def inFile(self) -> int:
        return self.path.read_bytes().count(b"\n")

    def test_everySecond(self) -> None:
        """
        Lines are written together, a second after the first; a server that
        idles has no timer.
        """
        self.serve()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.connection.send(request() * 3)
        self.clock.advance(0.99)
        self.assertEqual(self.inFile(), 0)
        self.clock.advance(0.01)
        self.assertEqual(self.inFile(), 3)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_batches(self) -> None:
        """
        Or before, when there are 64 KiB of them.
        """
        self.serve().send(request() * 1000)
        written = self.path.stat().st_size
        self.assertGreaterEqual(written, 65536)
        self.assertLess(written, 65536 + 200)

    def test_close(self) -> None:
        """
        Nothing is lost when the server stops, and no timer is left.
        """
        self.serve()
        path = Path(self.mktemp())
        log = AccessLog(str(path), reactor=self.clock)
        log.write(b"line\n")
        log.close()
        self.assertEqual(path.read_bytes(), b"line\n")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_moved(self) -> None:
        """
        A file that was moved away is followed by a new one, by itself.
        """
        self.serve().send(request("/1"))
        self.clock.advance(1)
        old = self.path.rename(self.mktemp())
        self.connection.send(request("/2"))
        self.clock.advance(1)
        self.assertEqual(old.read_bytes().count(b"\n"), 1)
        self.assertIn("GET /2 ", self.path.read_text())

    def test_reopen(self) -> None:
        """
        Reopening makes the new file at once, and lets go of the old one, even
        if there is nothing to write.
        """
        self.serve()
        old = self.path.rename(self.mktemp())
        self.log.reopen()
        self.assertTrue(self.path.exists())
        self.connection.send(request())
        self.clock.advance(1)
        self.assertEqual((old.read_bytes(), self.inFile()), (b"", 1))

    def test_cannotReopen(self) -> None:
        """
        If no new file can be made, the old one is written, and that is said once.
        """
        self.serve()
        folder = Path(self.mktemp())
        folder.mkdir()
        path = folder / "log"
        log = AccessLog(str(path), reactor=self.clock)
        self.addCleanup(log.close)
        moved = folder.rename(self.mktemp())
        said = self.said()
        for _ in range(2):
            log.write(b"line\n")
            log.reopen()
        self.assertEqual((moved / "log").read_bytes(), b"line\nline\n")
        self.assertEqual(
            set(said), {"cannot open it: No such file or directory; the one before is written"}
        )

    def pipe(self) -> tuple[AccessLog, int]:
        """
        A log into a pipe that nobody reads yet.
        """
        self.serve()
        path = self.mktemp()
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        log = AccessLog(path, reactor=self.clock)
        self.addCleanup(log.close)
        return log, reader

    def drain(self, log: AccessLog, reader: int) -> bytes:
        """
        Read all that the log has for the pipe.
        """
        parts = []
        for _ in range(200):
            self.clock.advance(1)
            try:
                while part := os.read(reader, 65536):
                    parts.append(part)
            except BlockingIOError:
                continue
        return b"".join(parts)

    def test_fullPipe(self) -> None:
        """
        A pipe that is not read holds nobody up; what waits comes in order once
        it is, and nothing waits after that.
        """
        log, reader = self.pipe()
        lines = [b"%06d %b\n" % (number, b"x" * 93) for number in range(5000)]
        for line in lines:
            log.write(line)
        self.assertEqual(self.drain(log, reader), b"".join(lines))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bounded(self) -> None:
        """
        What does not fit in 4 MiB is dropped and counted, in whole lines.
        """
        log, reader = self.pipe()
        said = self.said()
        for number in range(60_000):
            log.write(b"%06d %b\n" % (number, b"x" * 93))
        got = self.drain(log, reader)
        self.assertLess(len(got), 4 * 1024 * 1024 + 200_000)
        self.assertEqual({len(line) for line in got.splitlines()}, {100})
        dropped = 60_000 - got.count(b"\n")
        self.assertGreater(dropped, 0)
        self.assertEqual(said, [f"{dropped} lines were dropped while it took none"])

    def test_noReader(self) -> None:
        """
        A pipe that nobody will read is an error at the start, not a hang.
        """
        path = self.mktemp()
        os.mkfifo(path)
        self.assertRaises(OSError, AccessLog, path, reactor=Clock())

    def test_standardOutput(self) -> None:
        """
        A hyphen is stdout, which is neither closed nor reopened.
        """
        log = AccessLog("-", reactor=Clock())
        log.reopen()
        log.close()
        os.fstat(1)

    def test_noSpace(self) -> None:
        """
        A full disk costs the server nothing but lines, and is said once.
        """
        if not os.access("/dev/full", os.W_OK):
            self.skipTest("needs /dev/full")
        self.serve()
        said = self.said()
        log = AccessLog("/dev/full", reactor=self.clock)
        for _ in range(3):
            log.write(b"line\n")
            self.clock.advance(1)
        self.assertEqual(said, ["cannot write to it: No space left on device"])
        log.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])
