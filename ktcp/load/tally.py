# -*- test-case-name: ktcp.test.test_load_tally -*-
"""
What the processes of a run counted, added up: to seconds, to the whole, to progress.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns

from ktcp.load.buckets import percentile
from ktcp.load.process.frames import FRAME_NS, FRAMES_A_SECOND, Frame
from ktcp.load.result import Plan, Progress, Second
from ktcp.load.schedule import SECOND_NS

Watch = Callable[[Progress], None]


class Tally:
    """
    The frames of all processes, added up to seconds and to the whole.

    @ivar all: The measured part.
    @ivar cpu: Processor seconds of each process in it.
    """

    def __init__(self, processes: int) -> None:
        self.all = Frame()
        self.cpu = [0.0] * processes
        self.connects = 0
        self._seconds: dict[int, Frame] = {}

    def add(self, index: int, frame: Frame) -> None:
        """
        Take a frame of one process.
        """
        if frame.number < 0:  # of the warm-up
            self.connects += frame.connects
            return
        self.all.add(frame)
        self.cpu[index] += frame.cpu
        self._seconds.setdefault(frame.number // FRAMES_A_SECOND, Frame()).add(frame)

    def series(self) -> tuple[Second, ...]:
        """
        The seconds so far; those in which nothing happened too.
        """
        last = max(self._seconds, default=-1)
        return tuple(self._second(number) for number in range(last + 1))

    def _second(self, number: int) -> Second:
        frame = self._seconds.get(number) or Frame()
        return Second(
            number,
            frame.good,
            sum(frame.errors.values()),
            percentile(frame.total, 50),
            percentile(frame.total, 99),
            frame.received,
        )

    def p99(self, before: int) -> int | None:
        """
        Of the second before another, if anything was answered in it.
        """
        frame = self._seconds.get(before - 1)
        return percentile(frame.total, 99) if frame is not None and frame.total else None


class Reporter:
    """
    Makes L{Progress} of a tally.
    """

    def __init__(
        self,
        plan: Plan,
        tally: Tally,
        start: int,
        watch: Watch,
        clock: Callable[[], int] = perf_counter_ns,
    ) -> None:
        self._plan = plan
        self._clock = clock
        self._tally = tally
        self._start = start
        self._watch = watch
        self._before = (start, 0)
        self._next = clock()

    def report(self) -> None:
        """
        Tell the caller how far the run is, if it is time to.
        """
        now = self._clock()
        if now < self._next:
            return
        self._next = now + FRAME_NS
        plan, good = self._plan, self._tally.all.good
        failed = sum(self._tally.all.errors.values())
        elapsed = (now - self._start) / SECOND_NS
        whole = elapsed / plan.seconds if plan.seconds else (good + failed) / (plan.requests or 1)
        since, had = self._before
        self._before = (max(now, self._start), good)
        rate = (good - had) * SECOND_NS / (now - since) if now > since else 0.0
        p99 = self._tally.p99(int(elapsed))
        self._watch(Progress(elapsed, min(max(whole, 0.0), 1.0), good, failed, rate, p99))
