"""
Tests for L{ktcp.signals}.
"""

from __future__ import annotations

import signal
from typing import Any

from twisted.internet.error import ReactorNotRunning
from twisted.trial.unittest import SynchronousTestCase

from ktcp.interfaces import Context
from ktcp.root import KTCPService
from ktcp.signals import stopOnSignals


class SignalTests(SynchronousTestCase):
    """
    What a signal does.
    """

    def test_stops(self) -> None:
        """
        SIGTERM and SIGINT stop the reactor; another one while it stops is
        no error, and one after that does not kill.
        """

        class StoppingReactor:
            stops = 0

            def addSystemEventTrigger(self, phase: str, event: str, f: Any) -> None:
                self.trigger = (phase, event, f)

            def callFromThread(self, f: Any, *args: object) -> None:
                f(*args)

            def stop(self) -> None:
                self.stops += 1
                if self.stops > 1:
                    raise ReactorNotRunning

        class HurriedService(KTCPService):
            hurried = 0

            def __init__(self) -> None:
                super().__init__(Context(None))

            def hurry(self) -> None:
                self.hurried += 1

        for number in (signal.SIGTERM, signal.SIGINT):
            for each in (signal.SIGTERM, signal.SIGINT):
                self.addCleanup(signal.signal, each, signal.getsignal(each))
            stopping = StoppingReactor()
            service = HurriedService()
            stopOnSignals(stopping, service)
            handler: Any = signal.getsignal(number)
            handler(number, None)
            handler(number, None)
            self.assertEqual((stopping.stops, service.hurried), (2, 1))
            phase, event, ignore = stopping.trigger
            self.assertEqual((phase, event), ("after", "shutdown"))
            ignore()
            self.assertEqual(signal.getsignal(number), signal.SIG_IGN)
