# -*- test-case-name: ktcp.test.test_workers_reports -*-
"""
What a worker tells its parent, as lines of JSON: that it serves
(C{{"ready": true}}), why it does not (C{{"refusal": REASON}}), or an event of
its log (C{{"level": NAME, "text": TEXT}}, the text without a time, which is the
parent's to add).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from twisted.logger import ILogObserver, LogLevel, eventAsText
from zope.interface import implementer

# Bytes; a line longer than this is taken in pieces: what a worker prints without
# an end must not fill the parent's memory.
LONGEST = 256 * 1024
# Characters; the text of an event is cut to this, so that its report is never
# taken in pieces: JSON makes up to 12 bytes of a character.
LONGEST_TEXT = LONGEST // 16


@implementer(ILogObserver)
class Reporter:
    """
    The worker's end: a log observer, and more.
    """

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)
        # Buffered, because that has a lock: any thread may log.
        self._file = open(descriptor, "wb")  # noqa: SIM115  # as long as it lives

    def __call__(self, event: Any) -> None:
        """
        Report an event of the log.
        """
        level = event.get("log_level") or LogLevel.info
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        # As textFileLogObserver: what says nothing is not said.
        if text:
            self.report({"level": level.name, "text": text[:LONGEST_TEXT]})

    def report(self, report: Mapping[str, object]) -> None:
        """
        Report something.
        """
        self._file.write(json.dumps(report).encode() + b"\n")
        self._file.flush()


class Lines:
    """
    Bytes into lines.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """
        Take bytes and give back the lines that they complete.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST:
            lines.append(self._rest)
            self._rest = b""
        return lines
