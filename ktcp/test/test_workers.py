"""
Tests for L{ktcp.workers}: who is started and stopped when, what a process says,
and how sockets get from one to the other.  C{test_workers_process} has the real
processes.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from functools import partial
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import (
    CannotListenError,
    ProcessDone,
    ProcessExitedAlready,
    ProcessTerminated,
)
from twisted.internet.interfaces import IListeningPort, IReactorTCP
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import Logger, LogPublisher, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ktcp.counters import Layout
from ktcp.endpoint.server import IReactorKTCP, KTCPServerEndpoint
from ktcp.endpoint.sockets import SocketOptions
from ktcp.options import Refusal
from ktcp.workers.ledger import Ledger
from ktcp.workers.processes import Spawner, Worker, describeEnd
from ktcp.workers.reports import LONGEST, LONGEST_TEXT, Lines, Reporter
from ktcp.workers.sockets import InheritingReactor, OpeningReactor, openGroup
from ktcp.workers.team import (
    LONGEST_PAUSE,
    PATIENCE,
    START_WITHIN,
    STOP_WITHIN,
    YOUNG,
    Post,
    Team,
    WorkerFailed,
    pauseAfter,
)


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


class PostTests(TeamMixin, SynchronousTestCase):
    """
    One worker's place.
    """

    def serving(self) -> Post:
        """
        A place that is filled.
        """
        post = Post(1, lambda number: self.starting(number), self.reactor)
        post.fill()
        self.workers[0].serve()
        return post

    def test_fill(self) -> None:
        """
        The place is filled when the worker serves, and the log has one line.
        """
        post = Post(1, self.spawn, self.reactor)
        filled = post.fill()
        self.assertNoResult(filled)
        self.workers[0].serve()
        self.successResultOf(filled)
        self.assertEqual(self.logged, ["ktcp: worker 1.0 serves"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_hangsAtStart(self) -> None:
        """
        A worker that never says anything is killed in time.
        """
        filled = Post(1, self.spawn, self.reactor).fill()
        self.reactor.advance(START_WITHIN - 1)
        self.assertEqual(self.workers[0].asked, [])
        self.reactor.advance(1)
        self.assertEqual(self.workers[0].asked, ["kill"])
        self.workers[0].die()
        self.failureResultOf(filled, WorkerFailed)

    def test_servesAsItIsKilled(self) -> None:
        """
        A worker that serves at the moment it is killed for being late is
        replaced when it has ended.
        """
        self.successResultOf(self.lateButServing())
        self.workers[0].die()
        self.reactor.advance(0)
        self.assertEqual(len(self.workers), 2)

    def lateButServing(self) -> Deferred[None]:
        """
        See L{test_servesAsItIsKilled}.
        """
        filled = Post(1, self.spawn, self.reactor).fill()
        self.reactor.advance(START_WITHIN)
        self.workers[0].serve()
        return filled

    def test_neverServed(self) -> None:
        """
        A first worker that never serves is not followed by others.
        """
        filled = Post(1, self.spawn, self.reactor).fill()
        self.workers[0].die()
        self.failureResultOf(filled, WorkerFailed)
        self.reactor.advance(LONGEST_PAUSE)
        self.assertEqual(len(self.workers), 1)

    def test_killed(self) -> None:
        """
        A worker that is killed is replaced at once, and the log says so.
        """
        self.serving()
        self.reactor.advance(100)
        self.workers[0].die()
        self.reactor.advance(0)
        self.assertEqual(len(self.workers), 2)
        self.workers[1].serve()
        self.assertEqual(
            self.logged[1:],
            [
                "ktcp: worker 1.0 has ended: killed by SIGKILL; the next one starts now",
                "ktcp: worker 1.1 serves",
            ],
        )

    def test_dyingYoung(self) -> None:
        """
        Workers that keep dying young are replaced ever more slowly, and the
        log says how slowly; one that lives long ends that.
        """
        self.serving()
        for death in range(1, PATIENCE + 3):
            self.reactor.advance(YOUNG / 2)
            self.workers[-1].die()
            pause = pauseAfter(death)
            self.reactor.advance(max(pause - 0.5, 0))
            if pause:
                self.assertEqual(len(self.workers), death)
                self.reactor.advance(0.5)
            self.assertEqual(len(self.workers), death + 1)
            self.workers[-1].serve()
        self.assertIn(
            f"worker 1.{PATIENCE + 1} has ended: killed by SIGKILL; "
            f"the next one starts in 2 s, for {PATIENCE + 2} died young",
            self.logged[-2],
        )
        self.reactor.advance(YOUNG)
        self.workers[-1].die()
        self.reactor.advance(0)
        self.assertEqual(len(self.workers), PATIENCE + 4)

    def test_pauses(self) -> None:
        """
        None for a few deaths, then from a second to half a minute.
        """
        self.assertEqual(
            [pauseAfter(PATIENCE + more) for more in (-4, 0, 1, 2, 3, 4, 5, 6, 7, 10**6)],
            [0, 0, 1, 2, 4, 8, 16, 30, 30, 30],
        )

    def test_successorFails(self) -> None:
        """
        A successor that never serves is followed by another, and the log has
        what it said.
        """
        self.serving()
        self.workers[0].die()
        self.reactor.advance(0)
        self.workers[1].die("exit status 1")
        self.reactor.advance(0)
        self.assertEqual(len(self.workers), 3)
        self.assertIn("ktcp: worker 1.1: never served", self.logged)

    def test_successorCannotStart(self) -> None:
        """
        The same, with growing pauses, while none can be started at all.
        """
        self.serving()

        def refuse(number: int) -> FakeWorker:
            worker = self.spawn(number)
            worker.die("cannot be started")
            return worker

        self.starting = refuse
        self.workers[0].die()
        self.reactor.advance(0)
        self.assertEqual(len(self.workers), PATIENCE + 1)
        self.reactor.advance(1)
        self.assertEqual(len(self.workers), PATIENCE + 2)

    def test_replace(self) -> None:
        """
        The one before is asked to leave when its successor serves, not before;
        and that is no death.
        """
        post = self.serving()
        replaced = Deferred.fromCoroutine(post.replace())
        self.assertEqual(self.workers[0].asked, [])
        self.workers[1].serve()
        self.assertEqual(self.workers[0].asked, ["stop"])
        self.assertNoResult(replaced)
        self.workers[0].die("exit status 0")
        self.successResultOf(replaced)
        self.assertEqual(self.logged[-1], "ktcp: worker 1.0 has ended: exit status 0")
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(len(self.workers), 2)

    def test_replaceHanging(self) -> None:
        """
        One that does not leave is killed.
        """
        post = self.serving()
        Deferred.fromCoroutine(post.replace())
        self.workers[1].serve()
        self.reactor.advance(STOP_WITHIN - 1)
        self.assertEqual(self.workers[0].asked, ["stop"])
        self.reactor.advance(1)
        self.assertEqual(self.workers[0].asked, ["stop", "kill"])
        self.workers[0].die()

    def test_replaceFails(self) -> None:
        """
        If the successor never serves, the one before stays.
        """
        post = self.serving()
        replaced = Deferred.fromCoroutine(post.replace())
        self.workers[1].die("exit status 1")
        self.failureResultOf(replaced, WorkerFailed)
        self.reactor.advance(LONGEST_PAUSE)
        self.assertEqual(self.workers[0].asked, [])
        self.assertEqual(len(self.workers), 2)

    def test_replaceDead(self) -> None:
        """
        If the one before dies while its successor starts, there are not two
        in the end.
        """
        post = self.serving()
        replaced = Deferred.fromCoroutine(post.replace())
        self.workers[0].die()
        self.workers[1].serve()
        self.successResultOf(replaced)
        self.reactor.advance(LONGEST_PAUSE)
        self.assertEqual(len(self.workers), 2)

    def test_replaceReplaced(self) -> None:
        """
        The same if its place has been filled again already.
        """
        post = self.serving()
        replaced = Deferred.fromCoroutine(post.replace())
        self.workers[0].die()
        self.reactor.advance(0)
        self.workers[1].serve()
        self.assertEqual(self.workers[2].asked, ["stop"])
        self.workers[2].die("exit status 0")
        self.successResultOf(replaced)
        self.reactor.advance(LONGEST_PAUSE)
        self.assertEqual(len(self.workers), 3)

    def test_close(self) -> None:
        """
        At the end everybody is asked to leave, the one who is only starting
        too, and nobody follows.
        """
        post = self.serving()
        replaced = Deferred.fromCoroutine(post.replace())
        closed = Deferred.fromCoroutine(post.close())
        for worker in self.workers:
            self.assertNoResult(closed)
            self.assertEqual(worker.asked, ["stop"])
            worker.die("exit status 0")
        self.successResultOf(closed)
        self.failureResultOf(replaced, WorkerFailed)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(len(self.workers), 2)

    def test_closeWhileSuccessorServes(self) -> None:
        """
        A successor that serves when it has been asked to leave is not
        followed when it leaves.
        """
        post = self.serving()
        replaced = Deferred.fromCoroutine(post.replace())
        closed = Deferred.fromCoroutine(post.close())
        self.workers[1].serve()
        self.successResultOf(replaced)
        for worker in self.workers:
            worker.die("exit status 0")
        self.successResultOf(closed)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_closeInPause(self) -> None:
        """
        Who was to start after a pause does not.
        """
        post = self.serving()
        self.workers[0].die()
        self.successResultOf(Deferred.fromCoroutine(post.close()))
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class TeamTests(TeamMixin, SynchronousTestCase):
    """
    All workers.
    """

    def team(self) -> Team:
        """
        A team of two that serves.
        """
        team = Team(2, self.spawn, self.reactor)
        self.reactor.turns = [lambda: self.workers[1].serve(), lambda: self.workers[0].serve()]
        team.startService()
        self.reactor.running = True
        return team

    def test_start(self) -> None:
        """
        All start at once, and the service has started when the last serves.
        """
        team = self.team()
        self.assertEqual(len(self.workers), 2)
        self.assertEqual(self.reactor.turns, [])
        self.assertTrue(team.running)

    def test_startFails(self) -> None:
        """
        If one cannot serve, ktcp refuses to start, in one line with its
        reason, and the other is stopped.
        """
        team = Team(2, self.spawn, self.reactor)
        self.reactor.turns = [lambda: self.workers[0].serve(), lambda: self.workers[1].die()]
        refusal = self.assertRaises(Refusal, team.startService)
        self.assertEqual(refusal.code, "ktcp: worker 2.1: never served")
        stopped = team.stopService()
        self.assertEqual(self.workers[0].asked, ["stop"])
        self.workers[0].die("exit status 0")
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_startInterrupted(self) -> None:
        """
        Ctrl-C and SIGTERM meanwhile are a reason not to start, too; after that
        they are what they were.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            before = signal.getsignal(number)
            team = Team(2, self.spawn, self.reactor)
            self.reactor.turns = [partial(os.kill, os.getpid(), number)]
            refusal = self.assertRaises(Refusal, team.startService)
            self.assertEqual(refusal.code, f"ktcp: stopped by {number.name} before it served")
            self.assertIs(signal.getsignal(number), before)

    def test_startLater(self) -> None:
        """
        In an application that runs already nothing waits; a failure is in
        the log.
        """
        self.reactor.running = True
        team = Team(2, self.spawn, self.reactor)
        team.startService()
        self.workers[0].die()
        self.workers[1].serve()
        self.assertIn("ktcp: worker 1.0: never served", self.logged)

    def test_reload(self) -> None:
        """
        Workers are replaced one at a time.
        """
        team = self.team()
        team.reload()
        self.assertEqual(len(self.workers), 3)
        self.workers[2].serve()
        self.assertEqual(len(self.workers), 3)
        self.workers[0].die("exit status 0")
        self.assertEqual(len(self.workers), 4)
        self.workers[3].serve()
        self.workers[1].die("exit status 0")
        self.assertEqual(self.logged[-1], "ktcp: the workers are replaced")
        self.assertEqual([each.asked for each in self.workers], [["stop"], ["stop"], [], []])

    def test_reloadTwice(self) -> None:
        """
        Asked again while it goes on, it goes once more over all of them.
        """
        team = self.team()
        team.reload()
        team.reload()
        team.reload()
        for index in range(4):
            self.workers[index + 2].serve()
            self.workers[index].die("exit status 0")
        self.assertEqual(len(self.workers), 6)
        self.assertEqual(self.logged.count("ktcp: the workers are replaced"), 2)

    def test_reloadFails(self) -> None:
        """
        If a new worker cannot serve, the old ones stay; a later attempt is
        one.
        """
        team = self.team()
        team.reload()
        self.workers[2].die("exit status 1")
        self.assertEqual(
            self.logged[-2], "ktcp: worker 1.2: never served; the workers that serve stay"
        )
        self.assertEqual([each.asked for each in self.workers], [[], [], []])
        team.reload()
        self.assertEqual(len(self.workers), 4)

    def test_stop(self) -> None:
        """
        The service has stopped when the last worker has ended, in the middle
        of a replacement too.
        """
        team = self.team()
        team.reload()
        team.reload()
        stopped = team.stopService()
        for worker in self.workers:
            self.assertNoResult(stopped)
            worker.die("exit status 0")
        self.successResultOf(stopped)
        self.assertEqual(len(self.workers), 3)
        self.assertNotIn("ktcp: the workers are replaced", self.logged)
        self.assertEqual(self.reactor.getDelayedCalls(), [])


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


