# -*- test-case-name: bench.macro.test_compare -*-
"""
From samples to medians, ratios and bars: plain data, ready for JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from bench.macro.measure import Outcome
from bench.macro.samples import Sample
from bench.macro.workloads import Bar

# A server less busy than this, asked by a client busier than this, could have
# done more: the client was the limit.
BUSY = 0.93


def spread(values: Sequence[float]) -> dict[str, float]:
    """
    Give the middle and the ends of some values.
    """
    return {"median": median(values), "low": min(values), "high": max(values)}


def ratios(mine: Sequence[float], others: Sequence[float]) -> dict[str, float]:
    """
    Give the middle and the ends of the ratios of each round.

    Taken round by round, because what disturbs a round disturbs both.
    """
    return spread([a / b for a, b in zip(mine, others, strict=True)])


def clientBound(figures: dict[str, Any]) -> bool:
    """
    Say whether the client, not the server, was the limit of a peer's figures.
    """
    if "clientCpu" not in figures:
        return False
    return bool(figures["clientCpu"]["median"] > BUSY > figures["serverCpu"]["median"])


def _values(samples: Iterable[Sample], figure: str) -> list[float]:
    return [sample.figures[figure] for sample in samples]


def summarise(outcome: Outcome) -> dict[str, Any]:
    """
    Make a row of the report.

    @return: C{peers} maps each to its figures' spreads, C{ratios} each other
        than the subject to the subject's ratios to it, figure by figure.
    """
    row, samples = outcome.row, outcome.samples
    # A row that broke off has rounds of different lengths: only whole ones compare.
    rounds = min(map(len, samples.values()), default=0)
    kept = {name: taken[:rounds] for name, taken in samples.items() if rounds}
    figures = {
        name: [figure for figure in taken[0].figures if all(figure in s.figures for s in taken)]
        for name, taken in kept.items()
    }
    mine = kept.get(row.subject, [])
    return {
        "name": row.name,
        "title": row.title,
        "tool": row.client.tool,
        "unit": row.unit,
        "figure": row.figure,
        "subject": row.subject,
        "rounds": rounds,
        "peers": {
            name: {figure: spread(_values(taken, figure)) for figure in figures[name]}
            for name, taken in kept.items()
        },
        "ratios": {
            name: {
                figure: ratios(_values(mine, figure), _values(taken, figure))
                for figure in (row.figure, "perCpu", "p99Us")
                if figure in figures[name]
                and figure in figures[row.subject]
                and all(_values(taken, figure))
            }
            for name, taken in kept.items()
            if mine and name != row.subject
        },
        "samples": {name: [sample.figures for sample in taken] for name, taken in samples.items()},
        "absent": dict(row.absent),
        "failures": list(outcome.failures),
    }


def judge(bar: Bar, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """
    Say whether a bar was met.

    @param rows: From L{summarise}.
    @return: C{met} is L{None} when the row failed or the peer was not measured.
    """
    row = next((row for row in rows if row["name"] == bar.row), None)
    value = None
    if row is not None and not row["failures"]:
        if bar.peer is None:
            value = row["peers"].get(row["subject"], {}).get(bar.figure)
        else:
            value = row["ratios"].get(bar.peer, {}).get(bar.figure)
    met = None
    if value is not None:
        met = (bar.least is None or value["median"] >= bar.least) and (
            bar.most is None or value["median"] <= bar.most
        )
    return {
        "row": bar.row,
        "peer": bar.peer,
        "figure": bar.figure,
        "least": bar.least,
        "most": bar.most,
        "value": value,
        "met": met,
    }
