# -*- test-case-name: ktcp.test.test_options,ktcp.test.test_service -*-
"""
How ktcp says no: in one line, that names what the user gave.
"""

from __future__ import annotations

import sys
from typing import TextIO


class Refusal(SystemExit, Exception):
    """
    ktcp does not start, for a reason that fits in one line.

    A L{SystemExit}, because the line is all that the user should see:
    Twisted's scripts print their whole usage for a C{UsageError} and a
    traceback for anything else; Python prints this one and exits with 1.  An
    L{Exception} too, because twistd only removes its pid file, and only tells
    the parent of a daemon that its start failed, for one of those.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"ktcp: {reason}")

    def announce(self, stream: TextIO | None = None) -> None:
        """
        Print the line, now, where the user looks.

        For the time after twistd has begun to log: C{sys.stderr} is the log
        by then, and Python would print there.

        @param stream: Where that is, if not where it was at first.
        """
        if stream is None and sys.stderr is not sys.__stderr__:
            stream = sys.__stderr__
        if stream is not None:
            print(self.code, file=stream, flush=True)
            self.code = 1
            # What twistd has for the user of a daemon, after its own words.
            self.args = ("the line above says why",)


def oneLine(error: BaseException | None) -> str:
    """
    Put what somebody's code raised into one line, with its type.
    """
    return " ".join(f"{type(error).__name__}: {error}".split())


def shown(text: str) -> str:
    """
    Show what a user typed within a line: as it is, unless that would mislead.
    """
    return text if text and text.isprintable() and " " not in text else repr(text)
