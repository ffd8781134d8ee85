"""
What a kernel said of one echo connection (L{ktcp.test.tracedata}), taken as far
as a test needs it.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ktcp.test.tracedata import RECORDED
from ktcp.trace.analysis.assemble import Material, Namer, assemble
from ktcp.trace.analysis.events import TRACEPOINTS, Seen
from ktcp.trace.analysis.join import Captured
from ktcp.trace.kernel import packet
from ktcp.trace.kernel.formats import Format, Layout, PageLayout, parseFormat, parsePageLayout
from ktcp.trace.kernel.kallsyms import Symbols
from ktcp.trace.kernel.pages import Decoder, Record
from ktcp.trace.model import Environment, Trace

PORT: int = RECORDED["port"]
ROLES = {int(pid): role for pid, role in RECORDED["roles"].items()}
CLIENT, SERVER = (
    next(pid for pid, role in ROLES.items() if role == which) for which in ("client", "server")
)


@lru_cache(maxsize=1)
def pageLayout() -> PageLayout:
    """
    How its pages begin.
    """
    return parsePageLayout(RECORDED["headerPage"])


@lru_cache(maxsize=1)
def formats() -> dict[str, Format]:
    """
    Its records, by C{system/name}.
    """
    return {name: parseFormat(text) for name, text in RECORDED["formats"].items()}


@lru_cache(maxsize=1)
def pages() -> list[tuple[int, list[bytes]]]:
    """
    Its pages, by processor.
    """
    size = pageLayout().size
    return [
        (cpu, [b64decode(each).ljust(size, b"\0") for each in many])
        for cpu, many in RECORDED["pages"]
    ]


def decoder() -> Decoder:
    """
    A decoder that knows its records.
    """
    known = formats()
    layouts = {known[each.name].id: Layout(known[each.name], each.fields) for each in TRACEPOINTS}
    return Decoder(pageLayout(), layouts, parseFormat(RECORDED["stackFormat"]).id)


def records() -> list[Record]:
    """
    Its records, by time.
    """
    found = [each for cpu, many in pages() for each in decoder().decode(cpu, many)]
    return sorted(found, key=lambda each: each.time)


def symbols() -> Symbols:
    """
    The functions in its stacks.
    """
    return Symbols((int(address, 16), name) for address, name in RECORDED["symbols"].items())


def events() -> list[Seen]:
    """
    Its events, by time, not linked yet.
    """
    namer = Namer(symbols(), {each.name: each.symbols for each in formats().values()})
    return [namer.name(each) for each in records()]


def frames() -> list[Captured]:
    """
    Its frames.
    """
    made = []
    for time, interface, outgoing, length, data in RECORDED["frames"]:
        raw = bytes.fromhex(data)
        layers = packet.decode(raw)
        summary, ends = packet.summary(layers), packet.endpointsOf(layers)
        made.append(Captured(time, interface, outgoing, length, raw, summary, ends))
    return made


def environment(**changes: Any) -> Environment:
    """
    Where it was made, more or less.
    """
    fields: dict[str, Any] = {
        "kernel": "6.18",
        "machine": "x86_64",
        "clock": "tai",
        "started": "2026-11-22T03:00:00+00:00",
        "command": "ktcp trace run",
        "workload": "echo",
        "lab": "lo",
        "port": PORT,
        "cpus": 2,
        "ktcp": "0",
        "requests": 1,
    }
    return Environment(**{**fields, **changes})


def material(chosen: Sequence[Seen] | None = None) -> Material:
    """
    What its trace is made of.
    """
    return Material(
        environment=environment(),
        events=events() if chosen is None else list(chosen),
        frames=frames(),
        tasks={CLIENT: "python", SERVER: "twistd"},
        roles=ROLES,
        wholeOnly=True,
        limit=4096,
    )


@lru_cache(maxsize=1)
def trace() -> Trace:
    """
    Its trace.
    """
    return assemble(material())
