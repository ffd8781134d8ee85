# -*- test-case-name: ktcp.test.test_service -*-
"""
The service that twistd runs: from checked options to listening protocols.

L{assemble} is the wiring diagram; what it connects has rooms of its own:
L{ktcp.root}, L{ktcp.listening}, L{ktcp.tracking} and L{ktcp.signals}.  Protocols
come from L{ktcp.discovery}; the service knows nothing of them but
L{ktcp.interfaces.IProtocolPlugin}.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from twisted.application.service import IService
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import TCP4ServerEndpoint, serverFromString
from twisted.internet.interfaces import IProtocolFactory, IStreamServerEndpoint
from twisted.logger import Logger

from ktcp import edge, twistd
from ktcp import options as commandLine
from ktcp.console import endOnInterrupt
from ktcp.counters import Census, Counters, Layout, Snapshot
from ktcp.dmesg import reportCounters
from ktcp.endpoint.admission import Admission, Room, makeRoom
from ktcp.endpoint.buffers import BUFFERS
from ktcp.endpoint.server import KTCPServerEndpoint
from ktcp.endpoint.sockets import SocketOptions
from ktcp.interfaces import Context, IProtocolPlugin
from ktcp.listening import Listener
from ktcp.logs import observing
from ktcp.options import BaseOptions, called
from ktcp.privileges import userOf
from ktcp.refusal import Refusal, oneLine, shown
from ktcp.root import KTCPService
from ktcp.signals import reloadOnSignal, reopenOnSignals, stopOnSignals
from ktcp.supervisor import Supervisor
from ktcp.tracking import ProtocolService, TrackingFactory
from ktcp.workers.ledger import Ledger
from ktcp.workers.processes import Spawner
from ktcp.workers.sockets import OpeningReactor
from ktcp.workers.team import Team

_log = Logger()

# Descriptors without which nothing can be served: the interpreter's, the reactor's and
# the listeners'; and for each worker its sockets and the pipes to it, at both ends.
FEWEST_DESCRIPTORS, OF_A_WORKER = 32, 8
# Twisted has posix_spawn(3) close 255 of them in a child, which fails (EBADF) where
# so many are not allowed.
TO_SPAWN = 256


def Options() -> BaseOptions:
    """
    Make the options for a ServiceMaker; once they are parsed, the reactor that
    ktcp is fastest on is installed.

    As early as this, because twist installs Twisted's as soon as the options
    are parsed; not earlier, because C{--help} needs none.
    """
    # From here on until the reactor runs; Ctrl-C would be a traceback.
    endOnInterrupt()
    options = commandLine.Options()

    def parsed() -> None:
        complaint = twistd.complaint(options.parent or {})
        if complaint is not None:
            raise Refusal(complaint)
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
    _checkRoom(room, options["workers"] or 0)
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
        reopening = [signal.SIGHUP, signal.SIGUSR1]
    else:
        service = assembleTeam(options, reactor)
        reopening = [signal.SIGUSR1]
    service.supervisor = supervisor
    # They may come before anything is served, and would end the process.
    reopenOnSignals(reactor, service, reopening)
    _keepStderr(options, reactor, service)
    reactor.callWhenRunning(supervisor.ready, "serving")
    # Before any listener, so that it runs before they say that they are ready.
    reactor.callWhenRunning(stopOnSignals, reactor, service)
    return service


def assembleTeam(options: BaseOptions, reactor: Any) -> KTCPService:
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
    reloadOnSignal(reactor, root, team)
    return root


def assemble(
    options: BaseOptions,
    reactor: Any,
    listening: Any = None,
    announce: bool = True,
    counters: Counters | None = None,
) -> KTCPService:
    """
    Connect what was asked for: a factory for each protocol, which all of its
    endpoints share, and a listener for each endpoint.

    @param listening: What the endpoints are given for a reactor, if it is not
        the one that serves: one of L{ktcp.workers.sockets}.
    @param announce: Say where the listeners are.
    @param counters: Where to count, with the layout of L{layoutFor}; if not given, in
        memory of this process.
    """
    counters = counters or Counters(layoutFor(options))
    # One for all: what it saves, descriptors and memory, they share.
    room = makeRoom(options["limit-connections"])
    admission = Admission(
        room.connections, options["limit-client-connections"], counters, room.refusals
    )
    listening = _behindProxies(options, listening or reactor, counters, admission)
    context = Context(
        reactor,
        counters=counters,
        user=userOf(options.parent or {}),
        proxies=tuple(options["proxy-trust"]),
        proxyHeaders=options["proxy-headers"],
    )
    root = KTCPService(context, options["drain-delay"], options["drain-timeout"])
    overTLS = _overTLS(options, context, counters, admission)
    BUFFERS.bound(options["limit-buffers"], reactor)
    for number, plugin in enumerate(options.served()):
        factory = _makeFactory(plugin, options, context)
        if factory is None:
            continue
        tracking = TrackingFactory(factory, admission, Census(counters, number))
        protocol = ProtocolService(tracking, reactor, options["drain-timeout"])
        protocol.setName(plugin.name)
        protocol.setServiceParent(root)
        for place in _places(plugin.name, options, listening):
            served = overTLS(tracking) if place.isTLS else tracking
            listener = Listener(
                plugin.name, place.origin, place.endpoint, served, reactor, announce
            )
            listener.setServiceParent(protocol)
    if not root.services:
        raise Refusal("nothing is left to serve")
    return root


def addPlane(
    options: BaseOptions,
    reactor: Any,
    root: KTCPService,
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
    places: list[_Place] = []
    port = options["admin-port"]
    if port is not None:
        # Twisted's own: what it carries is not counted.
        endpoint = TCP4ServerEndpoint(reactor, port, interface="127.0.0.1")
        places.append(_Place(f"--admin-port {port}", endpoint))
    for text in options["admin"]:
        origin = f"--admin {shown(text)}"
        places.append(_Place(origin, _fromString(origin, text, reactor)))
    listeners = [
        Listener("admin", place.origin, place.endpoint, factory, reactor) for place in places
    ]
    root.plane = Plane(listeners, token is not None)


def layoutFor(options: BaseOptions) -> Layout:
    """
    What is counted: the same in all processes that have the same options.
    """
    return Layout([plugin.name for plugin in options.served()])


def _checkRoom(room: Room, workers: int) -> None:
    """
    See that there are descriptors to begin with.

    @raise Refusal: There are not.
    """
    needed = FEWEST_DESCRIPTORS
    if workers:
        needed = max(TO_SPAWN, needed + OF_A_WORKER * workers)
    if room.descriptors < needed:
        raise Refusal(
            f"{room.descriptors} descriptors are too few to start with; allow {needed} or more "
            "(ulimit -Hn; systemd: LimitNOFILE)"
        )


def _keepStderr(options: BaseOptions, reactor: Any, service: KTCPService) -> None:
    """
    Have a daemon tell its user why it does not start, in full: by then twistd
    has turned stderr away, and repeats 80 bytes of it.
    """
    if options.parent and not options.parent.get("nodaemon", True):
        service.stderr = os.fdopen(os.dup(2), "w")
        reactor.callWhenRunning(service.stderr.close)


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


def _behindProxies(
    options: BaseOptions, reactor: Any, counters: Counters, admission: Admission
) -> Any:
    """
    What to give to endpoints for a reactor, if all they listen on is behind proxies.
    """
    if not options["proxy-protocol"]:
        return reactor
    from ktcp.endpoint.proxied import ProxiedReactor
    from ktcp.endpoint.proxy import Trust

    trust = Trust(options["proxy-trust"])
    return ProxiedReactor(reactor, trust, counters.turnedAway, admission)


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
        print(
            f"ktcp: {plugin.name}: does not start ({oneLine(error)}); it is not served",
            file=sys.stderr,
        )
        return None


def _overTLS(
    options: BaseOptions, context: Context, counters: Counters, admission: Admission
) -> Callable[[IProtocolFactory], IProtocolFactory]:
    """
    Read the certificates, if any are needed, and see that they are read again.

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
        factory,
        certificates,
        context.reactor,
        options["tls-handshake-time"],
        counters.turnedAway,
        admission,
    )


