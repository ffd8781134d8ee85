"""
Every metric, from what C{/metrics} says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from generated.words import directive, prose
from ktcp.admin.facts import JSON, Facts
from ktcp.admin.metrics import exposition, metricName
from ktcp.counters import Counters, Layout


class Metric(NamedTuple):
    """
    @ivar labels: The values of each, none where they are not known beforehand.
    @ivar logged: What the log calls it; empty: it is not there.
    """

    name: str
    kind: str
    help: str
    labels: dict[str, list[str]]
    logged: str


# Of every kind one, so that its labels are seen.
_PROTOCOLS = ("http", "echo", "discard", "chargen")
_QUEUE = {"protocol": "http", "address": "127.0.0.1", "port": 8081, "waiting": 0, "limit": 4096}
# What depends on the machine and the command line.
_OPEN = ("address", "port", "protocol", "version", "le")


class _Example(Facts):
    def acceptQueues(self) -> list[JSON]:
        return [_QUEUE]


def everyMetric() -> list[Metric]:
    """
    Those that a server has, in the order of C{/metrics}.
    """
    counters = Counters(Layout(_PROTOCOLS))
    facts = _Example(
        snapshot=counters.snapshot,
        workers=dict,
        listeners=list,
        connections=lambda most: Any,
        parameters=[],
        isReady=lambda: True,
    )
    logged = {metricName(family): family.name for family in counters.layout.families}
    found = []
    for family in text_string_to_metric_families(exposition(facts).decode()):
        total = "_total" if family.type == "counter" else ""
        labels: dict[str, dict[str, None]] = {}
        for sample in family.samples:
            for label, value in sample.labels.items():
                labels.setdefault(label, {})[value] = None
        shown = {name: [] if name in _OPEN else list(values) for name, values in labels.items()}
        name = f"{family.name}{total}"
        found.append(Metric(name, family.type, family.documentation, shown, logged.get(name, "")))
    return found


def rendered() -> Iterator[str]:
    """
    All of them.
    """
    for metric in everyMetric():
        facts = [f"Type: {metric.kind}."]
        for label, values in metric.labels.items():
            listed = ", ".join(f"``{value}``" for value in values)
            facts.append(f"Label ``{label}``{f': {listed}' if listed else ''}.")
        if metric.logged:
            facts.append(f"In the log: ``{metric.logged}``.")
        yield from directive("metric", metric.name, [prose(metric.help), "  ".join(facts)])
