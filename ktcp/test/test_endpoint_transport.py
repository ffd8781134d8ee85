"""
Tests for L{ktcp.endpoint.transport}: first what Twisted asks of TCP and TLS.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from ktcp.endpoint.server import listenOn
from ktcp.endpoint.sockets import SocketOptions, openListener
from ktcp.test.twistedsuites import suites


class WriteThroughReactor(EPollReactor):
    """
    Twisted's epoll reactor, but what it listens with is ktcp's.
    """

    def listenTCP(
        self, port: Any, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """
        See L{IReactorTCP.listenTCP}.
        """
        if not isinstance(port, int):
            # A Binding: Twisted's own way to choose socket options.
            return super().listenTCP(port, factory, backlog, interface)
        options = SocketOptions(backlog=backlog)
        try:
            listener = openListener(port, interface, options)
        except OSError as e:
            raise CannotListenError(interface, port, e) from None
        return listenOn(self, listener, factory, options)


globals().update(
    suites(WriteThroughReactor, __name__, ["test_tcp", "test_tls", "test_endpoints"], {})
)
