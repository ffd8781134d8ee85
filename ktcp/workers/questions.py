# -*- test-case-name: ktcp.test.test_workers_questions -*-
"""
What the parent asks of a worker, as lines of JSON on its stdin, behind its orders
(C{{"ask": NUMBER, "most": COUNT}}: its connections, so many at most); the answer is a
report (C{{"answer": NUMBER, "rows": [...]}}).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ktcp.workers.reports import Lines


class Questions:
    """
    The worker's end: a reader for the reactor.
    """

    def __init__(
        self,
        descriptor: int,
        tell: Callable[[int], Sequence[Mapping[str, Any]]],
        report: Callable[[Mapping[str, object]], None],
        reactor: Any,
    ) -> None:
        """
        @param tell: Gives so many connections at most.
        """
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._tell = tell
        self._report = report
        self._reactor = reactor
        self._lines = Lines()

    def fileno(self) -> int:
        """
        See C{IFileDescriptor}.
        """
        return self._descriptor

    def logPrefix(self) -> str:
        """
        See C{ILoggingContext}.
        """
        return "questions"

    def doRead(self) -> None:
        """
        Answer what was asked.
        """
        try:
            data = os.read(self._descriptor, 4096)
        except BlockingIOError:
            return
        if not data:
            self._reactor.removeReader(self)
        for line in self._lines.feed(data):
            asked = json.loads(line)
            self._report({"answer": asked["ask"], "rows": self._tell(asked["most"])})

    def connectionLost(self, reason: object) -> None:
        """
        Nobody will ask any more.
        """
        self._reactor.removeReader(self)
