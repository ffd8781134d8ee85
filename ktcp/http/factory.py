# -*- test-case-name: ktcp.test.test_http_factory -*-
"""
What all connections of one HTTP server share and come from, and how C{twistd
ktcp} makes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from twisted.internet.interfaces import IAddress, IProtocolNegotiationFactory, IReactorTime
from twisted.internet.protocol import Factory
from zope.interface import implementer

from ktcp.counters import Counters
from ktcp.endpoint.admission import CLIENT_CONNECTIONS, CONNECTIONS, Admission
from ktcp.http.accesslog import AccessLog
from ktcp.http.compress import Compressing, Compression
from ktcp.http.dates import DateClock
from ktcp.http.deadlines import Wheel
from ktcp.http.door import Door
from ktcp.http.flow import RequestBody
from ktcp.http.forwarded import Forwarding
from ktcp.http.handlers import hello, noRoom
from ktcp.http.headers import Headers
from ktcp.http.limits import Limits, limitsOf
from ktcp.http.protocol import Handler, HTTPProtocol
from ktcp.http.rendering import Renderer
from ktcp.http.tally import Tally
from ktcp.interfaces import Context, IRefusingFactory
from ktcp.privileges import acting


@implementer(IProtocolNegotiationFactory, IRefusingFactory)
class HTTPFactory(Factory):
    """
    Serves HTTP/1.1 with one handler::

        def app(request):
            return Response(200, b"hello " + request.target, {"Content-Type": "text/plain"})

        serverFromString(reactor, "tcp:8080").listen(HTTPFactory(app))

    The handler takes a L{Request} and gives a L{Response}, a L{Deferred
    <twisted.internet.defer.Deferred>} that fires with one, or a coroutine that
    returns one.  One that raises L{HTTPError<ktcp.http.errors.HTTPError>} has its
    status answered; anything else that it raises is logged and answered with C{500}.
    """

    noisy = False

    def __init__(
        self,
        handler: Handler = hello,
        *,
        limits: Limits | None = None,
        server: bytes | None = b"ktcp",
        accessLog: AccessLog | None = None,
        connections: int | None = CONNECTIONS,
        clientConnections: int | None = CLIENT_CONNECTIONS,
        counters: Counters | None = None,
        compress: Compression | bool = False,
        forwarding: Forwarding | None = None,
        reactor: IReactorTime | None = None,
    ) -> None:
        """
        @param handler: Answers requests; if not given, every URL greets as khttpd's do.
        @param limits: Sizes and times; the default ones if not given.
        @param server: The Server header; L{None} for none.
        @param accessLog: Gets a line for each answer.  It is to be closed by who made it.
        @param connections: How many there may be at one time (503 beyond);
            L{None}: not bounded.
        @param clientConnections: The same for those from one address; see
            L{ktcp.endpoint.admission}.
        @param counters: Count requests here; to have connections counted too,
            C{attach} it to the reactor.
        @param compress: Compress what the handler answers.  Not where it says
            back what it was asked beside a secret, or size tells that (BREACH).
        @param forwarding: Reads the headers of proxies that are trusted; if not
            given, none is.
        @param reactor: Gives the time for deadlines; if not given, the global
            reactor, which is imported when one is first needed.
        @raise ValueError: The Server header would split, or a number is not
            positive.
        """
        if server is not None:
            Headers.of({"Server": server})
        if compress:
            compression = Compression() if compress is True else compress
            handler = Compressing(handler, compression, lambda: self.reactor)
        self.handler = handler
        self.limits = limits = limits or Limits()
        self.accessLog = accessLog
        self.counters = counters
        self.tally = Tally(counters)
        self.forwarding = forwarding
        self.door = Door(limits, counters=counters)
        self.renderer = Renderer(server, DateClock().now)
        self.noBody = RequestBody(None, 0, limits.body)
        self._server = server
        self._admission: Admission | None = None
        if connections is not None or clientConnections is not None:
            self._admission = Admission(connections, clientConnections, counters)
        self._refusing: HTTPFactory | None = None
        self._reactor = reactor
        self._wheel: Wheel | None = None

    @property
    def reactor(self) -> IReactorTime:
        """
        The reactor that was given, or the global one.
        """
        if self._reactor is None:
            from twisted.internet import reactor

            self._reactor = cast(IReactorTime, reactor)
        return self._reactor

    @property
    def wheel(self) -> Wheel:
        """
        Keeps the deadlines of all connections.
        """
        if self._wheel is None:
            self._wheel = Wheel(self.reactor)
        return self._wheel

    def startFactory(self) -> None:
        """
        The first listener has opened.
        """
        self.wheel.keepTurning(True)

    def stopFactory(self) -> None:
        """
        The last listener has closed.
        """
        self.wheel.keepTurning(False)

    def acceptableProtocols(self) -> list[bytes]:
        """
        What TLS may negotiate (RFC 7301).  A factory that does not say breaks
        the handshake of every client that asks, as browsers and curl do.
        """
        return [b"http/1.1"]

    def buildProtocol(self, addr: Any) -> HTTPProtocol | None:
        """
        One protocol per connection.
        """
        if self._admission is None:
            return HTTPProtocol(self)
        built = self._admission.build(addr, lambda addr: HTTPProtocol(self), self.buildRefusal)
        return cast("HTTPProtocol | None", built)

    def buildRefusal(self, addr: IAddress) -> HTTPProtocol:
        """
        One that answers 503.  See L{IRefusingFactory}.

        It waits for a request, for not much time: some clients take an answer
        that comes before it for none of theirs, and reset the connection.
        """
        if self._refusing is None:
            limits = self.limits
            briefly = min(limits.headTime, limits.linger)
            self._refusing = HTTPFactory(
                noRoom,
                limits=replace(limits, requests=1, headTime=briefly, stall=briefly),
                server=self._server,
                accessLog=self.accessLog,
                counters=self.counters,
                forwarding=self.forwarding,
                connections=None,
                clientConnections=None,
                reactor=self._reactor,
            )
        return HTTPProtocol(self._refusing)


def makeHTTP(parameters: Mapping[str, Any], context: Context) -> HTTPFactory:
    """
    Make what C{twistd ktcp} serves.  See L{ktcp.interfaces.IProtocolPlugin}.
    """
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
    try:
        with acting(context.user):
            log = AccessLog(path, parameters["access-log-format"], reactor=context.reactor)
    except OSError as error:
        raise ValueError(f"--access-log {path}: {error.strerror}") from None
    context.reopening.append(log.reopen)
    # When the last connections are gone, which have lines of their own.
    context.reactor.addSystemEventTrigger("after", "shutdown", log.close)
    return log
