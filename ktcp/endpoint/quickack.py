# -*- test-case-name: ktcp.test.test_endpoint_quickack -*-
"""
The one option of sockets that has to be set again for each read.
"""

from __future__ import annotations

import socket
from typing import Any

from ktcp.endpoint.transport import WriteThroughServer


class QuickAckServer(WriteThroughServer):
    """
    A connection whose data is acknowledged at once.

    TCP_QUICKACK is not inherited from the listener, and the kernel goes back
    to delayed ACKs when it sees fit (tcp(7)), hence again for every read.
    """

    def doRead(self) -> Any:
        """
        Renew the setting, then read.
        """
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return super().doRead()
