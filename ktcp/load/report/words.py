# -*- test-case-name: ktcp.test.test_load_report_words -*-
"""
A result in words: ktcp-load's own report, and htstress's lines.

Pure.  No rate is given without what went wrong beside it and what was asked for above.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from ktcp.load.result import ERRORS, PERCENTILES, Histogram, Plan, Result
from ktcp.load.stats import bootstrap, meanEstimate

CORRECTED = (
    "Corrected is counted from when a request was planned to be sent, uncorrected from when it was"
    " sent: what a stalled server kept from being sent in time waits in the first, and is missing"
    " in the second."
)

# What each histogram is called, in the order in which they are told.
LABELS = {
    "total": "latency",
    "uncorrected": "uncorrected",
    "firstByte": "first byte",
    "connect": "connect",
}

# What htstress calls a bad request: an answer came, and it was not the right one.
BAD = ("status", "body", "framing")


def timeText(nanoseconds: float) -> str:
    """
    A time with three digits that mean something.
    """
    for size, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        # Not 1000 us but 1.00 ms: what rounds up belongs to the next unit.
        if nanoseconds >= 0.9995 * size:
            value = nanoseconds / size
            return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} {unit}"
    return f"{nanoseconds:.0f} ns"


def bytesText(count: float) -> str:
    """
    A number of bytes, in units of a thousand as networks count.
    """
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return f"{count:.0f} B"


def some(count: int, thing: str) -> str:
    """
    A number of things.
    """
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """
    Lines of a table: the first column to the left, the others to the right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def planText(plan: Plan, mode: str, swept: str = "") -> str:
    """
    What was asked for, on one line.

    @param swept: A field of the plan that is not told, as it has several values.
    """
    parts = [some(plan.connections, "connection")] if swept != "connections" else []
    if plan.processes > 1:
        parts.append(f"{plan.processes} processes")
    if mode == "barrier":
        parts.append(f"held until all are ready, {some(plan.rounds, 'round')}")
    elif plan.rate is not None:
        rate = f" of {plan.rate:,.10g} a second" if swept != "rate" else ""
        parts.append(f"open loop{rate} ({plan.arrivals} arrivals)")
    else:
        parts.append("closed loop")
    if mode != "barrier":
        parts.append("kept alive" if plan.keepAlive else "a connection for each request")
        if plan.requests is not None:
            parts.append(some(plan.requests, "request"))
        if plan.seconds is not None:
            parts.append(f"{plan.seconds:g} s")
    if plan.pipeline > 1:
        parts.append(f"pipelined by {plan.pipeline}")
    if plan.size:
        parts.append(f"{plan.size:,} B each")
    if plan.warmup:
        parts.append(f"warm-up {plan.warmup:g} s")
    if plan.tls != "none":
        parts.append("TLS" if plan.tls == "verified" else "TLS, SERVER NOT VERIFIED")
    return ", ".join([*parts, f"timeout {plan.timeout:g} s"])


def machineText(result: Result) -> str:
    """
    Where it ran, on one line.
    """
    machine = result.machine
    where = f"{machine.cpu}, {some(machine.cores, 'core')}, {machine.kernel}, {machine.python}"
    return f"{where}, ktcp {result.version}"


def errorsText(result: Result) -> str:
    """
    What went wrong, by kind, on one line.
    """
    if not result.failed:
        return "none"
    kinds = sorted(result.errors.items(), key=lambda item: -item[1])
    of = result.counts.good + result.failed
    named = ", ".join(f"{count:,} {kind} ({ERRORS.get(kind, kind)})" for kind, count in kinds)
    return f"{result.failed:,} of {of:,} ({100 * result.failed / of:.3g}%): {named}"


def rateText(result: Result) -> str:
    """
    The rate and what it was made of, on one line.
    """
    what = f"{result.counts.good:,} in {result.elapsed:.2f} s"
    return f"{result.rate:,.0f} good answers a second ({what})"


