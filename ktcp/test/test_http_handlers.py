"""
Tests for L{ktcp.http.handlers}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ktcp.http.door import Door
from ktcp.http.flow import RequestBody
from ktcp.http.handlers import hello
from ktcp.http.limits import Limits
from ktcp.http.message import Request, Response
from ktcp.testing import PEER, request


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
