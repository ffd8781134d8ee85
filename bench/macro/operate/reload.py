# -*- test-case-name: bench.macro.test_operate -*-
"""
Workers that are replaced, and workers that are killed, while wrk works.
"""

from __future__ import annotations

import os
import random
import signal
import time

from bench.macro.operate.running import Work, running, waitFor
from bench.macro.verdicts import Verdicts

WORKERS = 2
CONNECTIONS = 50

# The first few reloads have each worker's pages copied, and caches filled.
WARM = 3


def reload(verdicts: Verdicts, times: int) -> None:
    """
    Have SIGHUP replace two workers many times.
    """
    with running("--port=0", f"--workers={WORKERS}") as server:
        work = Work(server.url, CONNECTIONS)
        for number in range(1, times + 1):
            server.signal(signal.SIGHUP)
            server.said("ktcp: the workers are replaced", number)
            if number == min(WARM, times):
                before = len(os.listdir(f"/proc/{server.pid}/fd")), server.resident()
        after = len(os.listdir(f"/proc/{server.pid}/fd")), server.resident()
        count, errors = work.stop()
        verdicts.judge(
            f"{times} reloads under load: no request fails, no reset",
            f"{errors or 'none'} of {count:,}",
            not errors,
        )
        verdicts.judge(
            "descriptors of the parent: none more",
            f"{before[0]} after {WARM}, {after[0]} after {times}",
            after[0] <= before[0],
        )
        verdicts.judge(
            "RSS of parent and workers: within 5%",
            f"{before[1]:,} KiB, {after[1]:,} KiB ({after[1] / before[1] - 1:+.1%})",
            after[1] <= 1.05 * before[1],
        )


def kill(verdicts: Verdicts, times: int) -> None:
    """
    Kill workers at random: what fails is what they had accepted, and nobody is
    refused.
    """
    with running("--port=0", f"--workers={WORKERS}") as server:
        work = Work(server.url, CONNECTIONS)
        for number in range(1, times + 1):
            os.kill(random.choice(server.children()), signal.SIGKILL)
            server.said(" serves", WORKERS + number)
            # Not young: see ktcp.workers.team.
            time.sleep(random.uniform(1.1, 1.5))
        count, errors = work.stop()
        reads = errors.pop("read", 0)
        verdicts.judge(
            f"{times} workers killed: nobody is refused, nothing times out",
            f"{errors or 'none'} of {count:,}",
            not errors,
        )
        verdicts.judge(
            "only requests under way fail",
            f"{reads}, of {times} x at most {CONNECTIONS} connections",
            reads <= times * CONNECTIONS,
        )
        verdicts.judge(
            "as many workers as before",
            str(len(server.children())),
            waitFor(lambda: len(server.children()) == WORKERS, 5),
        )
