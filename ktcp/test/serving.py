"""
What tests of HTTP connections share: one in memory, to a handler.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH

from ktcp import HTTPFactory
from ktcp.http.limits import Limits
from ktcp.testing import MemoryConnection, parseResponses


class Oops(Exception):
    """
    What a broken handler raises.
    """


class Harness(SynchronousTestCase):
    """
    A connection to a handler, and what came back over it.
    """

    def serve(self, handler=None, **limits):
        self.clock = Clock()
        keywords = {} if handler is None else {"handler": handler}
        factory = HTTPFactory(limits=Limits(**limits), reactor=self.clock, **keywords)
        self.connection = MemoryConnection(factory)
        return self.connection

    def pass_(self, seconds):
        """
        Let time pass, in steps smaller than the wheel's.
        """
        self.clock.pump([0.1] * round(seconds * 10))

    def responses(self, *methods):
        return parseResponses(self.connection.received, methods, closed=self.connection.closed)

    def onlyResponse(self, method=b"GET"):
        [response] = self.responses(method)
        return response

    def statuses(self):
        return [response.status for response in self.responses()]

    def assertFinished(self):
        """
        The server has closed its side, at the latest when the client did.
        """
        if not self.connection.closed:
            self.assertTrue(self.connection.transport.finished)
            self.connection.finish()
        self.assertTrue(self.connection.closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def logged(self, kind):
        return [failure.value for failure in self.flushLoggedErrors(kind)]


class Producer:
    """
    An C{IBodyProducer} that the test drives.
    """

    def __init__(self, length=UNKNOWN_LENGTH):
        self.length = length
        self.done = Deferred()
        self.calls = []

    def startProducing(self, consumer):
        self.consumer = consumer
        return self.done

    def pauseProducing(self):
        self.calls.append("pause")

    def resumeProducing(self):
        self.calls.append("resume")

    def stopProducing(self):
        self.calls.append("stop")
