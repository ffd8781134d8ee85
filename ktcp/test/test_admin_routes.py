"""
Tests for L{ktcp.admin.routes}, L{ktcp.admin.live}, L{ktcp.admin.metrics} and
L{ktcp.admin.facts}: what the second plane answers.
"""

from __future__ import annotations

import json
import re
from typing import Any

from twisted.internet import reactor
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ktcp import HTTPFactory
from ktcp.admin.facts import Facts, inventory, parametersOf
from ktcp.admin.live import WATCHERS
from ktcp.admin.metrics import GAUGES, metricName
from ktcp.admin.routes import routes
from ktcp.counters import Census, Counters, Layout
from ktcp.options import optionsFor
from ktcp.test.browser import browserFor
from ktcp.test.support import stopAfter
from ktcp.testing import MemoryConnection, ReceivedResponse, parseResponses, request


class Bench:
    """
    A second plane over counters of a test's own.
    """

    def __init__(self, clock: Clock):
        self.counters = Counters(Layout(["http"]))
        self.ready = True
        self.rows: list[list[Any]] = [[]]
        self.others: dict[int, Any] = {}
        self.addresses: list[tuple[str, Any]] = [("http", UNIXAddress("/x"))]
        self.facts = Facts(
            self.counters.snapshot,
            lambda: self.others,
            lambda: self.addresses,
            lambda most: succeed(self.rows),
            [],
            lambda: self.ready,
        )
        self.factory = HTTPFactory(routes(self.facts, clock), reactor=clock)


