"""
The daytime protocol (RFC 867): whoever connects is told the time.

Nothing here but L{makeDaytime} knows of ktcp; the protocol and its factory
would do in any Twisted application.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory, Protocol

from ktcp.interfaces import Context


class DaytimeProtocol(Protocol):
    """
    Say the time and close.  What the peer sends is thrown away, as the RFC asks.
    """

    factory: DaytimeFactory

    def connectionMade(self) -> None:
        """
        Answer at once; there is no request to wait for.
        """
        self.transport.write(self.factory.now())
        self.transport.loseConnection()


class DaytimeFactory(Factory):
    """
    The clock and the way of writing it, shared by all connections.
    """

    protocol = DaytimeProtocol

    def __init__(self, clock: IReactorTime, timeFormat: str) -> None:
        """
        @param clock: Whose C{seconds} to tell.
        @param timeFormat: For C{strftime}.
        """
        self._clock = clock
        self._format = timeFormat

    def now(self) -> bytes:
        """
        Give the line to send.
        """
        moment = time.gmtime(self._clock.seconds())
        return time.strftime(self._format, moment).encode() + b"\r\n"


def makeDaytime(parameters: Mapping[str, object], context: Context) -> DaytimeFactory:
    """
    What the plugin names: ktcp calls it once the options are checked.
    """
    return DaytimeFactory(context.reactor, str(parameters["daytime-format"]))
