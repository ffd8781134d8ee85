# -*- test-case-name: ktcp.test.test_http_handlers -*-
"""
Handlers that come with ktcp, and how C{twistd ktcp} makes its HTTP factory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ktcp.http.limits import limitsOf
from ktcp.http.message import Headers, Request, Response
from ktcp.privileges import acting

if TYPE_CHECKING:
    from ktcp.http.accesslog import AccessLog
    from ktcp.http.forwarded import Forwarding
    from ktcp.http.protocol import Handler, HTTPFactory
    from ktcp.interfaces import Context

_PLAIN = Headers.of({"Content-Type": "text/plain"})
_HELLO = Response(200, b"Hello World!", _PLAIN)
_NOT_IMPLEMENTED = Response(501, b"501 Not Implemented\n", _PLAIN)
# Soon: what ends in the meantime are connections, of which there are many.
_NO_ROOM = Response(
    503, b"503 Service Unavailable\n", {"Content-Type": "text/plain", "Retry-After": "1"}
)


def hello(request: Request) -> Response:
    """
    Answer as khttpd does: every URL greets, methods but GET and HEAD get 501.
    """
    if request.method == b"GET" or request.method == b"HEAD":
        return _HELLO
    return _NOT_IMPLEMENTED


def noRoom(request: Request) -> Response:
    """
    Answer on a connection that is one too many.
    """
    return _NO_ROOM


def makeHTTP(parameters: Mapping[str, Any], context: Context) -> HTTPFactory:
    """
    Make what C{twistd ktcp} serves.  See L{ktcp.interfaces.IProtocolPlugin}.
    """
    from ktcp.http.protocol import HTTPFactory

    handler: Handler = hello if parameters.get("root") is None else _files(parameters, context)
    for name in _OF_FILES:
        if handler is hello and parameters.get(name):
            raise ValueError(f"--{name}: is about files; give --root too")
    if parameters.get("diagnostics"):
        from ktcp.http.diagnostics import diagnostics

        handler = diagnostics(context.reactor, handler)
    return HTTPFactory(
        handler,
        limits=limitsOf(parameters),
        server=_server(parameters),
        accessLog=_accessLog(parameters, context),
        forwarding=_forwarding(context),
        # The service counts those of all protocols.
        connections=None,
        clientConnections=None,
        counters=context.counters,
        reactor=context.reactor,
    )


def _forwarding(context: Context) -> Forwarding | None:
    if not context.proxies:
        return None
    from ktcp.endpoint.proxy import Trust
    from ktcp.http.forwarded import Forwarding

    return Forwarding(Trust(context.proxies), context.proxyHeaders)


# Parameters that say nothing without the root.
_OF_FILES = ("index", "no-listing", "hidden", "follow-symlinks", "cache-control", "no-compress")


def _files(parameters: Mapping[str, Any], context: Context) -> Handler:
    from ktcp.http.static import StaticFiles

    try:
        return StaticFiles(
            parameters["root"],
            index=parameters["index"] or ("index.html",),
            listing=not parameters["no-listing"],
            hidden=parameters["hidden"],
            followSymlinks=parameters["follow-symlinks"],
            cacheControl=parameters["cache-control"],
            compress=not parameters["no-compress"],
            reactor=context.reactor,
        )
    except OSError as error:
        raise ValueError(f"--root {parameters['root']}: {error.strerror}") from None


def _server(parameters: Mapping[str, Any]) -> bytes | None:
    server: str = parameters.get("server-header", "ktcp")
    if not parameters.get("no-server-header"):
        return server.encode("ascii")
    if server != "ktcp":
        raise ValueError("--no-server-header: contradicts --server-header; give one of the two")
    return None


def _accessLog(parameters: Mapping[str, Any], context: Context) -> AccessLog | None:
    path = parameters.get("access-log")
    if path is None:
        if parameters.get("access-log-format", "combined") != "combined":
            raise ValueError("--access-log-format: is about a log; give --access-log too")
        return None
    from ktcp.http.accesslog import AccessLog

    try:
        with acting(context.user):
            log = AccessLog(path, parameters["access-log-format"], reactor=context.reactor)
    except OSError as error:
        raise ValueError(f"--access-log {path}: {error.strerror}") from None
    context.reopening.append(log.reopen)
    # When the last connections are gone, which have lines of their own.
    context.reactor.addSystemEventTrigger("after", "shutdown", log.close)
    return log
