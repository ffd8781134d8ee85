# -*- test-case-name: ktcp.test.test_admin_routes -*-
"""
What the second plane answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from ktcp.admin.facts import Facts, summaryOf
from ktcp.admin.gate import SAFE
from ktcp.admin.live import Live, TooMany
from ktcp.http.message import Request, Response
from ktcp.http.router import Router

_FILES = Path(__file__).parent
_PAGE = (_FILES / "dashboard.html").read_text()

# Of the page: what it is made of comes from here, and nothing else is loaded or framed.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_HTML = {**SAFE, "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": _POLICY}
_JSON = {**SAFE, "Content-Type": "application/json"}
_TEXT = {**SAFE, "Content-Type": "text/plain; charset=utf-8"}
_EVENTS = {**SAFE, "Content-Type": "text/event-stream"}

_NO_METRICS = b"501 Not Implemented: metrics need prometheus_client: pip install 'ktcp[admin]'\n"
_TOO_MANY = b"503 Service Unavailable: as many watch already as may\n"


def routes(facts: Facts, clock: Any) -> Router:
    """
    Make the handler of the second plane, to be put behind a L{Gate<ktcp.admin.gate.Gate>}.
    """
    router = Router()
    live = Live(facts, clock)
    page = _Dashboard(live)
    router.add("/", page.page)
    router.add("/events", page.events)
    for name, kind in [("dashboard.js", "text/javascript"), ("dashboard.css", "text/css")]:
        router.add(f"/{name}", _file(name, kind))
    router.add("/healthz", lambda request: Response(200, b"ok\n", _TEXT))
    router.add("/readyz", lambda request: _ready(facts))
    router.add("/metrics", lambda request: _metrics(facts))
    router.add("/parameters", _answering(lambda: {"parameters": facts.parameters}))
    router.add("/queues", _answering(facts.queues))
    router.add("/workers", _answering(lambda: _workers(facts)))

    async def connections(request: Request) -> Response:
        return _asJSON(await facts.listConnections())

    router.add("/connections", connections)
    return router


def _asJSON(data: object) -> Response:
    return Response(200, json.dumps(data, indent=1, default=str).encode() + b"\n", _JSON)


def _answering(tell: Callable[[], object]) -> Callable[[Request], Response]:
    return lambda request: _asJSON(tell())


def _ready(facts: Facts) -> Response:
    if facts.isReady():
        return Response(200, b"ready\n", _TEXT)
    return Response(503, b"draining\n", _TEXT)


def _metrics(facts: Facts) -> Response:
    try:
        from ktcp.admin.metrics import CONTENT_TYPE, exposition
    except ImportError:
        return Response(501, _NO_METRICS, _TEXT)
    return Response(200, exposition(facts), {**SAFE, "Content-Type": CONTENT_TYPE})


def _workers(facts: Facts) -> dict[str, object]:
    workers = [
        {"number": number, **summaryOf(snapshot)} for number, snapshot in facts.workers().items()
    ]
    return {**facts.describe(), **summaryOf(facts.snapshot()), "workers": workers}


def _file(name: str, kind: str) -> Callable[[Request], Response]:
    answer = Response(
        200,
        (_FILES / name).read_bytes(),
        {**SAFE, "Content-Type": f"{kind}; charset=utf-8"},
    )
    return lambda request: answer


class _Dashboard:
    """
    For people.
    """

    def __init__(self, live: Live) -> None:
        self._live = live

    def page(self, request: Request) -> Response:
        """
        The page, with the numbers of now: they stay where scripts are off.
        """
        seen = self._live.look()
        page = _PAGE
        for name, rows in (
            ("summary", _summaryRows(seen)),
            ("errors", _rows(seen["errors"].items())),
            ("queues", _queueRows(seen["queues"])),
            ("workers", _workerRows(seen["workers"])),
        ):
            page = page.replace(f"<!--{name}-->", rows)
        return Response(200, page.encode(), _HTML)

    def events(self, request: Request) -> Response:
        """
        What changes.
        """
        try:
            return Response(200, self._live.watch(), _EVENTS)
        except TooMany:
            return Response(503, _TOO_MANY, {**_TEXT, "Retry-After": "10"})


def _rows(cells: Any) -> str:
    return "".join(
        f'<tr><th scope="row">{escape(str(name))}</th><td>{escape(str(value))}</td></tr>'
        for name, value in cells
    )


def _summaryRows(seen: dict[str, Any]) -> str:
    names = {
        "ready": "ready",
        "rate": "requests/s",
        "requests": "requests",
        "connections": "connections",
        "accepted": "connections accepted",
        "p50": "response time, half within (s)",
        "p90": "90 % within (s)",
        "p99": "99 % within (s)",
        "bytesIn": "bytes in",
        "bytesOut": "bytes out",
        "restarts": "worker restarts",
        "uptimeSeconds": "uptime (s)",
    }
    return "".join(
        f'<tr><th scope="row">{label}</th><td data-field="{name}">'
        f"{escape('-' if seen[name] is None else str(seen[name]))}</td></tr>"
        for name, label in names.items()
    )


def _queueRows(queues: list[dict[str, Any]]) -> str:
    return "".join(
        f'<tr><th scope="row">{escape(q["protocol"])} {escape(q["address"])}:{q["port"]}</th>'
        f"<td>{q['waiting']}</td><td>{q['limit']}</td><td>{q['drops']}</td></tr>"
        for q in queues
    )


def _workerRows(workers: list[dict[str, Any]]) -> str:
    return "".join(
        f'<tr><th scope="row">{w["number"]}</th><td>{w["rate"]}</td><td>{w["requests"]}</td>'
        f"<td>{w['connections']}</td><td>{w['restarts']}</td></tr>"
        for w in workers
    )
