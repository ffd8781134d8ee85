# -*- test-case-name: ktcp.test.test_logs -*-
"""
The service's log as lines of JSON, for who collects logs: one object a line,
with C{time} (ISO 8601, UTC), C{level}, C{from} (which part says it), C{text},
C{traceback} if there is one, and the event's own fields as far as they are
plain values.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from twisted.logger import FileLogObserver, LogEvent, LogLevel, eventAsText
from twisted.python.logfile import LogFile

FORMATS = ("text", "json")

# Fields that legacy log.msg adds, and that say nothing which the others do not.
_LEGACY = frozenset(("format", "isError", "message", "system", "time"))


def formatJSON(event: LogEvent) -> str | None:
    """
    @return: A line, or L{None} for an event that says nothing.
    """
    text = eventAsText(event, includeTraceback=False, includeTimestamp=False, includeSystem=False)
    failure = event.get("log_failure")
    if not text and failure is None:
        return None
    moment = datetime.fromtimestamp(event["log_time"], timezone.utc)
    level = event.get("log_level") or LogLevel.info
    line: dict[str, object] = {
        "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": level.name,
        "from": event.get("log_namespace") or "-",
        "text": text,
    }
    if failure is not None:
        line["traceback"] = failure.getTraceback()
    line.update(
        (name, value)
        for name, value in event.items()
        if not name.startswith("log_")
        and name not in _LEGACY
        and name not in line
        and isinstance(value, (str, int, float))
    )
    return json.dumps(line) + "\n"


def observing(options: Mapping[str, Any]) -> str:
    """
    @param options: twistd's own: where its log goes.
    @return: The name of L{observe}, which is how twistd is told what to make
        its log with.
    """
    _twistd.update(logfile=options["logfile"], nodaemon=options["nodaemon"])
    return f"{__name__}.observe"


# twistd takes only a name, and calls what has it with nothing.
_twistd: dict[str, Any] = {}


def observe() -> FileLogObserver:
    """
    Make the observer that writes where twistd's own would.
    """
    path = _twistd["logfile"]
    file: Any
    if path == "-" or (not path and _twistd["nodaemon"]):
        file = sys.stdout
    else:
        file = LogFile.fromFullPath(path or "twistd.log")
    return FileLogObserver(file, formatJSON)
