"""
Tests for L{ktcp.trace.recording.client}.
"""

from __future__ import annotations

import socket
from functools import partial
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from ktcp.trace.recording.client import connectOnce, exchangeEcho, exchangeHTTP, runMany

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class ClientTests(SynchronousTestCase):
    """
    The client against a server that answers each read with the next of its answers.
    """

    def serve(self, *answers: bytes) -> int:
        """
        Serve one connection; an empty answer closes it.

        @return: The port.
        """
        listener = socket.create_server(("127.0.0.1", 0))
        self.received: list[bytes] = []

        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                for answer in answers:
                    self.received.append(connection.recv(1000))
                    if not answer:
                        return
                    connection.sendall(answer)
                connection.recv(1000)

        thread = Thread(target=run)
        thread.start()
        self.addCleanup(listener.close)
        self.addCleanup(thread.join, 10)
        port: int = listener.getsockname()[1]
        return port

    def test_echo(self) -> None:
        """
        A connection may carry several echoes, and ends with the server's FIN.
        """
        connectOnce("127.0.0.1", self.serve(b"hello", b"hello"), exchangeEcho, 2, 5.0)
        self.assertEqual([b"hello", b"hello"], self.received)

    def test_wrongEcho(self) -> None:
        """
        An echo of something else is a failure.
        """
        port = self.serve(b"HELLO")
        self.assertRaises(OSError, connectOnce, "127.0.0.1", port, exchangeEcho, 1, 5.0)

    def test_http(self) -> None:
        """
        Only the last request of a connection asks the server to close.
        """
        connectOnce("127.0.0.1", self.serve(ANSWER, ANSWER), exchangeHTTP, 2, 5.0)
        self.assertEqual([False, True], [b"Connection: close" in each for each in self.received])

    def test_closedEarly(self) -> None:
        """
        A server that closes instead of answering is a failure, which is told, not raised.
        """
        port = self.serve(b"")
        done = runMany(1, 1, lambda: connectOnce("127.0.0.1", port, exchangeHTTP, 1, 5.0))
        self.assertEqual([], done["spans"])
        self.assertEqual(["the server closed the connection early"], done["failures"])

    def test_shares(self) -> None:
        """
        As many connections are made as were asked for, however many clients share them.
        """
        for count, clients in ((5, 1), (5, 2), (3, 8)):
            made: list[int] = []
            done = runMany(count, clients, partial(made.append, 1))
            spans = done["spans"]
            assert isinstance(spans, list)
            self.assertEqual((count, count), (len(made), len(spans)))
