# -*- test-case-name: ktcp.test.test_service -*-
"""
The service that twistd runs: from checked options to listening protocols.

L{assemble} is the wiring diagram.  Protocols come from L{ktcp.discovery}; the
service knows nothing of them but L{ktcp.interfaces.IProtocolPlugin}.

Each listener says where it really is, in one line of the log, once a
connection to it is served and a signal stops the service cleanly::

    ktcp: listening protocol=http transport=tcp address=127.0.0.1 port=8081
    ktcp: listening protocol=http transport=tcp address=::1 port=8081
    ktcp: listening protocol=echo transport=unix path=/run/echo.sock

After C{ktcp: listening} come fields C{name=value} between blanks, in this
order; more may be added behind them.  A value with a blank or another
character that means something to a shell is quoted as for one, so that
C{shlex.split} takes the line apart.  C{transport} is what carries the bytes;
of TLS on top of it, C{tls=yes} tells for a port option, nothing for an
endpoint string.  A UNIX path in the abstract namespace begins
with C{@}.
"""

from __future__ import annotations

import errno
import os
import shlex
import signal
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from twisted.application.service import IService, MultiService, Service
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import CancelledError, Deferred, gatherResults, succeed
from twisted.internet.endpoints import TCP4ServerEndpoint, serverFromString
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    ILoggingContext,
    IProtocol,
    IProtocolFactory,
    IProtocolNegotiationFactory,
    IStreamServerEndpoint,
)
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import alsoProvides, implementer

from ktcp import edge
from ktcp import options as commandLine
from ktcp.counters import Census, Counters, Layout, Snapshot
from ktcp.dmesg import Counting, reportCounters
from ktcp.drain import Drain
from ktcp.endpoint.admission import Admission, Room, makeRoom
from ktcp.endpoint.buffers import BUFFERS
from ktcp.endpoint.server import KTCPServerEndpoint
from ktcp.endpoint.sockets import SocketOptions
from ktcp.interfaces import Context, IProtocolPlugin, IRefusingFactory
from ktcp.logs import observing
from ktcp.options import BaseOptions, Refusal, called, shown
from ktcp.privileges import userOf
from ktcp.supervisor import Supervisor
from ktcp.workers.ledger import Ledger
from ktcp.workers.processes import Spawner
from ktcp.workers.sockets import OpeningReactor
from ktcp.workers.team import STOP_WITHIN, Team

if TYPE_CHECKING:
    from ktcp.admin.service import Plane

_log = Logger()

# The signals that stop the service.
STOPPING = (signal.SIGTERM, signal.SIGINT)


def Options() -> BaseOptions:
    """
    Make the options for a ServiceMaker; once they are parsed, the reactor that
    ktcp is fastest on is installed.

    As early as this, because twist installs Twisted's as soon as the options
    are parsed; not earlier, because C{--help} needs none.
    """
    options = commandLine.Options()

    def parsed() -> None:
        _installReactor()
        # twistd makes its log when it has read the command line; twist has an
        # option of its own, before the word ktcp.
        if options["log-format"] == "json" and options.parent and "logger" in options.parent:
            options.parent["logger"] = observing(options.parent)

    options.whenParsed = parsed
    return options


def _installReactor() -> None:
    """
    Install L{ktcp.reactor}, unless a reactor was chosen already.
    """
    # Where Twisted itself looks: see twisted.internet.main.installReactor.
    if "twisted.internet.reactor" not in sys.modules:
        from ktcp import reactor

        reactor.install()


def makeService(options: BaseOptions) -> IService:
    """
    Make the service of C{twistd ktcp}.

    @raise Refusal: The options are each right, but this cannot be served.
    """
    from twisted.internet import reactor

    supervisor = Supervisor(os.environ, reactor)
    # Of each worker; they do the same.
    room = makeRoom(options["limit-connections"])
    reactor.callWhenRunning(_sayRoom, room, options["limit-connections"])
    if options["workers"] is None:
        counters = Counters(layoutFor(options))
        service = assemble(options, reactor, counters=counters)
        reportCounters(reactor, counters.snapshot)
        addPlane(
            options,
            reactor,
            service,
            counters.snapshot,
            dict,
            lambda most: succeed([service.inventory(most)]),
        )
        reactor.callWhenRunning(reopenOnSignals, reactor, service, (signal.SIGHUP, signal.SIGUSR1))
    else:
        service = assembleTeam(options, reactor)
    service.supervisor = supervisor
    reactor.callWhenRunning(supervisor.ready, "serving")
    # Before any listener, so that it runs before they say that they are ready.
    reactor.callWhenRunning(stopOnSignals, reactor, service)
    return service


