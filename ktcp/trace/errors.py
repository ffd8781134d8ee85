# -*- test-case-name: ktcp.test.test_trace_main -*-
"""
What commands of the lab end with, other than success.
"""

from __future__ import annotations

# What automake's tests say when they cannot run here (EX_NOPERM has the same number).
EXIT_UNAVAILABLE = 77


class TraceError(Exception):
    """
    A command ends with one line that says why.

    @cvar status: The exit status.
    """

    status = 1


class Refused(TraceError):
    """
    What was asked for makes no sense, or too much of it; nothing was done.
    """

    status = 2


class Unavailable(TraceError):
    """
    This cannot be done here.

    @ivar missing: What is not there.
    @ivar who: What needs it, for people.
    @ivar remedy: How to get it, in the imperative.
    """

    status = EXIT_UNAVAILABLE

    def __init__(self, missing: str, who: str, remedy: str) -> None:
        super().__init__(f"{missing} is missing; {who} needs it; {remedy}")
        self.missing = missing
        self.who = who
        self.remedy = remedy
