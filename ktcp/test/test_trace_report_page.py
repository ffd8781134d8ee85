"""
Tests for L{ktcp.trace.report.page}, some of them in a browser.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase, TestCase

from ktcp.test import recorded
from ktcp.test.browser import Browser, Page, browserFor
from ktcp.test.support import runKtcp
from ktcp.test.test_trace_report_pagedata import altered, repeated, withStep
from ktcp.trace.model import Sample, Trace
from ktcp.trace.report.files import save
from ktcp.trace.report.page import render

# Ends the element that the data are in, and runs, if anything takes it for markup.
HOSTILE = "</script><img src=x onerror=\"console.error('pwned')\"><!--<script>&lt;\u2028\ud800"


def dataOf(page: str) -> Any:
    """
    The data of a page, as a browser finds them.
    """
    found = re.search(r'<script type="application/json" id="trace">(.*?)</script>', page, re.S)
    assert found is not None
    return json.loads(found[1])


class RenderTests(SynchronousTestCase):
    """
    Tests for L{render}.
    """

    def test_offline(self) -> None:
        """
        The page names nothing outside itself.
        """
        page = render(recorded.trace())
        links = set(re.findall(r'(?:src|href)="([^"]*)"', page))
        self.assertIn("#lanes", links)
        self.assertEqual(set(), {each for each in links if not each.startswith(("#", "data:,"))})
        self.assertEqual([], re.findall(r"url\(|@import|fetch\(|XMLHttpRequest", page))
        self.assertTrue(page.isascii())

    def test_policy(self) -> None:
        """
        Its policy admits its own style and script, and no other.
        """
        page = render(recorded.trace())
        for kind in ("style", "script"):
            text = re.findall(f"<{kind}>(.*?)</{kind}>", page, re.S)
            digest = base64.b64encode(hashlib.sha256(text[-1].encode()).digest()).decode()
            self.assertIn(f"{kind}-src 'sha256-{digest}';", page)
        self.assertIn("default-src 'none'", page)

    def test_escaped(self) -> None:
        """
        What a program called itself stays inside the data, and arrives unchanged.
        """
        page = render(altered("accept", text=HOSTILE))
        self.assertNotIn('onerror="console', page)
        self.assertEqual(page.count("</script>"), render(recorded.trace()).count("</script>"))
        texts = {row.get("text") for row in dataOf(page)["connections"][0]["rows"]}
        self.assertIn(HOSTILE, texts)

    def test_complete(self) -> None:
        """
        Nothing of the template is left to fill in.
        """
        self.assertNotRegex(render(recorded.trace()), "@[A-Z]+@")

    def test_command(self) -> None:
        """
        C{ktcp trace html} writes the page beside the trace, or where it is told to.
        """
        folder = Path(self.mktemp())
        save(recorded.trace(), folder)
        written = (folder / "index.html").read_text()
        (folder / "index.html").unlink()
        for file, options in (
            (folder / "index.html", [folder]),
            (folder / "x.html", [folder / "trace.json", "-o", folder / "x.html"]),
        ):
            status, output, errors = runKtcp(self, "trace", "html", *options)
            self.assertEqual((0, f"written: {file}\n", ""), (status, output, errors))
            self.assertEqual(written, file.read_text())

    def test_refused(self) -> None:
        """
        A page that cannot be written, or made, is one line on standard error.
        """
        folder = Path(self.mktemp())
        save(recorded.trace(), folder)
        for options in ([folder, "-o", folder / "no" / "where"], [folder / "timeline.txt"]):
            status, _, errors = runKtcp(self, "trace", "html", *options)
            self.assertEqual((1, 1), (status, errors.count("\n")))
            self.assertIn(str(folder), errors)


class BrowserTests(TestCase):
    """
    The page as people have it.  A browser takes longer to start than to do all
    this, so each test has one, and several pages in it.
    """

    async def open(self, browser: Browser, trace: Trace, **how: Any) -> Page:
        """
        Open a trace's page from its file.
        """
        path = Path(f"{self.mktemp()}.html").absolute()
        path.write_text(render(trace))
        page = await browser.open(path.as_uri(), **how)
        self.addCleanup(lambda: self.assertEqual([], page.problems))
        return page

    async def shown(self, page: Page, selector: str = "#details") -> str:
        """
        The text of a part of the page.
        """
        text = await page.run(f"document.querySelector({json.dumps(selector)}).innerText")
        return str(text)

    async def count(self, page: Page, selector: str) -> int:
        """
        How many of something there are.
        """
        return int(await page.run(f"document.querySelectorAll({json.dumps(selector)}).length"))

    async def test_drawn(self) -> None:
        """
        Lanes, arrows, queues, layers and flame graph are there.  A click on a segment
        shows its bytes, its fields and the stack that sent it; one on a step, too,
        where softirq began and in whose time.
        """
        page = await self.open(await browserFor(self), recorded.trace())
        steps = len(recorded.trace().connections[0].steps)
        self.assertEqual(steps, await self.count(page, ".box"))
        self.assertEqual(10, await self.count(page, ".arrow"))
        self.assertGreaterEqual(await self.count(page, ".loan.by-client"), 4)
        self.assertEqual(2, await self.count(page, "#bars path"))
        self.assertEqual(7, await self.count(page, "#layers tbody tr"))
        self.assertGreater(await self.count(page, "#flame button"), 100)
        handshake = await self.shown(page, "#handshake")
        self.assertIn(
            "4 of its 4 recorded steps ran in the client's process, inside its connect", handshake
        )
        self.assertIn("the limit was 4096", await self.shown(page, "#limit"))

        await page.click("[data-kind=frame]")
        text = await self.shown(page)
        self.assertIn(recorded.trace().frames[0].bytes[:8].hex(" "), text)
        self.assertRegex(text, r"flags\s+SYN")
        self.assertRegex(text, r"tcp_connect\s+Builds the SYN and sends it")
        await page.click(".in-softirq")
        text = await self.shown(page)
        self.assertIn("into the SYN queue", text)
        self.assertIn("from here on softirq: the kernel receives, in the time of the client", text)

    async def test_keyboard(self) -> None:
        """
        Lanes and flame graph are one tab stop each; arrows lead from row to row,
        left and right from segment to segment, Enter opens, Escape goes back.
        """
        page = await self.open(await browserFor(self), recorded.trace())
        await page.run("document.querySelector('nav a:last-child').focus()")
        await page.press("Tab", "Tab")
        self.assertEqual("row", await page.run("document.activeElement.className"))
        await page.press("Home", "ArrowRight", "Enter")
        self.assertIn("SYN ACK", (await self.shown(page)).splitlines()[0])
        self.assertIn("SYN ACK", await page.run("document.activeElement.innerText"))
        await page.press("ArrowLeft", "ArrowDown", "Enter")
        self.assertIn("SYN sent", (await self.shown(page)).splitlines()[0])
        self.assertEqual(1, await self.count(page, '.row[tabindex="0"]'))
        await page.run("document.querySelector('#flame [tabindex=\"0\"]').focus()")
        await page.press("ArrowDown", "ArrowDown", "ArrowDown", "Enter")
        self.assertIn("do_syscall_64", await self.shown(page, "#told"))
        await page.press("Escape")
        self.assertRegex(await self.shown(page, "#told"), "^all ")

    async def test_screens(self) -> None:
        """
        Who likes it dark has it dark.  On a phone nothing is wider than the screen,
        and the details come up and go away.
        """
        browser = await browserFor(self)
        page = await self.open(browser, recorded.trace(), dark=True)
        background = "getComputedStyle(document.body).backgroundColor"
        self.assertEqual("rgb(13, 17, 23)", await page.run(background))
        await page.show(dark=False)
        self.assertEqual("rgb(255, 255, 255)", await page.run(background))

        page = await self.open(browser, recorded.trace(), width=360, height=740)
        self.assertEqual("", await self.shown(page))
        await page.click("[data-kind=frame]")
        self.assertIn("SYN", await self.shown(page))
        self.assertEqual(360, await page.run("document.documentElement.scrollWidth"))
        await page.press("Escape")
        self.assertEqual("", await self.shown(page))
        self.assertEqual("frame", await page.run("document.activeElement.dataset.kind"))

    async def test_trouble(self) -> None:
        """
        A drop is told above all else, where and by what, and a click leads to it;
        a full queue is said to be full; a trace of nothing says so.
        """
        browser = await browserFor(self)
        text = "NETFILTER_DROP by netfilter, hook input"
        trace = withStep(text=text, evidence="kfree_skb < nft_do_chain")
        page = await self.open(browser, replace(trace, queues=(Sample(0, 6, 3, 5),)))
        alert = await self.shown(page, "#alerts")
        self.assertIn("A segment was dropped", alert)
        self.assertIn(f"{text}, in nft_do_chain(); softirq in client", alert)
        self.assertEqual(1, await self.count(page, ".trouble .arrow"))
        await page.click("#alerts button")
        self.assertIn("The kernel threw the segment away", await self.shown(page))
        limit = await self.shown(page, "#limit")
        self.assertIn("At most 6 stood in the accept queue", limit)
        self.assertIn("It was full", limit)
        self.assertEqual(1, await self.count(page, ".accept line"))

        nothing = replace(recorded.trace(), connections=(), events=(), frames=(), queues=())
        page = await self.open(browser, nothing)
        self.assertIn("No connection was seen", await self.shown(page, "main"))

    async def test_strangers(self) -> None:
        """
        Names that are markup are shown as they are, and do nothing.  Of 200
        connections one is drawn, and another can be chosen.
        """
        browser = await browserFor(self)
        trace = altered("accept", text=HOSTILE, evidence=HOSTILE, newState=HOSTILE)
        symbols = tuple(replace(each, name=HOSTILE, text=HOSTILE) for each in trace.symbols)
        page = await self.open(browser, replace(trace, symbols=symbols))
        await page.click(".in-server")
        self.assertIn("</script><img src=x", await self.shown(page))
        self.assertEqual(0, await self.count(page, "img"))

        page = await self.open(browser, repeated(200))
        self.assertEqual(200, await self.count(page, "#connections option"))
        self.assertLess(await self.count(page, "*"), 2000)
        await page.run("document.querySelector('#connections').focus()")
        await page.press("End")
        self.assertEqual("199", await page.run("document.querySelector('#connections').value"))
        self.assertEqual(34, await self.count(page, ".row"))
