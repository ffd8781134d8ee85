"""
Tests for L{ktcp.endpoint.quickack}.
"""

from __future__ import annotations

import socket

from ktcp.test.transports import (
    TransportTestCase,
)


class QuickAckTests(TransportTestCase):
    """
    C{quickack=yes}.
    """

    def test_renewed(self) -> None:
        """
        It is set again with each read, because the kernel forgets it.
        """
        self.listen(quickack=True)
        transport, client = self.pair()
        transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        client.sendall(b"x")
        self.arrived(transport)
        transport.doRead()
        self.assertEqual(transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK), 1)
