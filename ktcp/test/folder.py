"""
What tests of served files share: a folder, and threads that are none.
"""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ktcp import HTTPFactory, StaticFiles
from ktcp.test.support import opened
from ktcp.testing import MemoryConnection, ReceivedResponse, parseResponses, request

# Seconds that a thread takes; so little that no file grows old in it.
HOP = 1e-6

LARGE = os.urandom(1000) * 600


class Pool:
    """
    A reactor's threads, but for the threads.
    """

    def callInThreadWithCallback(self, onResult: Any, call: Any, *arguments: Any) -> None:
        """
        Run at once.
        """
        onResult(True, call(*arguments))


class ThreadedClock(Clock):
    """
    A clock with threads.
    """

    def getThreadPool(self) -> Pool:
        """
        See C{IReactorThreads}.
        """
        return Pool()

    def callFromThread(self, call: Any, *arguments: Any) -> None:
        """
        See C{IReactorThreads}; later, as from a thread.
        """
        self.callLater(HOP, call, *arguments)


def left(folder: Path) -> list[str]:
    """
    What this process has open in a folder, but for what nobody refers to any more.
    """
    if openedIn(folder):
        gc.collect()
    return openedIn(folder)


def openedIn(folder: Path) -> list[str]:
    """
    What this process has open in a folder.
    """
    return [path for _, path in opened() if path.startswith(f"{folder}/")]


class StaticTestCase(SynchronousTestCase):
    """
    A directory that is served, with a secret beside it.
    """

    options: dict[str, Any] = {}

    def setUp(self) -> None:
        top = Path(self.mktemp()).absolute()
        self.root = top / "root"
        (self.root / "sub").mkdir(parents=True)
        (self.root / "sub" / "index.html").write_bytes(b"<p>index")
        (self.root / "bare").mkdir()
        (self.root / "bare" / "b").write_bytes(b"b")
        (self.root / "a.txt").write_bytes(b"0123456789" * 100)
        (self.root / "large.bin").write_bytes(LARGE)
        (self.root / ".hidden").write_bytes(b"secret")
        (top / "secret").write_bytes(b"secret")
        (self.root / "out").symlink_to("../secret")
        (self.root / "up").symlink_to("..")
        self.clock = ThreadedClock()
        self.files = self.serve()
        self.addCleanup(lambda: self.assertEqual(left(top), []))

    def serve(self, **options: Any) -> StaticFiles:
        self.files = StaticFiles(
            self.root, reactor=self.clock, seconds=self.clock.seconds, **{**self.options, **options}
        )
        self.factory = HTTPFactory(self.files, reactor=self.clock)
        return self.files

    def ask(
        self, target: str | bytes = b"/a.txt", method: bytes = b"GET", **headers: str
    ) -> ReceivedResponse:
        connection = MemoryConnection(self.factory)
        pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
        connection.send(request(target, method, pairs))
        for _ in range(100):
            self.clock.advance(HOP)
        self.raw = connection.received
        [response] = parseResponses(self.raw, [method], closed=connection.closed)
        connection.lose()
        return response
