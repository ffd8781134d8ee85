"""
Tests for L{ktcp.workers.processes}: what a process is told, and what it says.
C{test_workers_process} has the real ones.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from typing import Any

from twisted.internet.error import (
    ProcessDone,
    ProcessExitedAlready,
    ProcessTerminated,
)
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver, MemoryReactorClock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ktcp.counters import Layout
from ktcp.workers.ledger import Ledger
from ktcp.workers.processes import Spawner, Worker, describeEnd
from ktcp.workers.sockets import OpeningReactor
from ktcp.workers.team import (
    WorkerFailed,
)


class FakeTransport:
    """
    What a L{Worker} does to its process.
    """

    pid = 77

    def __init__(self) -> None:
        self.written = b""
        self.signals: list[str] = []

    def write(self, data: bytes) -> None:
        """
        Keep it.
        """
        self.written += data

    def signalProcess(self, name: str) -> None:
        """
        Keep it; twice is too late.
        """
        if self.signals:
            raise ProcessExitedAlready
        self.signals.append(name)


class WorkerTests(SynchronousTestCase):
    """
    A process, as the parent hears it.
    """

    def setUp(self) -> None:
        """
        A process that has started.
        """
        self.events = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.worker = Worker("1/2", {"a": 1}, 7)
        self.transport: Any = FakeTransport()
        self.worker.makeConnection(self.transport)

    def report(self, **report: object) -> None:
        """
        Send a report, in two pieces.
        """
        line = json.dumps(report).encode() + b"\n"
        self.worker.childDataReceived(7, line[:3])
        self.worker.childDataReceived(7, line[3:])

    def end(self, error: Exception) -> None:
        """
        End the process.
        """
        self.worker.processExited(Failure(error))
        self.worker.childConnectionLost(7)

    def test_orders(self) -> None:
        """
        It is told what to do, in a line.
        """
        self.assertEqual(self.transport.written, b'{"a": 1}\n')

    def test_asked(self) -> None:
        """
        It tells of its connections when it is asked; one that hangs, or ends, has none, and
        an answer that comes too late is nobody's.
        """
        clock = Clock()
        first, second = self.worker.ask(5, clock), self.worker.ask(6, clock)
        self.assertIn(b'{"ask": 1, "most": 5}\n{"ask": 2, "most": 6}\n', self.transport.written)
        self.report(answer=2, rows=[{"peer": "a"}])
        self.assertEqual(self.successResultOf(second), [{"peer": "a"}])
        clock.advance(2)
        self.assertEqual(self.successResultOf(first), [])
        self.report(answer=1, rows=[{"peer": "b"}])
        third = self.worker.ask(7, clock)
        self.report(ready=True)
        self.end(ProcessDone(0))
        self.assertEqual(self.successResultOf(third), [])
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_ready(self) -> None:
        """
        It says when it serves.
        """
        self.assertNoResult(self.worker.ready)
        self.report(ready=True)
        self.successResultOf(self.worker.ready)

    def test_refuses(self) -> None:
        """
        It says why it does not serve, even if its end is known first.
        """
        self.worker.processExited(Failure(ProcessTerminated(1)))
        self.report(refusal="--x: no")
        self.assertNoResult(self.worker.ended)
        self.worker.childConnectionLost(7)
        failure = self.failureResultOf(self.worker.ready, WorkerFailed)
        self.assertEqual(str(failure.value), "worker 1/2 (pid 77): --x: no")
        self.assertEqual(self.successResultOf(self.worker.ended), "exit status 1")

    def test_silentEnd(self) -> None:
        """
        One that says nothing is described by how it ended.
        """
        self.end(ProcessTerminated(None, signal.SIGSEGV))
        failure = self.failureResultOf(self.worker.ready, WorkerFailed)
        self.assertEqual(
            str(failure.value),
            "worker 1/2 (pid 77): ended before it served (killed by SIGSEGV)",
        )

    def test_ends(self) -> None:
        """
        Each kind of end has its words.
        """
        for error, words in (
            (ProcessDone(0), "exit status 0"),
            (ProcessTerminated(3), "exit status 3"),
            (ProcessTerminated(None, 9), "killed by SIGKILL"),
        ):
            self.assertEqual(describeEnd(error), words)

    def test_log(self) -> None:
        """
        What it logs and prints is in the parent's log, under its name.
        """
        self.report(level="warn", text="careful\nnow")
        self.worker.childDataReceived(1, b"hello\n\nthe")
        self.worker.childDataReceived(1, b"re\n")
        self.worker.childDataReceived(2, b"\xff\nlast words")
        self.worker.childConnectionLost(2)
        self.worker.childConnectionLost(0)
        self.assertEqual(
            [formatEvent(event) for event in self.events],
            [
                "worker 1/2 (pid 77): careful\nnow",
                "worker 1/2 (pid 77): hello",
                "worker 1/2 (pid 77): there",
                "worker 1/2 (pid 77): \\xff",
                "worker 1/2 (pid 77): last words",
            ],
        )

    def test_signalLate(self) -> None:
        """
        A signal for one that has ended goes nowhere.
        """
        self.worker.stop()
        self.worker.kill()
        self.assertEqual(self.transport.signals, ["TERM"])


class SpawnerTests(SynchronousTestCase):
    """
    What a process is started with.
    """

    def test_interruptIsHeld(self) -> None:
        """
        A worker begins with SIGINT blocked, which it has from its parent; the
        parent itself is not deaf for longer than that.
        """
        memory: Any = MemoryReactorClock()
        masks: list[Any] = []
        memory.spawnProcess = lambda *_, **__: masks.append(
            signal.pthread_sigmask(signal.SIG_BLOCK, ())
        )
        ledger = Ledger(Layout())
        self.addCleanup(os.close, ledger.descriptor)
        Spawner(memory, OpeningReactor(memory, 1), ledger, [], 1)(1)
        masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        self.assertEqual([signal.SIGINT in mask for mask in masks], [True, False])

    def test_orders(self) -> None:
        """
        The user's own options on the command line, the worker's sockets as
        descriptors, those from outside under their own numbers.
        """
        memory: Any = MemoryReactorClock()
        opening = OpeningReactor(memory, 2)
        outside = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(outside.close)
        group = opening.listenTCP(0, Factory(), interface="127.0.0.1")
        adopted = opening.adoptStreamPort(outside.fileno(), socket.AF_INET, Factory())
        self.addCleanup(group.stopListening)
        self.addCleanup(adopted.stopListening)
        started: list[Any] = []
        memory.spawnProcess = lambda *args, **kwargs: started.append((args, kwargs))
        ledger = Ledger(Layout())
        self.addCleanup(os.close, ledger.descriptor)
        spawner = Spawner(memory, opening, ledger, ["--port", "0"], 2, [4, 5])
        spawner(1)
        spawner(2)
        theirs = []
        for number, ((worker, _, command), options) in enumerate(started, 1):
            self.assertEqual(
                command, [sys.executable, "-m", "ktcp.workers", f"{number}/2", "--port", "0"]
            )
            orders = worker._orders
            self.assertEqual(orders["core"], 3 + number)
            reports = orders["reports"]
            self.assertEqual(reports, outside.fileno() + 1)
            self.assertEqual(
                orders["listeners"],
                [
                    ("tcp", "127.0.0.1", 0, reports + 1),
                    ("fd", "", outside.fileno(), outside.fileno()),
                ],
            )
            descriptors = options["childFDs"]
            theirs.append(descriptors.pop(reports + 1))
            shared = descriptors.pop(outside.fileno())
            self.assertEqual(os.fstat(shared).st_ino, os.fstat(outside.fileno()).st_ino)
            counters, row = orders["counters"]
            self.assertEqual(descriptors.pop(counters), ledger.descriptor)
            self.assertEqual(row, number - 1)
            self.assertEqual(descriptors, {0: "w", 1: "r", 2: "r", reports: "r"})
        self.assertEqual(len(set(theirs)), 2)

    def test_cannotFork(self) -> None:
        """
        A process that cannot be started is a worker that failed.
        """
        memory: Any = MemoryReactorClock()

        def refuse(*args: object, **kwargs: object) -> None:
            raise BlockingIOError(11, "Resource temporarily unavailable")

        memory.spawnProcess = refuse
        ledger = Ledger(Layout())
        self.addCleanup(os.close, ledger.descriptor)
        worker = Spawner(memory, OpeningReactor(memory, 1), ledger, [], 1)(1)
        failure = self.failureResultOf(worker.ready, WorkerFailed)
        self.assertEqual(ledger.snapshot().value("cthread_err"), 1)
        self.assertIn(f"cannot be started: {sys.executable}: Resource", str(failure.value))
        self.successResultOf(worker.ended)
