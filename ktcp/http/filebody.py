# -*- test-case-name: ktcp.test.test_http_filebody -*-
"""
Bodies from an open file: by sendfile(2) where the transport has it, so that no
byte of the file passes through Python, else read piece by piece.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer, IReactorTime
from zope.interface import implementer

# Bytes read at once, where they are read: what the transport may hold beyond
# what it was told to hold.
READ = 64 * 1024

# Bytes read and written before other connections have their turn.
TURN = 4 * READ


class Slice(NamedTuple):
    """
    Bytes of a file.
    """

    offset: int
    size: int


Piece: TypeAlias = "bytes | Slice"


class OpenFile:
    """
    A descriptor that is closed at the latest when nothing refers to it: a
    response that is dropped on the way to the client leaves nothing open.
    """

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def close(self) -> None:
        """
        Close it; once more does nothing.
        """
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    __del__ = close

    def slices(self, size: int, each: int) -> Iterator[bytes]:
        """
        Read it from its beginning, and close it.

        @raise FileShrank: It ended before C{size} bytes.
        """
        try:
            at = 0
            while at < size:
                data = os.pread(self.descriptor, min(each, size - at), at)
                if not data:
                    raise FileShrank()
                at += len(data)
                yield data
        finally:
            self.close()


class FileShrank(Exception):
    """
    The file ended before what was promised of it, so the connection must.
    """


@implementer(IPushProducer)
class FileBody:
    """
    A response body made of slices of a file, and bytes between them.

    It is of the L{twisted.web.iweb.IBodyProducer} kind, and closes the file
    when it is done, however that ends.

    @ivar length: Bytes in all.
    """

    def __init__(self, file: OpenFile, pieces: Iterable[Piece], reactor: IReactorTime) -> None:
        """
        @param file: From now on this body's.
        @param reactor: Tells when others have had their turn.
        """
        self._file = file
        self._pieces = deque(pieces)
        self._reactor = reactor
        self.length = sum(
            len(piece) if isinstance(piece, bytes) else piece.size for piece in self._pieces
        )
        self._consumer: Any = None
        self._sendFile: Any = None
        self._done: Deferred[None] | None = None
        self._paused = False
        self._producing = False
        self._turn: Any = None

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """
        Send the body.

        @param consumer: If it has a C{sendFile} (L{ktcp.http.flow.BodyConsumer})
            that is not L{None}, it gets slices by that.
        @return: Fires at the end; fails with L{FileShrank} or C{OSError}.
        """
        self._consumer = consumer
        self._sendFile = getattr(consumer, "sendFile", None)
        done: Deferred[None] = Deferred()
        self._done = done
        self._produce()
        return done

    def pauseProducing(self) -> None:
        """
        The client is slow.
        """
        self._paused = True

    def resumeProducing(self) -> None:
        """
        The client takes more.
        """
        self._paused = False
        if self._turn is None:
            self._produce()

    def stopProducing(self) -> None:
        """
        The client is gone.
        """
        self._end()

    def _end(self) -> Deferred[None] | None:
        self._paused = True
        self._pieces.clear()
        self._file.close()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        done, self._done = self._done, None
        return done

    def _produce(self) -> None:
        """
        Send until the client is slow, the turn of others has come, or the end.
        The consumer may pause and resume this within a call.
        """
        if self._producing or self._done is None:
            return
        self._producing = True
        room = TURN
        try:
            while self._pieces and not self._paused:
                if room <= 0:
                    self._turn = self._reactor.callLater(0, self._nextTurn)
                    return
                room -= self._step()
        except Exception as error:
            failed = self._end()
            if failed is not None:
                failed.errback(error)
            return
        finally:
            self._producing = False
        if not self._pieces:
            done = self._end()
            if done is not None:
                done.callback(None)

    def _nextTurn(self) -> None:
        self._turn = None
        self._produce()

    def _step(self) -> int:
        """
        Send some of the next piece.

        @return: How many bytes went through here.
        """
        piece = self._pieces[0]
        if isinstance(piece, bytes):
            self._pieces.popleft()
            self._consumer.write(piece)
            return len(piece)
        if self._sendFile is not None:
            try:
                sent = self._sendFile(self._file.descriptor, *piece)
            except EOFError:
                raise FileShrank() from None
            except OSError:
                # A file system that cannot, or a connection that is broken:
                # reading and writing shows which, in the usual way.
                self._sendFile = None
                return 0
            if not sent:
                # It resumes this when there is room, or the connection is over.
                self._paused = True
            self._advance(piece, sent)
            return 0
        data = os.pread(self._file.descriptor, min(piece.size, READ), piece.offset)
        if not data:
            raise FileShrank()
        self._advance(piece, len(data))
        self._consumer.write(data)
        return len(data)

    def _advance(self, piece: Slice, sent: int) -> None:
        """
        Leave of the first piece what is left of it.
        """
        if not self._pieces:
            # Stopped meanwhile.
            return
        self._pieces.popleft()
        if sent < piece.size:
            self._pieces.appendleft(Slice(piece.offset + sent, piece.size - sent))
