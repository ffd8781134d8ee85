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
import socket
import stat
from collections.abc import Mapping
from contextlib import suppress
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
            _dropLock(failures[0].value)
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
    if isinstance(error, CannotListenError):
        number = getattr(error.socketError, "errno", None)
        if isinstance(error.port, bytes):
            return _whyNotPath(os.fsdecode(error.port), number, error.socketError)
        return _whyNotPort(error.interface, error.port, number, error.socketError)
    if isinstance(error, OSError):
        return f"cannot listen ({error.strerror}){_advice(error.errno)}"
    return f"cannot listen ({oneLine(error)})"


def _whyNotPort(interface: str, port: int, number: int | None, error: object) -> str:
    """
    The same, of a TCP port.
    """
    host = interface or "*"
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    another = "choose another port, 0 for any free one"
    if number == errno.EADDRINUSE:
        finding = f"ss -ltnp sport = :{port}"
        return f"{where} is already in use; stop what listens there ({finding}) or {another}"
    if number == errno.EADDRNOTAVAIL:
        return f"cannot listen on {where}; no interface has this address (see ip address)"
    if number == errno.EINVAL and host.lower().startswith("fe80:") and "%" not in host:
        return f"cannot listen on {where}; give its interface too, as in {host}%eth0"
    if number == errno.EACCES:
        where += ": ports below 1024 need root or CAP_NET_BIND_SERVICE"
        return f"cannot listen on {where} ({error}); {another}"
    return f"cannot listen on {where} ({error}){_advice(number)}"


def _whyNotPath(path: str, number: int | None, error: object) -> str:
    """
    The same, of a UNIX socket.
    """
    # Or somebody has the lock that Twisted keeps beside it ("Cannot acquire lock").
    if number != errno.EADDRINUSE and "acquire lock" not in str(error):
        return f"cannot listen on {path} ({error}); choose another path"
    quoted = shlex.quote(path)
    if os.path.exists(path) and not stat.S_ISSOCK(os.stat(path).st_mode):
        return f"{path} is there, and no socket; choose another path"
    if _isDeserted(path):
        return f"{path} is what a process left behind; remove it: rm {quoted}"
    finding = f"ss -lx src {quoted}"
    return f"{path} is already in use; stop what listens there ({finding}) or choose another path"


def _dropLock(error: BaseException | None) -> None:
    """
    Remove the lock that Twisted leaves beside a UNIX socket which it could not
    open: the next one to find it would take that socket for its own, and remove it.
    """
    if isinstance(error, CannotListenError) and isinstance(error.port, bytes):
        lock = os.fsdecode(error.port) + ".lock"
        with suppress(OSError):
            if os.readlink(lock) == str(os.getpid()):
                os.unlink(lock)


def _isDeserted(path: str) -> bool:
    """
    Whether nobody listens at a UNIX socket any more.
    """
    with socket.socket(socket.AF_UNIX) as asking:
        asking.setblocking(False)
        return asking.connect_ex(path) == errno.ECONNREFUSED


def _advice(number: int | None) -> str:
    """
    What to do about an error that has little to do with where to listen.
    """
    found = {
        errno.EAFNOSUPPORT: "this kernel has no such addresses; give others with --interface",
        errno.EMFILE: "allow more descriptors (ulimit -n; systemd: LimitNOFILE)",
        errno.ENOENT: "make its folder first",
        errno.EACCES: "choose a folder that this user may write",
        errno.EPERM: "choose a folder that this user may write",
    }.get(number or 0)
    return f"; {found}" if found else ""