class WorkerTests(TeamMixin, SynchronousTestCase):
    """
    A process, as the parent hears it.
    """

    def setUp(self) -> None:
        """
        A process that has started.
        """
        super().setUp()
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
            self.logged,
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


class ReportsTests(SynchronousTestCase):
    """
    From a worker's log to a pipe.
    """

    def test_reporter(self) -> None:
        """
        Events arrive with their level and without a time, failures with
        their traceback; an event without text does not.
        """
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        os.set_inheritable(writing, True)
        reporter: Any = Reporter(writing)
        self.addCleanup(reporter._file.close)
        self.assertFalse(os.get_inheritable(writing))
        log = Logger("x", observer=LogPublisher(reporter))
        log.warn("a {b}", b="c\nd")
        log.debug("")
        try:
            raise ValueError("oh")
        except ValueError:
            log.failure("broken")
        log.info("{long}", long="x" * LONGEST)
        reporter.report({"ready": True})
        first, second, cut, third = map(json.loads, os.read(reading, LONGEST).splitlines())
        self.assertEqual(first, {"level": "warn", "text": "a c\nd"})
        self.assertEqual(second["level"], "critical")
        self.assertTrue(second["text"].startswith("broken\nTraceback"), second)
        self.assertIn("ValueError: oh", second["text"])
        self.assertEqual(len(cut["text"]), LONGEST_TEXT)
        self.assertEqual(third, {"ready": True})

    def test_lines(self) -> None:
        """
        Lines come out whole, however they went in.
        """
        data = b"a\n\nbc\nd"
        for step in range(1, len(data) + 1):
            lines = Lines()
            found = []
            for at in range(0, len(data), step):
                found += lines.feed(data[at : at + step])
            self.assertEqual(found, [b"a", b"", b"bc"])

    def test_noLine(self) -> None:
        """
        Bytes without an end of line are not kept for ever.
        """
        lines = Lines()
        self.assertEqual(lines.feed(b"x" * LONGEST), [])
        self.assertEqual(lines.feed(b"x"), [b"x" * (LONGEST + 1)])
        self.assertEqual(lines.feed(b"y\n"), [b"y"])