def assembleTeam(options: BaseOptions, reactor: Any) -> KtcpService:
    """
    Connect the same listeners, opened and not served, and the workers that
    serve them; see L{ktcp.workers}.
    """
    size = options["workers"]
    cores = sorted(os.sched_getaffinity(0)) if options["bound"] else ()
    opening = OpeningReactor(reactor, size)
    ledger = Ledger(layoutFor(options))
    root = assemble(options, reactor, opening, counters=ledger.own)
    reportCounters(reactor, ledger.snapshot)
    # The last to start, when every listener is open.
    spawner = Spawner(reactor, opening, ledger, options.arguments, size, cores)
    team = Team(size, spawner, reactor, options["drain-timeout"])
    team.setServiceParent(root)
    addPlane(options, reactor, root, ledger.snapshot, ledger.workers, spawner.connections)
    reactor.callWhenRunning(reloadOnSignal, reactor, root, team)
    reactor.callWhenRunning(reopenOnSignals, reactor, root, (signal.SIGUSR1,))
    return root


def assemble(
    options: BaseOptions,
    reactor: Any,
    listening: Any = None,
    announce: bool = True,
    counters: Counters | None = None,
) -> KtcpService:
    """
    Connect what was asked for: a factory for each protocol, which all of its
    endpoints share, and a listener for each endpoint.

    @param listening: What the endpoints are given for a reactor, if it is not
        the one that serves: one of L{ktcp.workers.sockets}.
    @param announce: Say where the listeners are.
    @param counters: Where to count, with the layout of L{layoutFor}; if not given, in
        memory of this process.
    """
    listening = listening or reactor
    counters = counters or Counters(layoutFor(options))
    context = Context(
        reactor,
        counters=counters,
        user=userOf(options.parent or {}),
        proxies=tuple(options["proxy-trust"]),
        proxyHeaders=options["proxy-headers"],
    )
    if options["proxy-protocol"]:
        from ktcp.endpoint.proxied import ProxiedReactor
        from ktcp.endpoint.proxy import Trust

        trust = Trust(options["proxy-trust"])
        listening = ProxiedReactor(listening, trust, counters.turnedAway)
    root = KtcpService(context, options["drain-delay"], options["drain-timeout"])
    overTLS = _overTLS(options, context, counters.turnedAway)
    BUFFERS.bound(options["limit-buffers"], reactor)
    # One for all: what it saves, descriptors and memory, they share.
    room = makeRoom(options["limit-connections"])
    admission = Admission(
        room.connections, options["limit-client-connections"], counters, room.refusals
    )
    for number, plugin in enumerate(options.served()):
        factory = _makeFactory(plugin, options, context)
        if factory is not None:
            tracking = TrackingFactory(factory, admission, Census(counters, number))
            protocol = ProtocolService(tracking, reactor, options["drain-timeout"])
            protocol.setServiceParent(root)
            for origin, endpoint in _endpoints(plugin.name, options, listening):
                listener = Listener(
                    plugin.name, origin, endpoint, protocol.factory, reactor, announce
                )
                listener.setServiceParent(protocol)
            port = options[f"{plugin.name}-tls-port"]
            if port is not None:
                origin = f"--{called(f'{plugin.name}-tls-port')} {port}"
                endpoint = _fromPort(port, options, listening)
                factory = overTLS(protocol.factory)
                listener = Listener(plugin.name, origin, endpoint, factory, reactor, announce)
                listener.setServiceParent(protocol)
    if not root.services:
        raise Refusal("nothing is left to serve")
    return root


