# -*- test-case-name: ktcp.test.test_workers_process -*-
"""
What a process asks of the kernel about itself: prctl(2).
"""

from __future__ import annotations

import os
import signal
import sys

# From linux/prctl.h.
PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15


def endWithParent(parent: int, name: str) -> None:
    """
    Have the kernel kill this process when its parent dies.

    @param name: What C{top} and C{ps -o comm} show, cut to 15 bytes.
    @raise OSError: It cannot.
    """
    # Here, because it costs a parent that imports this 300 KiB to no end.
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NAME, name.encode(), 0, 0, 0)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # The parent may have died before that.
    if os.getppid() != parent:
        sys.exit("ktcp: the parent is gone")
