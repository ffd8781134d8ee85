"""
What people see of files in a browser.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from ktcp import HTTPFactory, Request, Response, StaticFiles
from ktcp.test.browser import Page, browserFor
from ktcp.test.support import stopAfter

NAMES = "[...document.querySelectorAll('tbody a')].map(each => each.textContent)"

# Long enough for a browser not to have it all before it is told to seek.
SECONDS = 600
RATE = 16_000


def silence() -> bytes:
    """
    @return: A WAV file (RIFF, PCM, 16 bits, mono), which C{<video>} plays too.
    """
    size = SECONDS * RATE * 2
    head = struct.pack(
        "<4sI4s4sIHHIIHH", b"RIFF", size + 36, b"WAVE", b"fmt ", 16, 1, 1, RATE, RATE * 2, 2, 16
    )
    return head + struct.pack("<4sI", b"data", size) + bytes(size)


class FilesTests(TestCase):
    """
    A directory, in Chromium.
    """

    timeout = 60

    async def open(self, path: str = "") -> Page:
        self.root = Path(self.mktemp()).absolute()
        (self.root / "z folder #1").mkdir(parents=True)
        (self.root / "z folder #1" / "inside.txt").write_bytes(b"inside")
        for name, size, modified in (("b.txt", 10, 3), ("a.txt", 3000, 2), ("c.txt", 200, 1)):
            (self.root / name).write_bytes(b"x" * size)
            os.utime(self.root / name, (modified, modified))
        (self.root / "long.wav").write_bytes(silence())
        os.utime(self.root / "long.wav", (0, 0))
        (self.root / "play.html").write_bytes(
            b'<!DOCTYPE html><title>play</title><link rel="icon" href="data:,">'
            b'<video src="long.wav" preload="metadata" controls></video>'
        )
        os.utime(self.root / "play.html", (4, 4))
        self.seen: list[tuple[bytes | None, Response]] = []
        files = StaticFiles(self.root)

        def listening(request: Request) -> Response:
            response = files(request)
            self.seen.append((request.headers.get("range"), response))
            return response

        port = reactor.listenTCP(0, HTTPFactory(listening), interface="127.0.0.1")
        stopAfter(self, port)
        browser = await browserFor(self)
        return await browser.open(f"http://127.0.0.1:{port.getHost().port}/{path}")

    async def test_listing(self) -> None:
        """
        A listing sorts by name, size and time, both ways, and its links lead
        to what they name; nothing is amiss on the console, in the dark neither.
        """
        page = await self.open()
        files = ["a.txt", "b.txt", "c.txt", "long.wav", "play.html"]
        self.assertEqual(await page.run(NAMES), ["z folder #1/", *files])
        await page.follow("th:nth-child(1) a")
        self.assertEqual(await page.run(NAMES), ["z folder #1/", *reversed(files)])
        await page.follow("th:nth-child(2) a")
        names = ["z folder #1/", "b.txt", "play.html", "c.txt", "a.txt", "long.wav"]
        self.assertEqual(await page.run(NAMES), names)
        await page.follow("th:nth-child(3) a")
        await page.follow("th:nth-child(3) a")
        names = ["z folder #1/", "play.html", "b.txt", "a.txt", "c.txt", "long.wav"]
        self.assertEqual(await page.run(NAMES), names)
        sorted_ = "document.querySelector('[aria-sort]').getAttribute('aria-sort')"
        self.assertEqual(await page.run(sorted_), "descending")
        await page.follow("tbody a")
        self.assertEqual(await page.run(NAMES), ["../", "inside.txt"])
        self.assertEqual(await page.run("document.title"), "/z folder #1/")
        # Of what is no page of ours it asks for an icon, which is not here.
        self.assertEqual(page.problems, [])
        await page.follow("tbody tr:nth-child(2) a")
        self.assertEqual(await page.run("document.body.textContent"), "inside")

    async def test_looks(self) -> None:
        """
        On a phone nothing is wider than the screen, and in the dark it is dark.
        """
        page = await self.open()
        background = "getComputedStyle(document.querySelector('a')).color"
        light = await page.run(background)
        await page.show(360, 640, dark=True)
        self.assertNotEqual(await page.run(background), light)
        self.assertEqual(await page.run("document.documentElement.scrollWidth"), 360)
        self.assertEqual(page.problems, [])

    async def test_seek(self) -> None:
        """
        A film is played on from where it is put: the browser asks for the rest
        from there, and gets that.
        """
        page = await self.open("play.html")
        video = "document.querySelector('video')"
        await page.until(f"{video}.readyState > 0")
        self.assertEqual(await page.run(f"{video}.duration"), SECONDS)
        before = len(self.seen)
        await page.run(
            f"new Promise(done => {{ {video}.onseeked = () => done(); "
            f"{video}.currentTime = {SECONDS - 60}; }})"
        )
        size = SECONDS * RATE * 2 + 44
        asked, response = self.seen[before]
        assert asked is not None
        start = int(asked.partition(b"=")[2].partition(b"-")[0])
        self.assertGreater(start, size / 2)
        self.assertEqual(response.status, 206)
        self.assertEqual(
            response.headers.get("content-range"), b"bytes %d-%d/%d" % (start, size - 1, size)
        )
        self.assertEqual(page.problems, [])
