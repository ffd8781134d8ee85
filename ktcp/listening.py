# -*- test-case-name: ktcp.test.test_listening -*-
"""
Listeners: one for each endpoint, which opens or says why it cannot and what to
do.

Each says where it really is, in one line of the log, once a connection to it is
served and a signal stops the service cleanly::

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
from collections.abc import Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.logger import Logger
from twisted.python.failure import Failure

from ktcp.refusal import Refusal, oneLine

_log = Logger()


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
        return f"cannot listen ({oneLine(error)})"
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
