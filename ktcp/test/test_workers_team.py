"""
Tests for L{ktcp.workers.team}: who is started and stopped when.
"""

from __future__ import annotations

import os
import signal
from functools import partial

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ktcp.refusal import Refusal
from ktcp.test.fakeworkers import FakeWorker, TeamMixin
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
