# -*- test-case-name: ktcp.test.test_load_targets -*-
"""
Where load goes to: URLs and addresses read, names looked up once, sockets made.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}

# Sources on loopback take turns in 127.0.0.0/28: an address has 28,000 local ports, and a
# closed connection keeps its own for a minute.
SOURCES = 16
# The first and the last of them (ip(7)), and how many are taken before a second address is.
PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
PORT_SHARE = 0.7


class BadTarget(Exception):
    """
    What was given is no target.  The text is one line for the user.
    """


@dataclass(frozen=True)
class TLS:
    """
    Whose certificate is believed.

    @ivar cafile: Certificates to trust, or C{None}: the system's.
    @ivar insecure: Believe anybody.
    """

    cafile: str | None = None
    insecure: bool = False


@dataclass(frozen=True)
class Target:
    """
    A server.

    @ivar text: As it was given.
    @ivar host: Its name: what C{Host} says, and whom a certificate must name.
    @ivar authority: The host with its port, where that is not the scheme's own.
    @ivar path: What of a URL goes into the request line.
    @ivar family: C{AF_INET}, C{AF_INET6} or C{AF_UNIX}.
    @ivar address: For C{connect()}.
    @ivar tls: L{None}: in the clear.
    """

    text: str
    host: str
    authority: str
    path: str
    family: int
    address: Any
    tls: TLS | None = None


def resolve(host: str, port: int) -> tuple[int, Any]:
    """
    Look a name up, once for all connections.

    @return: The family, and the address for C{connect()}.
    @raise BadTarget: There is no such host.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise BadTarget(
            f"cannot find {host!r}: {getattr(error, 'strerror', None) or error}"
        ) from error
    family, _, _, _, address = found[0]
    return family, address


def _at(host: str, port: int, unix: str | None) -> tuple[int, Any]:
    return (socket.AF_UNIX, unix) if unix is not None else resolve(host, port)


def targetOfURL(url: str, unix: str | None = None, tls: TLS | None = None) -> Target:
    """
    Read a URL, and look its host up.

    @param url: C{http://HOST[:PORT]/PATH} or C{https:}.
    @param tls: How to verify, of C{https:}.
    @param unix: The path of a socket to connect to instead of the URL's host.
    @raise BadTarget: It is none of HTTP's, or its host cannot be found.
    """
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise BadTarget(f"{url!r} is no URL: {error}") from error
    if parts.scheme not in PORTS or not host:
        raise BadTarget(f"{url!r} is not http://HOST/ or https://HOST/")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise BadTarget(f"{url!r} has characters that a URL must write with %")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    port = PORTS[parts.scheme] if port is None else port
    family, address = _at(host, port, unix)
    used = (tls or TLS()) if parts.scheme == "https" else None
    authority = parts.netloc.rpartition("@")[2]
    return Target(url, host, authority, path, family, address, used)


def targetOfAddress(text: str, unix: str | None = None) -> Target:
    """
    Read C{HOST:PORT}, and look the host up.

    @param text: The host is a name, or an address, of IPv6 in brackets.
    @param unix: The path of a socket to connect to instead.
    @raise BadTarget: It is not that, or the host cannot be found.
    """
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if (
        not colon
        or not host
        or not (port.isascii() and port.isdigit())
        or not 0 < int(port) < 65536
    ):
        raise BadTarget(f"{text!r} is not HOST:PORT")
    family, address = _at(host, int(port), unix)
    return Target(text, host, text, "", family, address)


def isLoopback(target: Target) -> bool:
    """
    Tell whether a target is in 127.0.0.0/8, where any address can be a source.
    """
    return target.family == socket.AF_INET and ip_address(target.address[0]).is_loopback


def enoughPorts() -> int:
    """
    Find how many connections may well come from one address.
    """
    first, last = map(int, PORT_RANGE.read_text().split())
    return int(PORT_SHARE * (last - first + 1))


class Connector:
    """
    Makes sockets that are connecting.

    @param many: More connections are to be made than one source address has ports for.
    @param first: Where the turn of sources begins, so that processes differ.
    """

    def __init__(self, target: Target, many: bool, first: int = 0) -> None:
        self._family = target.family
        self._address = target.address
        self._turn = count(first) if many and isLoopback(target) else None

    def open(self) -> tuple[socket.socket, int]:
        """
        Begin to connect.

        @return: The socket, non-blocking, and the C{errno} of C{connect()}.
        @raise OSError: There is no socket to be had, or no source.
        """
        made = socket.socket(self._family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            if self._family != socket.AF_UNIX:
                # An answer of two segments must not wait for our delayed ACK, nor a request.
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._turn is not None:
                # ip(7), Linux 4.2: connect() chooses the port, knowing both ends.
                made.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
                made.bind((f"127.0.0.{next(self._turn) % SOURCES + 1}", 0))
            return made, made.connect_ex(self._address)
        except BaseException:
            made.close()
            raise


# The socket module has it from 3.12 on.
_BIND_ADDRESS_NO_PORT = 24
