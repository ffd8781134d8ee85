# -*- test-case-name: ktcp.test.test_service -*-
"""
The service at the root: all that one process serves begins together and ends
together, and can say what there is of it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TextIO

from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.interfaces import IAddress
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ktcp.console import noticing
from ktcp.counting import Counting
from ktcp.interfaces import Context
from ktcp.refusal import Refusal
from ktcp.supervisor import Supervisor
from ktcp.tracking import ProtocolService
from ktcp.workers.team import STOP_WITHIN, stoppedBy

if TYPE_CHECKING:
    from ktcp.admin.service import Plane

_log = Logger()


class KTCPService(MultiService):
    """
    All that is served.  If one listener cannot open, none stays open.

    @ivar context: What the protocols were given.
    @ivar plane: The admin plane, if there is one.
    @ivar draining: It has begun to stop: no more is to be sent here.
    @ivar supervisor: Is told what becomes of it.
    @ivar stderr: Where the user of a daemon still looks, if anywhere.
    """

    def __init__(
        self, context: Context, drainDelay: float = 0.0, drainTimeout: float = 0.0
    ) -> None:
        """
        @param drainDelay: Seconds for which it still serves when it has been
            told to stop, and says so to who asks.
        @param drainTimeout: Seconds that connections then have to end.
        """
        super().__init__()
        self.context = context
        self._counting = None if context.counters is None else Counting(context.counters)
        self.draining = False
        self.stderr: TextIO | None = None
        self.plane: Plane | None = None
        self.supervisor = Supervisor({}, context.reactor)
        self._drainTimeout = drainTimeout
        self._drainDelay = drainDelay
        self._delay: Deferred[None] | None = None

    def privilegedStartService(self) -> None:
        """
        Open every listener, while the process still may.
        """
        self._orNone(super().privilegedStartService)

    def startService(self) -> None:
        """
        Open the listeners that are not open yet: twist only calls this one.
        """
        if self._counting is not None:
            self._counting.start(self.context.reactor)
        self._orNone(self._startAll)

    def stopService(self) -> Deferred[Any]:
        """
        Serve on for the delay, then listen no more and see the connections end.

        @return: Fires when the last of them has.
        """
        begun, self.draining = self.draining, True
        self.supervisor.stopping(self._drainDelay + self._drainTimeout + STOP_WITHIN)
        if begun or not self._drainDelay:
            return self._stopAll()
        _log.info("ktcp: still serving for {delay:g} s", delay=self._drainDelay)
        self._delay = deferLater(self.context.reactor, self._drainDelay)
        self._delay.addErrback(lambda failure: failure.trap(CancelledError))
        return self._delay.addCallback(lambda _: self._stopAll())

    def hurry(self) -> None:
        """
        Wait for nobody any more.
        """
        if self._delay is not None:
            self._delay.cancel()
        for service in self:
            service.hurry()

    def _startAll(self) -> None:
        super().startService()
        if self.plane is not None:
            self.plane.start()

    def addresses(self) -> Iterator[tuple[str, IAddress]]:
        """
        Where each protocol is served.
        """
        for protocol in self:
            if isinstance(protocol, ProtocolService):
                for listener in protocol:
                    if listener.address is not None:
                        yield protocol.name or "", listener.address

    def inventory(self, most: int) -> list[Mapping[str, Any]]:
        """
        Describe the connections of this process, so many at most.
        """
        from ktcp.admin.facts import inventory

        return inventory(self._open(), most)

    def _open(self) -> Iterator[tuple[str, Any, float]]:
        for protocol in self:
            if isinstance(protocol, ProtocolService):
                for place in protocol.factory.places():
                    yield protocol.name or "", place(), place.began

    def _stopAll(self) -> Deferred[Any]:
        if self._counting is not None:
            self._counting.stop()
        stopped: Deferred[Any] = super().stopService()
        plane = self.plane
        if plane is not None:
            stopped.addBoth(lambda _: gatherResults(plane.stop()))
        return stopped

    def _orNone(self, start: Callable[[], None]) -> None:
        """
        Start everything or nothing.

        @raise Refusal: Nothing was started.
        """
        try:
            self._unlessStopped(start)
        except Refusal as refusal:
            self.stopService()
            _log.error("{reason}", reason=refusal.code)
            refusal.announce(self.stderr)
            raise

    def _unlessStopped(self, start: Callable[[], None]) -> None:
        """
        Start, and see that Ctrl-C meanwhile leaves no more behind than another
        reason not to: twistd has written its pid file by now.

        @raise Refusal: Nothing is to be started any more.
        """
        if self.context.reactor.running:
            start()
            return
        with noticing(signal.SIGINT, signal.SIGTERM) as noticed:
            start()
        if noticed:
            raise stoppedBy(noticed[0])
