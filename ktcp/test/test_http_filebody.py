"""
Tests for L{ktcp.http.filebody}.
"""

from __future__ import annotations

import os
from errno import EINVAL
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ktcp.http.filebody import READ, TURN, FileBody, FileShrank, OpenFile, Slice

CONTENT = bytes(range(256)) * 2048


class Reading:
    """
    A consumer that only takes bytes.

    @ivar onWrite: Called after each write.
    """

    sendFile: Any = None

    def __init__(self) -> None:
        self.received = b""
        self.onWrite: Any = lambda: None

    def write(self, data: bytes) -> None:
        """
        Take bytes.
        """
        self.received += data
        self.onWrite()


class Sending(Reading):
    """
    A consumer that takes parts of files.

    @ivar takes: How many bytes, call by call; or an exception.
    """

    def __init__(self, *takes: Any) -> None:
        super().__init__()
        self.takes = list(takes)

    def sendFile(self, descriptor: int, offset: int, count: int) -> int:
        """
        Take a part of a file.
        """
        took = self.takes.pop(0)
        if isinstance(took, Exception):
            raise took
        self.received += os.pread(descriptor, min(count, took), offset)
        return int(min(count, took))


class FileBodyTests(SynchronousTestCase):
    """
    A file of 512 KiB.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.path = Path(self.mktemp())
        self.path.write_bytes(CONTENT)

    def start(self, consumer: Reading, *pieces: Any) -> FileBody:
        self.file = OpenFile(os.open(self.path, os.O_RDONLY))
        body = FileBody(self.file, pieces or [Slice(0, len(CONTENT))], self.clock)
        self.done = body.startProducing(consumer)
        return body

    def assertClosed(self) -> None:
        self.assertEqual(self.file.descriptor, -1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_interface(self) -> None:
        """
        It is a push producer that knows its length.
        """
        body = self.start(Reading(), b"ab", Slice(3, 4))
        verifyObject(IPushProducer, body)
        self.assertEqual(body.length, 6)

    def test_read(self) -> None:
        """
        Where only bytes are taken the file is read, and others have their turns.
        """
        consumer = Reading()
        self.start(consumer)
        self.assertEqual(len(consumer.received), TURN)
        self.assertNoResult(self.done)
        self.clock.advance(0)
        self.clock.advance(0)
        self.successResultOf(self.done)
        self.assertEqual(consumer.received, CONTENT)
        self.assertClosed()

    def test_pieces(self) -> None:
        """
        Slices and bytes go in order.
        """
        for consumer in (Reading(), Sending(4, 1, 2)):
            self.start(consumer, b"<", Slice(10, 4), b"|", Slice(65, 3), b">")
            self.successResultOf(self.done)
            self.assertEqual(consumer.received, b"<\x0a\x0b\x0c\x0d|ABC>")
            self.assertClosed()

    def test_pause(self) -> None:
        """
        A paused body sends nothing until it is resumed, turn or no turn.
        """
        consumer = Reading()
        body = self.start(consumer)
        body.pauseProducing()
        self.clock.advance(0)
        self.assertEqual(len(consumer.received), TURN)
        consumer.onWrite = body.pauseProducing
        body.resumeProducing()
        self.assertEqual(len(consumer.received), TURN + READ)
        consumer.onWrite = lambda: None
        body.resumeProducing()
        self.clock.advance(0)
        self.successResultOf(self.done)
        self.assertEqual(consumer.received, CONTENT)

    def test_stop(self) -> None:
        """
        When the client is gone the file is closed, and nobody is told.
        """
        body = self.start(Reading())
        body.stopProducing()
        self.assertClosed()
        self.assertNoResult(self.done)
        body.resumeProducing()

    def test_stopWithinWrite(self) -> None:
        """
        Even where writing finds out.
        """
        for consumer in (Reading(), Sending(10)):
            self.file = OpenFile(os.open(self.path, os.O_RDONLY))
            body = FileBody(self.file, [b"x", Slice(0, 10)], self.clock)
            consumer.onWrite = body.stopProducing
            body.startProducing(consumer)
            self.assertEqual(consumer.received, b"x")
            self.assertClosed()

    def test_sendFile(self) -> None:
        """
        A consumer that takes nothing now is not asked again until it resumes.
        """
        consumer = Sending(10, 0, len(CONTENT))
        body = self.start(consumer)
        self.assertEqual(consumer.received, CONTENT[:10])
        self.assertEqual(len(consumer.takes), 1)
        body.resumeProducing()
        self.successResultOf(self.done)
        self.assertEqual(consumer.received, CONTENT)
        self.assertClosed()

    def test_sendFileFails(self) -> None:
        """
        A file that cannot be sent so is read instead, from where it had come to.
        """
        consumer = Sending(10, OSError(EINVAL, "no"))
        self.start(consumer, Slice(0, 100))
        self.successResultOf(self.done)
        self.assertEqual(consumer.received, CONTENT[:100])

    def test_shrinks(self) -> None:
        """
        A file that ends too early is an error, which ends the connection.
        """
        for consumer in (Reading(), Sending(EOFError())):
            os.truncate(self.path, 5)
            self.start(consumer, Slice(0, 10))
            self.failureResultOf(self.done, FileShrank)
            self.assertClosed()

    def test_dropped(self) -> None:
        """
        A body that is never asked for leaves nothing open.
        """
        descriptor = os.open(self.path, os.O_RDONLY)
        body = FileBody(OpenFile(descriptor), [Slice(0, 1)], self.clock)
        del body
        self.assertRaises(OSError, os.fstat, descriptor)
