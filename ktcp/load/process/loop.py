# -*- test-case-name: ktcp.test.test_load_process_loop -*-
"""
The loop of one process: connections, what they ask, and how long it took.

It is not Twisted's: a request may cost a tenth of the time that a server takes for it,
or the generator is what is measured.  So there is one function, L{Loop._closed}, that
holds the whole life of an answer that came in one read and is byte for byte one that was
checked before: an epoll event, C{recv}, a comparison, a clock, a count, C{send}.
Everything else (connecting, TLS, answers in pieces, unknown answers, errors) goes
through L{ktcp.load.process.connections}, which is written to be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from select import EPOLLIN, select
from time import perf_counter_ns as clock
from time import process_time

from ktcp.load.buckets import HALF_BITS, SUB_BITS, bucketOf
from ktcp.load.process.connection import READ_SIZE, Connection, State
from ktcp.load.process.connections import LATE_NS, NEVER, Connections
from ktcp.load.process.frames import FRAME_NS, Frame
from ktcp.load.process.work import Work
from ktcp.load.schedule import SECOND_NS

RETRY_SECONDS = 0.001
# A request that takes too long is noticed within a quarter of --timeout, but not below this.
SHORTEST_TICK_NS = 10_000_000

_PATIENT = (State.CLOSED, State.IDLE)


class Loop(Connections):
    """
    The connections of one process.

    @param emit: Takes each L{Frame} when it is over.
    @param control: A descriptor that gets readable to stop the run, or C{None}.
    """

    def __init__(
        self, work: Work, emit: Callable[[Frame], None], control: int | None = None
    ) -> None:
        super().__init__(work)
        self._emit = emit
        self._kinds = list({id(asked): asked for asked in self.everything()}.values())
        # Two that are no connections: events of other descriptors are looked up like any other.
        self._control, self._nobody = Connection(work.asked[0]), Connection(work.asked[0])
        if control is not None:
            self.byFd[control] = self._control
            self.epoll.register(control, EPOLLIN)
        self._planned: Iterator[int] = iter(())
        self._timeout = round(work.timeout * SECOND_NS)
        self._tickNs = min(FRAME_NS, max(self._timeout // 4, SHORTEST_TICK_NS))
        self._start = self._end = self._nextTick = self._due = 0
        self._measuring = False
        self._frameNumber = 0
        self._cpu = 0.0
        self.interrupted = False

    def event(self, c: Connection, mask: int) -> None:
        """
        Take any event; that of C{control} ends the run.
        """
        if c is self._control:
            self.finished = self.interrupted = True
        else:
            super().event(c, mask)

    def run(self, start: int) -> float:
        """
        Work until the end.

        @param start: When the measured part begins, on L{clock}; the warm-up comes before it.
        @return: Seconds of the measured part.
        """
        work = self.work
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
        for c in self.connections:
            self.next(c, now)
        if work.arrivals is None:
            self._closed()
        else:
            self._paced()
        return self._close() / SECOND_NS

    def _closed(self) -> None:
        """
        The closed loop: each connection asks again when it is answered.
        """
        whole, byFd, poll = self.recorder.whole, self.byFd, self.epoll.poll
        pipelined = self.work.pipeline > 1
        while not self.finished:
            for fd, mask in poll(self._pause()):
                c = byFd.get(fd, self._nobody)
                asked = c.waiting
                if asked is None or mask != EPOLLIN:
                    self.event(c, mask)
                    continue
                try:
                    data = c.recv(READ_SIZE)
                except OSError as error:
                    self.broken(c, error)
                    continue
                if data != asked.known:
                    self.received(c, data)
                    continue
                now = clock()
                took = now - c.began
                shift = took.bit_length() - SUB_BITS
                whole[(shift << HALF_BITS) + (took >> shift) if shift > 0 else took] += 1
                asked.hits += 1
                if pipelined or not self.left:
                    c.waiting = None
                    self.settle(1, now)
                    self.next(c, now)
                    continue
                self.left -= 1
                c.began = c.planned = now
                c.asked = c.waiting = asked = asked.next
                try:
                    sent = c.send(asked.data)
                except OSError as error:
                    self.broken(c, error, asked.data)
                    continue
                if sent != asked.length:
                    self.partly(c, asked.data[sent:])

    def _paced(self) -> None:
        """
        The open loop: requests are sent when they are planned, if a connection is free.
        """
        whole, total = self.recorder.whole, self.recorder.total
        byFd, poll = self.byFd, self.epoll.poll
        while not self.finished:
            if self._due <= (now := clock()):
                self._depart(now)
            self._sleep()
            for fd, mask in poll(0):
                c = byFd.get(fd, self._nobody)
                asked = c.waiting
                if asked is None or mask != EPOLLIN:
                    self.event(c, mask)
                    continue
                try:
                    data = c.recv(READ_SIZE)
                except OSError as error:
                    self.broken(c, error)
                    continue
                if data != asked.known:
                    self.received(c, data)
                    continue
                now = clock()
                whole[bucketOf(now - c.began)] += 1
                total[bucketOf(now - c.planned)] += 1
                asked.hits += 1
                c.waiting = None
                self.settle(1, now)
                self.next(c, now)

    def _pause(self) -> float:
        """
        Do what has to be done from time to time.

        @return: How many seconds may be waited for events.
        """
        now = clock()
        if now >= self._nextTick:
            self._tick(now)
        if self.retry and now >= self.retryAt:
            retry, self.retry = self.retry, []
            for c in retry:
                self.next(c, now)
        if self.finished:
            return 0.0
        return RETRY_SECONDS if self.retry else max(self._nextTick - now, 0) / SECOND_NS

    def _sleep(self) -> None:
        """
        Wait for an event or for the next planned request, whichever comes first.

        epoll_wait(2) knows milliseconds only; the descriptor of an epoll can be
        waited for in turn, and select(2) knows microseconds.
        """
        seconds = min(self._pause(), (self._due - clock()) / SECOND_NS)
        if seconds > 0:
            select([self.epoll], [], [], seconds)

    def _depart(self, now: int) -> None:
        """
        Send the requests whose time has come.
        """
        while self._due <= now and self.left:
            planned, self._due = self._due, next(self._planned)
            self.left -= 1
            if self.idle:
                if now - planned > LATE_NS:
                    self.recorder.frame.behind += 1
                self.ask(self.idle.popleft(), planned, now)
                now = clock()
            else:
                self.backlog.append(planned)
            if self._due >= self._end:
                self._due = NEVER

    def _tick(self, now: int) -> None:
        """
        The frames, the end of the warm-up and of the run, and whose patience is over.
        """
        if not self._measuring and now >= self._start:
            self._measure()
        if now >= self._end:
            self.finished, self.ended = True, self._end
            return
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
        self._hand(self._frameNumber)
        self._measuring = True
        self._frameNumber = 0
        if self.work.requests is not None:
            self.left = max(self.work.requests - self.outstanding - len(self.backlog), 0)

    def _hand(self, number: int) -> None:
        for asked in self._kinds:
            self.count(asked)
        cpu, self._cpu = self._cpu, process_time()
        self.recorder.frame.cpu = self._cpu - cpu
        frame = self.recorder.take(number)
        self._emit(frame)

    def _expire(self, limit: int) -> None:
        for c in self.connections:
            if c.state in _PATIENT:
                continue
            if (c.began if c.state in (State.BUSY, State.CLOSING) else c.opened) >= limit:
                continue
            if c.state is State.CLOSING:
                self.drop(c)
                self.later(c)
            else:
                self.fail(c, "timeout")

    def _close(self) -> int:
        """
        End the run: hand over the last frame.

        @return: Nanoseconds of the measured part.
        """
        ended = self.ended or clock()
        # What was planned while this process did not get to run is to be counted as well.
        while self._due < min(ended, self._end) and self.left and self.work.arrivals is not None:
            self.left -= 1
            self.backlog.append(self._due)
            self._due = next(self._planned)
        frame = self.recorder.frame
        frame.unanswered, frame.unsent = self.outstanding, len(self.backlog)
        if self.work.arrivals is not None:
            # They count with how long they have waited so far, or a server that stalls
            # until the end would not show.
            waiting = [c.planned for c in self.connections if c.state is State.BUSY]
            for planned in (*waiting, *self.backlog):
                self.recorder.total[bucketOf(max(ended - planned, 0))] += 1
        self._hand((ended - 1 - self._start) // FRAME_NS if self._measuring else -1)
        for c in self.connections:
            if c.state is not State.CLOSED:
                self.drop(c)
        self.epoll.close()
        return max(ended - self._start, 1)
