# -*- test-case-name: ktcp.test.test_endpoint_port -*-
"""
The accept loop.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import tcp
from twisted.internet.interfaces import IProtocolFactory
from twisted.python import log
from twisted.python.failure import Failure

from ktcp.counters import SHORTAGES, Counters
from ktcp.endpoint.reserve import REST, Reserve
from ktcp.endpoint.transport import WriteThroughServer

# Connections accepted in one turn of the reactor.  Enough that a burst costs
# few turns; few enough that open connections wait for a millisecond or two.
BATCH = 64

# The process has one, as it has one table of descriptors.
_reserve = Reserve()


class KTCPPort(tcp.Port):
    """
    A L{tcp.Port} on a socket that listens already.

    It accepts a batch first and then reads from each connection of it, so
    that the clients' first bytes have time to arrive and the connections that
    have them skip a turn of the reactor.
    """

    factory: Any
    transport: type[WriteThroughServer] = WriteThroughServer

    def __init__(
        self,
        listener: socket.socket,
        factory: IProtocolFactory,
        reactor: Any,
        transport: type[WriteThroughServer] = WriteThroughServer,
    ) -> None:
        """
        @param listener: Non-blocking; this port closes it.
        @param transport: The class of the connections.
        """
        interface, port = listener.getsockname()[:2]
        super().__init__(port, factory, interface=interface, reactor=reactor)
        self.transport = transport
        # What tcp.Port calls a socket from outside (reactor.adoptStreamPort
        # sets it, but has no place for a class of ports).  It is closed
        # without shutdown(2), which would end it in other processes as well.
        self._preexistingSocket = listener
        self._rest: Any = None

    def startListening(self) -> None:
        """
        Begin to accept.
        """
        _reserve.keep()
        super().startListening()

    def doRead(self) -> None:
        """
        Accept what is there.
        """
        accepted: list[WriteThroughServer] = []
        try:
            self._acceptBatch(accepted)
        except BaseException:
            # The factory's or the protocol's; connections not accepted yet
            # wait for the next turn.
            log.err()
        for transport in accepted:
            try:
                transport.begin()
            except BaseException:
                log.err()

    def _acceptBatch(self, accepted: list[WriteThroughServer]) -> None:
        """
        Accept up to L{BATCH} connections and give them to the factory.
        """
        for _ in range(BATCH):
            try:
                skt, client = self.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                counters: Counters | None = getattr(self.reactor, "counters", None)
                if counters is not None:
                    counters.acceptFailed(error.errno)
                if error.errno in SHORTAGES:
                    self._meet(error)
                else:
                    # A connection that is gone again, mostly.  Twisted meets the
                    # next, or the same error, and knows them all.
                    super().doRead()
                return
            if len(client) == 4 and client[3]:
                # The scope belongs to the address; see tcp.Port.doRead.
                client = (socket.getnameinfo(client, socket.NI_NUMERICHOST)[0], *client[1:])
            peer = self._buildAddr(client)
            protocol = self.factory.buildProtocol(peer)
            if protocol is None:
                skt.close()
                continue
            transport = self.transport(
                skt, protocol, client, self, self.sessionno, self.reactor, peer
            )
            self.sessionno += 1
            accepted.append(transport)
            protocol.makeConnection(transport)

    def _meet(self, error: OSError) -> None:
        """
        Send clients away, or else leave them where they are for a while.
        """
        if not _reserve.meet(error, self.socket.accept, self.reactor):
            self.stopReading()
            clock: Any = self.reactor
            self._rest = clock.callLater(REST, self._goOn)

    def _goOn(self) -> None:
        self._rest = None
        if not self.disconnecting:
            self.startReading()

    def connectionLost(self, reason: Failure) -> None:
        """
        Accept no more.
        """
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        super().connectionLost(reason)