class RoutesTests(SynchronousTestCase):
    """
    One question, one answer.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.bench = Bench(self.clock)

    def get(self, target: str, status: int = 200) -> ReceivedResponse:
        connection = MemoryConnection(self.bench.factory)
        connection.send(request(target))
        [response] = parseResponses(connection.received, closed=False)
        connection.lose()
        self.assertEqual(response.status, status)
        self.assertEqual(response.headers.get("X-Content-Type-Options"), b"nosniff")
        return response

    def json(self, target: str) -> Any:
        return json.loads(self.get(target).body)

    def test_health(self) -> None:
        """
        It is ready until a drain begins, and healthy for longer.
        """
        self.get("/readyz")
        self.bench.ready = False
        self.assertEqual(self.get("/readyz", 503).body, b"draining\n")
        self.assertEqual(self.get("/healthz").body, b"ok\n")

    def test_workers(self) -> None:
        """
        Each worker's numbers, and the sum.
        """
        Census(self.bench.counters, 0).accepted()
        self.bench.others[2] = self.bench.counters.snapshot()
        found = self.json("/workers")
        self.assertEqual(found["connections"], 1)
        self.assertEqual([w["number"] for w in found["workers"]], [2])

    def test_connections(self) -> None:
        """
        No more connections are listed than a bound, and that there are more is said.
        """
        self.bench.rows = [[{"peer": n} for n in range(300)]] * 2
        found = self.json("/connections")
        self.assertEqual(len(found["connections"]), 500)
        self.assertTrue(found["truncated"])
        self.bench.rows = [[{"peer": 1}], []]
        self.assertEqual(
            self.json("/connections"), {"connections": [{"peer": 1}], "truncated": False}
        )

    def test_queues(self) -> None:
        """
        The queues of each listener on TCP.
        """
        port = reactor.listenTCP(0, HTTPFactory(), interface="127.0.0.1", backlog=7)
        self.addCleanup(port.stopListening)
        self.bench.addresses.append(("http", port.getHost()))
        found = self.json("/queues")
        if "unavailable" in found:
            self.skipTest(found["unavailable"])
        [queue] = found["listeners"]
        self.assertEqual((queue["waiting"], queue["limit"]), (0, 7))
        self.assertEqual(found["synReceived"], {str(port.getHost().port): 0})
        self.assertIn("ListenOverflows", found["kernel"])

    def test_metrics(self) -> None:
        """
        The library reads back what it wrote: every counter and gauge, with its values.
        """
        from prometheus_client.parser import text_string_to_metric_families

        self.bench.counters.limited("idle")
        self.bench.counters.observe(self.bench.counters.layout.starts["handler_seconds"], 0.002)
        text = self.get("/metrics").body.decode()
        samples = {}
        for family in text_string_to_metric_families(text):
            self.assertTrue(family.documentation)
            for sample in family.samples:
                samples[sample.name, tuple(sample.labels.values())] = sample.value
        names = {name for name, _ in samples}
        for counted in self.bench.counters.layout.families:
            name = metricName(counted)
            self.assertIn(f"{name}_sum" if counted.isTimed else name, names)
        self.assertEqual(set(GAUGES) - names, {"ktcp_accept_queue", "ktcp_accept_queue_limit"})
        self.assertEqual(samples["ktcp_limits_total", ("idle",)], 1)
        self.assertEqual(samples["ktcp_handler_seconds_count", ()], 1)
        self.assertEqual(samples["ktcp_handler_seconds_bucket", ("0.0025",)], 1)
        self.assertEqual(samples["ktcp_handler_seconds_bucket", ("0.001",)], 0)
        self.assertEqual(samples["ktcp_ready", ()], 1)

    def test_page(self) -> None:
        """
        The page has its numbers where no script runs, loads nothing from elsewhere, and
        the browser is told so.
        """
        self.bench.counters.limited("idle")
        response = self.get("/")
        page = response.body.decode()
        self.assertIn('<th scope="row">limits hit</th><td>1</td>', page)
        self.assertNotIn("<!--", page)
        self.assertEqual(re.findall(r'(?:src|href)="(?!/|data:|#)[^"]*"', page), [])
        self.assertNotRegex(page, r"<script>|<style| style=| on\w+=")
        self.assertIn(b"default-src 'none'", response.headers.get("Content-Security-Policy"))
        for name in ("dashboard.js", "dashboard.css"):
            self.assertIn(f"/{name}", page)
            self.get(f"/{name}")

    def watch(self) -> MemoryConnection:
        connection = MemoryConnection(self.bench.factory)
        connection.send(request("/events"))
        return connection

    def events(self, connection: MemoryConnection) -> list[Any]:
        found = re.findall(rb"data: (.*)\n\n", connection.received)
        return [json.loads(each) for each in found]

    def test_events(self) -> None:
        """
        Who watches hears at once, and once a second what has changed; when nobody watches
        any more, nothing is looked at.
        """
        first, second = self.watch(), self.watch()
        for _ in range(50):
            self.bench.counters.add(self.bench.counters.layout.starts["requests"])
        self.clock.advance(1)
        for connection in (first, second):
            before, after = self.events(connection)
            self.assertEqual(before["requests"], 0)
            self.assertEqual((after["requests"], after["rate"]), (50, 50.0))
            self.assertEqual(after["errors"]["clients that left"], 50)
            connection.lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_watchers(self) -> None:
        """
        One watcher too many is told to come again, and there is room when one has left.
        """
        watching = [self.watch() for _ in range(WATCHERS)]
        self.assertIn(b" 503 ", self.watch().received[:15])
        watching.pop().lose()
        watching.append(self.watch())
        self.assertIn(b" 200 ", watching[-1].received[:15])
        for each in watching:
            each.lose()


class FactsTests(SynchronousTestCase):
    """
    Facts that need no plane.
    """

    def test_parameters(self) -> None:
        """
        Every option is listed, with where its value comes from.
        """
        options = optionsFor([])()
        options["backlog"] = 5
        options.given.add("backlog")
        found = {each["name"]: each for each in parametersOf(options)}
        self.assertEqual(found["backlog"]["value"], 5)
        self.assertEqual(found["backlog"]["origin"], "command line")
        self.assertEqual(found["interface"]["origin"], "default")

    def test_inventory(self) -> None:
        """
        A connection is described by its protocol where that can, and no more are listed
        than asked for.
        """
        factory = HTTPFactory(reactor=Clock())
        connections = [MemoryConnection(factory) for _ in range(3)]
        connections[0].send(request())
        entries = [("http", each.protocol, 0.0) for each in connections]
        rows = inventory(entries, 2)
        self.assertEqual(len(rows), 2)
        self.assertEqual(rows[0]["requests"], 1)
        self.assertEqual(rows[0]["state"], "idle")
        self.assertEqual(rows[0]["peer"], "192.0.2.1:54321")
        for each in connections:
            each.lose()


class DashboardTests(TestCase):
    """
    The page as people see it.
    """

    async def test_moves(self) -> None:
        """
        Numbers move under load, in the dark and on a phone, nothing is wider than the
        screen, the keyboard reaches all there is, and the console stays empty.
        """
        bench = Bench(reactor)
        bench.addresses = [("http", IPv4Address("TCP", "127.0.0.1", 9))]
        port = reactor.listenTCP(0, bench.factory, interface="127.0.0.1")
        stopAfter(self, port)
        browser = await browserFor(self)
        url = f"http://127.0.0.1:{port.getHost().port}/"
        page = await browser.open(url, width=390, dark=True)
        await page.until("document.getElementById('status').textContent == 'Live'")
        for _ in range(1234):
            bench.counters.add(bench.counters.layout.starts["requests"])
        await page.until("document.querySelector('[data-field=requests]').textContent == '1,234'")
        self.assertTrue(await page.run("document.documentElement.scrollWidth <= innerWidth"))
        paper = await page.run("getComputedStyle(document.body).backgroundColor")
        self.assertEqual(paper, "rgb(16, 20, 24)")
        await page.press("Tab", "Tab")
        self.assertEqual(await page.run("document.activeElement.id"), "pause")
        await page.press("Enter")
        self.assertEqual(await page.run("document.getElementById('status').textContent"), "Paused")
        self.assertEqual(page.problems, [])
