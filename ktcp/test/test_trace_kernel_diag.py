"""
Tests for L{ktcp.trace.kernel.diag}, beside a real kernel.
"""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase

from ktcp.test.support import enterNamespace
from ktcp.trace.errors import Unavailable
from ktcp.trace.kernel.diag import Diag, listenQueues, tcpInfo


def listening(test: SynchronousTestCase, backlog: int) -> socket.socket:
    """
    A server that never accepts.
    """
    server = socket.create_server(("127.0.0.1", 0), backlog=backlog)
    test.addCleanup(server.close)
    return server


def connecting(test: SynchronousTestCase, server: socket.socket, clients: int) -> None:
    """
    Clients that have sent their SYN, and do not wait for what comes of it.
    """
    for _ in range(clients):
        client = socket.socket()
        test.addCleanup(client.close)
        client.setblocking(False)
        client.connect_ex(server.getsockname())


class DiagTests(SynchronousTestCase):
    """
    Tests for what the kernel tells, and where it tells nothing.
    """

    def test_siblings(self) -> None:
        """
        Sockets that share a port (SO_REUSEPORT) are told apart.
        """
        enterNamespace(self)
        servers: list[socket.socket] = []
        for _ in range(2):
            server = socket.socket()
            self.addCleanup(server.close)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            server.bind(servers[0].getsockname() if servers else ("127.0.0.1", 0))
            server.listen(3)
            servers.append(server)
        connecting(self, servers[0], 4)
        found = listenQueues(servers[0].getsockname()[1]).listeners
        self.assertEqual(len({listener.inode for listener in found}), 2)
        self.assertEqual(sum(listener.waiting for listener in found), 4)

    def test_tcpInfo(self) -> None:
        """
        A listening socket's own TCP_INFO has the accept queue.
        """
        server = listening(self, 5)
        connecting(self, server, 2)
        info = tcpInfo(server)
        self.assertEqual((info["unacked"], info["sacked"]), (2, 5))

    def test_noDiag(self) -> None:
        """
        A kernel without inet_diag is told of in one line.
        """

        def refuse(*arguments: object) -> None:
            raise OSError(93, "Protocol not supported")

        self.patch(socket, "socket", refuse)
        with self.assertRaises(Unavailable) as raised:
            Diag()
        self.assertIn("inet_diag (Protocol not supported) is missing", str(raised.exception))