def addPlane(
    options: BaseOptions,
    reactor: Any,
    root: KtcpService,
    snapshot: Callable[[], Snapshot],
    workers: Callable[[], Mapping[int, Snapshot]],
    connections: Callable[[int], Deferred[Any]],
) -> None:
    """
    Give the service its admin plane, if that is asked for.

    @param snapshot: See, as for the others, L{Facts}.
    @raise Refusal: Its token is no good, or a string is no endpoint.
    """
    if not options.hasPlane():
        return
    # Not for everybody who looks at --help.
    from ktcp.admin.facts import Facts, parametersOf
    from ktcp.admin.service import Plane, adminFactory, readToken

    path = options["admin-token-file"]
    token = None if path is None else readToken(path)
    facts = Facts(
        snapshot,
        workers,
        root.addresses,
        connections,
        parametersOf(options),
        lambda: bool(root.running) and not root.draining,
    )
    factory = adminFactory(facts, reactor, token)
    endpoints: list[tuple[str, IStreamServerEndpoint]] = []
    port = options["admin-port"]
    if port is not None:
        # Twisted's own: what it carries is not counted.
        endpoint = TCP4ServerEndpoint(reactor, port, interface="127.0.0.1")
        endpoints.append((f"--admin-port {port}", endpoint))
    for text in options["admin"]:
        origin = f"--admin {shown(text)}"
        endpoints.append((origin, _fromString(origin, text, reactor)))

    def listen(origin: str, endpoint: IStreamServerEndpoint) -> Listener:
        return Listener("admin", origin, endpoint, factory, reactor)

    root.plane = Plane(endpoints, listen, token is not None)


def layoutFor(options: BaseOptions) -> Layout:
    """
    What is counted: the same in all processes that have the same options.
    """
    return Layout([plugin.name for plugin in options.served()])


def _sayRoom(room: Room, wanted: int) -> None:
    """
    Say how many connections there may be.
    """
    if room.connections < wanted:
        _log.warn(
            "ktcp: room for {room.connections} connections, not {wanted}: a process may have "
            "{room.descriptors} descriptors (ulimit -Hn; systemd: LimitNOFILE)",
            room=room,
            wanted=wanted,
        )
    else:
        _log.info(
            "ktcp: room for {room.connections} connections, in {room.descriptors} descriptors",
            room=room,
        )


def _makeFactory(
    plugin: IProtocolPlugin, options: BaseOptions, context: Context
) -> IProtocolFactory | None:
    """
    Have a protocol make its factory.

    @return: L{None} if it breaks down, which has then been said.
    @raise Refusal: Its parameters do not go together.
    """
    try:
        return plugin.makeFactory(options.parametersOf(plugin), context)
    except ValueError as error:
        raise Refusal(f"{plugin.name}: {error}") from error
    except Exception as error:
        # Somebody's plugin, so anything may come; the others are served.
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"ktcp: {plugin.name}: does not start ({reason}); it is not served", file=sys.stderr)
        return None


def _overTLS(
    options: BaseOptions, context: Context, refused: Callable[[str], None]
) -> Callable[[IProtocolFactory], IProtocolFactory]:
    """
    Read the certificates, if any are needed, and see that they are read again.

    @param refused: Told of each handshake that fails.
    @return: Makes a factory's connections be over TLS.
    @raise Refusal: A certificate cannot be used.
    """
    if not (options["tls-cert"] or options["tls-self-signed"]):
        return lambda factory: factory  # Not called; see ktcp.edge.contradiction.
    from ktcp.endpoint.tls import TLSFactory

    try:
        certificates = edge.certificatesOf(options)
    except ValueError as error:
        raise Refusal(str(error)) from None
    context.reopening.append(certificates.reread)
    if options["tls-self-signed"]:
        print_ = certificates.pairs[0].fingerprint
        context.reactor.callWhenRunning(
            _log.info, "ktcp: --tls-self-signed: sha256 fingerprint={print}", print=print_
        )
    return lambda factory: TLSFactory(
        factory, certificates, context.reactor, options["tls-handshake-time"], refused
    )


def _endpoints(
    name: str, options: BaseOptions, reactor: Any
) -> Iterator[tuple[str, IStreamServerEndpoint]]:
    """
    Make the endpoints that a protocol is to be served at, each with the
    option that asked for it.

    @raise Refusal: A string is no endpoint.
    """
    for text in options[name]:
        origin = f"--{name} {shown(text)}"
        yield origin, _fromString(origin, text, reactor)
    port = options[f"{name}-port"]
    if not options[name] and port is not None:
        yield f"--{called(f'{name}-port')} {port}", _fromPort(port, options, reactor)


def _fromPort(port: int, options: BaseOptions, reactor: Any) -> IStreamServerEndpoint:
    """
    Make the endpoint of a port option: the one place that decides its kind.
    """
    settings = SocketOptions(backlog=options["backlog"])
    return KTCPServerEndpoint(reactor, port, options["interface"], settings)


