# -*- test-case-name: ktcp.test.test_workers_processes -*-
"""
One worker, seen from the parent: starting its process, hearing its reports.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ProcessExitedAlready, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from ktcp.workers.ledger import Ledger
from ktcp.workers.reports import Lines
from ktcp.workers.sockets import OpeningReactor
from ktcp.workers.team import WorkerFailed

_log = Logger()

STDIN, STDOUT, STDERR = 0, 1, 2

# Seconds that a worker has to answer; one that hangs is not waited for.
PATIENCE = 2.0

# What a worker finds its modules by; it puts them back once it runs, so that
# the processes which it starts look where they always would.
SEARCH = ("PYTHONPATH", "PYTHONSAFEPATH")


class Worker(ProcessProtocol):
    """
    A process that serves; a L{Working<ktcp.workers.team.Working>}.

    @ivar served: It was ready once.
    """

    def __init__(self, title: str, orders: dict[str, object], reports: int) -> None:
        """
        @param title: Which of how many it is.
        @param orders: What the process is told; see C{ktcp.workers.__main__}.
        @param reports: The descriptor that it reports on.
        """
        self.name = f"worker {title}"
        self.ready: Deferred[None] = Deferred()
        self.ended: Deferred[str] = Deferred()
        self.served = False
        self._asked = 0
        self._answers: dict[int, Deferred[list[Any]]] = {}
        self._orders = orders
        self._reports = reports
        self._refusal: str | None = None
        self._reason: str | None = None
        self._lines = {descriptor: Lines() for descriptor in (STDOUT, STDERR, reports)}

    def stop(self) -> None:
        """
        Ask it to end.
        """
        self._signal("TERM")

    def kill(self) -> None:
        """
        End it.
        """
        self._signal("KILL")

    def ask(self, most: int, clock: Any) -> Deferred[list[Any]]:
        """
        Have it tell of its connections; see L{ktcp.workers.questions}.

        @return: Fires with them; with none if it does not answer in time.
        """
        self._asked = number = self._asked + 1
        waiting: Deferred[list[Any]] = Deferred(lambda _: self._giveUp(number))
        self._answers[number] = waiting
        self._transport.write(json.dumps({"ask": number, "most": most}).encode() + b"\n")
        return waiting.addTimeout(PATIENCE, clock, lambda _, __: [])

    def _giveUp(self, number: int) -> None:
        del self._answers[number]

    def _signal(self, name: str) -> None:
        """
        Send a signal; to nobody if it has ended.
        """
        with suppress(ProcessExitedAlready):
            self._transport.signalProcess(name)

    @property
    def _transport(self) -> Any:
        # IProcessTransport, which twisted does not say.
        return self.transport

    def connectionMade(self) -> None:
        """
        Give the orders.
        """
        self.name += f" (pid {self._transport.pid})"
        self._transport.write(json.dumps(self._orders).encode() + b"\n")

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """
        Hear a report, or something that was printed.
        """
        for line in self._lines[childFD].feed(data):
            if childFD == self._reports:
                self._heard(json.loads(line))
            elif line:
                level = LogLevel.error if childFD == STDERR else LogLevel.info
                self._say(level, line.decode(errors="backslashreplace"))

    def _heard(self, report: dict[str, Any]) -> None:
        """
        Act on a report.
        """
        if "ready" in report:
            self.served = True
            self.ready.callback(None)
        elif "answer" in report:
            # Too late, maybe.
            waiting = self._answers.pop(report["answer"], None)
            if waiting is not None:
                waiting.callback(report["rows"])
        elif "refusal" in report:
            self._refusal = report["refusal"]
        else:
            self._say(LogLevel.lookupByName(report["level"]), report["text"])

    def _say(self, level: Any, text: str) -> None:
        """
        Put something into the parent's log.
        """
        _log.emit(level, "{name}: {text}", name=self.name, text=text)

    def childConnectionLost(self, childFD: int) -> None:
        """
        A pipe has ended.
        """
        if childFD == self._reports:
            # What is left is half a report, of one that was killed meanwhile.
            del self._lines[childFD]
            self._maybeEnd()
        elif childFD in self._lines:
            self.childDataReceived(childFD, b"\n")

    def processExited(self, reason: Failure) -> None:
        """
        The process has ended.
        """
        self._reason = describeEnd(reason.value)
        self._maybeEnd()

    def _maybeEnd(self) -> None:
        """
        Tell, once the process has ended and all its reports are heard.

        Not in C{processEnded}, which waits for the end of what is printed too:
        a process that the worker has started may keep that open for long.
        """
        if self._reason is not None and self._reports not in self._lines:
            self.fail(self._reason)

    def fail(self, reason: str) -> None:
        """
        It is no more, or never was.
        """
        if not self.ready.called:
            said = self._refusal or f"ended before it served ({reason})"
            self.ready.errback(WorkerFailed(f"{self.name}: {said}"))
        answers, self._answers = self._answers, {}
        for waiting in answers.values():
            waiting.callback([])
        self.ended.callback(reason)


def describeEnd(error: BaseException | None) -> str:
    """
    Say how a process ended.
    """
    if not isinstance(error, ProcessTerminated):
        return "exit status 0"
    if error.signal is None:
        return f"exit status {error.exitCode}"
    return f"killed by {signal.Signals(error.signal).name}"


class Spawner:
    """
    Starts workers, which get the parent's sockets and its command line.
    """

    def __init__(
        self,
        reactor: Any,
        opening: OpeningReactor,
        ledger: Ledger,
        arguments: Sequence[str],
        size: int,
        cores: Sequence[int] = (),
    ) -> None:
        """
        @param ledger: Where workers count.
        @param arguments: The parent's options, as they were given.
        @param size: How many workers there are.
        @param cores: The processors to bind workers to, in turn; none: leave
            it to the scheduler.
        """
        self._reactor = reactor
        self._opening = opening
        self._ledger = ledger
        self._running: set[Worker] = set()
        self._arguments = arguments
        self._size = size
        self._cores = cores

    def connections(self, most: int) -> Deferred[list[list[Any]]]:
        """
        Ask every worker that serves for its connections.
        """
        serving = [worker for worker in self._running if worker.served]
        return gatherResults([worker.ask(most, self._reactor) for worker in serving])

    def __call__(self, number: int) -> Worker:
        """
        Start a worker.

        @param number: From 1.
        """
        handed = list(self._opening.handedTo(number))
        # Descriptors from outside keep the numbers their endpoints know them
        # by; ours come behind them.
        outside = [descriptor for (kind, _, descriptor), _ in handed if kind == "fd"]
        reports = max([STDERR, *outside]) + 1
        descriptors: dict[int, int | str] = {STDIN: "w", STDOUT: "r", STDERR: "r", reports: "r"}
        listeners: list[tuple[str, str, int, int]] = []
        for key, descriptor in handed:
            kind, _, port = key
            there = port if kind == "fd" else max(descriptors) + 1
            descriptors[there] = descriptor
            listeners.append((*key, there))
        counters = max(descriptors) + 1
        descriptors[counters] = self._ledger.descriptor
        row = self._ledger.open(number)
        title = f"{number}/{self._size}"
        orders: dict[str, object] = {
            "parent": os.getpid(),
            "reactor": type(self._reactor).__module__,
            "reports": reports,
            "core": self._cores[(number - 1) % len(self._cores)] if self._cores else None,
            "listeners": listeners,
            "counters": (counters, row),
            "environment": {name: os.environ.get(name) for name in SEARCH},
        }
        worker = Worker(title, orders, reports)

        def ended(reason: str) -> str:
            self._running.discard(worker)
            self._ledger.close(row, worker.served)
            return reason

        self._running.add(worker)

        worker.ended.addCallback(ended)
        command = [sys.executable, "-m", "ktcp.workers", title, *self._arguments]
        # It has this from us (execve(2)), until it can see to SIGINT itself.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._reactor.spawnProcess(
                worker, command[0], command, env=_environment(), childFDs=descriptors
            )
        except OSError as error:
            # fork(2): EAGAIN, ENOMEM.  execve(2): EACCES, where --uid is somebody
            # who may not run root's Python.
            worker.fail(f"cannot be started: {command[0]}: {error.strerror}")
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return worker


def _environment() -> dict[str, str]:
    """
    The environment of a worker: it finds modules where the parent does, and
    in no folder that it happens to run in.
    """
    folders = [os.path.abspath(each) for each in sys.path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "PYTHONSAFEPATH": "1"}
