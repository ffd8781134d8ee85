# -*- test-case-name: ktcp.test.test_load_process_loop -*-
"""
Connections of one process: opened, asked, answered, and again.

This is the long way, written to be read: connecting, TLS, answers in pieces or
unknown, errors.  What happens a hundred thousand times a second is in
L{ktcp.load.process.loop}.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections import deque
from collections.abc import Iterator
from select import EPOLLIN, EPOLLOUT, epoll
from time import perf_counter_ns as clock

from ktcp.load.buckets import bucketOf
from ktcp.load.process.connection import (
    READ_SIZE,
    WAIT,
    Connection,
    State,
    Unsent,
    kindOf,
    readAll,
)
from ktcp.load.process.frames import Recorder
from ktcp.load.process.requests import Asked, Message
from ktcp.load.process.responses import Answer, BadAnswer
from ktcp.load.process.work import Work

NEVER = 2**62
LATE_NS = 1_000_000
RETRY_NS = 1_000_000


class Connections:
    """
    All connections of one process, and what they count.

    @ivar left: How many requests may still be begun.
    @ivar outstanding: How many are under way.
    @ivar idle: Of an open loop: connections that wait for something to ask.
    @ivar backlog: Of an open loop: planned times of requests that wait for a connection.
    @ivar retry: Connections to open again, at C{retryAt}.
    @ivar finished: Nothing is left to do, or no time to do it in; since C{ended}.
    """

    def __init__(self, work: Work) -> None:
        self.work = work
        self.recorder = Recorder(work.arrivals is not None)
        self.connections = [Connection(asked) for asked in work.asked]
        self.epoll = epoll()
        self.byFd: dict[int, Connection] = {}
        self.idle: deque[Connection] = deque()
        self.backlog: deque[int] = deque()
        self.retry: list[Connection] = []
        self.retryAt = 0
        self.left = NEVER
        self.outstanding = 0
        self.finished = False
        self.ended = 0

    def everything(self) -> Iterator[Asked]:
        for first in self.work.asked:
            asked = first
            while True:
                yield asked
                if isinstance(asked, Message) or (asked := asked.next) is first:
                    break

    def count(self, asked: Asked) -> None:
        """
        Count the answers that were equal to the known one.
        """
        if asked.hits and asked.known is not None:
            frame = self.recorder.frame
            frame.good += asked.hits
            frame.sent += asked.hits * asked.length
            frame.received += asked.hits * len(asked.known)
            if asked.status:
                frame.statuses[asked.status] += asked.hits
            asked.hits = 0

    def next(self, c: Connection, now: int) -> None:
        """
        Give a connection something to do.
        """
        if c.state is State.CLOSED and self.work.keepAlive:
            if self.left or self.backlog:
                self._open(c, now)
        elif self.work.arrivals is not None:
            if self.backlog:
                self.ask(c, self.backlog.popleft(), now)
            else:
                if c.state is not State.CLOSED:
                    c.state = State.IDLE
                self.idle.append(c)
        elif self.left:
            self.left -= 1
            self.ask(c, now, now)
        elif c.state is not State.CLOSED:
            c.state = State.IDLE

    def ask(self, c: Connection, planned: int, now: int) -> None:
        """
        Send a request, or as many as are sent at a time.
        """
        if now - planned > LATE_NS:
            self.recorder.frame.late += 1
        c.planned, c.began, c.first = planned, now, 0
        more = min(self.work.pipeline - 1, self.left)
        self.left -= more
        self.outstanding += more + 1
        pieces = []
        for _ in range(more + 1):
            c.asked = c.asked.next
            c.due.append(c.asked)
            pieces.append(c.asked.data)
        c.unsent = memoryview(b"".join(pieces) if more else pieces[0])
        if c.state is State.CLOSED:
            self._open(c, now)
        else:
            c.state = State.BUSY
            self._transmit(c)

    def _open(self, c: Connection, now: int) -> None:
        work = self.work
        c.opened = now
        try:
            c.sock, code = work.connector.open()
        except OSError as error:
            self.fail(c, kindOf(error))
            return
        c.fd = c.sock.fileno()
        c.recv, c.send = c.sock.recv, c.sock.send
        c.reader = work.makeReader()
        c.state = State.CONNECTING
        self.byFd[c.fd] = c
        if code not in (0, errno.EINPROGRESS):
            self.fail(c, kindOf(OSError(code, "")))
            return
        c.watched = EPOLLIN | EPOLLOUT
        if c.due and work.wrap is None:
            # On loopback the connection is there by now: no need to be told of it.
            self._transmit(c)
        if c.state is State.CONNECTING:
            self.epoll.register(c.fd, EPOLLIN | EPOLLOUT)

    def _established(self, c: Connection) -> None:
        now = clock()
        frame = self.recorder.frame
        frame.connects += 1
        bucket = bucketOf(now - c.opened)
        frame.connect[bucket] = frame.connect.get(bucket, 0) + 1
        c.state = State.BUSY

    def _connected(self, c: Connection) -> None:
        """
        The kernel has something to say of a connection that was begun.
        """
        code = c.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self.fail(c, kindOf(OSError(code, "")))
            return
        try:
            c.sock.getpeername()
        except OSError:
            return  # The event was of another socket of the same number, closed since.
        if self.work.wrap is None:
            self._usable(c)
            return
        self.epoll.unregister(c.fd)
        c.sock = tls = self.work.wrap(c.sock)
        self.epoll.register(c.fd, EPOLLIN | EPOLLOUT)
        c.recv, c.send = readAll(tls), tls.send
        c.state = State.SHAKING
        self._shake(c)

    def _shake(self, c: Connection) -> None:
        assert isinstance(c.sock, ssl.SSLSocket)
        try:
            c.sock.do_handshake()
            self.work.vouch(c.sock)
        except ssl.SSLWantReadError:
            self._watch(c, EPOLLIN)
        except ssl.SSLWantWriteError:
            self._watch(c, EPOLLIN | EPOLLOUT)
        except OSError as error:
            self.fail(c, kindOf(error))
        else:
            self._usable(c)

    def _usable(self, c: Connection) -> None:
        self._established(c)
        if c.due:
            self._transmit(c)
        else:
            self._watch(c, EPOLLIN)
            self.next(c, clock())

    def _watch(self, c: Connection, events: int) -> None:
        if c.watched != events:
            c.watched = events
            self.epoll.modify(c.fd, events)

    def _transmit(self, c: Connection) -> None:
        """
        Send what the kernel takes of what is to be sent.
        """
        try:
            sent = c.send(c.unsent)
        except OSError as error:
            self.broken(c, error, c.unsent)
            return
        if c.state is State.CONNECTING:
            self.epoll.register(c.fd, c.watched)
            self._established(c)
        c.unsent = c.unsent[sent:]
        self._watch(c, EPOLLIN | EPOLLOUT if c.unsent else EPOLLIN)
        if not c.unsent and len(c.due) == 1 and not c.first and self.work.keepAlive:
            c.waiting = c.due.pop()

    def partly(self, c: Connection, unsent: Unsent) -> None:
        """
        The kernel did not take all of the one request: not the short way's business any more.
        """
        if c.waiting is not None:
            c.due.append(c.waiting)
            c.waiting = None
        c.unsent = unsent
        self._watch(c, EPOLLIN | EPOLLOUT)

    def broken(self, c: Connection, error: OSError, unsent: Unsent = b"") -> None:
        """
        C{recv} or C{send} raised something: perhaps only that it would have to wait.

        @param unsent: What was to be sent.
        """
        if isinstance(error, WAIT):
            if unsent and c.state is not State.CONNECTING:
                self.partly(c, unsent)
        else:
            self.fail(c, kindOf(error))

    def event(self, c: Connection, mask: int) -> None:
        """
        Take any event, the long way.
        """
        if c.state is State.CONNECTING:
            self._connected(c)
        elif c.state is State.SHAKING:
            self._shake(c)
        elif c.state is not State.CLOSED:
            if mask & EPOLLOUT and c.unsent:
                self._transmit(c)
            if mask & ~EPOLLOUT and c.fd >= 0:
                self._read(c)

    def _read(self, c: Connection) -> None:
        try:
            data = c.recv(READ_SIZE)
        except OSError as error:
            self.broken(c, error)
        else:
            self.received(c, data)

    def received(self, c: Connection, data: bytes) -> None:
        """
        Look at bytes that are not known.
        """
        if c.waiting is not None:
            c.due.append(c.waiting)
            c.waiting = None
        self.recorder.frame.received += len(data)
        if not data:
            self._peerClosed(c)
            return
        try:
            keep = self._readAnswers(c, data)
        except BadAnswer as error:
            self.fail(c, error.kind)
            return
        if c.due:
            if not keep:
                self.fail(c, "short")
        elif keep and self.work.keepAlive and not c.unsent:
            self.next(c, clock())
        else:
            self._letClose(c)

    def _readAnswers(self, c: Connection, data: bytes) -> bool:
        """
        Take the answers out of what came.

        @return: Whether the connection may be used again.
        @raise BadAnswer: It may not, and what came is no answer.
        """
        now = clock()
        keep = True
        while data and keep:
            if not c.due:
                raise BadAnswer("framing", "bytes behind the last answer")
            asked = c.due[0]
            fresh, c.first = not c.first, c.first or now
            if fresh and asked.known is not None and data.startswith(asked.known):
                answer, rest = Answer(asked.status, None, True), data[len(asked.known) :]
            else:
                found = c.reader.feed(data, asked)
                if found is None:
                    return True
                answer, rest = found, c.reader.rest
                if fresh and answer.bad is None and answer.keep:
                    self._remember(asked, data[: len(data) - len(rest)], answer.status)
            self._answered(c, answer, now)
            keep, data = answer.keep, rest
        return keep

    def _remember(self, asked: Asked, known: bytes, status: int) -> None:
        if not isinstance(asked, Message):
            self.count(asked)
            asked.known, asked.status = known, status

    def _answered(self, c: Connection, answer: Answer, now: int) -> None:
        asked = c.due.popleft()
        frame = self.recorder.frame
        frame.sent += asked.length
        if answer.status:
            frame.statuses[answer.status] += 1
        if answer.bad is None:
            frame.good += 1
            self.recorder.total[bucketOf(now - c.planned)] += 1
            first = bucketOf(c.first - c.began)
            frame.firstByte[first] = frame.firstByte.get(first, 0) + 1
            if self.work.arrivals is not None:
                whole = bucketOf(now - c.began)
                frame.uncorrected[whole] = frame.uncorrected.get(whole, 0) + 1
        else:
            frame.errors[answer.bad] += 1
        c.first = 0
        self.settle(1, now)

    def settle(self, number: int, now: int) -> None:
        """
        Requests are no longer under way; the last of a numbered run ends it.
        """
        self.outstanding -= number
        if not self.outstanding and not self.left and not self.backlog:
            self.finished, self.ended = True, now

    def _peerClosed(self, c: Connection) -> None:
        answer = c.reader.closed() if len(c.due) == 1 else None
        if answer is not None:
            self._answered(c, answer, clock())
        if c.due:
            self.fail(c, "short")
        else:
            self.drop(c)
            self.later(c) if self.work.keepAlive else self.next(c, clock())

    def _letClose(self, c: Connection) -> None:
        """
        Its last answer is here.  Who closes first keeps the port, so let the server.
        """
        if self.work.peerCloses:
            c.state, c.began = State.CLOSING, clock()
            self._read(c)
        else:
            self.drop(c)
            self.next(c, clock())

    def fail(self, c: Connection, kind: str) -> None:
        """
        A connection is of no use any more, and what it was asked is lost.
        """
        lost = len(c.due) + (c.waiting is not None)
        spare = not lost and self.work.arrivals is None
        if spare and self.left:
            self.left -= 1  # It stands for the request that it was to take.
        elif spare:
            return self.drop(c)  # There was none for it to take.
        self.recorder.frame.errors[kind] += max(lost, 1)
        self.drop(c)
        self.later(c)
        self.settle(lost, clock())

    def later(self, c: Connection) -> None:
        """
        Open it again, but not at once: a server that refuses is not to be asked in a tight loop.
        """
        if not self.retry:
            self.retryAt = clock() + RETRY_NS
        self.retry.append(c)

    def drop(self, c: Connection) -> None:
        if c.state is State.IDLE and c in self.idle:
            self.idle.remove(c)
        if c.state is not State.CLOSED:
            del self.byFd[c.fd]
            c.sock.close()
            c.fd = -1
        c.state = State.CLOSED
        c.waiting, c.unsent, c.first, c.watched = None, b"", 0, 0
        c.due.clear()