def _fromString(origin: str, text: str, reactor: Any) -> IStreamServerEndpoint:
    """
    Make the endpoint of an endpoint string.
    """
    try:
        endpoint: IStreamServerEndpoint = serverFromString(reactor, text)
    except OSError as error:  # A certificate that cannot be read.
        raise Refusal(f"{origin}: {error.filename}: {error.strerror}") from error
    except Exception as error:
        # Parsers are plugins too, and raise what they like: ValueError for a
        # number, TypeError for an argument they do not know, KeyError for a
        # descriptor that systemd did not pass, OpenSSL's own for a bad PEM.
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise Refusal(
            f"{origin}: not an endpoint ({reason}); it must be like tcp:8080, "
            "ssl:8443:privateKey=server.pem or unix:/run/ktcp.sock"
        ) from error
    return endpoint


class KtcpService(MultiService):
    """
    All that is served.  If one listener cannot open, none stays open.

    @ivar context: What the protocols were given.
    @ivar plane: The admin plane, if there is one.
    @ivar draining: It has begun to stop: no more is to be sent here.
    @ivar supervisor: Is told what becomes of it.
    """

    def __init__(
        self, context: Context, drainDelay: float = 0.0, drainTimeout: float = 0.0
    ) -> None:
        """
        @param drainDelay: Seconds for which it still serves when it has been
            told to stop, and says so to who asks.
        @param drainTimeout: Seconds that connections then have to end.
        """
        super().__init__()
        self.context = context
        self._counting = None if context.counters is None else Counting(context.counters)
        self.draining = False
        self.plane: Plane | None = None
        self.supervisor = Supervisor({}, context.reactor)
        self._drainTimeout = drainTimeout
        self._drainDelay = drainDelay
        self._delay: Deferred[None] | None = None

    def privilegedStartService(self) -> None:
        """
        Open every listener, while the process still may.
        """
        self._orNone(super().privilegedStartService)

    def startService(self) -> None:
        """
        Open the listeners that are not open yet: twist only calls this one.
        """
        if self._counting is not None:
            self._counting.start(self.context.reactor)
        self._orNone(self._startAll)

    def stopService(self) -> Deferred[Any]:
        """
        Serve on for the delay, then listen no more and see the connections end.

        @return: Fires when the last of them has.
        """
        begun, self.draining = self.draining, True
        self.supervisor.stopping(self._drainDelay + self._drainTimeout + STOP_WITHIN)
        if begun or not self._drainDelay:
            return self._stopAll()
        _log.info("ktcp: still serving for {delay:g} s", delay=self._drainDelay)
        self._delay = deferLater(self.context.reactor, self._drainDelay)
        self._delay.addErrback(lambda failure: failure.trap(CancelledError))
        return self._delay.addCallback(lambda _: self._stopAll())

    def hurry(self) -> None:
        """
        Wait for nobody any more.
        """
        if self._delay is not None:
            self._delay.cancel()
        for service in self:
            service.hurry()

    def _startAll(self) -> None:
        super().startService()
        if self.plane is not None:
            self.plane.start()

    def addresses(self) -> Iterator[tuple[str, IAddress]]:
        """
        Where each protocol is served.
        """
        for protocol in self:
            if isinstance(protocol, ProtocolService):
                for listener in protocol:
                    if listener.address is not None:
                        yield listener.protocol, listener.address

    def inventory(self, most: int) -> list[Mapping[str, Any]]:
        """
        Describe the connections of this process, so many at most.
        """
        from ktcp.admin.facts import inventory

        return inventory(self._open(), most)

    def _open(self) -> Iterator[tuple[str, Any, float]]:
        for protocol in self:
            if isinstance(protocol, ProtocolService):
                name = next((listener.protocol for listener in protocol), "")
                for each, began in list(protocol.factory.connections.items()):
                    yield name, each, began

    def _stopAll(self) -> Deferred[Any]:
        if self._counting is not None:
            self._counting.stop()
        stopped: Deferred[Any] = super().stopService()
        plane = self.plane
        if plane is not None:
            stopped.addBoth(lambda _: gatherResults(plane.stop()))
        return stopped

    def _orNone(self, start: Callable[[], None]) -> None:
        """
        Start everything or nothing.

        @raise Refusal: Nothing was started.
        """
        try:
            start()
        except Refusal as refusal:
            self.stopService()
            _log.error("{reason}", reason=refusal.code)
            refusal.announce()
            raise


