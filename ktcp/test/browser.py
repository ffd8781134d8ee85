# -*- test-case-name: ktcp.test.test_browser -*-
"""
A headless Chromium, for tests of what people see: it speaks the DevTools
protocol over a pipe, so that there is no port, no driver and no package more::

    class MyPageTests(TestCase):
        async def test_page(self) -> None:
            browser = await browserFor(self)  # skips where there is no Chromium
            page = await browser.open("http://127.0.0.1:8081/", width=390, dark=True)
            await page.click("th a")  # as a mouse does; follow() waits for the page it leads to
            await page.press("Tab", "Enter")
            await page.type("some text")
            await page.until("document.querySelectorAll('tr').length > 3")
            self.assertEqual(await page.run("document.title"), "/")
            Path("page.png").write_bytes(await page.screenshot())
            self.assertEqual(page.problems, [])

C{page.problems} has each error on the console, each exception that nobody
caught, and each load that failed.  C{page.run} gives what JSON can say of a
JavaScript expression, or of what its promise resolves to, and raises
L{PageError} where it throws.  Whatever waits fails with L{BrowserGone} once the
browser is gone, at the latest when its C{seconds} are over: then it is killed,
with all its processes.

A program that is no test does the same with L{Browser.start} and C{close}.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from ktcp.test.peers import peer

_OPTIONS = (
    "--headless",
    # Its sandbox needs what containers and root have not; it only sees our pages.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-breakpad",
    "--disable-extensions",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    # Else it looks for proxies, and an attempt to reach the network is a delay.
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)

# Keys that are no character: their code for Windows, which the protocol asks for,
# and the text that they type.
_KEYS = {
    "Backspace": (8, ""),
    "Tab": (9, ""),
    "Enter": (13, "\r"),
    "Escape": (27, ""),
    "PageUp": (33, ""),
    "PageDown": (34, ""),
    "End": (35, ""),
    "Home": (36, ""),
    "ArrowLeft": (37, ""),
    "ArrowUp": (38, ""),
    "ArrowRight": (39, ""),
    "ArrowDown": (40, ""),
    "Delete": (46, ""),
}


class BrowserGone(Exception):
    """
    The browser has ended, and what it said last.
    """


class PageError(Exception):
    """
    The browser could not do what it was asked for, or JavaScript threw.
    """


class Browser(ProcessProtocol):
    """
    One Chromium.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._said = b""
        self._received = b""
        self._last = 0
        self._why = ""
        self._waiting: dict[int, Deferred[Any]] = {}
        self._pages: dict[str, Page] = {}
        self._ended: Deferred[None] = Deferred()
        self._bound: Any = None

    @classmethod
    async def start(cls, reactor: Any, program: str = "chromium", seconds: float = 60) -> Browser:
        """
        @param seconds: After so many it is killed, whatever it does.
        @raise BrowserGone: It does not start.
        """
        folder = tempfile.mkdtemp(prefix="ktcp-browser-")
        browser = cls(folder)
        browser._bound = reactor.callLater(seconds, browser._kill, f"killed after {seconds:g} s")
        command = [
            # A process group of its own, so that all of it can be killed; where
            # this process dies first, it reads the end of its pipe, and ends.
            "setsid",
            program,
            *_OPTIONS,
            f"--user-data-dir={folder}",
            "--remote-debugging-pipe",
        ]
        reactor.spawnProcess(
            browser,
            command[0],
            command,
            env={**os.environ, "HOME": folder, "XDG_CONFIG_HOME": folder, "XDG_CACHE_HOME": folder},
            childFDs={0: "w", 1: "r", 2: "r", 3: "w", 4: "r"},
        )
        await browser.ask("Browser.getVersion")
        return browser

    async def open(
        self, url: str, *, width: int = 1280, height: int = 800, dark: bool = False
    ) -> Page:
        """
        Load a page in a tab of its own, with no cookies nor caches of others.

        @param width: Of the window, in CSS pixels, as is its height.
        @param dark: What C{prefers-color-scheme} says.
        """
        context = await self.ask("Target.createBrowserContext")
        target = await self.ask("Target.createTarget", url="about:blank", **context)
        session = await self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page = self._pages[session["sessionId"]] = Page(self, session["sessionId"])
        for domain in ("Page", "Runtime", "Log"):
            await page.ask(f"{domain}.enable")
        await page.show(width, height, dark)
        await page.goto(url)
        return page

    async def close(self) -> None:
        """
        End it, and take its files away.
        """
        # Nothing of its profile is worth the second it takes to end well.
        self._kill("closed")
        await self._ended

    def ask(self, method: str, session: str | None = None, /, **parameters: Any) -> Deferred[Any]:
        """
        Call a method of the DevTools protocol.

        @return: Fires with its result, or with L{PageError}.
        """
        answer: Deferred[Any] = Deferred()
        if self._ended.called:
            answer.errback(BrowserGone(self._why))
            return answer
        self._last += 1
        self._waiting[self._last] = answer
        message: dict[str, Any] = {"id": self._last, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        transport: Any = self.transport
        transport.writeToChild(3, json.dumps(message).encode() + b"\0")
        return answer

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """
        Take what it says: to people on its error output, and to us.
        """
        if childFD != 4:
            self._said = (self._said + data)[-4096:]
            return
        *messages, self._received = (self._received + data).split(b"\0")
        for message in messages:
            self._take(json.loads(message))

    def processEnded(self, reason: Failure) -> None:
        """
        Tell all who wait.
        """
        if self._bound.active():
            self._bound.cancel()
        # What has ended may have left others of its group behind.
        self._why = self._why or f"{reason.value}: {self._said.decode(errors='replace')}"
        shutil.rmtree(self._folder, ignore_errors=True)
        waiting, self._waiting = self._waiting, {}
        pages, self._pages = self._pages, {}
        self._ended.callback(None)
        for answer in waiting.values():
            answer.errback(BrowserGone(self._why))
        for page in pages.values():
            page._gone(BrowserGone(self._why))

    def _take(self, message: dict[str, Any]) -> None:
        if "id" not in message:
            page = self._pages.get(message.get("sessionId", ""))
            if page is not None:
                page._happened(message["method"], message["params"])
            return
        answer = self._waiting.pop(message["id"])
        if "error" in message:
            answer.errback(PageError(message["error"]["message"]))
        else:
            answer.callback(message["result"])

    def _kill(self, why: str) -> None:
        self._why = self._why or why
        transport: Any = self.transport
        if transport is not None and transport.pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(transport.pid, signal.SIGKILL)


class Page:
    """
    A tab of it.

    @ivar problems: What went wrong in it, as text, oldest first.
    """

    def __init__(self, browser: Browser, session: str) -> None:
        self.problems: list[str] = []
        self._browser = browser
        self._session = session
        self._loading: Deferred[None] | None = None

    def ask(self, method: str, **parameters: Any) -> Deferred[Any]:
        """
        Call a method of the DevTools protocol, for this tab.
        """
        return self._browser.ask(method, self._session, **parameters)

    async def goto(self, url: str) -> None:
        """
        Load another page here, and wait until it has loaded.

        @raise PageError: It could not.
        """
        loaded = self._load()
        answer = await self.ask("Page.navigate", url=url)
        if "errorText" in answer:
            self._loading = None
            raise PageError(f"{url}: {answer['errorText']}")
        await loaded

    async def show(self, width: int = 1280, height: int = 800, dark: bool = False) -> None:
        """
        Look at it in another window.
        """
        await self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.ask("Emulation.setEmulatedMedia", features=[scheme])

    async def run(self, expression: str) -> Any:
        """
        Evaluate JavaScript.

        @return: Its value, or that of its promise.
        """
        answer = await self.ask(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in answer:
            raise PageError(_exception(answer["exceptionDetails"]))
        return answer["result"].get("value")

    async def until(self, expression: str) -> Any:
        """
        Wait until JavaScript gives something that is true, and give that.  The
        page looks again at each turn of its own; a wait is bounded as all are.
        """
        return await self.run(
            "new Promise((resolve, reject) => { const look = () => { try {"
            f"const found = ({expression}); found ? resolve(found) : setTimeout(look, 10);"
            "} catch (error) { reject(error); } }; look(); })"
        )

    async def click(self, selector: str) -> None:
        """
        Click on the middle of the first element that a CSS selector finds.
        """
        place = await self.run(
            f"(() => {{ const found = document.querySelector({json.dumps(selector)});"
            "if (!found) throw new Error('nothing to click on');"
            "found.scrollIntoView({block: 'center', behavior: 'instant'});"
            "const box = found.getBoundingClientRect();"
            "return {x: box.x + box.width / 2, y: box.y + box.height / 2}; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.ask(
                "Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place
            )

    async def follow(self, selector: str) -> None:
        """
        Click on a link, and wait until what it leads to has loaded.
        """
        loaded = self._load()
        await self.click(selector)
        await loaded

    async def press(self, *keys: str) -> None:
        """
        Press keys, one after the other: C{"Enter"}, C{"ArrowDown"}, C{"a"}.
        """
        for key in keys:
            code, text = _KEYS.get(key) or (ord(key.upper()), key)
            down = "keyDown" if text else "rawKeyDown"
            for kind, typed in ((down, text), ("keyUp", "")):
                await self.ask(
                    "Input.dispatchKeyEvent",
                    type=kind,
                    key=key,
                    code=f"Key{key.upper()}" if key.isalpha() and len(key) == 1 else key,
                    text=typed,
                    windowsVirtualKeyCode=code,
                )

    async def type(self, text: str) -> None:
        """
        Enter text where the focus is.
        """
        await self.ask("Input.insertText", text=text)

    async def screenshot(self, whole: bool = False) -> bytes:
        """
        @param whole: All of the page, not only what is in the window.
        @return: A PNG.
        """
        answer = await self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(answer["data"])

    def _load(self) -> Deferred[None]:
        self._loading = Deferred()
        return self._loading

    def _happened(self, event: str, said: dict[str, Any]) -> None:
        """
        Take an event.
        """
        if event == "Page.loadEventFired":
            self._settle(lambda loading: loading.callback(None))
        elif event == "Runtime.exceptionThrown":
            self.problems.append(_exception(said["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and said["type"] in ("error", "assert"):
            shown = (str(each.get("value", each.get("description"))) for each in said["args"])
            self.problems.append(f"console.{said['type']}: {' '.join(shown)}")
        elif event == "Log.entryAdded" and said["entry"]["level"] == "error":
            entry = said["entry"]
            self.problems.append(f"{entry['source']}: {entry['text']} {entry.get('url', '')}")

    def _gone(self, why: BrowserGone) -> None:
        self._settle(lambda loading: loading.errback(why))

    def _settle(self, tell: Callable[[Deferred[None]], None]) -> None:
        loading, self._loading = self._loading, None
        if loading is not None:
            tell(loading)


def _exception(details: dict[str, Any]) -> str:
    thrown = details.get("exception", {})
    return str(thrown.get("description", thrown.get("value", details["text"])))


async def browserFor(test: TestCase, seconds: float = 60) -> Browser:
    """
    Start a browser that ends with a test.

    @raise SkipTest: There is none, as L{peer} says.
    """
    from twisted.internet import reactor

    browser = await Browser.start(reactor, peer("chromium", "chromium"), seconds)
    test.addCleanup(lambda: Deferred.fromCoroutine(browser.close()))
    return browser
