"""
Takes the pictures of these pages anew: C{make screenshots} runs this, with the
Chromium of L{ktcp.test.browser}.  To have another, add a line to L{PICTURES}.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Protocol
from twisted.internet.task import LoopingCall, react
from twisted.internet.utils import getProcessOutputAndValue

from ktcp import HTTPFactory, StaticFiles
from ktcp.admin.facts import Facts
from ktcp.admin.routes import routes
from ktcp.counters import Counters, Layout
from ktcp.test import recorded
from ktcp.test.browser import Browser
from ktcp.trace.page import render

FOLDER = Path(__file__).parent / "images"

Opened = Callable[[Any, Path], Awaitable[str]]


class Picture(NamedTuple):
    """
    @ivar name: Of the file in docs/images, without its suffix.
    @ivar serve: Takes the reactor and an empty folder, and gives the URL to open.
    @ivar until: What is to be true on the page, in JavaScript.
    """

    name: str
    serve: Opened
    width: int = 1000
    height: int = 420
    dark: bool = False
    until: str = "true"


async def listing(reactor: Any, folder: Path) -> str:
    """
    A directory as people have them.
    """
    for name, size in (
        ("releases/", 0),
        ("logs/", 0),
        ("README.md", 3_512),
        ("app.js", 48_211),
        ("photo 2026-08-14.jpg", 2_411_724),
        ("talk.mp4", 734_003_200),
        ("\u00fcbersicht.html", 912),
    ):
        path = folder / name
        if name.endswith("/"):
            path.mkdir()
        else:
            with path.open("wb") as file:
                file.truncate(size)
        os.utime(path, (1_790_000_000 + size // 1000,) * 2)
    endpoint = serverFromString(reactor, "tcp:0:interface=127.0.0.1")
    port: IListeningPort = await endpoint.listen(HTTPFactory(StaticFiles(folder)))
    address: Any = port.getHost()
    return f"http://127.0.0.1:{address.port}/?sort=size&order=desc"


async def trace(reactor: Any, folder: Path) -> str:
    """
    The recorded echo connection that the tests know.
    """
    path = folder / "index.html"
    path.write_text(render(recorded.trace()))
    return path.as_uri()


async def report(reactor: Any, folder: Path) -> str:
    """
    What C{ktcp-load --html} writes, of a short run against ktcp.
    """
    address = await listen(reactor, HTTPFactory())
    page = folder / "report.html"
    load = [sys.executable, "-m", "ktcp.load", "http", f"http://127.0.0.1:{address.port}/"]
    # Not of this reactor's loop: it serves.
    _, errors, status = await getProcessOutputAndValue(
        load[0], [*load[1:], "-c", "50", "-d", "8", "--html", str(page)], os.environ
    )
    if status:
        raise RuntimeError(errors.decode())
    return page.as_uri()


async def dashboard(reactor: Any, folder: Path) -> str:
    """
    The admin plane of a server that is asked some thousand times a second, by itself.
    """
    counters = Counters(Layout(["http"]))
    data = await listen(reactor, HTTPFactory(counters=counters))
    client = await connectProtocol(HostnameEndpoint(reactor, "127.0.0.1", data.port), Protocol())
    asking = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 100
    LoopingCall(lambda: client.transport.write(asking)).start(0.05)
    facts = Facts(
        counters.snapshot,
        dict,
        lambda: [("http", data)],
        lambda most: succeed([]),
        [],
        lambda: True,
    )
    address = await listen(reactor, HTTPFactory(routes(facts, reactor)))
    return f"http://127.0.0.1:{address.port}/"


async def listen(reactor: Any, factory: HTTPFactory) -> Any:
    """
    @return: Where a factory is served now.
    """
    port = await serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(factory)
    return port.getHost()


# Long enough for the line to be one.
WATCHED = "document.getElementById('line').points.length > 8"

PICTURES = (
    Picture("dashboard", dashboard, height=800, until=WATCHED),
    Picture("dashboard-dark", dashboard, width=400, height=800, dark=True, until=WATCHED),
    Picture("report", report, width=900, height=1000),
    Picture("listing", listing),
    Picture("listing-dark", listing, width=400, height=480, dark=True),
    Picture("trace", trace, width=1100, height=1180),
    Picture("trace-dark", trace, width=400, height=1180, dark=True),
)


async def take(reactor: Any) -> None:
    """
    Take all of them.
    """
    FOLDER.mkdir(exist_ok=True)
    browser = await Browser.start(reactor)
    try:
        for each in PICTURES:
            with TemporaryDirectory() as folder:
                url = await each.serve(reactor, Path(folder))
                page = await browser.open(url, width=each.width, height=each.height, dark=each.dark)
                await page.until(each.until)
                (FOLDER / f"{each.name}.png").write_bytes(await page.screenshot())
                assert not page.problems, page.problems
    finally:
        await browser.close()


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(take(reactor)))
