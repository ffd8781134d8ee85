"""
Takes the pictures of these pages anew: C{make screenshots} runs this, with the
Chromium of L{ktcp.test.browser}.  To have another, add a line to L{PICTURES}.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import react
from twisted.internet.utils import getProcessOutputAndValue

from ktcp import HTTPFactory, StaticFiles
from ktcp.test import recorded
from ktcp.test.browser import Browser
from ktcp.trace.report.page import render

FOLDER = Path(__file__).parent / "images"

Opened = Callable[[Any, Path, ExitStack], Awaitable[str]]


class Picture(NamedTuple):
    """
    @ivar name: Of the file in docs/images, without its suffix.
    @ivar serve: Takes the reactor, an empty folder, and what is left when the
        picture is taken, and gives the URL to open.
    @ivar until: What is to be true on the page, in JavaScript.
    """

    name: str
    serve: Opened
    width: int = 1000
    height: int = 420
    dark: bool = False
    until: str = "true"


async def listing(reactor: Any, folder: Path, stack: ExitStack) -> str:
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


async def trace(reactor: Any, folder: Path, stack: ExitStack) -> str:
    """
    The recorded echo connection that the tests know.
    """
    path = folder / "index.html"
    path.write_text(render(recorded.trace()))
    return path.as_uri()


async def report(reactor: Any, folder: Path, stack: ExitStack) -> str:
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


async def dashboard(reactor: Any, folder: Path, stack: ExitStack) -> str:
    """
    The admin plane of a server with two workers, which C{ktcp-load} asks meanwhile.
    """
    twistd = [Path(sys.executable).parent / "twistd", "-n", "--pidfile=", "ktcp", "--no-echo"]
    options = ["--port=0", "--admin-port=0", "--workers=2"]
    server = run(stack, [*twistd, *options], folder)
    assert server.stdout is not None
    ports: dict[str, str] = {}
    while len(ports) < 2:
        found = re.search(r"listening protocol=(\w+) .* port=(\d+)", server.stdout.readline())
        if found is not None:
            ports[found[1]] = found[2]
    # That what it says later has somewhere to go.
    Thread(target=server.stdout.read, daemon=True).start()
    url = f"http://127.0.0.1:{ports['http']}/"
    load = [sys.executable, "-m", "ktcp.load", "http", url, "--rate=4000", "-c", "64", "-d", "40"]
    run(stack, load, folder)
    return f"http://127.0.0.1:{ports['admin']}/"


def run(stack: ExitStack, command: Sequence[object], folder: Path) -> Popen[str]:
    """
    Start a program, which ends with the picture.
    """
    arguments = [str(each) for each in command]
    child = stack.enter_context(Popen(arguments, cwd=folder, stdout=PIPE, stderr=STDOUT, text=True))
    stack.callback(child.terminate)
    return child


async def listen(reactor: Any, factory: HTTPFactory) -> Any:
    """
    @return: Where a factory is served now.
    """
    port = await serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(factory)
    return port.getHost()


# Long enough for the line to be one.
WATCHED = "document.getElementById('line').points.length > 20"

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
    browser = await Browser.start(reactor, seconds=240)
    try:
        for each in PICTURES:
            with TemporaryDirectory() as folder, ExitStack() as stack:
                url = await each.serve(reactor, Path(folder), stack)
                page = await browser.open(url, width=each.width, height=each.height, dark=each.dark)
                await page.until(each.until)
                (FOLDER / f"{each.name}.png").write_bytes(await page.screenshot())
                assert not page.problems, page.problems
    finally:
        await browser.close()


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(take(reactor)))
