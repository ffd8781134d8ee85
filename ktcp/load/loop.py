# -*- test-case-name: ktcp.test.test_load_loop -*-
"""
The loop of one process: connections, what they ask, and how long it took.

It is not Twisted's: a request may cost a tenth of the time that a server takes for it,
or the generator is what is measured.  So there is one function, L{Loop._closed}, that
holds the whole life of an answer that came in one read and is byte for byte one that was
checked before: an epoll event, C{recv}, a comparison, a clock, a count, C{send}.
Everything else (connecting, TLS, answers in pieces, unknown answers, errors) goes
through L{Loop._event}, which is written to be read.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from select import EPOLLIN, EPOLLOUT, epoll, select
from time import perf_counter_ns as clock
from time import process_time

from ktcp.load.asking import Asked, Message, Reader
from ktcp.load.buckets import HALF_BITS, SUB_BITS, bucketOf
from ktcp.load.record import FRAME_NS, Frame, Recorder
from ktcp.load.responses import Answer, BadAnswer
from ktcp.load.schedule import SECOND_NS
from ktcp.load.targets import Connector

READ_SIZE = 65536
NEVER = 2**62
RETRY_SECONDS = 0.001
LATE_NS = 1_000_000
MILLISECOND_NS = 1_000_000

_KINDS = {
    errno.ECONNREFUSED: "refused",
    errno.ENOENT: "refused",  # unix(7): no such socket
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ETIMEDOUT: "timeout",
    errno.EADDRNOTAVAIL: "ports",
}


def kindOf(error: OSError) -> str:
    """
    Find the name under which an error of a socket is counted.
    """
    if isinstance(error, ssl.SSLError | ssl.CertificateError):
        return "tls"
    return _KINDS.get(error.errno or 0, "connect")


class State(Enum):
    """
    What a connection waits for.
    """

    CLOSED = "its turn to be opened"
    CONNECTING = "the kernel"
    SHAKING = "the peer's part of TLS's handshake"
    IDLE = "something to ask"
    BUSY = "answers"
    CLOSING = "the peer to close, who was asked to"


_PATIENT = (State.CLOSED, State.IDLE)
_WAIT = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Connection:
    """
    One connection after the other, in one place.

    @ivar waiting: The one request under way, if nothing of its answer was read yet: what the
        short way looks at.  Otherwise C{None}.
    @ivar due: The requests under way, oldest first.
    @ivar asked: The latest request.
    @ivar began: When the requests under way were sent, or their connection begun for them.
    @ivar planned: When they were to be sent.
    @ivar first: When the first byte of the oldest answer came, or 0.
    @ivar unsent: Bytes that the kernel did not take yet.
    """

    __slots__ = (
        *("asked", "began", "due", "fd", "first", "opened", "planned", "reader"),
        *("recv", "send", "sock", "state", "unsent", "waiting", "watched"),
    )

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.waiting: Asked | None = None
        self.due: deque[Asked] = deque()
        self.state = State.CLOSED
        self.began = self.planned = self.first = self.opened = 0
        self.unsent = b""
        self.fd = -1
        self.watched = 0
        self.sock: socket.socket
        self.recv: Callable[[int], bytes]
        self.send: Callable[[bytes], int]
        self.reader: Reader


@dataclass
class Work:
    """
    What a loop is to do.

    @ivar asked: For each connection the request before its first.
    @ivar connector: Makes its sockets.
    @ivar makeReader: Makes what looks at a connection's answers.
    @ivar wrap: Puts TLS around a connected socket, or C{None}.
    @ivar vouch: Looks at who the peer of a finished handshake is.
    @ivar keepAlive: False: a connection for each request.
    @ivar peerCloses: With a connection for each request the server is the one that closes it.
    @ivar requests: How many, or C{None}: C{seconds} says.
    @ivar arrivals: Of an open loop: the planned times, nanoseconds from the warm-up's start.
    """

    asked: list[Asked]
    connector: Connector
    makeReader: Callable[[], Reader]
    wrap: Callable[[socket.socket], ssl.SSLSocket] | None = None
    vouch: Callable[[ssl.SSLSocket], None] = lambda sock: None
    keepAlive: bool = True
    peerCloses: bool = True
    pipeline: int = 1
    timeout: float = 10.0
    requests: int | None = None
    seconds: float | None = None
    warmup: float = 0.0
    arrivals: Iterator[int] | None = None


def readAll(sock: ssl.SSLSocket) -> Callable[[int], bytes]:
    """
    Make a C{recv} for TLS that leaves nothing decrypted behind: epoll would not tell of it.
    """

    def recv(size: int) -> bytes:
        data = sock.recv(size)
        while sock.pending():
            data += sock.recv(size)
        return data

    return recv


class Loop:
    """
    The connections of one process.

    @param emit: Takes each L{Frame} when it is over.
    @param control: A descriptor that gets readable to stop the run, or C{None}.
    """

    def __init__(
        self, work: Work, emit: Callable[[Frame], None], control: int | None = None
    ) -> None:
        self._work = work
        self._emit = emit
        self._recorder = Recorder(work.arrivals is not None)
        self._connections = [Connection(asked) for asked in work.asked]
        self._kinds = list({id(asked): asked for asked in self._everything()}.values())
        self._epoll = epoll()
        self._byFd: dict[int, Connection] = {}
        self._control, self._nobody = Connection(work.asked[0]), Connection(work.asked[0])
        if control is not None:
            self._byFd[control] = self._control
            self._epoll.register(control, EPOLLIN)
        self._idle: deque[Connection] = deque()
        self._backlog: deque[int] = deque()
        self._retry: list[Connection] = []
        self._retryAt = 0
        self._planned: Iterator[int] = iter(())
        self._timeout = round(work.timeout * SECOND_NS)
        self._tickNs = min(FRAME_NS, max(self._timeout // 4, 10 * MILLISECOND_NS))
        self._left = NEVER
        self._outstanding = 0
        self._finished = False
        self._start = self._end = self._ended = self._nextTick = self._due = 0
        self._measuring = False
        self._frameNumber = 0
        self._cpu = 0.0
        self.interrupted = False

    def _everything(self) -> Iterator[Asked]:
        for first in self._work.asked:
            asked = first
            while True:
                yield asked
                if isinstance(asked, Message) or (asked := asked.next) is first:
                    break

    def run(self, start: int) -> float:
        """
        Work until the end.

        @param start: When the measured part begins, on L{clock}; the warm-up comes before it.
        @return: Seconds of the measured part.
        """
        work = self._work
        begin = start - round(work.warmup * SECOND_NS)
        self._start = start
        self._end = NEVER if work.seconds is None else start + round(work.seconds * SECOND_NS)
        self._nextTick = begin
        self._frameNumber = (begin - start) // FRAME_NS
        if work.arrivals is not None:
            self._planned = (begin + offset for offset in work.arrivals)
            self._due = next(self._planned)
        while (now := clock()) < begin:
            select([], [], [], (begin - now) / SECOND_NS)
        self._cpu = process_time()
        self._tick(now)
        for c in self._connections:
            self._next(c, now)
        if work.arrivals is None:
            self._closed()
        else:
            self._paced()
        return self._close() / SECOND_NS

    def _closed(self) -> None:
        """
        The closed loop: each connection asks again when it is answered.
        """
        whole, byFd, poll = self._recorder.whole, self._byFd, self._epoll.poll
        pipelined = self._work.pipeline > 1
        while not self._finished:
            for fd, mask in poll(self._pause()):
                c = byFd.get(fd, self._nobody)
                asked = c.waiting
                if asked is None or mask != EPOLLIN:
                    self._event(c, mask)
                    continue
                try:
                    data = c.recv(READ_SIZE)
                except OSError as error:
                    self._broken(c, error)
                    continue
                if data != asked.known:
                    self._received(c, data)
                    continue
                now = clock()
                took = now - c.began
                shift = took.bit_length() - SUB_BITS
                whole[(shift << HALF_BITS) + (took >> shift) if shift > 0 else took] += 1
                asked.hits += 1
                if pipelined or not self._left:
                    c.waiting = None
                    self._settle(1, now)
                    self._next(c, now)
                    continue
                self._left -= 1
                c.began = c.planned = now
                c.asked = c.waiting = asked = asked.next
                try:
                    sent = c.send(asked.data)
                except OSError as error:
                    self._broken(c, error, asked.data)
                    continue
                if sent != asked.length:
                    self._partly(c, asked.data[sent:])

    def _paced(self) -> None:
        """
        The open loop: requests are sent when they are planned, if a connection is free.
        """
        whole, total = self._recorder.whole, self._recorder.total
        byFd, poll = self._byFd, self._epoll.poll
        while not self._finished:
            if self._due <= (now := clock()):
                self._depart(now)
            self._sleep()
            for fd, mask in poll(0):
                c = byFd.get(fd, self._nobody)
                asked = c.waiting
                if asked is None or mask != EPOLLIN:
                    self._event(c, mask)
                    continue
                try:
                    data = c.recv(READ_SIZE)
                except OSError as error:
                    self._broken(c, error)
                    continue
                if data != asked.known:
                    self._received(c, data)
                    continue
                now = clock()
                whole[bucketOf(now - c.began)] += 1
                total[bucketOf(now - c.planned)] += 1
                asked.hits += 1
                c.waiting = None
                self._settle(1, now)
                self._next(c, now)

    def _pause(self) -> float:
        """
        Do what has to be done from time to time.

        @return: How many seconds may be waited for events.
        """
        now = clock()
        if now >= self._nextTick:
            self._tick(now)
        if self._retry and now >= self._retryAt:
            retry, self._retry = self._retry, []
            for c in retry:
                self._next(c, now)
        if self._finished:
            return 0.0
        return RETRY_SECONDS if self._retry else max(self._nextTick - now, 0) / SECOND_NS

    def _sleep(self) -> None:
        """
        Wait for an event or for the next planned request, whichever comes first.

        epoll_wait(2) knows milliseconds only; the descriptor of an epoll can be
        waited for in turn, and select(2) knows microseconds.
        """
        seconds = min(self._pause(), (self._due - clock()) / SECOND_NS)
        if seconds > 0:
            select([self._epoll], [], [], seconds)

    def _depart(self, now: int) -> None:
        """
        Send the requests whose time has come.
        """
        while self._due <= now and self._left:
            planned, self._due = self._due, next(self._planned)
            self._left -= 1
            if self._idle:
                if now - planned > LATE_NS:
                    self._recorder.frame.behind += 1
                self._ask(self._idle.popleft(), planned, now)
                now = clock()
            else:
                self._backlog.append(planned)
            if self._due >= self._end:
                self._due = NEVER

    def _tick(self, now: int) -> None:
        """
        The frames, the end of the warm-up and of the run, and whose patience is over.
        """
        if now >= self._end:
            self._finished, self._ended = True, self._end
            return
        if not self._measuring and now >= self._start:
            self._measure()
        number = (now - self._start) // FRAME_NS
        if number != self._frameNumber:
            self._hand(self._frameNumber)
            self._frameNumber = number
        self._expire(now - self._timeout)
        self._nextTick = min(now + self._tickNs, self._start + (number + 1) * FRAME_NS, self._end)

    def _measure(self) -> None:
        """
        The warm-up is over: what it counted is not in the run.  Requests under way are.
        """
        self._hand(self._frameNumber, warm=True)
        self._measuring = True
        self._frameNumber = 0
        if self._work.requests is not None:
            self._left = max(self._work.requests - self._outstanding - len(self._backlog), 0)

    def _hand(self, number: int, warm: bool = False) -> None:
        for asked in self._kinds:
            self._count(asked)
        cpu, self._cpu = self._cpu, process_time()
        self._recorder.frame.cpu = self._cpu - cpu
        frame = self._recorder.take(number)
        self._emit(frame)

    def _count(self, asked: Asked) -> None:
        """
        Count the answers that were equal to the known one.
        """
        if asked.hits and asked.known is not None:
            frame = self._recorder.frame
            frame.good += asked.hits
            frame.sent += asked.hits * asked.length
            frame.received += asked.hits * len(asked.known)
            if asked.status:
                frame.statuses[asked.status] += asked.hits
            asked.hits = 0

    def _expire(self, limit: int) -> None:
        for c in self._connections:
            if c.state in _PATIENT:
                continue
            if (c.began if c.state in (State.BUSY, State.CLOSING) else c.opened) >= limit:
                continue
            if c.state is State.CLOSING:
                self._drop(c)
                self._later(c)
            else:
                self._fail(c, "timeout")

    def _close(self) -> int:
        """
        End the run: hand over the last frame.

        @return: Nanoseconds of the measured part.
        """
        ended = self._ended or clock()
        frame = self._recorder.frame
        frame.unanswered, frame.unsent = self._outstanding, len(self._backlog)
        if self._work.arrivals is not None:
            # They count with how long they have waited so far, or a server that stalls
            # until the end would not show.
            waiting = [c.planned for c in self._connections if c.state is State.BUSY]
            for planned in (*waiting, *self._backlog):
                self._recorder.total[bucketOf(max(ended - planned, 0))] += 1
        self._hand((ended - 1 - self._start) // FRAME_NS if self._measuring else -1)
        for c in self._connections:
            if c.state is not State.CLOSED:
                self._drop(c)
        self._epoll.close()
        return max(ended - self._start, 1)

    # One connection's life: opened, asked, answered, and again.

    def _next(self, c: Connection, now: int) -> None:
        """
        Give a connection something to do.
        """
        if c.state is State.CLOSED and self._work.keepAlive:
            if self._left or self._backlog:
                self._open(c, now)
        elif self._work.arrivals is not None:
            if self._backlog:
                self._ask(c, self._backlog.popleft(), now)
            else:
                if c.state is not State.CLOSED:
                    c.state = State.IDLE
                self._idle.append(c)
        elif self._left:
            self._left -= 1
            self._ask(c, now, now)
        elif c.state is not State.CLOSED:
            c.state = State.IDLE

    def _ask(self, c: Connection, planned: int, now: int) -> None:
        """
        Send a request, or as many as are sent at a time.
        """
        if now - planned > LATE_NS:
            self._recorder.frame.late += 1
        c.planned, c.began, c.first = planned, now, 0
        more = min(self._work.pipeline - 1, self._left)
        self._left -= more
        self._outstanding += more + 1
        pieces = []
        for _ in range(more + 1):
            c.asked = c.asked.next
            c.due.append(c.asked)
            pieces.append(c.asked.data)
        c.unsent = b"".join(pieces)
        if c.state is State.CLOSED:
            self._open(c, now)
        else:
            c.state = State.BUSY
            self._transmit(c)

    def _open(self, c: Connection, now: int) -> None:
        work = self._work
        c.opened = now
        try:
            c.sock, code = work.connector.open()
        except OSError as error:
            self._fail(c, kindOf(error))
            return
        c.fd = c.sock.fileno()
        c.recv, c.send = c.sock.recv, c.sock.send
        c.reader = work.makeReader()
        c.state = State.CONNECTING
        self._byFd[c.fd] = c
        if code not in (0, errno.EINPROGRESS):
            self._fail(c, kindOf(OSError(code, "")))
            return
        c.watched = EPOLLIN | EPOLLOUT
        if c.due and work.wrap is None:
            # On loopback the connection is there by now: no need to be told of it.
            self._transmit(c)
        if c.state is State.CONNECTING:
            self._epoll.register(c.fd, EPOLLIN | EPOLLOUT)

    def _established(self, c: Connection) -> None:
        now = clock()
        frame = self._recorder.frame
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
            self._fail(c, kindOf(OSError(code, "")))
            return
        try:
            c.sock.getpeername()
        except OSError:
            return  # The event was of another socket of the same number, closed since.
        if self._work.wrap is None:
            self._usable(c)
            return
        self._epoll.unregister(c.fd)
        c.sock = tls = self._work.wrap(c.sock)
        self._epoll.register(c.fd, EPOLLIN | EPOLLOUT)
        c.recv, c.send = readAll(tls), tls.send
        c.state = State.SHAKING
        self._shake(c)

    def _shake(self, c: Connection) -> None:
        assert isinstance(c.sock, ssl.SSLSocket)
        try:
            c.sock.do_handshake()
            self._work.vouch(c.sock)
        except ssl.SSLWantReadError:
            self._watch(c, EPOLLIN)
        except ssl.SSLWantWriteError:
            self._watch(c, EPOLLIN | EPOLLOUT)
        except OSError as error:
            self._fail(c, kindOf(error))
        else:
            self._usable(c)

    def _usable(self, c: Connection) -> None:
        self._established(c)
        if c.due:
            self._transmit(c)
        else:
            self._watch(c, EPOLLIN)
            self._next(c, clock())

    def _watch(self, c: Connection, events: int) -> None:
        if c.watched != events:
            c.watched = events
            self._epoll.modify(c.fd, events)

    def _transmit(self, c: Connection) -> None:
        """
        Send what the kernel takes of what is to be sent.
        """
        try:
            sent = c.send(c.unsent)
        except OSError as error:
            self._broken(c, error, c.unsent)
            return
        if c.state is State.CONNECTING:
            self._epoll.register(c.fd, c.watched)
            self._established(c)
        c.unsent = c.unsent[sent:]
        self._watch(c, EPOLLIN | EPOLLOUT if c.unsent else EPOLLIN)
        if not c.unsent and len(c.due) == 1 and not c.first and self._work.keepAlive:
            c.waiting = c.due.pop()

    def _partly(self, c: Connection, unsent: bytes) -> None:
        """
        The kernel did not take all of the one request: not the short way's business any more.
        """
        if c.waiting is not None:
            c.due.append(c.waiting)
            c.waiting = None
        c.unsent = unsent
        self._watch(c, EPOLLIN | EPOLLOUT)

    def _broken(self, c: Connection, error: OSError, unsent: bytes = b"") -> None:
        """
        C{recv} or C{send} raised something: perhaps only that it would have to wait.

        @param unsent: What was to be sent.
        """
        if isinstance(error, _WAIT):
            if unsent and c.state is not State.CONNECTING:
                self._partly(c, unsent)
        else:
            self._fail(c, kindOf(error))

    def _event(self, c: Connection, mask: int) -> None:
        """
        Take any event, the long way.
        """
        if c is self._control:
            self._finished = self.interrupted = True
        elif c.state is State.CONNECTING:
            self._connected(c)
        elif c.state is State.SHAKING:
            self._shake(c)
        elif c.state is not State.CLOSED:
            if mask & EPOLLOUT and c.unsent:
                self._transmit(c)
            if mask & ~EPOLLOUT and c.state is not State.CLOSED:
                self._read(c)

    def _read(self, c: Connection) -> None:
        try:
            data = c.recv(READ_SIZE)
        except OSError as error:
            self._broken(c, error)
        else:
            self._received(c, data)

    def _received(self, c: Connection, data: bytes) -> None:
        """
        Look at bytes that are not known.
        """
        if c.waiting is not None:
            c.due.append(c.waiting)
            c.waiting = None
        self._recorder.frame.received += len(data)
        if not data:
            self._peerClosed(c)
            return
        try:
            keep = self._readAnswers(c, data)
        except BadAnswer as error:
            self._fail(c, error.kind)
            return
        if c.due:
            if not keep:
                self._fail(c, "short")
        elif keep and self._work.keepAlive and not c.unsent:
            self._next(c, clock())
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
            self._count(asked)
            asked.known, asked.status = known, status

    def _answered(self, c: Connection, answer: Answer, now: int) -> None:
        asked = c.due.popleft()
        frame = self._recorder.frame
        frame.sent += asked.length
        if answer.status:
            frame.statuses[answer.status] += 1
        if answer.bad is None:
            frame.good += 1
            self._recorder.total[bucketOf(now - c.planned)] += 1
            first = bucketOf(c.first - c.began)
            frame.firstByte[first] = frame.firstByte.get(first, 0) + 1
            if self._work.arrivals is not None:
                whole = bucketOf(now - c.began)
                frame.uncorrected[whole] = frame.uncorrected.get(whole, 0) + 1
        else:
            frame.errors[answer.bad] += 1
        c.first = 0
        self._settle(1, now)

    def _settle(self, number: int, now: int) -> None:
        """
        Requests are no longer under way; the last of a numbered run ends it.
        """
        self._outstanding -= number
        if not self._outstanding and not self._left and not self._backlog:
            self._finished, self._ended = True, now

    def _peerClosed(self, c: Connection) -> None:
        answer = c.reader.closed() if len(c.due) == 1 else None
        if answer is not None:
            self._answered(c, answer, clock())
        if c.due:
            self._fail(c, "short")
        else:
            self._drop(c)
            self._later(c) if self._work.keepAlive else self._next(c, clock())

    def _letClose(self, c: Connection) -> None:
        """
        Its last answer is here.  Who closes first keeps the port, so let the server.
        """
        if self._work.peerCloses:
            c.state, c.began = State.CLOSING, clock()
            self._read(c)
        else:
            self._drop(c)
            self._next(c, clock())

    def _fail(self, c: Connection, kind: str) -> None:
        """
        A connection is of no use any more, and what it was asked is lost.
        """
        lost = len(c.due) + (c.waiting is not None)
        self._recorder.frame.errors[kind] += max(lost, 1)
        self._drop(c)
        self._later(c)
        if not lost and self._work.arrivals is None and self._left:
            self._left -= 1  # It stands for the request that it was to take.
        self._settle(lost, clock())

    def _later(self, c: Connection) -> None:
        """
        Open it again, but not at once: a server that refuses is not to be asked in a tight loop.
        """
        if not self._retry:
            self._retryAt = clock() + MILLISECOND_NS
        self._retry.append(c)

    def _drop(self, c: Connection) -> None:
        if c.state is State.IDLE and c in self._idle:
            self._idle.remove(c)
        if c.state is not State.CLOSED:
            del self._byFd[c.fd]
            c.sock.close()
        c.state = State.CLOSED
        c.waiting, c.unsent, c.first, c.watched = None, b"", 0, 0
        c.due.clear()
