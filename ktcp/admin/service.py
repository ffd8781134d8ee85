# -*- test-case-name: ktcp.test.test_admin_service -*-
"""
The listeners of the second plane.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred

from ktcp.admin.facts import Facts
from ktcp.admin.gate import Gate
from ktcp.admin.routes import routes
from ktcp.http.factory import HTTPFactory
from ktcp.refusal import Refusal

# Bytes; a token that is shorter can be guessed.
SHORTEST_TOKEN = 16


def readToken(path: str) -> bytes:
    """
    Read the token from its file, whose first line it is.

    @raise Refusal: There is none that is good for anything.
    """
    try:
        with open(path, "rb") as file:
            token = file.read(4096).partition(b"\n")[0].strip()
    except OSError as error:
        raise Refusal(f"--admin-token-file {path}: {error.strerror}") from None
    if len(token) < SHORTEST_TOKEN:
        raise Refusal(
            f"--admin-token-file {path}: its first line is to be a token of {SHORTEST_TOKEN} "
            "bytes or more, as from openssl rand -hex 32"
        )
    return token


def adminFactory(facts: Facts, reactor: Any, token: bytes | None) -> HTTPFactory:
    """
    Make what serves the second plane.
    """
    gate = Gate(routes(facts, reactor), token)
    # Its own bounds: who fills the data ports does not shut the operator out.
    return HTTPFactory(gate, connections=256, clientConnections=None, reactor=reactor)


def isLocal(address: object) -> bool:
    """
    Whether only this machine reaches a listener.
    """
    if isinstance(address, (IPv4Address, IPv6Address)):
        return ip_address(address.host.partition("%")[0]).is_loopback
    return True


class Plane:
    """
    All listeners of the second plane.  It is the last to stop, so that a drain can be
    watched to its end.
    """

    def __init__(self, listeners: Sequence[Any], hasToken: bool) -> None:
        """
        @param listeners: Each a L{Listener<ktcp.listening.Listener>}.
        """
        self._listeners = listeners
        self._hasToken = hasToken

    def start(self) -> None:
        """
        Listen.

        @raise Refusal: An endpoint cannot, or strangers would reach it.
        """
        for listener in self._listeners:
            if listener.listening is None:
                listener.startService()
            if not self._hasToken and not isLocal(listener.address):
                raise Refusal(
                    f"{listener.origin}: others than this machine reach it; give "
                    "--admin-token-file too"
                )

    def stop(self) -> list[Deferred[Any]]:
        """
        Listen no more.
        """
        stopped = [listener.stopService() for listener in self._listeners]
        return [each for each in stopped if each is not None]