class _Place(NamedTuple):
    """
    Where a protocol is to be served.

    @ivar origin: The option that asked for it, with its value.
    """

    origin: str
    endpoint: IStreamServerEndpoint
    isTLS: bool = False


def _places(name: str, options: BaseOptions, reactor: Any) -> Iterator[_Place]:
    """
    Find all places of a protocol.

    @raise Refusal: A string is no endpoint.
    """
    for text in options[name]:
        origin = f"--{name} {shown(text)}"
        yield _Place(origin, _fromString(origin, text, reactor))
    for option, isTLS in ((f"{name}-port", False), (f"{name}-tls-port", True)):
        port = options[option]
        # An endpoint stands in for the port, but not for that of TLS.
        if port is not None and (isTLS or not options[name]):
            yield _Place(f"--{called(option)} {port}", _fromPort(port, options, reactor), isTLS)


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
    except LookupError as error:
        if not text.startswith("systemd:"):
            raise Refusal(_notAnEndpoint(origin, error)) from error
        raise Refusal(
            f"{origin}: systemd has passed no such socket; start this by its .socket unit, or by "
            "systemd-socket-activate"
        ) from error
    except Exception as error:
        # Parsers are plugins too, and raise what they like: ValueError for a
        # number, TypeError for an argument they do not know, KeyError for a
        # descriptor that systemd did not pass, OpenSSL's own for a bad PEM.
        raise Refusal(_notAnEndpoint(origin, error)) from error
    return endpoint


def _notAnEndpoint(origin: str, error: Exception) -> str:
    """
    Say that a string is no endpoint, and what would be one.
    """
    if type(error).__module__.startswith("OpenSSL"):
        return f"{origin}: the file holds no private key, or no certificate, in PEM"
    return (
        f"{origin}: not an endpoint ({oneLine(error)}); it must be like tcp:8080, "
        "ssl:8443:privateKey=server.pem or unix:/run/ktcp.sock"
    )
