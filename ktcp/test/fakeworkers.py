# -*- test-case-name: ktcp.test.test_workers_team -*-
"""
Workers that do as a test says.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from ktcp.workers.team import WorkerFailed


class FakeWorker:
    """
    A worker that does as a test says.

    @ivar asked: What it was asked.
    """

    def __init__(self, number: int, index: int) -> None:
        self.name = f"worker {number}.{index}"
        self.ready: Deferred[None] = Deferred()
        self.ended: Deferred[str] = Deferred()
        self.asked: list[str] = []

    def stop(self) -> None:
        """
        Remember it.
        """
        self.asked.append("stop")

    def kill(self) -> None:
        """
        Remember it.
        """
        self.asked.append("kill")

    def serve(self) -> None:
        """
        Serve.
        """
        self.ready.callback(None)

    def die(self, reason: str = "killed by SIGKILL") -> None:
        """
        End.
        """
        if not self.ready.called:
            self.ready.errback(WorkerFailed(f"{self.name}: never served"))
        self.ended.callback(reason)


class FakeReactor(Clock):
    """
    A clock that is also run by hand.

    @ivar turns: What happens in the next turns.
    """

    running = False

    def __init__(self) -> None:
        super().__init__()
        self.turns: list[Any] = []

    def iterate(self, delay: float) -> None:
        """
        Let the next thing happen.
        """
        self.turns.pop(0)()


class TeamMixin(SynchronousTestCase):
    """
    Workers at hand, and the log.
    """

    def setUp(self) -> None:
        """
        Nobody works yet.
        """
        self.reactor = FakeReactor()
        self.workers: list[FakeWorker] = []
        self.starting: Any = self.spawn
        self.logged: list[str] = []
        observe: Any = self.observe
        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)

    def observe(self, event: Any) -> None:
        """
        Keep a line of the room's.
        """
        if event["log_namespace"].startswith("ktcp.workers"):
            self.logged.append(event["log_format"].format(**event))

    def spawn(self, number: int) -> FakeWorker:
        """
        Start a worker.
        """
        worker = FakeWorker(number, len(self.workers))
        self.workers.append(worker)
        return worker
