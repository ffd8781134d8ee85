# -*- test-case-name: ktcp.test.test_echo -*-
"""
Echo (RFC 862), and the two services that stand beside it in every textbook:
discard (RFC 863) and the character generator (RFC 864).

Start reading ktcp here.  Each service is a protocol, which lives as long as
one connection, and a factory, which makes one for every connection accepted::

    endpoints.serverFromString(reactor, "tcp:12345").listen(EchoFactory())

They work on any stream that Twisted has: TCP, TLS, UNIX sockets.  The makers
at the end are what C{twistd ktcp} calls, see L{ktcp.interfaces}.

No buffer here grows with what a peer sends or does not read.  What TCP cannot
take yet waits in the transport; a transport that holds too much (64 KiB in
Twisted) tells its producer to pause, and each protocol below decides who that
producer is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IPullProducer,
    IPushProducer,
)
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

from ktcp.interfaces import Context


@implementer(IHalfCloseableProtocol, IPushProducer)
class EchoProtocol(Protocol):
    """
    Send every byte back, in order, until the peer has sent its last.

    What an echo produces is what it reads, so to pause producing is to stop
    reading: the peer's own TCP window then closes on it.
    """

    # A transport, a consumer and a push producer: Twisted's are all three, but
    # it has no interface that says so.
    transport: Any

    def connectionMade(self) -> None:
        """
        Have the transport say when it holds too much.
        """
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        """
        Send back what came.
        """
        self.transport.write(data)

    def pauseProducing(self) -> None:
        """
        The peer does not read: read no more from it.
        """
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """
        The peer has read all there was: go on.
        """
        # A transport that was told to close while its producer was paused
        # only calls resumeProducing when its last byte is gone, and then
        # waits for the producer to leave; but it reads no more, so nothing
        # would come of that wait.  TLS does this to us when data and the
        # peer's close_notify arrive in one read.  Leaving lets it close.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """
        The connection is gone; there is nothing to stop.
        """

    def readConnectionLost(self) -> None:
        """
        The peer sent FIN: it gets the rest of its bytes, and then ours.
        """
        # In this order: loseConnection waits for as long as there is a
        # producer, and ours has nothing left to produce.
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """
        Never called: the sending side is not closed alone.
        """


class EchoFactory(Factory):
    """
    Serve L{EchoProtocol}, which sends every byte back (RFC 862).
    """

    protocol = EchoProtocol
    noisy = False


class DiscardProtocol(Protocol):
    """
    Throw away every byte, until the peer has sent its last.

    L{Protocol.dataReceived} does just that; without an
    L{IHalfCloseableProtocol} the peer's FIN closes the connection.
    """


class DiscardFactory(Factory):
    """
    Serve L{DiscardProtocol}, which drops every byte (RFC 863).
    """

    protocol = DiscardProtocol
    noisy = False


def _makePattern() -> bytes:
    """
    Make RFC 864's "popular pattern" from one repetition to the next.

    @return: 95 lines of 72 of the 95 printable ASCII characters; each line
        begins one character later in the ring of them than the line above.
    """
    ring = bytes(range(0x20, 0x7F))
    return b"".join((ring * 2)[start : start + 72] + b"\r\n" for start in range(len(ring)))


@implementer(IHalfCloseableProtocol, IPullProducer)
class ChargenProtocol(Protocol):
    """
    Send text without end, as fast as the peer reads it.

    A pull producer: the transport asks for more each time its last byte has
    gone to the kernel.  So one block waits at most, and one is written per
    turn of the reactor, however fast this peer may read.
    """

    #: Whole repetitions, so that blocks join without a seam; as many as come
    #: to about 64 KiB, what Twisted's transports hold before they call it full.
    block = _makePattern() * 9

    transport: Any

    def connectionMade(self) -> None:
        """
        Begin at once; the peer need not say anything (RFC 864).
        """
        self.transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        """
        The transport can take more.
        """
        self.transport.write(self.block)

    def stopProducing(self) -> None:
        """
        The connection is gone; there is nothing to stop.
        """

    def readConnectionLost(self) -> None:
        """
        The peer has nothing to say, which is no reason to stop: whatever it
        says is thrown away.  The text ends when the peer closes altogether.
        """

    def writeConnectionLost(self) -> None:
        """
        Never called: the sending side is not closed alone.
        """


class ChargenFactory(Factory):
    """
    Serve L{ChargenProtocol}, which sends text without end (RFC 864).
    """

    protocol = ChargenProtocol
    noisy = False


def makeEcho(parameters: Mapping[str, object], context: Context) -> EchoFactory:
    """
    Make the factory of C{--echo}.  See L{ktcp.interfaces.IProtocolPlugin}.
    """
    return EchoFactory()


def makeDiscard(parameters: Mapping[str, object], context: Context) -> DiscardFactory:
    """
    Make the factory of C{--discard}.
    """
    return DiscardFactory()


def makeChargen(parameters: Mapping[str, object], context: Context) -> ChargenFactory:
    """
    Make the factory of C{--chargen}.
    """
    return ChargenFactory()