class ProtocolService(MultiService):
    """
    One protocol: its factory, and a L{Listener} for each of its endpoints.
    """

    def __init__(self, factory: TrackingFactory, clock: Any, drainTimeout: float = 0.0) -> None:
        """
        @param drainTimeout: Seconds for which connections may take to end when
            it stops.
        """
        super().__init__()
        self.factory = factory
        self._drain = Drain(self.factory.connections, clock, drainTimeout)

    def stopService(self) -> Deferred[Any]:
        """
        Close the listeners, then the connections.

        @return: Fires when all are closed.
        """
        closed: Deferred[Any] = super().stopService()
        return closed.addCallback(lambda _: self._drain.begin())

    def hurry(self) -> None:
        """
        Wait for no connection any more.
        """
        self._drain.hurry()


@implementer(IProtocolFactory, ILoggingContext)
class TrackingFactory:
    """
    A factory that counts the connections of another, and remembers them, to
    drain them.

    Nothing is put between a transport and its protocol, as
    L{twisted.protocols.policies} would do: that costs a call for each read
    and hides half-closed connections.  Nor is a protocol asked to report its
    end: the memory is weak.
    """

    def __init__(
        self,
        wrapped: IProtocolFactory,
        admission: Admission | None = None,
        census: Census | None = None,
    ) -> None:
        """
        @param admission: Lets connections in; if not given, as many as come.
        @param census: Counts them.
        """
        self.wrapped: Any = wrapped
        self._admission = admission or Admission(None, None)
        self._census = census
        refusing = IRefusingFactory(wrapped, None)
        self._refuse = None if refusing is None else refusing.buildRefusal
        # When each began.
        self.connections: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
        if IProtocolNegotiationFactory.providedBy(wrapped):
            alsoProvides(self, IProtocolNegotiationFactory)

    def logPrefix(self) -> str:
        """
        The name under which Twisted logs.
        """
        return type(self.wrapped).__name__

    def acceptableProtocols(self) -> list[bytes]:
        """
        What TLS may negotiate, where the other factory says so.
        """
        protocols: list[bytes] = self.wrapped.acceptableProtocols()
        return protocols

    def doStart(self) -> None:
        """
        A listener has opened.
        """
        self.wrapped.doStart()

    def doStop(self) -> None:
        """
        A listener has closed.
        """
        self.wrapped.doStop()

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        """
        Have the other factory build a protocol, if there is room for one more
        connection, and remember it.
        """
        build = self.wrapped.buildProtocol
        protocol = self._admission.build(addr, build, self._refuse, self._census)
        if protocol is not None:
            self.connections[protocol] = monotonic()
        return protocol


class Listener(Service):
    """
    One endpoint that is listened on.

    L{twisted.application.internet.StreamServerEndpointService} is this, but
    logs a failure to listen and goes on without.
    """

    def __init__(
        self,
        protocol: str,
        origin: str,
        endpoint: IStreamServerEndpoint,
        factory: IProtocolFactory,
        reactor: Any,
        announce: bool = True,
    ) -> None:
        """
        @param protocol: The name of the protocol.
        @param origin: The option that asked for this, with its value.
        @param announce: Say where it is.
        """
        self.protocol = protocol
        self.origin = origin
        self.endpoint = endpoint
        self.factory = factory
        self.reactor = reactor
        self.announce = announce
        self.listening: Deferred[Any] | None = None
        self.address: IAddress | None = None

    def privilegedStartService(self) -> None:
        """
        Listen.

        @raise Refusal: The endpoint cannot.
        """
        super().privilegedStartService()
        failures: list[Failure] = []

        def failed(failure: Failure) -> None:
            # All of Twisted's own endpoints fail at once.  One that does so
            # later leaves a service that runs: that is for the log.
            if self.listening is None:
                failures.append(failure)
            else:
                _log.error("ktcp: {origin}: {why}", origin=self.origin, why=_whyNot(failure.value))

        listening: Deferred[Any] = self.endpoint.listen(self.factory)
        listening.addCallback(self._opened).addErrback(failed)
        if failures:
            raise Refusal(f"{self.origin}: {_whyNot(failures[0].value)}")
        self.listening = listening

    def startService(self) -> None:
        """
        Listen, unless L{privilegedStartService} has been called before.
        """
        super().startService()
        if self.listening is None:
            self.privilegedStartService()

    def stopService(self) -> Deferred[Any] | None:
        """
        Listen no more.

        @return: Fires when the endpoint is closed.
        """
        super().stopService()
        listening, self.listening = self.listening, None
        if listening is None:
            return None
        listening.cancel()
        return listening.addCallback(lambda port: port and port.stopListening())

    def _opened(self, port: IListeningPort) -> IListeningPort:
        """
        Say where, once it is true that a connection is served.
        """
        self.address = port.getHost()
        if self.announce:
            fields = {"protocol": self.protocol, **placeOf(port.getHost())}
            if hasattr(self.factory, "certificates"):
                fields["tls"] = "yes"
            line = describe(fields)
            self.reactor.callWhenRunning(
                _log.info, "ktcp: listening {log_line}", log_line=line, **fields
            )
        return port


