"""
Tests for L{ktcp.http.handlers}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ktcp.http.door import Door
from ktcp.http.flow import RequestBody
from ktcp.http.handlers import hello, makeHTTP
from ktcp.http.limits import Limits
from ktcp.http.message import Request, Response
from ktcp.interfaces import Context
from ktcp.testing import PEER, MemoryConnection, parseResponses, request


class HelloTests(SynchronousTestCase):
    """
    What khttpd answered.
    """

    def ask(self, method: bytes, target: bytes = b"/") -> Response:
        head = Door(Limits()).admit(request(target, method))
        return hello(Request(head, PEER, RequestBody(None, 0, 1)))

    def test_greets(self) -> None:
        """
        GET and HEAD are greeted, at every URL.
        """
        for method in (b"GET", b"HEAD"):
            for target in (b"/", b"/a?b", b"http://a/b"):
                response = self.ask(method, target)
                self.assertEqual((200, b"Hello World!"), (response.status, response.body))
                self.assertEqual(b"text/plain", response.headers.get("content-type"))

    def test_notImplemented(self) -> None:
        """
        Other methods get 501; methods are case-sensitive.
        """
        for method in (b"POST", b"PUT", b"DELETE", b"get", b"Head", b"GETS"):
            response = self.ask(method)
            self.assertEqual((501, b"501 Not Implemented\n"), (response.status, response.body))


class MakeHTTPTests(SynchronousTestCase):
    """
    What C{twistd ktcp} serves.
    """

    def test_serves(self) -> None:
        """
        The factory greets, and keeps its deadlines on the reactor it was given.
        """
        clock = Clock()
        factory = makeHTTP({}, Context(reactor=clock))
        connection = MemoryConnection(factory)
        self.assertEqual(1, len(clock.getDelayedCalls()))
        connection.send(request() + request(method="HEAD") + request(method="DELETE"))
        got = parseResponses(connection.received, [b"GET", b"HEAD", b"DELETE"])
        self.assertEqual([200, 200, 501], [response.status for response in got])
        self.assertEqual([b"12", b"12"], [one.headers.get("content-length") for one in got[:2]])
        self.assertEqual([b"Hello World!", b""], [one.body for one in got[:2]])
        self.assertEqual([b"ktcp"] * 3, [one.headers.get("server") for one in got])
        connection.lose()
        self.assertEqual([], clock.getDelayedCalls())
