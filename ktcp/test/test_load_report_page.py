"""
Tests for a result as a page.
"""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase, TestCase

from ktcp.load.buckets import countsOf
from ktcp.load.histogram import histogramOf
from ktcp.load.report import page
from ktcp.load.result import Counts, Generator, Result, Round
from ktcp.test.browser import browserFor
from ktcp.test.loadresults import exampleResult

RESULT = exampleResult(rate=500, seconds=6)


def open_() -> Result:
    """
    Make a result of an open loop with errors: everything that a page can have.
    """
    stalled = histogramOf(countsOf([10**9] * 50 + [10**6] * 50))
    return replace(
        RESULT,
        plan=replace(RESULT.plan, rate=500.0),
        histograms={
            **RESULT.histograms,
            "uncorrected": RESULT.histograms["total"],
            "total": stalled,
        },
        errors={"reset": 3},
        generator=Generator((1.5,), True, ("The generator was busy.",)),
    )


def barrier() -> Result:
    """
    Make a result of kecho's bench.
    """
    times = tuple(range(1000, 200_000, 1000))
    return replace(RESULT, mode="barrier", rounds=(Round(times, 1.0, 2),) * 2, series=())


class Balanced(HTMLParser):
    """
    Collects what a page is made of, and complains of tags that are not closed.
    """

    VOID = frozenset({"meta", "link", "path", "circle", "polyline", "polygon"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.urls: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.urls += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.words += data


class PageTests(SynchronousTestCase):
    """
    The page has all of the result and asks nobody for anything.
    """

    def test_offline(self) -> None:
        """
        The page is one file: nothing in it is fetched.
        """
        for result in (RESULT, open_(), barrier()):
            text = page.html(result)
            self.assertEqual(Balanced(text).urls, ["data:,"])
            self.assertNotRegex(text, r"url\(|@import|fetch\(")

    def test_content(self) -> None:
        """
        Rate, errors with their meaning, configuration and machine are there in words.
        """
        words = Balanced(page.html(open_())).words
        for expected in [
            "500",
            "the connection was reset",
            "open loop of 500 a second",
            "A CPU",
            "Note: The generator was busy.",
            "Corrected is counted from",
            "Latency by percentile",
            "Throughput",
            "Latency in each second",
            "99.9%",
        ]:
            self.assertIn(expected, words)

    def test_barrier(self) -> None:
        """
        A barrier has kecho's picture.
        """
        text = page.html(barrier())
        self.assertIn("Time of each connection, mean of 2 rounds", text)
        self.assertNotIn("Throughput", text)

    def test_escaped(self) -> None:
        """
        What a command line says cannot become a part of the page.
        """
        evil = "<script>alert('1')</script>"
        text = page.html(replace(RESULT, target=evil, command=(evil,)))
        self.assertEqual(text.count("<script>"), 1)

    def test_nothing(self) -> None:
        """
        A run without an answer has a page too.
        """
        empty = replace(RESULT, counts=Counts(), histograms={}, series=(), errors={"refused": 2})
        self.assertIn("nobody listens there", page.html(empty))

    def test_numbersInPaths(self) -> None:
        """
        No curve leaves the picture, or is made of what is no number.
        """
        for result in (RESULT, open_(), barrier()):
            for points in re.findall(r'points="([^"]*)"', page.html(result)):
                for pair in points.split():
                    x, y = map(float, pair.split(","))
                    self.assertTrue(0 <= x <= 460 and 0 <= y <= 300, pair)


class BrowserTests(TestCase):
    """
    The page in a browser.
    """

    async def test_browser(self) -> None:
        """
        From a file it opens without an error, shows its curves, and reads them out to
        arrow keys; a telephone in the dark has all of it within its width.
        """
        browser = await browserFor(self)
        path = Path(self.mktemp()).absolute()
        path = path.parent / f"{path.name}.html"
        path.write_text(page.html(open_()))
        shown = await browser.open(path.as_uri(), width=390, dark=True)
        curves = await shown.run(
            "[...document.querySelectorAll('polyline')].map(line => line.getBoundingClientRect())"
            ".filter(box => box.width > 100 && box.height >= 0).length"
        )
        self.assertEqual(curves, 7)
        self.assertTrue(await shown.run("document.documentElement.scrollWidth <= innerWidth"))
        paper = await shown.run("getComputedStyle(document.body).backgroundColor")
        self.assertEqual(paper, "rgb(13, 17, 23)")
        said = "document.querySelector('output').textContent"
        self.assertEqual(await shown.run(said), "")
        await shown.press("Tab", "End")
        self.assertIn("corrected 1.00 s", await shown.run(said))
        await shown.press("Home")
        self.assertIn("0%: corrected 1.00 ms", await shown.run(said))
        await shown.press("Escape")
        self.assertEqual(await shown.run(said), "")
        self.assertEqual(shown.problems, [])
