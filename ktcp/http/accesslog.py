# -*- test-case-name: ktcp.test.test_http_accesslog -*-
"""
The access log: a line for each answer, in one of the formats of
L{ktcp.http.accessformats}.

A line is made when its answer is complete, from parts that are kept: most
clients ask for the same again, in the same second.  A L{Recorder} does that for
one connection; the L{AccessLog} that they share gathers lines in memory and
writes them with one write(2) for each second or 64 KiB.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable
from time import perf_counter, time
from typing import Any

from twisted.logger import Logger

from ktcp.http.accessformats import FORMATS, Parts
from ktcp.http.forwarded import Forwarding
from ktcp.http.message import Request, RequestHead, Response

_log = Logger()

# Seconds and bytes that lines wait at most, when the file takes them.
_INTERVAL = 1.0
_BATCH = 64 * 1024
# Bytes that wait when it does not; what goes beyond is counted and dropped.
_BOUND = 4 * 1024 * 1024
# What a pipe that poll(2) calls writable takes without waiting (PIPE_BUF).
_PIECE = 4096

# The status of a request whose client left before it was answered, as nginx
# writes it; it never goes over the wire.
CLIENT_LEFT = 499


class AccessLog:
    """
    Lines on their way to a file: one for each answer, as C{HTTPFactory(accessLog=...)}
    makes them.

    One that is moved away is noticed at the next write, and a new one is opened
    in its place: no signal is needed to rotate it, by as many processes as
    share it; each writes whole lines at its end (O_APPEND).
    """

    def __init__(
        self,
        path: str,
        format: str = "combined",
        *,
        reactor: Any,
        wallClock: Callable[[], float] = time,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        """
        @param path: Of the file, which is made if there is none; C{-} is stdout.
        @param format: One of L{FORMATS<ktcp.http.accessformats.FORMATS>}.
        @param reactor: Gives a turn once a second while there are lines.
        @param wallClock: Tells seconds since the epoch.
        @param clock: Tells seconds, and is never set back.
        @raise OSError: The file cannot be opened.
        """
        # A daemon changes its directory once this is made.
        self._path = None if path == "-" else os.path.abspath(path)
        self.format = FORMATS[format]()
        self.moment = b""
        self.until = float("-inf")
        self._reactor = reactor
        self._wallClock = wallClock
        self.clock = clock
        self.lines: list[bytes] = []
        self.size = 0
        # The size at which there is more to do than to append a line.
        self.room = 0
        self._isStuck = False
        self._dropped = 0
        self._trouble = ""
        self._turn: Any = None
        self._file = self._open()

    def recorder(self) -> Recorder:
        """
        Make what writes lines for one connection.
        """
        return Recorder(self)

    def setMoment(self, now: float) -> None:
        """
        Format C{moment}, the time of day, which stands until C{until}.

        @param now: What C{clock} tells.
        """
        seconds = self._wallClock()
        self.until = now + 1 - seconds % 1
        self.moment = self.format.moment(seconds)

    def write(self, line: bytes) -> None:
        """
        Have a line written, soon.
        """
        self.lines.append(line)
        self.size += len(line)
        if self.size >= self.room:
            self.full()

    def full(self) -> None:
        """
        There is no turn yet that would write the lines, or there are too many.
        """
        if self._isStuck:
            self.size -= len(self.lines.pop())
            self._dropped += 1
            return
        if self._turn is None:
            self._turn = self._reactor.callLater(_INTERVAL, self._takeTurn)
            self.room = _BATCH
        if self.size >= _BATCH:
            self.flush()

    def _takeTurn(self) -> None:
        self._turn = None
        self.flush()
        if self._isStuck:
            self._turn = self._reactor.callLater(_INTERVAL, self._takeTurn)

    def flush(self) -> None:
        """
        Write what waits, as far as the file takes it.
        """
        if not self.lines:
            return
        data = b"".join(self.lines)
        if self._wasMoved():
            self._swap()
        try:
            data = data[_writeSome(self._file, data) :]
        except OSError as error:
            self._complain(f"cannot write to it: {error.strerror}")
        self.lines = [data] if data else []
        self.size = len(data)
        self._isStuck = bool(data)
        self.room = _BOUND if data else 0 if self._turn is None else _BATCH
        if not self._isStuck:
            self._trouble = ""
            if self._dropped:
                self._complain(f"{self._dropped} lines were dropped while it took none")
                self._dropped = 0

    def reopen(self) -> None:
        """
        Write what waits, and let go of a file that was moved away although
        there may be nothing to write.
        """
        self.flush()
        if self._path is not None:
            self._swap()

    def close(self) -> None:
        """
        Write what waits, and close the file.
        """
        self.flush()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        if self._path is not None:
            os.close(self._file)

    def _open(self) -> int:
        if self._path is None:
            return 1
        # Without O_NONBLOCK a FIFO that nobody reads would wait for a reader.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        return os.open(self._path, flags, 0o640)

    def _wasMoved(self) -> bool:
        if self._path is None:
            return False
        try:
            return not os.path.samestat(os.stat(self._path), os.fstat(self._file))
        except OSError:
            return True

    def _swap(self) -> None:
        try:
            before, self._file = self._file, self._open()
        except OSError as error:
            self._complain(f"cannot open it: {error.strerror}; the one before is written")
        else:
            os.close(before)

    def _complain(self, trouble: str) -> None:
        """
        Say what is wrong, once for as long as it is the same.
        """
        if trouble != self._trouble:
            self._trouble = trouble
            _log.error(
                "ktcp: access log {path}: {trouble}", path=self._path or "-", trouble=trouble
            )


def _writeSome(file: int, data: bytes) -> int:
    """
    Write what a file takes without waiting.

    @return: How many bytes that was.
    @raise OSError: It takes none, and not because it is full at the moment.
    """
    if stat.S_ISREG(os.fstat(file).st_mode):
        return os.write(file, data)
    # A pipe, a terminal, a socket: stdout may be any, and is shared with
    # others, so it cannot be set to O_NONBLOCK.
    poll = select.poll()
    poll.register(file, select.POLLOUT)
    written = 0
    while written < len(data) and any(event & select.POLLOUT for _, event in poll.poll(0)):
        written += os.write(file, data[written : written + _PIECE])
    return written


class Recorder:
    """
    Writes a line for each answer of one connection.

    What a line was made of is kept with it, and compared by identity: the same
    head, and the same answer on the same Date, make the same line again.

    @ivar forwarding: Reads the headers of a connection whose peer is a trusted proxy.
    @ivar isTimed: Lines tell how long the handler took.
    """

    __slots__ = (
        "_answer",
        "_began",
        "_body",
        "_clock",
        "_date",
        "_head",
        "_line",
        "_log",
        "_parts",
        "_peer",
        "_sent",
        "_status",
        "_timed",
        "_waiting",
        "forwarding",
        "isTimed",
    )

    def __init__(self, log: AccessLog) -> None:
        self._log = log
        self._clock = log.clock
        self.isTimed = log.format.isTimed
        self._timed = log.format.timed
        # For this connection.
        self._peer: bytes | None = None
        self.forwarding: Forwarding | None = None
        # For the request whose answer is waited for, or on its way.
        self._waiting: RequestHead | None = None
        self._began = 0.0
        self._status = CLIENT_LEFT
        self._sent = 0
        # For the last line.
        self._head: RequestHead | None = None
        self._parts = Parts(b"", b"")
        self._answer: object = None
        self._body: object = None
        self._date: object = None
        self._line = b""

    def timing(self, handler: Callable[[Request], Any]) -> Callable[[Request], Any]:
        """
        @return: A handler that notes when the other is called.
        """

        def handle(request: Request) -> Any:
            self._began = self._clock()
            return handler(request)

        return handle

    def waits(self, head: RequestHead | None, peer: Any) -> None:
        """
        A request was not answered at once.
        """
        self._waiting = head
        if self._peer is None:
            self._peer = self._log.format.peer(getattr(peer, "host", None))

    def again(self, head: RequestHead, peer: Any, response: Response, date: bytes) -> None:
        """
        A request was answered without its handler.
        """
        if self.isTimed:
            self._began = self._clock()
        self.answered(head, peer, response, date)

    def answered(self, head: RequestHead, peer: Any, response: Response, date: bytes) -> None:
        """
        A request was answered, with a body of bytes.

        @param date: The Date of the answer, the same object for a second.
        """
        log = self._log
        if (
            head is not self._head
            or response.body is not self._body
            or response.head is not self._answer
            or date is not self._date
        ):
            self._waiting = None
            self._answer = response.head
            self._date = date
            self._body = body = response.body
            if self._peer is None:
                self._peer = log.format.peer(getattr(peer, "host", None))
            sent = 0 if head.method == b"HEAD" else len(body)
            self._compose(head, response.status, sent, True)
        line = self._line
        if self.isTimed:
            line = self._timed(line, self._clock() - self._began)
        # AccessLog.write, less the call.
        log.lines.append(line)
        log.size += len(line)
        if log.size >= log.room:
            log.full()

    def begun(self, response: Response) -> None:
        """
        The head of an answer has gone, its body follows.
        """
        self._status = response.status

    def sent(self, count: int) -> None:
        """
        So many bytes of the body have gone.
        """
        self._sent += count

    def ended(self, complete: bool) -> None:
        """
        The body has gone; or the connection has, if there is a request that was
        not answered.
        """
        if self._waiting is None:
            return
        self._finish(self._waiting, self._status, self._sent, complete)
        self._status = CLIENT_LEFT
        self._sent = 0

    def refused(self, head: RequestHead | None, peer: Any, status: int, sent: int) -> None:
        """
        What came could not be read, or not to its end, and was answered so.
        """
        self._peer = self._log.format.peer(getattr(peer, "host", None))
        self._finish(head, status, sent, True)

    def _finish(self, head: RequestHead | None, status: int, sent: int, complete: bool) -> None:
        # No line like it is to be taken for the next.
        self._waiting = self._answer = None
        self._compose(head, status, sent, complete)
        log = self._log
        log.write(self._timed(self._line, self._clock() - self._began if head else 0.0))

    def _compose(self, head: RequestHead | None, status: int, sent: int, complete: bool) -> None:
        log = self._log
        now = self._clock()
        if now >= log.until:
            log.setMoment(now)
        if head is None or head is not self._head:
            self._head = head
            self._parts = log.format.request(head)
        peer = self._peer
        assert peer is not None
        if self.forwarding is not None and head is not None:
            client = self.forwarding.read(head.headers).client
            peer = log.format.peer(client) if client else peer
        self._line = log.format.line(log.moment, peer, self._parts, status, sent, complete)
