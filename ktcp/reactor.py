# -*- test-case-name: ktcp.test.test_reactor -*-
"""
An epoll reactor whose plain case is cheap.

L{EPollReactor} sets up a log context around every event, so that lines logged
meanwhile begin with the connection's prefix; with small messages that costs
as much as reading them (C{bench/micro/dispatch.py}).  Here a descriptor that
is readable and nothing else is read directly, in a context that works out the
prefix when something is logged.  Every other event, every error and every
exception goes the base class's way.

And it has ends of turns: what was put into L{KTCPReactor.atEndOfTurn} while events
were handled is called before the next wait, or after half a millisecond if that
is sooner.  L{ktcp.endpoint} has answers to small messages sent then, one after
the other: a peer on this machine is woken once for many of them, and not once
for each, which was a third of a keep-alive request's time
(C{bench/micro/dispatch.py}).

Use it with C{twistd --reactor=ktcp}, or::

    from ktcp import reactor
    reactor.install()
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from select import EPOLLIN
from threading import get_ident
from time import monotonic, perf_counter
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.python import context, log
from twisted.python.failure import Failure

from ktcp.counters import Counters

# Events taken in one turn.  EPollReactor asks for as many as it has
# descriptors, and allocates for that many, each time; with this bound, timers
# and new connections wait for at most a few milliseconds.
MAX_EVENTS = 256

# Seconds for which an answer may wait for others: for some fifty requests of a
# fast handler, and for one of a slow.
LONGEST_TURN = 0.0005


class LogContext(Mapping[str, object]):
    """
    What L{log.callWithLogger} would have set up for the descriptor that is
    being read, had it been asked.

    @ivar selectable: That descriptor; L{None} between turns.
    """

    selectable: Any = None

    def __init__(self) -> None:
        """
        Remember the surrounding context, and the thread that it is for: one
        that was handed its caller's context has nothing to do with what is
        being read by now.
        """
        self._outer: dict[str, object] = context.get(log.ILogContext)
        self._thread = get_ident()

    def copy(self) -> dict[str, object]:
        """
        Set the context up, as log lines do.
        """
        if self.selectable is None or get_ident() != self._thread:
            return self._outer.copy()
        outer = {log.ILogContext: self._outer}
        made: dict[str, object] = context.call(
            outer, log.callWithLogger, self.selectable, context.get, log.ILogContext
        )
        return made

    def __getitem__(self, key: str) -> object:
        """
        Look into it.
        """
        return self.copy()[key]

    def __iter__(self) -> Iterator[str]:
        """
        Go over its keys.
        """
        return iter(self.copy())

    def __len__(self) -> int:
        """
        Count them.
        """
        return len(self.copy())


class KTCPReactor(EPollReactor):
    """
    Twisted's epoll reactor with a cheaper way for descriptors that are readable and
    nothing else: see L{the module<ktcp.reactor>}.

    C{_poller}, C{_selectables}, C{_doReadOrWrite} and
    C{_disconnectSelectable} are Twisted's private names, the same since 8.2;
    the whole of L{doPoll} could not be replaced without them.

    @ivar atEndOfTurn: Functions to call at the end of this turn.  They must not
        raise.  Outside of L{doPoll} nothing is to be added.
    @ivar counters: What connections are counted in, if they are.
    """

    counters: Counters | None = None

    def __init__(self) -> None:
        """
        As L{EPollReactor}.
        """
        super().__init__()
        self._logContext = LogContext()
        self.atEndOfTurn: list[Callable[[], None]] = []

    def mainLoop(self) -> None:
        """
        Run until stopped, with L{LogContext} around all of it: entered once,
        it costs an event one assignment.
        """
        self._logContext = LogContext()
        context.call({log.ILogContext: self._logContext}, super().mainLoop)

    def doPoll(self, timeout: float | None) -> None:
        """
        Wait for events and handle them.

        @param timeout: In seconds; L{None} waits for as long as it takes.
        """
        counters = self.counters
        if counters is not None:
            # What timers and other callers have counted.
            counters.fold()
        # An interrupted wait is resumed by Python itself (PEP 475); signals
        # reach the reactor through its waker.
        events = self._poller.poll(timeout, MAX_EVENTS)
        if counters is not None:
            counters.began = perf_counter()
        selectables = self._selectables
        logContext = self._logContext
        atEndOfTurn = self.atEndOfTurn
        deadline = 0.0
        rest: tuple[Any, ...]
        for fd, event in events:
            # Looked up one by one: each may end or replace any of the next.
            selectable = selectables.get(fd)
            if selectable is None:
                continue
            try:
                if event == EPOLLIN and selectable.fileno() == fd:
                    logContext.selectable = selectable
                    why = selectable.doRead()
                    if atEndOfTurn:
                        now = monotonic()
                        if not deadline:
                            deadline = now + LONGEST_TURN
                        elif now > deadline:
                            self._endTurn()
                            deadline = 0.0
                    if why:
                        self._disconnectSelectable(selectable, why, True)
                    continue
                rest = (self._doReadOrWrite, selectable, fd, event)
            except BaseException:
                rest = (self._raised, selectable, Failure())
            log.callWithLogger(selectable, *rest)
        logContext.selectable = None
        if atEndOfTurn:
            self._endTurn()

    # ReactorBase.iterate calls this name, and mainLoop too.
    doIteration = doPoll

    def _endTurn(self) -> None:
        """
        Call who waits for it.
        """
        if self.counters is not None:
            # Before the answers: who has one was counted.
            self.counters.fold()
        # The list stays the same one, and may grow meanwhile.
        for function in self.atEndOfTurn:
            function()
        self.atEndOfTurn.clear()

    def _raised(self, selectable: Any, failure: Failure) -> None:
        """
        Log what C{doRead} raised and end the connection.
        """
        log.err(failure)
        self._disconnectSelectable(selectable, failure.value, False)


def install() -> None:
    """
    Make this the process's reactor.

    @raise ReactorAlreadyInstalledError: There is one.
    """
    from twisted.internet.main import installReactor

    installReactor(KTCPReactor())
