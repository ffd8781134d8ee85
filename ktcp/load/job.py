# -*- test-case-name: ktcp.test.test_load_job -*-
"""
What is to be run, and which part of it is whose: all that the processes of a run have to know.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ktcp.load.result import Plan
from ktcp.load.targets import Target


@dataclass(frozen=True)
class Checks:
    """
    What an answer has to be.

    @ivar statuses: Empty: any of 200 to 399, as with wrk.
    @ivar length: Bytes of the body; L{None}: any.
    @ivar sha256: Of the body, in hexadecimal.
    @ivar regex: To be found somewhere in the body.
    """

    statuses: frozenset[int] = field(default_factory=frozenset)
    length: int | None = None
    sha256: str | None = None
    regex: bytes | None = None


@dataclass(frozen=True)
class Job:
    """
    A run, before it is made.

    @ivar mode: As in L{ktcp.load.result.Result}.
    @ivar target: Whom to load.
    @ivar plan: How much, and for how long.
    @ivar command: The command line, for the result.
    @ivar requests: Of HTTP: the bytes of each request, asked in turn.
    @ivar checks: What answers are good, of HTTP.
    @ivar peerCloses: Of connections for one request each: the server closes them.
    """

    mode: str
    target: Target
    plan: Plan
    command: tuple[str, ...] = ()
    requests: tuple[bytes, ...] = ()
    checks: Checks = field(default_factory=Checks)
    peerCloses: bool = True


@dataclass(frozen=True)
class Share:
    """
    One process's part of a job.

    @ivar index: Which process, from 0.
    @ivar of: How many processes there are.
    """

    job: Job
    index: int
    of: int

    def part(self, total: int) -> int:
        """
        Deal a number of things: how many are this process's, the first ones have more.
        """
        return total // self.of + (self.index < total % self.of)
