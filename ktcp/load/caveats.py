# -*- test-case-name: ktcp.test.test_load_caveats -*-
"""
What a reader of the figures should know, in sentences.
"""

from __future__ import annotations

from ktcp.load.job import Job
from ktcp.load.process.frames import Frame
from ktcp.load.report.words import some

BUSY_SHARE = 0.9
BEHIND_SHARE = 0.01


def caveatsOf(
    job: Job, frame: Frame, cpu: list[float], elapsed: float
) -> tuple[bool, tuple[str, ...]]:
    """
    Find what may have falsified a run.

    @param frame: The whole measured part.
    @param cpu: Processor seconds of each process in it.
    @return: Whether the generator may have been the limit, and the sentences.
    """
    words: list[str] = []
    busiest = max(cpu) / elapsed
    limited = busiest > BUSY_SHARE
    if limited:
        words.append(
            f"The generator was busy {busiest:.0%} of the time, so it may be what was measured:"
            " the server may be faster.  More processes (-t) on more cores would tell."
        )
    planned = frame.good + sum(frame.errors.values()) + frame.unanswered + frame.unsent
    if frame.behind > BEHIND_SHARE * planned:
        limited = True
        words.append(
            f"The generator itself sent {frame.behind} of {planned} requests more than 1 ms late"
            " though a connection was free: it has no core of its own, or the rate is too high."
        )
    if frame.late > frame.behind:
        words.append(
            f"{some(frame.late - frame.behind, 'request')} went out more than 1 ms late because all"
            f" {job.plan.connections} connections were waiting for answers: the corrected latencies"
            " count from when they were planned."
        )
    if frame.unsent:
        words.append(f"{some(frame.unsent, 'request')} of the plan could not be sent at all.")
    if frame.errors["ports"]:
        limited = True
        why, what = (
            (f"{job.plan.connections} connections may need more than there are", "fewer with -c")
            if job.plan.keepAlive
            else ("each closed connection keeps its own for a minute (TIME_WAIT)", "keep-alive")
        )
        words.append(
            f"{some(frame.errors['ports'], 'time')} no local port was free to connect from: {why}."
            f"  Use {what}, or a wider net.ipv4.ip_local_port_range."
        )
    return limited, tuple(words)
