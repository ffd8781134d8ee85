# -*- test-case-name: ktcp.test.test_load_result -*-
"""
What a run found: the shape that the engine fills and every report reads.

C{toJSON} and C{fromJSON} are the documented schema C{ktcp-load/1}: the names of
the fields below are the names in the file, so the file can be read with this
page beside it.  All latencies are whole nanoseconds, all other times seconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

SCHEMA = "ktcp-load/1"

# Names in `Histogram.percentiles`, and what to ask a histogram for.
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9, "p99.99": 99.99}

# Names in `Result.errors`.  A request that went wrong is counted under one of them, once.
ERRORS = {
    "refused": "nobody listens there",
    "reset": "the connection was reset",
    "timeout": "no whole answer within --timeout",
    "short": "the connection was closed before the answer was whole",
    "status": "another status than was to be expected",
    "body": "another body than was to be expected",
    "framing": "bytes that are no answer, or more of them than were due",
    "tls": "TLS could not be agreed on, or the peer is not who it should be",
    "ports": "no local port was free",
    "connect": "the network did not let the connection be made",
}


class NotAResult(Exception):
    """
    A file is not a result of ktcp-load, or one of another schema.
    """


@dataclass(frozen=True)
class Histogram:
    """
    Latencies of one kind, over all processes.  Nanoseconds; zeros where C{count} is 0.

    @ivar encoded: The histogram itself: HDR's V2 format, compressed, in base64.
        Three significant digits, 1 ns to an hour; C{HdrHistogram.decode} reads it.
    @ivar count: How many there are.
    @ivar min: The least; as all here it comes from the histogram, so with three digits.
    @ivar max: The most.
    @ivar mean: The arithmetic one.
    @ivar stdev: The standard deviation.
    @ivar percentiles: By the names in L{PERCENTILES}: C{p50}, C{p99.9} and so on.
    @ivar unit: Of everything here: C{ns}.
    """

    encoded: str
    count: int
    min: int
    max: int
    mean: float
    stdev: float
    percentiles: Mapping[str, int]
    unit: str = "ns"


@dataclass(frozen=True)
class Plan:
    """
    What was asked for.

    @ivar connections: In all processes together.
    @ivar processes: Of the generator.
    @ivar requests: Of how many requests the run consists, or C{None}: C{seconds} says.
    @ivar seconds: How long it is to last, warm-up not counted, or C{None}: C{requests} says.
    @ivar rate: Requests a second in all processes together (open loop), or
        C{None}: each connection asks again once it is answered (closed loop).
    @ivar arrivals: C{constant} or C{poisson}; it means something with a rate only.
    @ivar pipeline: Requests sent at a time on a connection.
    @ivar keepAlive: False: a connection for each request.
    @ivar warmup: Seconds before the measured part, not counted anywhere.
    @ivar timeout: Seconds a request may take.
    @ivar size: Bytes of an echo's message, or of the first request.
    @ivar rounds: Of a barrier, otherwise 0.
    @ivar tls: C{none}, C{verified} or C{insecure}.
    """

    connections: int = 10
    processes: int = 1
    requests: int | None = None
    seconds: float | None = 10.0
    rate: float | None = None
    arrivals: str = "constant"
    pipeline: int = 1
    keepAlive: bool = True
    warmup: float = 0.0
    timeout: float = 10.0
    size: int = 0
    rounds: int = 0
    tls: str = "none"


@dataclass(frozen=True)
class Machine:
    """
    Where the generator ran.

    @ivar cpu: The model of its processor.
    @ivar cores: How many this process may use.
    @ivar kernel: Its name and release.
    @ivar python: The version.
    """

    cpu: str
    cores: int
    kernel: str
    python: str


@dataclass(frozen=True)
class Counts:
    """
    How much there was of what, over all processes.

    @ivar requests: Sent in the measured part, or under way when it began.
    @ivar good: Answered, and every check passed.
    @ivar bytesSent: Of the requests that were answered.
    @ivar bytesReceived: Of the answers, heads included.
    @ivar unanswered: Under way when the measured part ended: neither good nor an error.
    @ivar connects: Connections made, warm-up included.
    @ivar late: Of an open loop: sent more than a millisecond after they were planned.
    @ivar unsent: Of an open loop: planned, and still waiting for a connection at the end.
    """

    requests: int = 0
    good: int = 0
    bytesSent: int = 0
    bytesReceived: int = 0
    connects: int = 0
    late: int = 0
    unsent: int = 0
    unanswered: int = 0


@dataclass(frozen=True)
class Second:
    """
    One second of the measured part; the last may be shorter.

    @ivar second: Its number, from 0.
    @ivar requests: Good answers in it.
    @ivar errors: What went wrong in it.
    @ivar p50: Of C{total}, nanoseconds; 0 where there was no good answer.
    @ivar p99: Likewise.
    @ivar bytes: Received in it.
    """

    second: int
    requests: int
    errors: int
    p50: int
    p99: int
    bytes: int = 0


@dataclass(frozen=True)
class Generator:
    """
    What the run cost the generator, and whether it was the limit.

    @ivar cpu: Processor seconds of each process, in the measured part.
    @ivar limited: The generator, not the server, may have set the figures.
    @ivar words: One sentence for each thing a reader should know; may be empty.
    """

    cpu: tuple[float, ...] = ()
    limited: bool = False
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Round:
    """
    One round of a barrier.

    @ivar times: Nanoseconds of each connection that was answered, in the order
        of the answers.
    @ivar mean: Nanoseconds.
    @ivar worst: The longest of them; 0 where there are none.
    @ivar errors: Connections that were not answered.
    """

    times: tuple[int, ...]
    mean: float
    worst: int
    errors: int = 0


@dataclass(frozen=True)
class Result:
    """
    One run.

    @ivar version: Of ktcp.
    @ivar started: When, in ISO 8601 with the offset from UTC.
    @ivar command: The command line, or what stands for it.
    @ivar mode: C{http}, C{echo}, C{bulk} or C{barrier}.
    @ivar target: The URL or address, as it was given.
    @ivar plan: What was asked for.
    @ivar machine: Where the generator ran.
    @ivar elapsed: Seconds that were measured: rates are counts over this.
    @ivar counts: What was sent and received.
    @ivar errors: Counts by kind of error; kinds that did not happen are left out.
    @ivar statuses: Counts of answers by HTTP status.
    @ivar histograms: Of good answers.  C{total}: from sending to the whole answer; with a
        connection for each request from connecting; of an open loop from the planned time of
        sending (corrected), and what had no answer at the end is in it with how long
        it had waited.  C{uncorrected}: of an open loop only, from the actual sending.
        C{connect}: the connection made, with TLS.  C{firstByte}: to the first byte of the answer.
    @ivar series: The measured part second by second.
    @ivar generator: What the run cost the generator.
    @ivar rounds: Of a barrier; otherwise empty.
    @ivar interrupted: It was stopped before its end, by Ctrl-C.
    @ivar schema: C{ktcp-load/1}.
    """

    version: str
    started: str
    command: tuple[str, ...]
    mode: str
    target: str
    plan: Plan
    machine: Machine
    elapsed: float
    counts: Counts
    errors: Mapping[str, int] = field(default_factory=dict)
    statuses: Mapping[str, int] = field(default_factory=dict)
    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    series: tuple[Second, ...] = ()
    generator: Generator = field(default_factory=Generator)
    rounds: tuple[Round, ...] = ()
    interrupted: bool = False
    schema: str = SCHEMA

    @property
    def rate(self) -> float:
        """
        Good answers a second.
        """
        return self.counts.good / self.elapsed if self.elapsed else 0.0

    @property
    def failed(self) -> int:
        """
        How much went wrong, over all kinds.
        """
        return sum(self.errors.values())

    def percentile(self, name: str) -> int:
        """
        The latency of good answers at a percentile.

        @param name: One of L{PERCENTILES}.
        @return: Nanoseconds; 0 where there was no good answer.
        """
        total = self.histograms.get("total")
        return 0 if total is None else total.percentiles[name]

    def toJSON(self) -> str:
        """
        The result as a file of schema C{ktcp-load/1}.
        """
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def fromJSON(cls, text: str | bytes) -> Result:
        """
        Read what L{toJSON} wrote.

        @raise NotAResult: It is something else.
        """
        try:
            raw = json.loads(text)
        except ValueError as error:
            raise NotAResult(f"not JSON: {error}") from error
        schema = raw.get("schema") if isinstance(raw, dict) else None
        if schema != SCHEMA:
            raise NotAResult(f"not a result of schema {SCHEMA}, but {schema!r}")
        try:
            return cls._fromFields(raw)
        except (KeyError, TypeError, ValueError) as error:
            raise NotAResult(f"a field is missing or strange: {error}") from error

    @classmethod
    def _fromFields(cls, raw: dict[str, Any]) -> Result:
        generator = raw["generator"]
        return cls(
            **{
                **raw,
                "command": tuple(raw["command"]),
                "plan": Plan(**raw["plan"]),
                "machine": Machine(**raw["machine"]),
                "counts": Counts(**raw["counts"]),
                "histograms": {name: Histogram(**h) for name, h in raw["histograms"].items()},
                "series": tuple(Second(**second) for second in raw["series"]),
                "generator": Generator(
                    tuple(generator["cpu"]), generator["limited"], tuple(generator["words"])
                ),
                "rounds": tuple(Round(**{**r, "times": tuple(r["times"])}) for r in raw["rounds"]),
            }
        )


@dataclass(frozen=True)
class Progress:
    """
    How far a run is: what the engine tells its caller about four times a second.

    @ivar elapsed: Seconds since the measured part began; negative while warming up.
    @ivar share: Of the whole, 0 to 1.
    @ivar requests: Good answers so far.
    @ivar errors: What went wrong so far.
    @ivar rate: Good answers a second, since the last time.
    @ivar p99: Nanoseconds, of the last second that is whole, or C{None}.
    """

    elapsed: float
    share: float
    requests: int
    errors: int
    rate: float
    p99: int | None = None
