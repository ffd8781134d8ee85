# -*- test-case-name: ktcp.test.test_endpoint_transport -*-
"""
The server's end of a TCP connection, with three turns taken out of its way.

Twisted's own transport tells the reactor of every wish at once and does every
deed one loop later.  This one has the same behaviour for protocols, and:

  - what is written is sent at once when nothing waits before it; only what the
    kernel refuses is left to the base class (C{bench/micro/writethrough.py}).
    On L{ktcp.reactor} at once means for little data: at the end of the reactor's
    turn, with that of other connections;
  - while the protocol handles what was read (a I{turn}), the wishes to pause
    and to close are noted, and what is left of them at the end of the turn
    reaches the reactor;
  - a connection that was just accepted begins inside a turn, and what the
    client sent with its connect is read in it: a connection that asks, is
    answered and closes in one turn never enters the reactor's poller
    (C{bench/micro/accept.py}).

Everything else, and every unusual case, is L{twisted.internet.tcp.Server}'s.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from errno import EAGAIN, ECONNRESET, ENOBUFS, ENOTSUP, EPIPE, ETIMEDOUT
from functools import cached_property
from typing import Any

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IProtocol
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python import log
from twisted.python.failure import Failure

from ktcp.counters import RECV_ERR, SEND_ERR, Counters
from ktcp.endpoint.buffers import BUFFERS, unsent
from ktcp.endpoint.reasons import DONE

# The most one recv(2) takes.  recv allocates this much and gives back what it
# did not fill, so an idle connection holds none of it; what it allocates
# hardly shows (64 B echoes with 4, 64 and 256 KiB are equal in the noise of
# bench/micro/writethrough.py), while less than 64 KiB costs bulk data more
# turns.  More would let one sender hold the loop for longer.
READ_SIZE = 32 * 1024

# Bytes that may wait for the end of the reactor's turn.  More keeps the kernel
# busy for longer than waking the peer does.
GATHERED = 4 * 1024

# The most that one sendfile(2) sends, so that a client that takes it as fast as
# it comes does not hold the loop: some 100 us of copying.
SLICE = 512 * 1024

# Errors of the connection that the kernel reports once; see L{_reset}.
_RESETS = frozenset((ECONNRESET, ETIMEDOUT))


class WriteThroughServer(tcp.Server):
    """
    A L{tcp.Server} that sends at once, and closes at the end of the turn.

    @ivar _inTurn: The protocol is being called by L{doRead} or L{begin}, which
        look at the wishes noted here when it returns.
    @ivar _reading: The protocol wants data.
    @ivar _watched: The reactor was last told so.
    @ivar _queueing: What is written must queue: something waits before it, or
        nothing may be sent any more.
    @ivar _gathered: What waits for the end of the reactor's turn.  All that
        looks at what was sent, or changes what may be sent, sends it first.
    @ivar _reset: The kernel has reported an error.  It does so once, and calls
        the connection ended after that; Twisted calls it lost.
    @ivar _waiting: Bytes that the kernel has not taken, as L{BUFFERS} knows it.
    """

    _inTurn = False
    _reading = False
    _watched = False
    _queueing = False
    _gathered = b""
    _reset = False
    _waiting = 0

    def __init__(
        self,
        sock: socket.socket,
        protocol: IProtocol,
        client: tuple[Any, ...],
        server: tcp.Port,
        sessionno: int,
        reactor: Any,
        peer: IPv4Address | IPv6Address,
    ) -> None:
        """
        As L{tcp.Server}, whose constructor is not called because it formats
        two strings that few connections are ever asked for.

        The turn begins here; C{makeConnection} and L{begin} are to follow.

        @param peer: C{client} as L{getPeer} gives it.
        """
        tcp.Connection.__init__(self, sock, protocol, reactor)
        if len(client) != 2:
            # Twisted's getHost and getPeer look here.
            self._addressType = IPv6Address
        self.client = client
        self.server = server
        self._peer = peer
        # Only ktcp.reactor has this.
        self._atEndOfTurn: Any = getattr(reactor, "atEndOfTurn", None)
        # Where the service counts; see ktcp.counters.
        self._counters: Counters | None = getattr(reactor, "counters", None)
        self.sessionno = sessionno
        self.hostname = client[0]
        self._protocolClass = protocol.__class__
        self._inTurn = self._reading = True
        self.fileno = self._giveDescriptor
        self.connected = 1

    @cached_property
    def logstr(self) -> str:  # type: ignore[override]  # assignable, as the base's is
        """
        The prefix of log lines about this connection.
        """
        protocol = getattr(self, "protocol", None)
        prefix = self._getLogPrefix(protocol) if protocol else self._protocolClass.__name__
        return f"{prefix},{self.sessionno},{self.hostname}"

    @cached_property
    def repstr(self) -> str:  # type: ignore[override]  # assignable, as the base's is
        """
        What C{repr} says.
        """
        port = self.server._realPortNumber
        return f"<{self._protocolClass.__name__} #{self.sessionno} on {port}>"

    def getPeer(self) -> IPv4Address | IPv6Address:
        """
        The client's address.
        """
        return self._peer

    def follow(self, protocol: IProtocol) -> None:
        """
        Have another protocol from now on.
        """
        self.protocol = protocol
        self._protocolClass = protocol.__class__
        for name in ("logstr", "repstr"):
            self.__dict__.pop(name, None)

    # Turns

    def begin(self) -> None:
        """
        End the turn that the connection was made in, and if the client has
        sent something already, handle it first.  L{doRead}'s result is not
        needed: the reactor finds ends and L{_reset} again, and knows what follows.
        """
        if self.connected:
            self.fileno = self.socket.fileno
        try:
            if self._reading and not self._watched:
                self.doRead()
        except BaseException:
            # As the reactor does with an exception from dataReceived.
            failure = Failure()
            log.callWithLogger(self, log.err, failure)
            self.connectionLost(failure)
        self._inTurn = False
        # A protocol may have taken the descriptor for itself and closed this.
        isOpen = self.connected and self.fileno() != -1
        if isOpen and (self.disconnecting or self._reading is not self._watched):
            self._endTurn()

    def _giveDescriptor(self) -> int:
        """
        Be C{fileno} until L{begin}: whoever asks so early, a protocol that passes
        the descriptor on perhaps, counts on one that the reactor watches already.
        """
        self.fileno = self.socket.fileno
        if self._reading:
            self.startReading()
        return self.fileno()

    def doRead(self) -> Any:
        """
        Give the protocol what has arrived.

        @return: An exception if the connection is over, or L{None}.
        """
        try:
            data = self.socket.recv(READ_SIZE)
        except BlockingIOError:
            return None
        except OSError:
            self._reset = True
            if self._counters is not None:
                self._counters.add(RECV_ERR)
            return CONNECTION_LOST
        if not data:
            return CONNECTION_LOST if self._reset else CONNECTION_DONE
        counters = self._counters
        if counters is not None:
            counters.reads += 1
            counters.bytesIn += len(data)
        self._inTurn = True
        try:
            self.protocol.dataReceived(data)
        finally:
            self._inTurn = False
        if self.disconnecting or self._reading is not self._watched:
            self._endTurn()
        return None

    def readConnectionLost(self, reason: Failure) -> None:
        """
        Tell the protocol that the peer has sent FIN: one more turn, so that a
        protocol that has nothing left to say closes the connection in it.
        """
        self._inTurn = True
        try:
            super().readConnectionLost(reason)
        finally:
            self._inTurn = False
        if self.connected and self.disconnecting:
            self._endTurn()

    def _endTurn(self) -> None:
        """
        Do what the protocol wished for and still wants.
        """
        if self.disconnecting:
            self._sendGathered()
            if self._queueing or self.producer is not None:
                self.stopReading()
                self.startWriting()
            else:
                self.connectionLost(DONE)
        elif self._reading:
            self.startReading()
        else:
            self.stopReading()

    def startReading(self) -> None:
        """
        Ask for data.
        """
        self._reading = self._watched = True
        super().startReading()

    def stopReading(self) -> None:
        """
        Ask for no more data.
        """
        self._reading = False
        # Not watched: the reactor may never have heard of this connection.
        if self._watched and not self._inTurn:
            self._watched = False
            super().stopReading()

    # Writing

    def write(self, data: bytes) -> None:
        """
        Send data now if nothing waits before it, and the rest when it can be.
        """
        # _mayWriteThrough, written out: it is asked for every answer.
        if (
            data.__class__ is not bytes
            or self._queueing
            or self.disconnecting
            or self.TLS
            or not self.connected
            or (self.producer is not None and not self.streamingProducer)
        ):
            self._sendGathered()
            super().write(data)
            self._tally()
        elif self._gathered:
            self._gathered += data
            if len(self._gathered) > GATHERED:
                self._sendGathered()
        elif not self._inTurn or self._atEndOfTurn is None or len(data) > GATHERED:
            self._send(data)
        else:
            self._gathered = data
            self._atEndOfTurn.append(self._sendGathered)

    def _sendGathered(self) -> None:
        """
        Send what waits for the end of the turn, if anything still does.
        """
        if self._gathered:
            data, self._gathered = self._gathered, b""
            self._send(data)

    def _send(self, data: bytes) -> None:
        """
        Send as much as the kernel takes, and leave the rest to the base class.
        """
        if not data:
            return
        counters = self._counters
        if counters is not None and counters.answered:
            # Who has its answer was counted.
            counters.foldAnswered()
        try:
            sent = self.socket.send(data)
        except OSError as e:
            # The base class queues the data and finds the error again, a turn
            # later, which is when protocols expect to hear of it.
            if e.errno not in (EAGAIN, ENOBUFS, EPIPE):
                self._reset = True
            super().write(data)
            self._tally()
            return
        if counters is not None:
            counters.sends += 1
            counters.bytesOut += sent
        if sent != len(data):
            self._queueRest(data, sent)

    def writeSomeData(self, data: bytes) -> Any:
        """
        Send what has waited; for the base class.
        """
        sent = super().writeSomeData(data)
        self._countSent(sent)
        return sent

    def _countSent(self, sent: int | BaseException) -> None:
        """
        Count what was sent otherwise than by L{_send}, or the failure.
        """
        counters = self._counters
        if counters is None:
            return
        if isinstance(sent, BaseException):
            counters.add(SEND_ERR)
        elif sent:
            counters.sends += 1
            counters.bytesOut += sent

    def _mayWriteThrough(self) -> bool:
        """
        Whether there is nothing to be said against sending now.

        A pull producer is asked for more when its last data has been sent, by
        the base class; TLS started here takes cleartext to encrypt.
        """
        return bool(
            self.connected
            and not self._queueing
            and not self.disconnecting
            and not self.TLS
            and (self.producer is None or self.streamingProducer)
        )

    def _queueRest(self, data: bytes, sent: int) -> None:
        """
        Leave the rest to C{doWrite}, in the form it leaves to itself when the
        kernel takes only a part: a buffer and an offset, nothing copied.
        """
        self.dataBuffer = data
        self.offset = sent
        self.startWriting()
        self._tally()
        producer: Any = self.producer
        if producer is not None and len(data) - sent > self.bufferSize:
            # A push producer; see _mayWriteThrough.
            self.producerPaused = True
            producer.pauseProducing()

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """
        Write pieces, in one system call if they may be sent now.
        """
        pieces = list(iovec)
        if self._mayWriteThrough() and all(piece.__class__ is bytes for piece in pieces):
            self.write(b"".join(pieces))
        else:
            self._sendGathered()
            super().writeSequence(pieces)
            self._tally()

    def doWrite(self) -> Any:
        """
        Send more of what waits.
        """
        result = super().doWrite()
        self._tally()
        return result

    def _tally(self) -> None:
        """
        Have it added up what waits, whenever that may be another amount.
        """
        waiting = unsent(self)
        if waiting != self._waiting:
            change = waiting - self._waiting
            self._waiting = waiting
            BUFFERS.add(self, change)

    def _drop(self) -> None:
        """
        Forget what waits.
        """
        self._gathered = b""
        if self._waiting:
            self.dataBuffer = b""
            self.offset = self._tempDataLen = 0
            self._tempDataBuffer.clear()
            self._tally()

    def sendFile(self, descriptor: int, offset: int, count: int) -> int:
        """
        Send a part of a file if nothing waits before it.  For a push producer:
        unless all of it was sent it is paused, and resumed when it is to go on.

        @return: How many bytes were sent, at most L{SLICE}.
        @raise EOFError: The file has nothing at that offset.
        @raise OSError: It cannot be done, for the file's sake or because this
            connection is broken or under TLS; L{write} can, or shows it.
        """
        self._sendGathered()
        if not self.connected or self.disconnecting:
            return 0
        producer: Any = self.producer
        if self.TLS or producer is None or not self.streamingProducer:
            raise OSError(ENOTSUP, os.strerror(ENOTSUP))
        sent = 0
        if not self._queueing:
            try:
                sent = os.sendfile(self.socket.fileno(), descriptor, offset, min(count, SLICE))
            except BlockingIOError:
                pass
            except OSError as e:
                if e.errno in _RESETS:
                    self._reset = True
                raise
            else:
                if not sent:
                    raise EOFError
                self._countSent(sent)
        if sent < count:
            self.startWriting()
            if not self.producerPaused:
                self.producerPaused = True
                producer.pauseProducing()
        return sent

    def startWriting(self) -> None:
        """
        Wait for the kernel to take more.
        """
        self._queueing = True
        super().startWriting()

    def stopWriting(self) -> None:
        """
        Nothing is left to write.
        """
        if self._queueing:
            self._queueing = False
            super().stopWriting()

    # Closing

    def loseConnection(self) -> None:
        """
        Close when everything is written: at the end of this turn if it is.
        """
        if self._inTurn and self._mayWriteThrough() and self.producer is None:
            self.stopReading()
            self.disconnecting = 1
        else:
            super().loseConnection()

    def abortConnection(self) -> None:
        """
        Drop what is queued, send nothing more, and reset the connection.
        """
        self._drop()
        super().abortConnection()
        self._queueing = True

    def connectionLost(self, reason: Failure) -> None:
        """
        Close the socket and tell the protocol.
        """
        # The poller must forget the descriptor before it is closed, turn or
        # not: epoll_ctl(2) knows no closed ones.
        self._inTurn = False
        self._drop()
        super().connectionLost(reason)
