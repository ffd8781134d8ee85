"""
Tests of L{ktcp.test.browser}: that a page's troubles do not go unseen.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from ktcp import HTTPFactory, Request, Response
from ktcp.test.browser import Browser, BrowserGone, PageError, browserFor
from ktcp.test.support import stopAfter

PAGE = """<!DOCTYPE html><title>One</title><link rel="icon" href="data:,">
<style>@media(prefers-color-scheme:dark){body{background:#000}}</style>
<a href="/two">two</a> <input onkeydown="this.title += event.key + ' '">
<button onclick="undefined.oops()">break</button>
"""


def serve(request: Request) -> Response:
    if request.target not in (b"/", b"/two"):
        return Response(404)
    page = PAGE if request.target == b"/" else PAGE.replace("One", "Two")
    return Response(200, page.encode(), {"Content-Type": "text/html"})


class BrowserTests(TestCase):
    """
    Each ability is tried on a page of ours.
    """

    def setUp(self) -> None:
        port = reactor.listenTCP(0, HTTPFactory(serve), interface="127.0.0.1")
        stopAfter(self, port)
        self.url = f"http://127.0.0.1:{port.getHost().port}/"

    async def test_page(self) -> None:
        """
        A page is loaded, asked, typed into, clicked on and left by a link.
        """
        page = await (await browserFor(self)).open(self.url)
        self.assertEqual(await page.run("document.title"), "One")
        self.assertEqual(await page.run("Promise.resolve([1, {a: 2}])"), [1, {"a": 2}])
        await page.click("input")
        await page.press("a", "Tab")
        self.assertEqual(await page.run("document.querySelector('input').title"), "a Tab ")
        await page.run("document.querySelector('input').focus()")
        await page.type("ü")
        self.assertIn("ü", await page.run("document.querySelector('input').value"))
        await page.follow("a")
        self.assertEqual(await page.run("document.title"), "Two")
        self.assertEqual(page.problems, [])

    async def test_problems(self) -> None:
        """
        An uncaught exception, an error on the console and a load that failed
        are all told, and an expression that throws raises.
        """
        page = await (await browserFor(self)).open(self.url)
        await page.click("button")
        await page.run("console.error('told', 3)")
        await page.run("fetch('/missing')")
        await page.until("performance.getEntriesByName(location.href + 'missing').length")
        thrown, told, missing = page.problems
        self.assertIn("TypeError", thrown)
        self.assertEqual(told, "console.error: told 3")
        self.assertIn("404", missing)
        with self.assertRaisesRegex(PageError, "oops"):
            await page.run("undefined.oops")
        with self.assertRaisesRegex(PageError, "nothing to click"):
            await page.click("video")

    async def test_screenshot(self) -> None:
        """
        A picture has the size that was asked for, and the dark one differs.
        """
        page = await (await browserFor(self)).open(self.url, width=390, height=300)
        light = await page.screenshot()
        self.assertEqual(light[:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual(
            (light[16:20], light[20:24]), ((390).to_bytes(4, "big"), (300).to_bytes(4, "big"))
        )
        await page.show(390, 300, dark=True)
        self.assertNotEqual(await page.screenshot(), light)

    async def test_bound(self) -> None:
        """
        A browser whose time is over is killed, and whoever waits is told; its
        processes and files are gone.
        """
        browser = await browserFor(self)
        page = await browser.open(self.url)
        waiting = page.until("false")
        browser._bound.reset(0)
        with self.assertRaisesRegex(BrowserGone, "killed after 60 s"):
            await waiting
        with self.assertRaises(BrowserGone):
            await page.run("1")
        self.assertFalse(Path(browser._folder).exists())

    async def test_unableToStart(self) -> None:
        """
        A program that is no browser is told from what it says.
        """
        with self.assertRaisesRegex(BrowserGone, "exit code"):
            await Browser.start(reactor, os.devnull)
