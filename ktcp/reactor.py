# -*- test-case-name: ktcp.test.test_reactor -*-
"""
An epoll reactor whose plain case is cheap.

L{EPollReactor} sets up a log context around every event, so that lines logged
meanwhile begin with the connection's prefix; with small messages that costs
as much as reading them (C{bench/micro/dispatch.py}).  Here a descriptor that
is readable and nothing else is read directly.  Every other event, every error
and every exception goes the base class's way, in its log context.

What is different for an application: a line that it logs while it handles
received data carries no prefix.  Use it with C{twistd --reactor=ktcp}, or::

    from ktcp import reactor
    reactor.install()
"""

from __future__ import annotations

from select import EPOLLIN
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.python import log
from twisted.python.failure import Failure

# Events taken in one turn.  EPollReactor asks for as many as it has
# descriptors, and allocates for that many, each time; with this bound, timers
# and new connections wait for at most a few milliseconds.
MAX_EVENTS = 256


class KTCPReactor(EPollReactor):
    """
    See the module's docstring.

    C{_poller}, C{_selectables}, C{_doReadOrWrite} and
    C{_disconnectSelectable} are Twisted's private names, the same since 8.2;
    the whole of L{doPoll} could not be replaced without them.
    """

    def doPoll(self, timeout: float | None) -> None:
        """
        Wait for events and handle them.

        @param timeout: In seconds; L{None} waits for as long as it takes.
        """
        # An interrupted wait is resumed by Python itself (PEP 475); signals
        # reach the reactor through its waker.
        events = self._poller.poll(timeout, MAX_EVENTS)
        selectables = self._selectables
        rest: tuple[Any, ...]
        for fd, event in events:
            # Looked up one by one: each may end or replace any of the next.
            selectable = selectables.get(fd)
            if selectable is None:
                continue
            try:
                if event == EPOLLIN and selectable.fileno() == fd:
                    why = selectable.doRead()
                    if not why:
                        continue
                    rest = (self._disconnectSelectable, selectable, why, True)
                else:
                    rest = (self._doReadOrWrite, selectable, fd, event)
            except BaseException:
                rest = (self._raised, selectable, Failure())
            log.callWithLogger(selectable, *rest)

    # ReactorBase.iterate calls this name, and mainLoop too.
    doIteration = doPoll

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
