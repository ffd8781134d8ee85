# -*- test-case-name: ktcp.test.test_http_router -*-
"""
Which handler answers which path: a L{Router} is a handler made of handlers.
No Twisted here.

The parameters of a path are handed over as keyword arguments, not put on the
request: a handler without any is a plain handler, one with them says so in its
signature, and a route whose handler does not take what its path gives is
refused when it is added.

Routes are kept as a tree of path segments.  Among those that match, a segment
that is named goes before C{{name}}, and that before a tail or a mount; the
first that has the method answers.  A request visits each node of the tree once
at most, and a path without parameters is looked up whole before that.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from inspect import signature
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, unquote_to_bytes

from ktcp.http.errorpages import errorResponse
from ktcp.http.errors import HTTPError
from ktcp.http.message import Request, Response
from ktcp.http.targets import STRAY_PERCENT, splitTarget

RouteHandler = Callable[..., Response | Awaitable[Response]]
_Given = TypeVar("_Given", bound=RouteHandler)

# "{name}", and "{name...}" for all the segments that are left.
_PARAMETER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(\.\.\.)?\}")

# A segment that is what it says.
_SIMPLE = re.compile(rb"[-._~0-9A-Za-z]*")

# No path that people mean has one, and what handlers do with a path (open a
# file, write a log) goes wrong with one.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class _Route(NamedTuple):
    """
    @ivar names: Of the parameters, in the order of the path.
    """

    handler: RouteHandler
    names: tuple[str, ...]


class _Node:
    """
    A place in the tree.

    @ivar named: What follows, by its segment.
    @ivar any: What follows any segment.
    @ivar routes: What answers here, by method.
    @ivar tails: What answers here and below, by method.
    @ivar mounted: What answers all methods here and below.
    """

    __slots__ = ("any", "mounted", "named", "routes", "tails")

    def __init__(self) -> None:
        self.named: dict[str, _Node] = {}
        self.any: _Node | None = None
        self.routes: dict[bytes, _Route] = {}
        self.tails: dict[bytes, _Route] = {}
        self.mounted: RouteHandler | None = None


class _Match(NamedTuple):
    """
    A way to answer a path.

    @ivar routes: By method; empty for a mount.
    @ivar values: Of the parameters, in the order of the path.
    @ivar depth: How many segments lead to the mount.
    """

    routes: dict[bytes, _Route]
    values: tuple[Any, ...]
    mounted: RouteHandler | None = None
    depth: int = 0


class Router:
    """
    A handler that gives each request to the handler of its path and method::

        router = Router()

        @router.route("/users/{name}")
        async def user(request, name):
            return Response(200, f"hello {name}".encode())

        router.add("/users", createUser, "POST")
        router.mount("/static", files)
        HTTPFactory(router)

    C{{name}} is one segment that is not empty, a C{str}.  C{{name...}} comes
    last and is all that are left, a tuple of C{str}: a C{/} that was encoded
    stays within its segment, so it can be told from one that separates.
    Segments are percent-decoded, each for itself, as UTF-8; one that is not, or
    holds a control character, is no parameter.  A path with C{.} or C{..} in it
    matches nothing: clients resolve these themselves (RFC 3986, 5.2.4).
    C{/users} and C{/users/} are two paths.

    HEAD is answered by the handler of GET unless it has its own; OPTIONS by
    the methods there are, unless it has its own; a path that lacks the method
    by 405, with Allow; any other path by 404.
    """

    def __init__(self, fallback: RouteHandler | None = None) -> None:
        """
        @param fallback: Answers where no path matches, instead of 404.
        """
        self._fallback = fallback
        self._root = _Node()
        # Paths without parameters, as they come over the wire.
        self._whole: dict[bytes, dict[bytes, _Route]] = {}
        self._methods: set[bytes] = set()

    def route(self, path: str, *methods: str) -> Callable[[_Given], _Given]:
        """
        Decorate a handler to answer a path; see L{add}.

        @param path: As for L{add}.
        @param methods: Likewise.
        """

        def decorate(handler: _Given) -> _Given:
            self.add(path, handler, *methods)
            return handler

        return decorate

    def add(self, path: str, handler: RouteHandler, *methods: str) -> None:
        """
        Have a handler answer a path.

        @param path: Such as C{/users/{name}}, nothing encoded.
        @param handler: Takes the L{Request} and, as keywords, the parameters of the
            path; answers as that of an L{HTTPFactory<ktcp.http.factory.HTTPFactory>}.
        @param methods: Case-sensitive (RFC 9110, 9.1); GET if there are none.
        @raise ValueError: The path is none, is taken, or has parameters that
            the handler does not take.
        """
        node, names, isTail = self._place(path)
        _checkTakes(handler, names, path)
        routes = node.tails if isTail else node.routes
        wanted = [method.encode("ascii") for method in methods or ("GET",)]
        taken = [method.decode() for method in wanted if method in routes]
        if taken:
            raise ValueError(f"{path!r} is answered for {', '.join(taken)} already")
        routes.update(dict.fromkeys(wanted, _Route(handler, tuple(names))))
        self._methods.update(wanted)
        if not names:
            self._whole[quote(path, safe="/!$&'()*+,;=:@").encode()] = routes

    def mount(self, path: str, handler: RouteHandler) -> None:
        """
        Have a handler answer all methods of all paths below a path.  The
        target it sees is what follows the path, as it came over the wire, with
        its query; a L{Router} can be mounted too.  Who asks for the path
        itself is sent to it with a slash behind, so that relative links work.

        @param path: Such as C{/static}, without parameters.
        @param handler: Takes the L{Request}.
        @raise ValueError: The path is none, is taken, or has parameters.
        """
        node, names, _ = (self._root, [], False) if path == "/" else self._place(path.rstrip("/"))
        if names:
            raise ValueError(f"a mount has no parameters: {path!r}")
        if node.mounted is not None:
            raise ValueError(f"{path!r} is mounted already")
        node.mounted = handler

    def _place(self, path: str) -> tuple[_Node, list[str], bool]:
        """
        Find the node of a path, and make those that lead there.

        @return: The node, the parameters' names, and whether the last is a tail.
        """
        if not path.startswith("/"):
            raise ValueError(f"a path begins with a slash: {path!r}")
        node, names, isTail = self._root, [], False
        for segment in path[1:].split("/"):
            match = _PARAMETER.fullmatch(segment)
            if isTail or (match is None and ("{" in segment or "}" in segment)):
                raise ValueError(f"not a path: {path!r}")
            if match is None:
                node = node.named.setdefault(segment, _Node())
                continue
            names.append(match[1])
            isTail = match[2] is not None
            if not isTail:
                node.any = node = node.any or _Node()
        if len(set(names)) < len(names):
            raise ValueError(f"two parameters have one name: {path!r}")
        return node, names, isTail

    def __call__(self, request: Request) -> Response | Awaitable[Response]:
        """
        Answer a request.
        """
        head = request.head
        target, method = head.target, head.method
        routes = self._whole.get(target)
        if routes is not None:
            route = _choose(routes, method)
            if route is not None:
                return route.handler(request)
        if target == b"*":
            return _options(self._methods)
        path, query = splitTarget(target)
        raw = path[1:].split(b"/")
        allowed: set[bytes] = set()
        for match in _matches(self._root, _decoded(raw)):
            if match.mounted is not None:
                return _enter(match.mounted, request, raw[match.depth :], raw, query)
            route = _choose(match.routes, method)
            if route is not None:
                return route.handler(request, **dict(zip(route.names, match.values, strict=True)))
            allowed.update(match.routes)
        if allowed and method == b"OPTIONS":
            return _options(allowed)
        if not allowed and self._fallback is not None:
            return self._fallback(request)
        # Not raised: a failure costs more than the answer.
        allow = {"Allow": _allow(allowed)} if allowed else None
        error = HTTPError(405 if allowed else 404, headers=allow)
        return errorResponse(error, head.headers.get(b"accept"))


def _checkTakes(handler: RouteHandler, names: Sequence[str], path: str) -> None:
    """
    @raise ValueError: A handler does not take the parameters of its path.
    """
    try:
        known = signature(handler)
    except (TypeError, ValueError):  # Written in C; it may take anything.
        return
    try:
        known.bind(None, **dict.fromkeys(names))
    except TypeError as error:
        raise ValueError(f"the handler of {path!r} does not fit it: {error}") from None


def _choose(routes: dict[bytes, _Route], method: bytes) -> _Route | None:
    route = routes.get(method)
    return routes.get(b"GET") if route is None and method == b"HEAD" else route


def _decoded(raw: Iterable[bytes]) -> list[str | None]:
    """
    Decode the segments of a path.

    @return: L{None} for one that is no text; nothing but a mount matches it.
    """
    return [segment.decode() if _SIMPLE.fullmatch(segment) else _text(segment) for segment in raw]


def _text(segment: bytes) -> str | None:
    try:
        text = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if STRAY_PERCENT.search(segment) or _CONTROL.search(text) else text


def _matches(root: _Node, segments: Sequence[str | None]) -> Iterator[_Match]:
    """
    Find the ways to answer a path, the most particular one first.
    """
    if "." in segments or ".." in segments:
        return
    # Not recursive: a client decides how many segments there are.
    waiting: list[tuple[_Node, int, tuple[str, ...], bool]] = [(root, 0, (), False)]
    while waiting:
        node, depth, values, ends = waiting.pop()
        if ends:
            if node.tails:
                rest = tuple(segment for segment in segments[depth:] if segment is not None)
                if 0 < len(rest) == len(segments) - depth:
                    yield _Match(node.tails, (*values, rest))
            if node.mounted is not None:
                yield _Match({}, (), node.mounted, depth)
            continue
        # Popped in the opposite order.
        waiting.append((node, depth, values, True))
        if depth == len(segments):
            if node.routes:
                yield _Match(node.routes, values)
            continue
        segment = segments[depth]
        if segment and node.any is not None:
            waiting.append((node.any, depth + 1, (*values, segment), False))
        if segment in node.named:
            waiting.append((node.named[segment], depth + 1, values, False))


def _enter(
    handler: RouteHandler,
    request: Request,
    rest: Sequence[bytes],
    raw: Sequence[bytes],
    query: bytes,
) -> Response | Awaitable[Response]:
    """
    Hand a request to what is mounted.

    @param rest: The segments below the mount; none at all for the path itself.
    @param raw: All segments.
    """
    if not rest:
        # Relative, and with a dot first: whatever the segment is, it cannot
        # be taken for a scheme or a host.
        return Response(308, b"", {"Location": b"./%b/%b" % (raw[-1], query)})
    head = request.head._replace(target=b"/" + b"/".join(rest) + query)
    return handler(type(request)(head, request.peer, request.body))


def _allow(methods: set[bytes]) -> bytes:
    implied = {b"OPTIONS"} | ({b"HEAD"} if b"GET" in methods else set())
    return b", ".join(sorted(methods | implied))


def _options(methods: set[bytes]) -> Response:
    return Response(204, b"", {"Allow": _allow(methods)})
