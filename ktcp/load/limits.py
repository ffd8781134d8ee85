# -*- test-case-name: ktcp.test.test_load_limits -*-
"""
How many descriptors a process may have.
"""

from __future__ import annotations

from resource import RLIMIT_NOFILE, getrlimit, setrlimit

from ktcp.load.team import CannotRun

# Of a process besides its connections: pipes, epoll, the interpreter's own.
OTHERS = 64


def raiseDescriptors(connections: int, processes: int) -> None:
    """
    See that each process can have its part of the connections; children inherit it.

    @raise CannotRun: The limit cannot be raised so far.
    """
    needed = -(-connections // processes) + OTHERS
    soft, hard = getrlimit(RLIMIT_NOFILE)
    if needed <= soft:
        return
    if needed > hard:
        raise CannotRun(
            f"{connections} connections in {processes} process(es) need {needed} descriptors in"
            f" each, and {hard} are allowed (ulimit -Hn): fewer with -c, or more processes with -t"
        )
    setrlimit(RLIMIT_NOFILE, (needed, hard))
