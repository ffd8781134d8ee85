"""
Tests for L{ktcp.http.router}.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ktcp import HTTPFactory, Request, Response, Router
from ktcp.http.door import Door
from ktcp.http.flow import RequestBody
from ktcp.http.limits import Limits
from ktcp.testing import PEER, MemoryConnection, parseResponses, request


def telling(name: str, /) -> Callable[..., Response]:
    """
    Make a handler that tells its name and what it was given.
    """

    def handler(request: Request, **parameters: object) -> Response:
        return Response(200, repr((name, parameters)).encode())

    return handler


def asked(target: str, method: str = "GET") -> Request:
    """
    A request as a handler gets it.
    """
    head = Door(Limits()).admit(request(target, method))
    return Request(head, PEER, RequestBody(None, 0, 1))


class RouterTests(SynchronousTestCase):
    """
    Which handler answers, and what it is given.
    """

    def setUp(self) -> None:
        self.router = Router()

    def add(self, *paths: str) -> None:
        for path in paths:
            self.router.add(path, telling(path))

    def answer(self, target: str, method: str = "GET") -> Response:
        response = self.router(asked(target, method))
        assert isinstance(response, Response)
        return response

    def assertAnswers(self, target: str, name: str, /, **parameters: object) -> None:
        body = repr((name, parameters)).encode()
        self.assertEqual(self.answer(target).body, body, target)

    def assertNotFound(self, *targets: str) -> None:
        for target in targets:
            self.assertEqual(self.answer(target).status, 404, target)

    def test_paths(self) -> None:
        """
        A path is answered as it stands, and no other path is.
        """
        self.add("/", "/users", "/users/", "/a//b", "/café")
        for target in ("/", "/users", "/users/", "/a//b"):
            self.assertAnswers(target, target)
        self.assertAnswers("/caf%C3%A9", "/café")
        self.assertNotFound("/user", "/users/x", "//", "/a/b", "/Users", "/caf%E9")

    def test_forms(self) -> None:
        """
        A query makes no difference, nor do needless encodings nor a full URL.
        """
        self.add("/", "/users")
        for target in (
            "/users?",
            "/users?a=/b?c",
            "/%75sers",
            "http://a/users",
            "HTTPS://a:1/users?b",
        ):
            self.assertAnswers(target, "/users")
        for target in ("http://a", "http://a?b=//c/users", "http://a/"):
            self.assertAnswers(target, "/")

    def test_parameters(self) -> None:
        """
        Named segments come decoded, each for itself, as keyword arguments.
        """
        self.add("/users/{id}", "/users/{name}/posts/{number}")
        self.assertAnswers("/users/7?x", "/users/{id}", id="7")
        self.assertAnswers("/users/a%2Fb%C3%A9+", "/users/{id}", id="a/bé+")
        self.assertAnswers("/users/%2525", "/users/{id}", id="%25")
        self.assertAnswers("/users/a/posts/2", "/users/{name}/posts/{number}", name="a", number="2")
        self.assertNotFound("/users", "/users/", "/users/a/posts", "/users//posts/2", "/users/a/")

    def test_notText(self) -> None:
        """
        A parameter is never what a file name or a log would choke on.
        """
        self.add("/{one}", "/a/{rest...}")
        for bad in ("%", "%zz", "a%0", "%FF", "%C0%AF", "%ED%A0%80", "%00", "a%0Ab", "%7f"):
            self.assertNotFound(f"/{bad}", f"/a/{bad}", f"/a/b/{bad}/c")

    def test_dots(self) -> None:
        """
        A path that would climb is answered by nobody, however it is written.
        """
        self.add("/{one}", "/{one}/{two}", "/a/{rest...}")
        self.router.mount("/m", telling("m"))
        for dots in ("..", "%2e%2E", ".", ".%2e", "%2e"):
            self.assertNotFound(f"/{dots}", f"/a/{dots}", f"/a/b/{dots}/c", f"/m/{dots}/a")
        self.assertAnswers("/...", "/{one}", one="...")

    def test_tail(self) -> None:
        """
        A tail is all segments that are left, at least one of them, still apart.
        """
        self.add("/files/{rest...}", "/{user}/files/{rest...}")
        self.assertAnswers("/files/a/b%2Fc", "/files/{rest...}", rest=("a", "b/c"))
        self.assertAnswers("/files/", "/files/{rest...}", rest=("",))
        self.assertAnswers("/files/a/", "/files/{rest...}", rest=("a", ""))
        self.assertAnswers("/me/files/a", "/{user}/files/{rest...}", user="me", rest=("a",))
        self.assertNotFound("/files", "/me/files")

    def test_mostParticularFirst(self) -> None:
        """
        A name goes before a parameter, that before a tail; one that leads
        nowhere does not hide the others, and the order of adding is no matter.
        """
        self.add("/{rest...}", "/users/{id}/posts", "/users/{id}", "/users/me", "/users/me/likes")
        self.assertAnswers("/users/me", "/users/me")
        self.assertAnswers("/users/%6de", "/users/me")
        self.assertAnswers("/users/you", "/users/{id}", id="you")
        self.assertAnswers("/users/me/posts", "/users/{id}/posts", id="me")
        self.assertAnswers("/users/me/likes", "/users/me/likes")
        self.assertAnswers("/users/me/x", "/{rest...}", rest=("users", "me", "x"))

    def test_manySegments(self) -> None:
        """
        As many segments as fit in a target are no trouble.
        """
        self.add("/{rest...}", "/a/{b}")
        response = self.answer("/a" * 4000)
        self.assertEqual((response.status, response.body.count(b"'a'")), (200, 4000))

    def test_methods(self) -> None:
        """
        A path is answered by the handler of the method; HEAD by that of GET.
        """
        self.router.add("/a/{b}", telling("get"))
        self.router.add("/a/{b}", telling("post"), "POST", "PUT")
        self.router.add("/c", telling("head"), "HEAD")
        self.router.add("/c", telling("options"), "OPTIONS")
        for method, target, name in (
            ("GET", "/a/b", b"get"),
            ("HEAD", "/a/b", b"get"),
            ("PUT", "/a/b", b"post"),
            ("HEAD", "/c", b"head"),
            ("OPTIONS", "/c", b"options"),
        ):
            self.assertIn(name, self.answer(target, method).body, method)

    def test_methodOfALaterRoute(self) -> None:
        """
        A route that lacks the method does not hide another that has it.
        """
        self.router.add("/users/me", telling("me"))
        self.router.add("/users/{id}", telling("post"), "POST")
        self.assertIn(b"post", self.answer("/users/me", "POST").body)
        refused = self.answer("/users/me", "PUT")
        self.assertEqual(refused.headers.get("Allow"), b"GET, HEAD, OPTIONS, POST")

    def test_negotiated(self) -> None:
        """
        Errors come in the type that the client likes best.
        """
        self.add("/a")
        for target, method, status in (("/b", "GET", 404), ("/a", "POST", 405)):
            head = Door(Limits()).admit(request(target, method, [("Accept", "application/json")]))
            response = self.router(Request(head, PEER, RequestBody(None, 0, 1)))
            self.assertEqual(json.loads(response.body)["status"], status)
            self.assertEqual(response.headers.get("content-type"), b"application/problem+json")

    def test_notAllowed(self) -> None:
        """
        A path without the method is 405, and tells those it has (RFC 9110,
        15.5.6); methods are case-sensitive.
        """
        self.router.add("/a", telling("a"))
        self.router.add("/b/{c}", telling("b"), "DELETE")
        for method, target, allow in (
            ("POST", "/a", b"GET, HEAD, OPTIONS"),
            ("get", "/a", b"GET, HEAD, OPTIONS"),
            ("GET", "/b/c", b"DELETE, OPTIONS"),
            ("HEAD", "/b/c", b"DELETE, OPTIONS"),
        ):
            response = self.answer(target, method)
            self.assertEqual((response.status, response.headers.get("Allow")), (405, allow))
        self.assertEqual(self.answer("/c", "POST").status, 404)

    def test_options(self) -> None:
        """
        OPTIONS tells the methods of a path, or with * of all paths.
        """
        self.router.add("/a", telling("a"))
        self.router.add("/b", telling("b"), "POST")
        for target, allow in (
            ("/a", b"GET, HEAD, OPTIONS"),
            ("/b", b"OPTIONS, POST"),
            ("*", b"GET, HEAD, OPTIONS, POST"),
        ):
            response = self.answer(target, "OPTIONS")
            self.assertEqual((response.status, response.headers.get("Allow")), (204, allow))
        self.assertEqual(self.answer("/c", "OPTIONS").status, 404)

    def test_fallback(self) -> None:
        """
        A fallback answers what no path matches, but not what lacks a method.
        """
        self.router = Router(telling("else"))
        self.add("/a")
        self.assertAnswers("/b", "else")
        self.assertAnswers("/%zz/..", "else")
        self.assertEqual(self.answer("/a", "POST").status, 405)

    def test_decorator(self) -> None:
        """
        A decorated handler stays what it was.
        """

        @self.router.route("/a/{b}", "POST")
        def handler(request: Request, b: str) -> Response:
            return Response(200, b.encode())

        self.assertEqual(self.answer("/a/x", "POST").body, b"x")
        self.assertEqual(handler(asked("/"), "y").body, b"y")

    def test_refused(self) -> None:
        """
        A route that can never work is refused when it is added.
        """

        def plain(request: Request) -> Response:
            return Response()

        self.add("/a", "/b/{c}")
        for path, handler in (
            ("a", telling("")),
            ("", telling("")),
            ("/a", telling("")),
            ("/b/{other}", telling("")),
            ("/{a}/{a}", telling("")),
            ("/{a...}/b", telling("")),
            ("/x{a}", telling("")),
            ("/{a", telling("")),
            ("/{}", telling("")),
            ("/{1}", telling("")),
            ("/{id}", plain),
            ("/x/{request}", plain),
        ):
            self.assertRaises(ValueError, self.router.add, path, handler)
        self.router.mount("/m", plain)
        for path in ("/m", "/m/", "m", "/{a}"):
            self.assertRaises(ValueError, self.router.mount, path, plain)


class MountTests(SynchronousTestCase):
    """
    Handlers below a path.
    """

    def setUp(self) -> None:
        self.router = Router()

    def seen(self, target: str) -> object:
        response = self.router(asked(target, "POST"))
        assert isinstance(response, Response)
        return response.body.decode() if response.status == 200 else response.status

    def mount(self, path: str, name: str = "") -> None:
        self.router.mount(path, lambda request: Response(200, name.encode() + request.target))

    def test_target(self) -> None:
        """
        What is mounted sees the rest of the target, untouched, for any method.
        """
        self.mount("/static")
        for target, rest in (
            ("/static/a/b", "/a/b"),
            ("/static/", "/"),
            ("/st%61tic/a%2Fb//%FF?c=/d?", "/a%2Fb//%FF?c=/d?"),
            ("http://h/static/a?b", "/a?b"),
            ("/statica", 404),
            ("/", 404),
        ):
            self.assertEqual(self.seen(target), rest, target)

    def test_slash(self) -> None:
        """
        The path itself leads to the one with a slash, which no other host can
        be read into.
        """
        self.mount("/static")
        self.mount("/a/b:c")
        for target, place in (
            ("/static?q=1", b"./static/?q=1"),
            ("/a/b:c", b"./b:c/"),
            ("http://evil/static", b"./static/"),
        ):
            response = self.router(asked(target))
            assert isinstance(response, Response)
            self.assertEqual((308, place), (response.status, response.headers.get("Location")))

    def test_root(self) -> None:
        """
        A mount at the root answers all that nothing else does.
        """
        self.mount("/")
        self.router.add("/a", telling("a"), "POST")
        self.assertEqual([self.seen("/"), self.seen("/b?c")], ["/", "/b?c"])
        self.assertEqual(self.seen("/a"), "('a', {})")

    def test_deepest(self) -> None:
        """
        Of two mounts the deeper one answers; a route goes before both.
        """
        self.mount("/a", "outer")
        self.mount("/a/b/", "inner")
        self.router.add("/a/b/c", telling("route"), "POST")
        self.assertEqual(self.seen("/a/b/x"), "inner/x")
        self.assertEqual(self.seen("/a/x"), "outer/x")
        self.assertEqual(self.seen("/a/b/c"), "('route', {})")

    def test_router(self) -> None:
        """
        A router is a handler, so routers can be mounted.
        """
        inner = Router()
        inner.add("/{id}", telling("inner"), "POST")
        self.router.mount("/users", inner)
        self.assertEqual(self.seen("/users/7"), "('inner', {'id': '7'})")
        self.assertEqual(self.seen("/users/7/x"), 404)


class ServedTests(SynchronousTestCase):
    """
    A router as the handler of a server.
    """

    def test_served(self) -> None:
        """
        Coroutines, bodies and HEAD work as with any handler.
        """
        router = Router()

        @router.route("/users/{name}", "GET", "POST")
        async def user(request: Request, name: str) -> Response:
            return Response(200, name.encode() + await request.body.read())

        connection = MemoryConnection(HTTPFactory(router, reactor=Clock()))
        connection.send(
            request("/users/a", "POST", body=b"=b")
            + request("/users/a", "HEAD")
            + request("/nobody")
            + request("/users/a", "PUT")
        )
        methods = [b"POST", b"HEAD", b"GET", b"PUT"]
        got = parseResponses(connection.received, methods, closed=False)
        self.assertEqual([one.status for one in got], [200, 200, 404, 405])
        self.assertEqual([one.body for one in got[:2]], [b"a=b", b""])
