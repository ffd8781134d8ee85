# -*- test-case-name: ktcp.test.test_workers_team -*-
"""
Who serves: the places of the workers, who fills each, and who comes next.

Nothing here knows of processes or sockets.  A L{Post} is one worker's place and
a L{Team} all of them; a function from the number of a post to a started worker
is given to them.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.process import reapAllProcesses
from twisted.logger import Logger
from twisted.python.failure import Failure

from ktcp.console import noticing
from ktcp.refusal import Refusal

_log = Logger()

# Seconds in which a worker must serve: it takes half of one on a slow core.
START_WITHIN = 60.0
# Seconds that a worker has to end, beyond those that its connections have, before
# it is killed: this only strikes one that hangs.
STOP_WITHIN = 5.0
# A worker that lived for fewer seconds after it served died young.
YOUNG = 1.0
# So many young deaths in a row may be an operator's doing, or chance, and the
# next is started at once: what waits in its accept queue waits for it alone.
# After that the pause doubles, from 1 s to half a minute, because to start
# costs half a second of a core that the other workers could use.
PATIENCE = 5
LONGEST_PAUSE = 30.0


class WorkerFailed(Exception):
    """
    A worker ended before it served.
    """


class Working(Protocol):
    """
    A worker; see L{ktcp.workers.processes.Worker}.

    @ivar name: What the log calls it.
    @ivar ready: Fires with L{None} when it serves; fails with L{WorkerFailed}
        if it ends before.
    @ivar ended: Fires with the reason, in words, when it is no more.
    """

    name: str
    ready: Deferred[None]
    ended: Deferred[str]

    def stop(self) -> None:
        """
        Ask it to end when its connections have; asked again, it waits for none.
        """

    def kill(self) -> None:
        """
        End it.
        """


Spawn = Callable[[int], Working]


def pauseAfter(deaths: int) -> float:
    """
    Say how long to wait before the next worker is started.

    @param deaths: How many have died young in a row.
    @return: In seconds.
    """
    if deaths <= PATIENCE:
        return 0.0
    # The exponent is bounded as well: a float ends at 2 ** 1023.
    return min(2.0 ** min(deaths - PATIENCE - 1, 10), LONGEST_PAUSE)


class Post:
    """
    One worker's place.

    @ivar _holder: Who serves, or is about to; L{None} in a pause and at the end.
    @ivar _alive: All processes that were started for this place and have not
        ended: the holder, one that is to follow it, one that has been asked
        to leave.
    @ivar _proven: A worker has served here.  Until then it is for the caller
        of L{fill} to say what becomes of a failure.
    """

    def __init__(self, number: int, spawn: Spawn, clock: Any, drainTimeout: float = 0.0) -> None:
        self._number = number
        self._spawn = spawn
        self._clock = clock
        self._stopWithin = drainTimeout + STOP_WITHIN
        self._leaving: set[Working] = set()
        self._holder: Working | None = None
        self._alive: list[Working] = []
        self._deaths = 0
        self._pause: Any = None
        self._proven = False
        self._closed = False

    def fill(self) -> Deferred[None]:
        """
        Start a worker for the empty place.

        @return: Fires when it serves.
        """
        worker = self._spawn(self._number)
        self._holder = worker
        return self._watch(worker)

    async def replace(self) -> None:
        """
        Start a worker, and when it serves, have the one before it leave.

        @raise WorkerFailed: It never served; the one before it stays.
        """
        if self._closed:
            return
        successor = self._spawn(self._number)
        await self._watch(successor)
        # Not asked for before: the one before may have died meanwhile, and its
        # place may be filled again, or be waiting for that.
        _cancel(self._pause)
        predecessor, self._holder = self._holder, successor
        if predecessor is not None:
            await self._dismiss(predecessor)

    async def close(self) -> None:
        """
        End all workers, and start no more.
        """
        self._closed = True
        self._holder = None
        _cancel(self._pause)
        leaving = [w for w in self._alive if w not in self._leaving]
        await gatherResults([Deferred.fromCoroutine(self._dismiss(w)) for w in leaving])
        await gatherResults([_end(w) for w in self._alive])

    def hurry(self) -> None:
        """
        Have workers that have been asked to leave wait for nobody.
        """
        for worker in self._leaving:
            worker.stop()

    def _watch(self, worker: Working) -> Deferred[None]:
        """
        See a worker serve and end.

        @return: Fires when it serves.
        """
        self._alive.append(worker)
        late = self._clock.callLater(START_WITHIN, worker.kill)
        served: list[float] = []

        def serves(_: None) -> None:
            _cancel(late)
            self._proven = True
            served.append(self._clock.seconds())
            _log.info("ktcp: {name} serves", name=worker.name)

        def ended(reason: str) -> None:
            _cancel(late)
            self._alive.remove(worker)
            self._ended(worker, reason, served[0] if served else None)

        ready = worker.ready.addCallback(serves)
        # Last, because one that could not be started at all has ended already.
        worker.ended.addCallback(ended)
        return ready

    def _ended(self, worker: Working, reason: str, served: float | None) -> None:
        """
        A worker is no more; fill its place if that was not meant.

        @param served: Since when it had served, if it ever did.
        """
        if self._closed or not self._proven or worker is not self._holder:
            _log.info("ktcp: {name} has ended: {reason}", name=worker.name, reason=reason)
            return
        self._holder = None
        lived = 0.0 if served is None else self._clock.seconds() - served
        self._deaths = self._deaths + 1 if lived < YOUNG else 0
        pause = pauseAfter(self._deaths)
        _log.warn(
            "ktcp: {name} has ended: {reason}; the next one starts {when}",
            name=worker.name,
            reason=reason,
            when=f"in {pause:.0f} s, for {self._deaths} died young" if pause else "now",
        )
        self._pause = self._clock.callLater(pause, self._refill)

    def _refill(self) -> None:
        """
        Start the next one.  If it never serves, it has said why in ending.
        """
        self.fill().addErrback(_tell)

    async def _dismiss(self, worker: Working) -> None:
        """
        Have a worker leave, and wait until it has.
        """
        self._leaving.add(worker)
        worker.stop()
        impatience = self._clock.callLater(self._stopWithin, worker.kill)
        await _end(worker)
        self._leaving.discard(worker)
        _cancel(impatience)


class Team(Service):
    """
    All workers.
    """

    def __init__(self, size: int, spawn: Spawn, reactor: Any, drainTimeout: float = 0.0) -> None:
        """
        @param drainTimeout: Seconds that the connections of a worker have.
        """
        self._posts = [Post(each, spawn, reactor, drainTimeout) for each in range(1, size + 1)]
        self._reactor = reactor
        self._rolling: Deferred[None] = succeed(None)
        self._again = False

    def startService(self) -> None:
        """
        Start the workers, and wait until all of them serve.

        It waits here, although that means to run the reactor by hand, because
        twistd calls this before the reactor runs: the last moment at which
        ktcp can refuse to start in front of its user, and have the one who
        started a daemon wait until it serves.

        @raise Refusal: One of them does not.
        """
        super().startService()
        filled = gatherResults([post.fill() for post in self._posts], consumeErrors=True)
        if self._reactor.running:
            # An application started this later; it reads the log.
            filled.addErrback(lambda failure: _tell(_first(failure)))
            return
        outcome: list[Any] = []
        filled.addBoth(outcome.append)
        with noticing(signal.SIGINT, signal.SIGTERM) as noticed:
            while not (outcome or noticed):
                self._reactor.iterate(0.1)
                # The signal that tells of a child's end has no handler yet.
                reapAllProcesses()
        if noticed:
            raise stoppedBy(noticed[0])
        if isinstance(outcome[0], Failure):
            raise Refusal(str(_first(outcome[0]).value))

    def stopService(self) -> Deferred[Any]:
        """
        End the workers.

        @return: Fires when the last one has ended.
        """
        super().stopService()
        self._again = False
        return gatherResults([Deferred.fromCoroutine(post.close()) for post in self._posts])

    def hurry(self) -> None:
        """
        Wait for no connection any more.
        """
        for post in self._posts:
            post.hurry()

    def reload(self) -> Deferred[None]:
        """
        Replace the workers one by one; and again, if that is asked for while
        it goes on.

        @return: Fires when that is over; a new one each time.
        """
        self._again = True
        if self._rolling.called:
            self._rolling = Deferred.fromCoroutine(self._roll())
            self._rolling.addErrback(
                lambda failure: _log.failure("ktcp: replacing the workers", failure)
            )
        over: Deferred[None] = Deferred()

        def tell(_: None) -> None:
            over.callback(None)

        self._rolling.addCallback(tell)
        return over

    async def _roll(self) -> None:
        """
        Replace the workers while that is wanted and goes well.
        """
        try:
            while self._again:
                self._again = False
                _log.info("ktcp: replacing the workers, one by one")
                for post in self._posts:
                    await post.replace()
                if self.running:
                    _log.info("ktcp: the workers are replaced")
        except WorkerFailed as error:
            # What made it fail would make the others fail.
            if self.running:
                _log.error("ktcp: {error}; the workers that serve stay", error=error)


def stoppedBy(number: signal.Signals) -> Refusal:
    """
    Make the error of a start that a signal has put an end to.
    """
    return Refusal(f"stopped by {number.name} before it served")


def _end(worker: Working) -> Deferred[None]:
    """
    @return: Fires when a worker has ended.
    """
    ended: Deferred[None] = Deferred()

    def tell(reason: str) -> str:
        ended.callback(None)
        return reason

    worker.ended.addCallback(tell)
    return ended


def _cancel(call: Any) -> None:
    """
    Have a call not made, if there is one that has not been.
    """
    if call is not None and call.active():
        call.cancel()


def _tell(failure: Failure) -> None:
    """
    Put it into the log that a worker never served.
    """
    failure.trap(WorkerFailed)
    _log.error("ktcp: {error}", error=failure.value)


def _first(failure: Failure) -> Failure:
    """
    The failure that L{gatherResults} met first.
    """
    first: Any = failure.value
    found: Failure = first.subFailure
    return found