def _facts(result: Result) -> Iterator[tuple[str, str]]:
    """
    The lines that have a name.
    """
    counts, seconds = result.counts, result.elapsed or 1.0
    yield "rate", rateText(result)
    yield "errors", errorsText(result)
    sent, received = counts.bytesSent / seconds, counts.bytesReceived / seconds
    yield (
        "data",
        f"{bytesText(counts.bytesSent)} sent, {bytesText(counts.bytesReceived)} received"
        f" ({bytesText(sent)}/s and {bytesText(received)}/s)",
    )
    if result.statuses:
        of = sorted(result.statuses.items())
        yield "statuses", ", ".join(f"{status}: {count:,}" for status, count in of)
    yield "connects", f"{counts.connects:,}"
    if result.plan.rate is not None:
        yield (
            "schedule",
            f"{counts.late:,} sent over 1 ms late,"
            f" {counts.unsent:,} planned but not sent, {counts.unanswered:,} not answered yet",
        )
    elif counts.unanswered:
        yield "at the end", f"{counts.unanswered:,} were not answered yet"


def latencies(result: Result) -> Iterator[tuple[str, Histogram]]:
    """
    The histograms that have something in them, by what they are called.
    """
    for name, label in LABELS.items():
        histogram = result.histograms.get(name)
        if histogram is not None and histogram.count:
            corrected = name == "total" and "uncorrected" in result.histograms
            yield "corrected" if corrected else label, histogram


def latencyTable(result: Result) -> list[list[str]]:
    """
    Percentiles, highest and mean of each histogram, below a line of headings; or nothing.
    """
    rows = [
        [label, *map(timeText, (*(of.percentiles[each] for each in PERCENTILES), of.max, of.mean))]
        for label, of in latencies(result)
    ]
    return [["", *PERCENTILES, "max", "mean"], *rows] if rows else []


def _latencies(result: Result) -> Iterator[str]:
    if rows := latencyTable(result):
        yield ""
        yield from columns(rows)
    if "uncorrected" in result.histograms:
        yield CORRECTED


def _rounds(result: Result) -> Iterator[str]:
    """
    What a barrier's rounds found.
    """
    rounds = [each for each in result.rounds if each.times]
    if not rounds:
        return
    yield ""
    yield f"time of a connection, over {some(len(rounds), 'round')}"
    centre, (low, high) = meanEstimate([each.mean for each in rounds])
    yield f"  mean   {_within(centre, low, high, len(rounds))}"
    worst = [float(each.worst) for each in rounds]
    # The worst of a round has no distribution that one could name.
    centre, (low, high) = bootstrap(worst)
    yield f"  worst  {_within(centre, low, high, len(rounds))}, of all {timeText(max(worst))}"


def _within(value: float, low: float, high: float, count: int) -> str:
    if count < 2:
        return timeText(value)
    return f"{timeText(value)} (95%: {timeText(max(low, 0.0))} to {timeText(high)})"


def text(result: Result) -> str:
    """
    ktcp-load's own report.
    """
    lines = [
        shlex.join(result.command),
        f"  {result.target}: {planText(result.plan, result.mode)}",
        f"  {machineText(result)}",
        "",
    ]
    if result.interrupted:
        lines.insert(-1, "  INTERRUPTED: this is what was measured until then")
    facts = list(_facts(result))
    width = max(len(name) for name, _ in facts)
    lines += [f"{name.ljust(width)}  {value}" for name, value in facts]
    lines += [*_latencies(result), *_rounds(result)]
    if result.generator.words:
        lines += ["", *(f"note: {words}" for words in result.generator.words)]
    return "\n".join(lines) + "\n"


def htstress(result: Result) -> str:
    """
    The report of khttpd's htstress, line by line.

    A request is good, or bad (it was answered, wrongly), or a socket error.
    htstress.c spells the last "socker"; khttpd's README, which people copy, does not.
    """
    bad = sum(result.errors.get(kind, 0) for kind in BAD)
    counts = {
        "good requests:": result.counts.good,
        "bad requests: ": bad,
        "socket errors:": result.failed - bad,
    }
    requests = sum(counts.values())
    lines = [f"requests:      {requests}"]
    for name, count in counts.items():
        lines.append(f"{name} {count} [{count * 100 // requests if requests else 0}%]")
    rate = requests / result.elapsed if result.elapsed else 0.0
    lines += [f"seconds:       {result.elapsed:.3f}", f"requests/sec:  {rate:.3f}"]
    return "\n" + "\n".join(lines) + "\n\n"


FORMATS = {"text": text, "htstress": htstress}