class SocketsTests(SynchronousTestCase):
    """
    Sockets in one process; the kernel is the subject.
    """

    def setUp(self) -> None:
        """
        Both sides.
        """
        self.reactor = MemoryReactorClock()
        self.opening = OpeningReactor(self.reactor, 3)

    def group(self, port: int = 0, interface: str = "127.0.0.1") -> list[socket.socket]:
        """
        A group of three.
        """
        sockets = openGroup(port, interface, SocketOptions(), 3)
        for each in sockets:
            self.addCleanup(each.close)
        return sockets

    def test_onePort(self) -> None:
        """
        Port 0 is one port for all of a group, and each has its own queue.
        """
        for interface in ("127.0.0.1", "::1", ""):
            sockets = self.group(interface=interface)
            names = {each.getsockname()[:2] for each in sockets}
            self.assertEqual(len(names), 1)
            ((_, port),) = names
            accepted = 0
            for _ in range(30):
                client = socket.create_connection((interface or "127.0.0.1", port))
                self.addCleanup(client.close)
            for each in sockets:
                while True:
                    try:
                        each.accept()[0].close()
                    except BlockingIOError:
                        break
                    accepted += 1
            self.assertEqual(accepted, 30)

    def test_taken(self) -> None:
        """
        A port is taken when anybody listens there, another group too: ktcp
        that is started twice is an error.
        """
        port = self.group()[0].getsockname()[1]
        self.assertRaises(OSError, self.group, port)
        single = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(single.close)
        error = self.assertRaises(
            CannotListenError,
            *(self.opening.listenTCP, single.getsockname()[1], Factory(), 50, "127.0.0.1"),
        )
        self.assertEqual(error.interface, "127.0.0.1")
        self.assertEqual(list(self.opening.handedTo(1)), [])

    def test_opened(self) -> None:
        """
        The parent's ports say where they are, and close.
        """
        for interface, kind in (("127.0.0.1", IPv4Address), ("::1", IPv6Address)):
            port = self.opening.listenSSL(0, Factory(), None, 50, interface)
            verifyObject(IListeningPort, port)
            host: Any = port.getHost()
            self.assertEqual(host, kind("TCP", interface, host.port))
            client = socket.create_connection((interface, host.port))
            self.addCleanup(client.close)
            self.successResultOf(port.stopListening())  # type: ignore[arg-type]
            self.assertRaises(
                ConnectionRefusedError, socket.create_connection, (interface, host.port)
            )

    def test_reactor(self) -> None:
        """
        The rest of a reactor is the reactor's.
        """
        for reactor in (self.opening, InheritingReactor(self.reactor, [])):
            self.assertTrue(IReactorTCP.providedBy(reactor))
            verifyObject(IReactorKTCP, reactor)
        self.assertEqual(self.opening.seconds(), self.reactor.seconds())

    def test_options(self) -> None:
        """
        A ktcp: endpoint keeps its options, of all of its sockets.
        """
        options = SocketOptions(keepalive=None, usertimeout=1234)
        endpoint = KTCPServerEndpoint(self.opening, 0, "127.0.0.1", options)
        port: Any = self.successResultOf(endpoint.listen(Factory()))
        self.addCleanup(port.stopListening)
        for number in (1, 2, 3):
            (handed,) = self.opening.handedTo(number)
            self.assertEqual(handed.key, ("ktcp", "127.0.0.1", 0))
            with socket.socket(fileno=os.dup(handed.descriptor)) as copy:
                self.assertEqual(copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT), 1234)
                self.assertEqual(copy.getsockname()[1], port.getHost().port)

    def test_shared(self) -> None:
        """
        A port may be shared with others only if both sides ask for that.
        """
        options = SocketOptions(reuseport=True)
        first = openGroup(0, "127.0.0.1", options, 1)[0]
        self.addCleanup(first.close)
        port = first.getsockname()[1]
        openGroup(port, "127.0.0.1", options, 1)[0].close()
        self.assertRaises(OSError, self.group, port)

    def test_bothFamilies(self) -> None:
        """
        With v6only a port of IPv6 is free beside the same one of IPv4.
        """
        port = self.group(interface="0.0.0.0")[0].getsockname()[1]
        self.assertRaises(OSError, openGroup, port, "::", SocketOptions(v6only=False), 1)
        openGroup(port, "::", SocketOptions(v6only=True), 1)[0].close()

    def test_unix(self) -> None:
        """
        A UNIX socket has its mode and its lock, and is deleted at the end.
        """
        path = os.path.abspath(self.mktemp())
        port: Any = self.opening.listenUNIX(path, Factory(), 50, 0o600, 1)
        self.assertEqual(port.getHost(), UNIXAddress(path))
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertTrue(os.path.islink(path + ".lock"))
        self.assertEqual(self.reactor.getReaders(), [])
        numbers = {handed.descriptor for i in (1, 2, 3) for handed in self.opening.handedTo(i)}
        self.assertEqual(len(numbers), 1)
        self.assertRaises(CannotListenError, self.opening.listenUNIX, path, Factory(), 50, 0o600, 1)
        port.stopListening()
        self.reactor.advance(0)
        self.assertFalse(os.path.lexists(path) or os.path.lexists(path + ".lock"))

    def test_inheritInOrder(self) -> None:
        """
        Of two listeners that ask for the same, port 0, each gets its own.
        """
        ports: list[Any] = [self.opening.listenTCP(0, Factory(), 50, "127.0.0.1") for _ in range(2)]
        for port in ports:
            self.addCleanup(port.stopListening)
        handed = [
            each._replace(descriptor=os.dup(each.descriptor)) for each in self.opening.handedTo(2)
        ]
        adopted: list[int] = []

        class Adopting(MemoryReactorClock):
            def adoptStreamPort(self, fileno: int, family: int, factory: object) -> None:
                with socket.socket(fileno=os.dup(fileno)) as copy:
                    adopted.append(copy.getsockname()[1])

        inheriting = InheritingReactor(Adopting(), handed)
        for _ in ports:
            inheriting.listenTCP(0, Factory(), 50, "127.0.0.1")
        self.assertEqual(adopted, [port.getHost().port for port in ports])
        for each in handed:
            self.assertRaises(OSError, os.fstat, each.descriptor)
        error = self.assertRaises(LookupError, inheriting.listenTCP, 0, Factory(), 50, "127.0.0.1")
        self.assertEqual(str(error), "the parent has opened no tcp 127.0.0.1 0")
