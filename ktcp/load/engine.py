# -*- test-case-name: ktcp.test.test_load_engine -*-
"""
Run a job, and give what it found.

L{run} is all that the command line, the search for the highest rate, sweeps and
programs need: it starts the processes, adds up what they count, and tells its caller
how far it is.  It blocks, and this process does next to nothing meanwhile.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timezone

import ktcp
from ktcp.load.buckets import add, countsOf
from ktcp.load.caveats import caveatsOf
from ktcp.load.histogram import histogramOf
from ktcp.load.job import Job
from ktcp.load.machine import machine
from ktcp.load.process.barrier import Finished
from ktcp.load.process.channel import Done
from ktcp.load.process.frames import FRAMES_A_SECOND, Frame
from ktcp.load.result import Counts, Generator, Progress, Result, Round
from ktcp.load.schedule import SECOND_NS
from ktcp.load.tally import Reporter, Tally, Watch
from ktcp.load.targets import Target
from ktcp.load.team import CannotRun, Team, raiseDescriptors

PROBE_SECONDS = 5.0

# That nobody listens is a finding: a server may refuse now and then.  That there is no
# way to it is a mistake in the command.
_FINDINGS = (errno.ECONNREFUSED, errno.ECONNRESET, errno.EAGAIN)
# The kernel says no more than "Cannot assign requested address".
_NOWHERE = (
    "no local port is free to connect from (see net.ipv4.ip_local_port_range; a closed connection"
    " keeps its own for a minute), or this machine has no address of that kind"
)


def probe(target: Target, seconds: float) -> None:
    """
    See that there is a way to the target.

    @raise CannotRun: There is none, or no answer from there.
    """
    with socket.socket(target.family, socket.SOCK_STREAM) as sock:
        sock.settimeout(seconds)
        try:
            sock.connect(target.address)
        except OSError as error:
            if error.errno not in _FINDINGS:
                why = _NOWHERE if error.errno == errno.EADDRNOTAVAIL else error.strerror or error
                raise CannotRun(f"cannot reach {target.text}: {why}") from error


def _nobody(progress: Progress) -> None:
    """
    Nobody watches.
    """


def run(job: Job, progress: Watch | None = None) -> Result:
    """
    Run a job to its end, or until Ctrl-C: then the result is of what was measured so far.

    Blocks, and starts processes of its own: Twisted's reactor is not needed, and would wait.

    @param job: What to do to whom.
    @param progress: Called about four times a second, in this process, with a
        L{Progress<ktcp.load.result.Progress>}.
    @raise CannotRun: It cannot be made; nothing was measured.
    """
    raiseDescriptors(job.plan.connections, job.plan.processes)
    probe(job.target, min(job.plan.timeout, PROBE_SECONDS))
    started = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    if job.mode == "barrier":
        return _barrier(job, started, progress or _nobody)
    tally = Tally(job.plan.processes)
    done: list[Done] = []
    with Team(job) as team:
        start = team.start(job.plan.warmup)
        reporter = Reporter(job.plan, tally, start, progress or _nobody)
        while len(done) < job.plan.processes:
            try:
                _hear(team, tally, done)
                reporter.report()
            except KeyboardInterrupt:
                team.stop()
    return _measured(job, started, tally, done)


def _hear(team: Team, tally: Tally, done: list[Done]) -> None:
    for index, message in team.hear(1 / FRAMES_A_SECOND):
        if isinstance(message, Done):
            done.append(message)
        elif isinstance(message, Frame):
            tally.add(index, message)


def _barrier(job: Job, started: str, watch: Watch) -> Result:
    """
    Run rounds, each begun in all processes together.
    """
    plan, frame, rounds = job.plan, Frame(), list[Round]()
    elapsed, interrupted = 0.0, False
    with Team(job) as team:
        try:
            while len(rounds) < plan.rounds:
                start = team.start()
                parts = _parts(team, plan.processes)
                rounds.append(_round(parts, plan.size, frame))
                ends = [when for part in parts for when, _ in part.answers]
                elapsed += (max(ends, default=start) - start) / SECOND_NS
                failed = sum(frame.errors.values())
                watch(Progress(elapsed, len(rounds) / plan.rounds, frame.good, failed, 0.0))
        except KeyboardInterrupt:
            interrupted = True
    return _result(job, started, elapsed, frame, tuple(rounds), interrupted=interrupted)


def _parts(team: Team, processes: int) -> list[Finished]:
    """
    Hear of one round from all processes.
    """
    parts: list[Finished] = []
    while len(parts) < processes:
        parts += [each for _, each in team.hear(1.0) if isinstance(each, Finished)]
    return parts


def _round(parts: Iterable[Finished], size: int, frame: Frame) -> Round:
    answers: list[tuple[int, int]] = []
    errors = 0
    for part in parts:
        answers += part.answers
        add(frame.connect, countsOf(part.connects))
        frame.connects += len(part.connects)
        frame.errors.update(part.errors)
        errors += sum(part.errors.values())
    times = tuple(took for _, took in sorted(answers))
    frame.good += len(times)
    frame.sent += len(times) * size
    frame.received += len(times) * size
    add(frame.total, countsOf(times))
    return Round(times, sum(times) / len(times) if times else 0.0, max(times, default=0), errors)


def _measured(job: Job, started: str, tally: Tally, done: list[Done]) -> Result:
    all = tally.all
    elapsed = max(one.seconds for one in done)
    generator = Generator(tuple(tally.cpu), *caveatsOf(job, all, tally.cpu, elapsed))
    result = _result(job, started, elapsed, all, interrupted=any(one.interrupted for one in done))
    return replace(
        result,
        counts=replace(result.counts, connects=all.connects + tally.connects),
        series=tally.series(),
        generator=generator,
    )


def _result(
    job: Job,
    started: str,
    elapsed: float,
    all: Frame,
    rounds: tuple[Round, ...] = (),
    interrupted: bool = False,
) -> Result:
    histograms = {"total": all.total, "connect": all.connect}
    if job.mode != "barrier":
        histograms["firstByte"] = all.firstByte
    if job.plan.rate is not None:
        histograms["uncorrected"] = all.uncorrected
    failed = sum(all.errors.values())
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
            connects=all.connects,
            late=all.late,
            unsent=all.unsent,
            unanswered=all.unanswered,
        ),
        errors=dict(sorted(all.errors.items())),
        statuses={str(status): count for status, count in sorted(all.statuses.items())},
        histograms={name: histogramOf(counts) for name, counts in histograms.items()},
        rounds=rounds,
        interrupted=interrupted,
    )


__all__ = ["CannotRun", "Job", "run"]
