# -*- test-case-name: ktcp.test.test_signals -*-
"""
What signals do to the process that serves.

A handler runs between two bytecodes of anything, so each only asks the reactor
for a turn, by C{callFromThread}.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Collection
from types import FrameType
from typing import Any

from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger

from ktcp.root import KTCPService
from ktcp.workers.team import Team

_log = Logger()

# The signals that stop the service.
STOPPING = (signal.SIGTERM, signal.SIGINT)


def stopOnSignals(
    reactor: Any, service: KTCPService, signals: Collection[signal.Signals] = STOPPING
) -> None:
    """
    Have SIGTERM and SIGINT stop a running reactor, and nothing else.  The
    second one has the service wait for nobody.

    The reactor's own handlers do that too, but twistd and twist then kill
    themselves with the same signal, so that a clean stop looks like a crash
    to whoever waits for the exit status.

    SIGINT is taken even where it was ignored, as it is in a script's
    background jobs: whoever sends it means it.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        reactor.callFromThread(stopNow, number)

    def stopNow(number: int) -> None:
        name = signal.Signals(number).name
        try:
            reactor.stop()
        except ReactorNotRunning:  # It stops already.
            _log.info("ktcp: {name} again: waiting for nobody", name=name)
            service.hurry()
        else:
            _log.info("ktcp: stopping on {name}", name=name)

    def ignore() -> None:
        # Python puts the default handlers back as it ends, so that one more
        # signal would kill a process that has stopped; what is ignored stays so.
        for each in signals:
            signal.signal(each, signal.SIG_IGN)

    for each in signals:
        signal.signal(each, stop)
    reactor.addSystemEventTrigger("after", "shutdown", ignore)


def _once(reactor: Any, call: Callable[[], object]) -> Callable[[int, FrameType | None], None]:
    """
    Make a handler for a signal that may come at any time, even before
    everything is served: what it asks for is done after that.
    """
    return lambda number, frame: reactor.callFromThread(reactor.callWhenRunning, call)


def reopenOnSignals(
    reactor: Any, service: KTCPService, signals: Collection[signal.Signals]
) -> None:
    """
    Have signals reopen the files of protocols, if there are any: otherwise
    they do what they do to any process.
    """

    def reopen() -> None:
        service.supervisor.reloading()
        for each in service.context.reopening:
            each()
        service.supervisor.ready("serving")

    if service.context.reopening or service.supervisor.isThere:
        for each in signals:
            signal.signal(each, _once(reactor, reopen))


def reloadOnSignal(reactor: Any, service: KTCPService, team: Team) -> None:
    """
    Have SIGHUP replace the workers.
    """

    def reload() -> None:
        service.supervisor.reloading()
        team.reload().addCallback(lambda _: service.supervisor.ready("serving"))

    signal.signal(signal.SIGHUP, _once(reactor, reload))
