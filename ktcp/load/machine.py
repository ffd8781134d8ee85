# -*- test-case-name: ktcp.test.test_load_machine -*-
"""
Where a run was made.
"""

from __future__ import annotations

import os
import platform

from ktcp.load.result import Machine


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
