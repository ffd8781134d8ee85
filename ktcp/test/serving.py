"""
What tests of HTTP connections share: one in memory, to a handler.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH

from ktcp import HTTPFactory
from ktcp.http.limits import Limits
from ktcp.http.protocol import Handler
from ktcp.testing import MemoryConnection, ReceivedResponse, parseResponses


class Oops(Exception):
    """
    What a broken handler raises.
    """


class Harness(SynchronousTestCase):
    """
    A connection to a handler, and what came back over it.
    """

    def serve(self, handler: Handler | None = None, **limits: Any) -> MemoryConnection:
        self.clock = Clock()
        keywords: Any = {} if handler is None else {"handler": handler}
        factory = HTTPFactory(limits=Limits(**limits), reactor=self.clock, **keywords)
        self.connection = MemoryConnection(factory)
        return self.connection

    def pass_(self, seconds: float) -> None:
        """
        Let time pass, in steps smaller than the wheel's.
        """
        self.clock.pump([0.1] * round(seconds * 10))

    def responses(self, *methods: bytes) -> list[ReceivedResponse]:
        return parseResponses(self.connection.received, methods, closed=self.connection.closed)

    def onlyResponse(self, method: bytes = b"GET") -> ReceivedResponse:
        [response] = self.responses(method)
        return response

    def statuses(self) -> list[int]:
        return [response.status for response in self.responses()]

    def assertFinished(self) -> None:
        """
        The server has closed its side, at the latest when the client did.
        """
        if not self.connection.closed:
            self.assertTrue(self.connection.transport.finished)
            self.connection.finish()
        self.assertTrue(self.connection.closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def logged(self, kind: type[Exception]) -> list[BaseException]:
        return [failure.value for failure in self.flushLoggedErrors(kind)]


class Producer:
    """
    An C{IBodyProducer} that the test drives.
    """

    def __init__(self, length: int | str = UNKNOWN_LENGTH) -> None:
        self.length = length
        self.done: Deferred[None] = Deferred()
        self.calls: list[str] = []

    def startProducing(self, consumer: Any) -> Deferred[None]:
        self.consumer = consumer
        return self.done

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")
