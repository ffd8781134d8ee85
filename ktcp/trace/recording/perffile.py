# -*- test-case-name: ktcp.test.test_trace_recording_perftext -*-
"""
A file of C{perf script} into a trace.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from ktcp import __version__
from ktcp.trace import model
from ktcp.trace.analysis.assemble import Material, assemble
from ktcp.trace.errors import TraceError
from ktcp.trace.recording.perftext import parse


def importFile(path: Path, port: int) -> model.Trace:
    """
    Make a trace of a file.

    @param port: Of the server in it.
    @raise TraceError: It cannot be read, or has no event.
    """
    try:
        with path.open(errors="replace") as lines:
            found = parse(lines)
        made = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
    except OSError as error:
        raise TraceError(f"cannot read {path}: {error.strerror}") from None
    if not found.events:
        raise TraceError(f"{path} has no events as `perf script` prints them")
    skipped = (f"{found.skipped} lines that were not understood",) if found.skipped else ()
    environment = model.Environment(
        kernel="not recorded",
        machine="",
        clock="perf",
        started=made.isoformat(timespec="seconds"),
        command=f"ktcp trace import {path.name}",
        workload="import",
        lab="",
        port=port,
        cpus=1 + max(event.cpu for event in found.events),
        ktcp=__version__,
        notAvailable=("frames", *skipped),
    )
    cost = model.Cost("not known: perf recorded it")
    return assemble(Material(environment, found.events, tasks=found.tasks, cost=cost))
