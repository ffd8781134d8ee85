# -*- test-case-name: ktcp.test.test_endpoint_proxied -*-
"""
From the protocol that begins a connection to the one that it is for.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IProtocol

from ktcp.endpoint.transport import WriteThroughServer


def handOver(transport: Any, protocol: IProtocol | None) -> None:
    """
    Have a connection's protocol followed by another: one that could not be
    built before the first had done its work.  Nothing stays between transport
    and protocol, so nothing costs a call for each read or hides a half-close.

    @param transport: A connection of ktcp's or Twisted's.
    @param protocol: L{None}: there is none for this connection, which is aborted.
    """
    if protocol is None:
        transport.abortConnection()
        return
    if isinstance(transport, WriteThroughServer):
        transport.follow(protocol)
    else:
        transport.protocol = protocol
    protocol.makeConnection(transport)
