"""
Tests for L{ktcp.http.factory}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.plugins.ktcp_plugin import http
from twisted.trial.unittest import SynchronousTestCase

from ktcp import HTTPFactory
from ktcp.http.factory import makeHTTP
from ktcp.http.limits import Limits
from ktcp.interfaces import Context
from ktcp.testing import MemoryConnection, ReceivedResponse, parseResponses, request

DEFAULTS = {each.name: each.default for each in http.parameters}


class MakeHTTPTests(SynchronousTestCase):
    """
    What C{twistd ktcp} serves.
    """

    def test_serves(self) -> None:
        """
        The factory greets, and keeps its deadlines on the reactor it was given.
        """
        clock = Clock()
        factory = makeHTTP(DEFAULTS, Context(reactor=clock))
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

    def answer(self, target: str, **parameters: object) -> ReceivedResponse:
        """
        What is answered by a server with some parameters.
        """
        given = {name.replace("_", "-"): value for name, value in parameters.items()}
        factory = makeHTTP({**DEFAULTS, **given}, Context(MemoryReactorClock()))
        connection = MemoryConnection(factory)
        connection.send(request(target))
        [response] = parseResponses(connection.received, closed=False)
        return response

    def test_diagnostics(self) -> None:
        """
        The diagnostics are there when they are asked for, the greeting stays.
        """
        self.assertEqual(self.answer("/fib/10").body, b"Hello World!")
        self.assertEqual(self.answer("/fib/10", diagnostics=True).body, b"55\n")
        self.assertEqual(self.answer("/", diagnostics=True).body, b"Hello World!")

    def test_server(self) -> None:
        """
        The Server header is what the operator wants it to be, or none.
        """
        self.assertEqual(self.answer("/", server_header="x/1").headers.get("Server"), b"x/1")
        self.assertNotIn("Server", self.answer("/", no_server_header=True).headers)

    def test_accessLog(self) -> None:
        """
        The access log is written by the second, reopened when it is asked to,
        and complete when the reactor has stopped.
        """
        reactor = MemoryReactorClock()
        context = Context(reactor)
        path = Path(self.mktemp())
        factory = makeHTTP({**DEFAULTS, "access-log": str(path)}, context)
        connection = MemoryConnection(factory)
        connection.send(request("/1"))
        reactor.advance(1)
        self.assertIn('"GET /1 HTTP/1.1" 200 12 ', path.read_text())
        path.unlink()
        [reopen] = context.reopening
        reopen()
        self.assertTrue(path.exists())
        connection.send(request("/2"))
        close, arguments, keywords = reactor.triggers["after"]["shutdown"][0]
        close(*arguments, **keywords)
        self.assertIn("GET /2 ", path.read_text())
        connection.lose()
        self.assertEqual(reactor.getDelayedCalls(), [])

    def test_doNotGoTogether(self) -> None:
        """
        Options that contradict, or are without effect, are refused by name.
        """
        missing = self.mktemp() + "/log"
        for parameters, option in (
            ({"access-log-format": "json"}, "--access-log-format: "),
            ({"server-header": "x", "no-server-header": True}, "--no-server-header: "),
            ({"access-log": missing}, f"--access-log {missing}: No such file or directory"),
        ):
            context = Context(MemoryReactorClock())
            error = self.assertRaises(ValueError, makeHTTP, {**DEFAULTS, **parameters}, context)
            self.assertTrue(str(error).startswith(option), error)

    def make(self, **given: object) -> HTTPFactory:
        """
        Make a factory as the command line would.
        """
        parameters = {each.name: each.default for each in http.parameters}
        parameters.update({name.replace("_", "-"): value for name, value in given.items()})
        return makeHTTP(parameters, Context(reactor=Clock()))

    def test_root(self) -> None:
        """
        With a root, its files; every option of theirs arrives.
        """
        root = Path(self.mktemp())
        root.mkdir()
        (root / ".a").write_bytes(b"hidden")
        (root / "b").symlink_to("/etc/passwd")
        connection = MemoryConnection(
            self.make(root=str(root), no_listing=True, hidden=True, cache_control="no-store")
        )
        connection.send(request("/") + request("/.a") + request("/b"))
        got = parseResponses(connection.received)
        self.assertEqual([404, 200, 404], [response.status for response in got])
        self.assertEqual(b"no-store", got[1].headers.get("cache-control"))
        connection = MemoryConnection(self.make(root=str(root), follow_symlinks=True))
        connection.send(request("/b") + request("/.a"))
        got = parseResponses(connection.received)
        self.assertEqual([200, 404], [response.status for response in got])

    def test_index(self) -> None:
        """
        The names that stand for a directory, the best first.
        """
        root = Path(self.mktemp())
        root.mkdir()
        for name in ("b.html", "c.html", "index.html"):
            (root / name).write_bytes(name.encode())
        for names, served in (([], b"index.html"), (["a.html", "b.html", "c.html"], b"b.html")):
            connection = MemoryConnection(self.make(root=str(root), index=names))
            connection.send(request("/"))
            [got] = parseResponses(connection.received)
            self.assertEqual(got.body, served)

    def test_compress(self) -> None:
        """
        Files are compressed, unless that is off.
        """
        root = Path(self.mktemp())
        root.mkdir()
        (root / "a.css").write_bytes(b"a{}" * 1000)
        for given, coding in (({}, b"gzip"), ({"no_compress": True}, None)):
            connection = MemoryConnection(self.make(root=str(root), **given))
            connection.send(request("/a.css", b"GET", [("Accept-Encoding", "gzip")]))
            [got] = parseResponses(connection.received)
            self.assertEqual(got.headers.get("content-encoding"), coding)

    def test_rootIsMissing(self) -> None:
        """
        What is about files needs a root, and one that has gone is named.
        """
        error = self.assertRaises(ValueError, self.make, no_listing=True)
        self.assertEqual("--no-listing: is about files; give --root too", str(error))
        error = self.assertRaises(ValueError, self.make, root="/no/such")
        self.assertEqual("--root /no/such: No such file or directory", str(error))


class FactoryTests(SynchronousTestCase):
    """
    What embedding applications set.
    """

    def test_serverHeader(self) -> None:
        """
        The Server header is the embedder's, or none.
        """
        for server in (b"mine/1", None):
            connection = MemoryConnection(HTTPFactory(server=server, reactor=Clock()))
            connection.send(request())
            [response] = parseResponses(connection.received, closed=False)
            self.assertEqual(response.headers.get("Server"), server)

    def test_globalReactor(self) -> None:
        """
        Without a reactor the global one keeps the deadlines.
        """
        connection = MemoryConnection(HTTPFactory())
        connection.send(request())
        connection.lose()
        self.assertTrue(connection.closed)

    def test_limitsArePositive(self) -> None:
        """
        A limit of nothing is a mistake.
        """
        self.assertRaises(ValueError, Limits, head=0)

    def test_oneTimer(self) -> None:
        """
        A thousand connections have one timer, and it ends with them.
        """
        factory = HTTPFactory(reactor=Clock())
        connections = [MemoryConnection(factory) for _ in range(1000)]
        for connection in connections:
            connection.send(request())
        self.assertEqual(len(factory.wheel._reactor.getDelayedCalls()), 1)
        for connection in connections:
            connection.lose()
        self.assertEqual(factory.wheel._reactor.getDelayedCalls(), [])


class CrowdTests(SynchronousTestCase):
    """
    More connections than there may be.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def serve(self, **keywords: Any) -> Any:
        return HTTPFactory(reactor=self.clock, **keywords)

    def test_refused(self) -> None:
        """
        One too many is told to come again, once it has asked; when another has
        left there is room.
        """
        factory = self.serve(connections=1)
        first, second = MemoryConnection(factory), MemoryConnection(factory)
        self.assertEqual(second.received, b"")
        second.send(request() * 2)
        [response] = parseResponses(second.received, closed=False)
        self.assertEqual(response.status, 503)
        self.assertEqual(response.headers.get(b"retry-after"), b"1")
        self.assertEqual(response.headers.get(b"connection"), b"close")
        self.assertTrue(second.transport.finished)
        second.finish()
        first.send(request())
        first.lose()
        third = MemoryConnection(factory)
        third.send(request())
        for connection in (first, third):
            [response] = parseResponses(connection.received, closed=False)
            self.assertEqual(response.status, 200)
        third.lose()

    def test_ofOneClient(self) -> None:
        """
        One client has no more than its share.
        """
        factory = self.serve(clientConnections=1)
        first, second = MemoryConnection(factory), MemoryConnection(factory)
        second.send(request(method=b"POST", headers={"Content-Length": "1000000"}))
        [response] = parseResponses(second.received, closed=False)
        self.assertEqual(response.status, 503)
        second.lose()
        first.lose()

    def test_silent(self) -> None:
        """
        One too many that never asks is closed soon.
        """
        factory = self.serve(connections=1, limits=Limits(headTime=20, linger=2))
        first, second = MemoryConnection(factory), MemoryConnection(factory)
        self.clock.pump([0.1] * 31)
        self.assertTrue(second.closed)
        self.assertEqual(second.received, b"")
        self.assertFalse(first.closed)
        first.lose()

    def test_unbounded(self) -> None:
        """
        There may be no limit, for who counts elsewhere.
        """
        factory = self.serve(connections=None, clientConnections=None)
        connections = [MemoryConnection(factory) for _ in range(3)]
        for connection in connections:
            connection.send(request())
            self.assertIn(b" 200 ", connection.received)
            connection.lose()

    def test_positive(self) -> None:
        """
        A limit that lets nobody in is a mistake.
        """
        self.assertRaises(ValueError, HTTPFactory, connections=0)
        self.assertRaises(ValueError, HTTPFactory, clientConnections=-1)
