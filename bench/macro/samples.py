# -*- test-case-name: bench.macro.test_compare -*-
"""
What a timed run came to: a L{Sample} has figures by name, and what went wrong.

The figures are C{rate} (answers a second), C{p50Us} and C{p99Us} (latency,
microseconds), C{clientCpu} and C{serverCpu} (processor seconds per second),
C{perCpu} (answers per processor second of the server: what is left to compare
when the client was the limit), and those that only one row has.  They are read
here from what each tool prints.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from bench.macro.processes import ClientFailed, ClientRun
from ktcp.load.result import Result


@dataclass(frozen=True)
class Sample:
    """
    One timed run of one server.

    @ivar errors: What went wrong, each with its count; any makes the row fail.
    """

    figures: dict[str, float]
    errors: dict[str, int] = field(default_factory=dict)


def parseWrk(output: str) -> Sample:
    """
    Read the JSON lines that C{lua/} has wrk print.

    @raise ClientFailed: There is none.
    """
    figures: dict[str, float] = {}
    for line in output.splitlines():
        if line.startswith("{"):
            figures.update(json.loads(line))
    if "rate" not in figures:
        raise ClientFailed(f"wrk printed no figures: {output.strip()[-400:]}")
    kinds = ("connect", "read", "write", "timeout", "status")
    counts = {kind: int(figures.pop(kind)) for kind in kinds}
    errors = {f"{kind} errors": count for kind, count in counts.items() if count}
    if not figures["p99Us"]:  # wrk does not time pipelined requests
        del figures["p50Us"], figures["p99Us"]
    if not figures["count"]:
        errors["runs without an answer"] = 1
    return Sample(figures, errors)


def parseAb(output: str) -> Sample:
    """
    Read ab's report.

    @raise ClientFailed: It is not one.
    """

    def number(pattern: str) -> float:
        match = re.search(pattern, output, re.M)
        if match is None:
            raise ClientFailed(f"ab: no {pattern!r} in {output.strip()[-400:]}")
        return float(match[1])

    figures = {
        "rate": number(r"^Requests per second: +([\d.]+)"),
        "count": number(r"^Complete requests: +(\d+)"),
        "p50Us": number(r"^ +50% +(\d+)") * 1000,
        "p99Us": number(r"^ +99% +(\d+)") * 1000,
    }
    # Printed only when there are any.
    other = re.search(r"^Non-2xx responses: +(\d+)", output, re.M)
    counts = {
        "failed requests": int(number(r"^Failed requests: +(\d+)")),
        "answers that are not 2xx": int(other[1]) if other else 0,
    }
    return Sample(figures, {kind: count for kind, count in counts.items() if count})


def parseEchoload(output: str) -> Sample:
    """
    Read the JSON line of C{echoload.c}.
    """
    figures = json.loads(output)
    errors = figures.pop("errors")
    return Sample(figures, {"connections that failed": errors} if errors else {})


def withCost(sample: Sample, run: ClientRun) -> Sample:
    """
    Add to a sample what it cost both sides.
    """
    figures = sample.figures
    figures["clientCpu"] = run.clientSeconds / run.seconds
    figures["serverCpu"] = run.serverSeconds / run.seconds
    if run.serverSeconds:
        figures["perCpu"] = figures["count"] / run.serverSeconds
    return sample


def parseResult(result: Result, run: ClientRun) -> Sample:
    """
    Take the figures of a result.

    Processor time is over the seconds that ktcp-load measured and warmed up: what
    Python takes to start is not load.
    """
    total = result.histograms["total"]
    seconds = result.elapsed + result.plan.warmup
    figures = {
        "rate": result.rate,
        "count": float(result.counts.good),
        "p50Us": total.percentiles["p50"] / 1000,
        "p99Us": total.percentiles["p99"] / 1000,
        "meanUs": total.mean / 1000,
        "maxUs": total.max / 1000,
        "clientCpu": sum(result.generator.cpu) / result.elapsed,
        "serverCpu": run.serverSeconds / seconds,
    }
    if run.serverSeconds:
        figures["perCpu"] = result.counts.good * seconds / result.elapsed / run.serverSeconds
    return Sample(figures, {f"{kind} errors": n for kind, n in result.errors.items()})