def describe(fields: Mapping[str, str | int]) -> str:
    """
    Write fields as the module says.
    """
    return " ".join(f"{name}={shlex.quote(str(value))}" for name, value in fields.items())


def placeOf(address: IAddress) -> dict[str, str | int]:
    """
    Say where a listener is, in the fields that the module names.
    """
    if isinstance(address, (IPv4Address, IPv6Address)):
        return {"transport": "tcp", "address": address.host, "port": address.port}
    if isinstance(address, UNIXAddress):
        path = os.fsdecode(address.name or b"")
        return {"transport": "unix", "path": path.replace("\0", "@", 1)}
    return {"transport": "other", "address": str(address)}


def _whyNot(error: BaseException | None) -> str:
    """
    Say why an endpoint cannot listen, and what to do.
    """
    if isinstance(error, OSError):
        return f"cannot listen ({error.strerror})"
    if not isinstance(error, CannotListenError):
        return f"cannot listen ({' '.join(f'{type(error).__name__}: {error}'.split())})"
    number = getattr(error.socketError, "errno", None)
    if isinstance(error.port, bytes):
        where = os.fsdecode(error.port)
        finding, another = f"ss -lx src {shlex.quote(where)}", "another path"
    else:
        host = error.interface or "*"
        where = f"[{host}]:{error.port}" if ":" in host else f"{host}:{error.port}"
        finding = f"ss -ltnp sport = :{error.port}"
        another = "another port, 0 for any free one"
        if number == errno.EACCES:
            where += ": ports below 1024 need root or CAP_NET_BIND_SERVICE"
    if number == errno.EADDRINUSE:
        return f"{where} is already in use; stop what listens there ({finding}) or choose {another}"
    if number == errno.EADDRNOTAVAIL:
        return f"cannot listen on {where}; no interface has this address (see ip address)"
    return f"cannot listen on {where} ({error.socketError}); choose {another}"


def stopOnSignals(
    reactor: Any, service: KtcpService, signals: Collection[signal.Signals] = STOPPING
) -> None:
    """
    Have SIGTERM and SIGINT stop a running reactor, and nothing else.  The
    second one has the service wait for nobody.

    The reactor's own handlers do that too, but twistd and twist then kill
    themselves with the same signal, so that a clean stop looks like a crash
    to whoever waits for the exit status.

    SIGINT is taken even where it was ignored, as it is in a script's
    background jobs: whoever sends it means it.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        # A handler runs between two bytecodes of anything, so only what may
        # be called from anywhere may be called here.
        reactor.callFromThread(stopNow, number)

    def stopNow(number: int) -> None:
        name = signal.Signals(number).name
        try:
            reactor.stop()
        except ReactorNotRunning:  # It stops already.
            _log.info("ktcp: {name} again: waiting for nobody", name=name)
            service.hurry()
        else:
            _log.info("ktcp: stopping on {name}", name=name)

    def ignore() -> None:
        # Python puts the default handlers back as it ends, so that one more
        # signal would kill a process that has stopped; what is ignored stays so.
        for each in signals:
            signal.signal(each, signal.SIG_IGN)

    for each in signals:
        signal.signal(each, stop)
    reactor.addSystemEventTrigger("after", "shutdown", ignore)


def reopenOnSignals(
    reactor: Any, service: KtcpService, signals: Collection[signal.Signals]
) -> None:
    """
    Have signals reopen the files of protocols, if there are any: otherwise
    they do what they do to any process.
    """

    def reopen() -> None:
        service.supervisor.reloading()
        for each in service.context.reopening:
            each()
        service.supervisor.ready("serving")

    if service.context.reopening or service.supervisor.isThere:
        for each in signals:
            signal.signal(each, lambda number, frame: reactor.callFromThread(reopen))


def reloadOnSignal(reactor: Any, service: KtcpService, team: Team) -> None:
    """
    Have SIGHUP replace the workers.
    """

    def reload() -> None:
        service.supervisor.reloading()
        team.reload().addCallback(lambda _: service.supervisor.ready("serving"))

    signal.signal(signal.SIGHUP, lambda number, frame: reactor.callFromThread(reload))
