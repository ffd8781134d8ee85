# -*- test-case-name: ktcp.test.test_load_process_loop -*-
"""
What is known of one connection; what becomes of it is in L{ktcp.load.process.connections}.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections import deque
from collections.abc import Callable
from enum import Enum

from ktcp.load.process.requests import Asked, Reader

READ_SIZE = 65536

Unsent = bytes | memoryview

_KINDS = {
    errno.ECONNREFUSED: "refused",
    errno.ENOENT: "refused",  # unix(7): no such socket
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ETIMEDOUT: "timeout",
    errno.EADDRNOTAVAIL: "ports",
}


def kindOf(error: OSError) -> str:
    """
    Find the name under which an error of a socket is counted.
    """
    if isinstance(error, ssl.SSLError | ssl.CertificateError):
        return "tls"
    return _KINDS.get(error.errno or 0, "connect")


class State(Enum):
    """
    What a connection waits for.
    """

    CLOSED = "its turn to be opened"
    CONNECTING = "the kernel"
    SHAKING = "the peer's part of TLS's handshake"
    IDLE = "something to ask"
    BUSY = "answers"
    CLOSING = "the peer to close, who was asked to"


WAIT = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Connection:
    """
    One connection after the other, in one place.

    @ivar waiting: The one request under way, if nothing of its answer was read yet: what the
        short way looks at.  Otherwise C{None}.
    @ivar due: The requests under way, oldest first.
    @ivar asked: The latest request.
    @ivar began: When the requests under way were sent, or their connection begun for them.
    @ivar planned: When they were to be sent.
    @ivar first: When the first byte of the oldest answer came, or 0.
    @ivar unsent: Bytes that the kernel did not take yet.
    """

    __slots__ = (
        *("asked", "began", "due", "fd", "first", "opened", "planned", "reader"),
        *("recv", "send", "sock", "state", "unsent", "waiting", "watched"),
    )

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.waiting: Asked | None = None
        self.due: deque[Asked] = deque()
        self.state = State.CLOSED
        self.began = self.planned = self.first = self.opened = 0
        self.unsent: Unsent = b""
        self.fd = -1
        self.watched = 0
        self.sock: socket.socket
        self.recv: Callable[[int], bytes]
        self.send: Callable[[Unsent], int]
        self.reader: Reader


def readAll(sock: ssl.SSLSocket) -> Callable[[int], bytes]:
    """
    Make a C{recv} for TLS that leaves nothing decrypted behind: epoll would not tell of it.
    """

    def recv(size: int) -> bytes:
        data = sock.recv(size)
        while sock.pending():
            data += sock.recv(size)
        return data

    return recv
