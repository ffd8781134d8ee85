# -*- test-case-name: ktcp.test.test_admin_routes -*-
"""
The counters for Prometheus, written out by its own library, C{prometheus_client}, which
comes with C{ktcp[admin]}.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)

from ktcp import __version__
from ktcp.admin.facts import Facts
from ktcp.counters import BOUNDS, Family, Snapshot

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

GAUGES = {
    "ktcp_info": "The version of ktcp.",
    "ktcp_connections": "Connections that there are.",
    "ktcp_accept_queue": "Connections that wait to be accepted, on all sockets of a port.",
    "ktcp_accept_queue_limit": "How many may wait there.",
    "ktcp_workers": "Worker processes; 0 where one process serves.",
    "ktcp_ready": "1, or 0 from the moment a drain begins.",
    "ktcp_uptime_seconds": "Time since the start.",
}


def metricName(family: Family) -> str:
    """
    @return: Under which name Prometheus knows a family of counters.
    """
    return f"ktcp_{family.name}" + ("" if family.isTimed else "_total")


def exposition(facts: Facts) -> bytes:
    """
    @return: All metrics as text.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(facts))
    text: bytes = generate_latest(registry)
    return text


class _Collector:
    """
    What the library asks.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def collect(self) -> Iterator[Any]:
        """
        Give every metric.
        """
        snapshot = self._facts.snapshot()
        for family in snapshot.layout.families:
            yield _histogram(snapshot, family) if family.isTimed else _counter(snapshot, family)
        yield from self._gauges(snapshot)

    def _gauges(self, snapshot: Snapshot) -> Iterator[Any]:
        facts = self._facts
        yield _gauge("ktcp_info", ["version"], {(__version__,): 1})
        connections: dict[tuple[str, ...], float] = {
            (name,): snapshot.open(name) for name in snapshot.layout.protocols
        }
        yield _gauge("ktcp_connections", ["protocol"], connections)
        waiting: dict[tuple[str, ...], float] = {}
        limit: dict[tuple[str, ...], float] = {}
        for queue in facts.acceptQueues():
            key = (queue["protocol"], queue["address"], str(queue["port"]))
            waiting[key] = waiting.get(key, 0) + queue["waiting"]
            limit[key] = limit.get(key, 0) + queue["limit"]
        labels = ["protocol", "address", "port"]
        yield _gauge("ktcp_accept_queue", labels, waiting)
        yield _gauge("ktcp_accept_queue_limit", labels, limit)
        yield _gauge("ktcp_workers", [], {(): len(facts.workers())})
        yield _gauge("ktcp_ready", [], {(): int(facts.isReady())})
        yield _gauge("ktcp_uptime_seconds", [], {(): facts.uptime()})


def _counter(snapshot: Snapshot, family: Family) -> Any:
    metric = CounterMetricFamily(f"ktcp_{family.name}", family.meaning, labels=family.labels)
    for labels, value in snapshot.series(family.name):
        metric.add_metric(labels, value)
    return metric


def _histogram(snapshot: Snapshot, family: Family) -> Any:
    histogram = snapshot.histogram(family.name)
    bounds = [*(str(bound) for bound in BOUNDS), "+Inf"]
    buckets = list(zip(bounds, accumulate(histogram.buckets), strict=True))
    return HistogramMetricFamily(
        f"ktcp_{family.name}", family.meaning, buckets=buckets, sum_value=histogram.sum
    )


def _gauge(name: str, labels: list[str], values: dict[tuple[str, ...], float]) -> Any:
    metric = GaugeMetricFamily(name, GAUGES[name], labels=labels)
    for key, value in values.items():
        metric.add_metric(key, value)
    return metric
