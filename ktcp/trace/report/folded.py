# -*- test-case-name: ktcp.test.test_trace_report_folded -*-
"""
Stacks for flame graphs: the folded lines of FlameGraph's C{flamegraph.pl}, and
the JSON of speedscope.  Pure.

A stack weighs as many as the events that have it: this is where the kernel
went, not where time went.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from ktcp.trace.model import Trace

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def folded(trace: Trace) -> Iterator[str]:
    """
    A line for each stack: who ran it, its functions outermost first, how often.
    """
    for (role, stack), count in sorted(weights(trace).items()):
        names = [trace.symbols[each].name for each in reversed(trace.stacks[stack])]
        yield f"{';'.join([role, *names])} {count}"


def speedscope(trace: Trace, name: str) -> str:
    """
    A document that speedscope opens, with a profile for each role.
    """
    frames = [{"name": each.name, "file": each.layer} for each in trace.symbols]
    profiles = []
    for role in sorted({role for role, _ in weights(trace)}):
        chosen = {stack: n for (whose, stack), n in weights(trace).items() if whose == role}
        profiles.append(
            {
                "type": "sampled",
                "name": role,
                "unit": "none",
                "startValue": 0,
                "endValue": sum(chosen.values()),
                "samples": [list(reversed(trace.stacks[stack])) for stack in chosen],
                "weights": list(chosen.values()),
            }
        )
    document = {
        "$schema": _SCHEMA,
        "name": name,
        "exporter": f"ktcp {trace.environment.ktcp}",
        "shared": {"frames": frames},
        "profiles": profiles,
    }
    return json.dumps(document, separators=(",", ":"))


def weights(trace: Trace) -> Counter[tuple[str, int]]:
    """
    How many events each role and stack has.
    """
    return Counter(
        (trace.tasks[event.task].role, event.stack)
        for event in trace.events
        if event.stack is not None
    )
