# -*- test-case-name: ktcp.test.test_load_engine -*-
"""
kecho's benchmark: connections held until all are there, then a message on each at once.

One round of one process.  The parent starts a round in all processes together.
"""

from __future__ import annotations

import errno
import socket
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from select import EPOLLIN, EPOLLOUT, epoll
from time import perf_counter_ns as clock

from ktcp.load.process.connection import READ_SIZE, kindOf
from ktcp.load.schedule import SECOND_NS
from ktcp.load.targets import Connector

# Numbers of the round, the process and the connection, in hexadecimal, fit in so many bytes.
SHORTEST_MESSAGE = 24


def messageOf(size: int, round: int, process: int, number: int) -> bytes:
    """
    Make a message that no other connection of the run sends.

    @param size: Bytes, L{SHORTEST_MESSAGE} or more.
    """
    label = b"%x.%x.%x " % (round, process, number)
    return (label * (size // len(label) + 1))[:size]


@dataclass
class Finished:
    """
    What one process found in one round.

    @ivar answers: When each whole answer was there (on L{clock}), and nanoseconds since its
        message was sent.
    @ivar connects: Nanoseconds that connecting took.
    """

    answers: list[tuple[int, int]] = field(default_factory=list)
    connects: list[int] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)


class Barrier:
    """
    The connections of one round.

    @param messages: One for each connection.
    @param timeout: Seconds to be connected in, and again to be answered in.
    """

    def __init__(self, connector: Connector, messages: list[bytes], timeout: float) -> None:
        self._connector = connector
        self._messages = messages
        self._timeout = round(timeout * SECOND_NS)
        self._epoll = epoll()
        self._held: dict[int, tuple[socket.socket, bytes]] = {}
        self.finished = Finished()

    def connect(self) -> None:
        """
        Make the connections, and wait until all that can be are there.
        """
        began: dict[int, int] = {}
        for message in self._messages:
            now = clock()
            try:
                sock, code = self._connector.open()
            except OSError as error:
                self.finished.errors[kindOf(error)] += 1
                continue
            self._held[sock.fileno()] = sock, message
            if code in (0, errno.EINPROGRESS):
                began[sock.fileno()] = now
                self._epoll.register(sock.fileno(), EPOLLOUT)
            else:
                self._lose(sock.fileno(), kindOf(OSError(code, "")))
        until = clock() + self._timeout
        while began and clock() < until:
            for fd, _ in self._epoll.poll((until - clock()) / SECOND_NS):
                took = clock() - began.pop(fd)
                if code := self._held[fd][0].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    self._lose(fd, kindOf(OSError(code, "")))
                else:
                    self.finished.connects.append(took)
                    self._epoll.modify(fd, 0)
        for fd in began:
            self._lose(fd, "timeout")

    def _lose(self, fd: int, kind: str) -> None:
        self.finished.errors[kind] += 1
        self._release(fd)

    def _release(self, fd: int) -> None:
        self._held.pop(fd)[0].close()

    def send(self, start: int) -> Finished:
        """
        Send at a time, on all connections one after the other, and wait for the answers.

        Nothing is read before all is sent: a server is to meet the messages as one crowd,
        so the first answers wait for this process, which its time includes.
        """
        while clock() < start:
            pass  # A few milliseconds; a sleep would end some tenths of one late.
        sent: dict[int, int] = {}
        for fd, (sock, message) in list(self._held.items()):
            sent[fd] = clock()
            try:
                whole = sock.send(message) == len(message)
            except OSError as error:
                self._lose(fd, kindOf(error))
                continue
            if whole:
                self._epoll.modify(fd, EPOLLIN)
            else:  # It is not all on its way at once, so it is not what was to be measured.
                self._lose(fd, "short")
        self._receive(sent, clock() + self._timeout)
        for fd in list(self._held):
            self._lose(fd, "timeout")
        self._epoll.close()
        return self.finished

    def _receive(self, sent: dict[int, int], until: int) -> None:
        got = dict.fromkeys(self._held, b"")
        while self._held and clock() < until:
            for fd, _ in self._epoll.poll((until - clock()) / SECOND_NS):
                sock, message = self._held[fd]
                try:
                    data = sock.recv(READ_SIZE)
                except OSError as error:
                    self._lose(fd, kindOf(error))
                    continue
                got[fd] += data
                if not data:
                    self._lose(fd, "short")
                elif not message.startswith(got[fd]):
                    self._lose(fd, "body")
                elif len(got[fd]) == len(message):
                    now = clock()
                    self.finished.answers.append((now, now - sent[fd]))
                    self._release(fd)

    def abandon(self) -> None:
        """
        Close everything.
        """
        for fd in list(self._held):
            with suppress(OSError):
                self._release(fd)
        self._epoll.close()
