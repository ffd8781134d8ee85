# -*- test-case-name: ktcp.test.test_load_engine -*-
"""
Run a job, and give what it found.

L{run} is all that the command line, the search for the highest rate, sweeps and
programs need: it starts the processes, adds up what they count, and tells its caller
how far it is.  It blocks, and this process does next to nothing meanwhile.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from datetime import datetime, timezone
from time import perf_counter_ns as clock

import ktcp
from ktcp.load.buckets import percentile
from ktcp.load.channel import Done
from ktcp.load.histogram import histogramOf
from ktcp.load.job import Job
from ktcp.load.limits import raiseDescriptors
from ktcp.load.processes import CannotRun, Team
from ktcp.load.record import FRAME_NS, FRAMES_A_SECOND, Frame
from ktcp.load.result import Counts, Generator, Machine, Progress, Result, Second
from ktcp.load.schedule import SECOND_NS
from ktcp.load.words import wordsOf

Watch = Callable[[Progress], None]


def machine() -> Machine:
    """
    Describe where this runs.
    """
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            names = [line.partition(":")[2].strip() for line in lines if line[:10] == "model name"]
    except OSError:
        names = []
    return Machine(
        cpu=names[0] if names else platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        kernel=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
    )


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

    def __init__(self, job: Job, tally: Tally, start: int, watch: Watch) -> None:
        self._plan = job.plan
        self._tally = tally
        self._start = start
        self._watch = watch
        self._before = (start, 0)
        self._next = clock()

    def report(self) -> None:
        """
        Tell the caller how far the run is, if it is time to.
        """
        now = clock()
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


def run(job: Job, progress: Watch | None = None) -> Result:
    """
    Run a job to its end, or until Ctrl-C: then the result is of what was measured so far.

    @param progress: Called about four times a second, in this process.
    @raise CannotRun: It cannot be made; nothing was measured.
    """
    raiseDescriptors(job.plan.connections, job.plan.processes)
    started = datetime.now(timezone.utc).isoformat(timespec="seconds")
    tally = Tally(job.plan.processes)
    done: list[Done] = []
    with Team(job) as team:
        start = team.start(job.plan.warmup)
        reporter = Reporter(job, tally, start, progress or (lambda progress: None))
        while len(done) < job.plan.processes:
            try:
                _hear(team, tally, done)
                reporter.report()
            except KeyboardInterrupt:
                team.stop()
    return _result(job, started, tally, done)


def _hear(team: Team, tally: Tally, done: list[Done]) -> None:
    for index, message in team.hear(1 / FRAMES_A_SECOND):
        if isinstance(message, Done):
            done.append(message)
        else:
            tally.add(index, message)


def _result(job: Job, started: str, tally: Tally, done: list[Done]) -> Result:
    all = tally.all
    elapsed = max(one.seconds for one in done)
    histograms = {"total": all.total, "connect": all.connect, "firstByte": all.firstByte}
    if job.plan.rate is not None:
        histograms["uncorrected"] = all.uncorrected
    failed = sum(all.errors.values())
    limited, words = wordsOf(job, all, tally.cpu, elapsed)
    return Result(
        version=ktcp.__version__,
        started=started,
        command=job.command,
        mode=job.mode,
        target=job.target.text,
        plan=job.plan,
        machine=machine(),
        elapsed=elapsed,
        counts=Counts(
            requests=all.good + failed + all.unanswered,
            good=all.good,
            bytesSent=all.sent,
            bytesReceived=all.received,
            connects=all.connects + tally.connects,
            late=all.late,
            unsent=all.unsent,
            unanswered=all.unanswered,
        ),
        errors=dict(sorted(all.errors.items())),
        statuses={str(status): count for status, count in sorted(all.statuses.items())},
        histograms={name: histogramOf(counts) for name, counts in histograms.items()},
        series=tally.series(),
        generator=Generator(tuple(tally.cpu), limited, words),
        interrupted=any(one.interrupted for one in done),
    )


__all__ = ["CannotRun", "Job", "Tally", "machine", "run"]
