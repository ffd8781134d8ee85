# -*- test-case-name: ktcp.test.test_endpoint_tls -*-
"""
TLS on fast sockets: OpenSSL reads from the socket and writes to it by itself.

Twisted's TLS is a protocol between transport and protocol, with two buffers of
OpenSSL's between them: some ten calls for each read or write.  Here the
transport has OpenSSL where others have C{recv} and C{send}, one call each, and
a write is one record as long as it fits into one: three times as fast as on
C{ssl:} (bench/macro, row C{tls}).

The protocol is built when the handshake is done: before that, there is nobody
to talk to, and who it is (C{transport.peerIdentity}) is not known.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from errno import ENOTSUP
from functools import cached_property
from typing import Any

from OpenSSL import SSL
from OpenSSL._util import ffi, lib
from OpenSSL.crypto import X509
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    INegotiated,
    IProtocolFactory,
    IProtocolNegotiationFactory,
)
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure
from zope.interface import implementer

from ktcp.certificates import PeerIdentity, identityOf
from ktcp.endpoint.admission import Admission
from ktcp.endpoint.preface import Preface, PrefacedFactory
from ktcp.endpoint.transport import READ_SIZE, WriteThroughServer
from ktcp.tls import Certificates, NoCommonProtocol

# What SSL_read and SSL_write are called by.  Connection.recv and send wrap them
# in ten lines each, which with small messages cost more than the encryption.
# They are asked when something is out of the ordinary, so that what is an
# error, and which, is pyOpenSSL's to say.
_read: Callable[[Any, Any, int], int] = lib.SSL_read
_write: Callable[[Any, Any, int], int] = lib.SSL_write

# One for all connections: what is read is copied out at once.
_buffer = ffi.new("char[]", READ_SIZE)
_view = ffi.buffer(_buffer)

# The most that one record carries (RFC 8446, 5.1).
RECORD = 16 * 1024

_NOT_NOW = (SSL.WantReadError, SSL.WantWriteError)


@implementer(INegotiated)
class TLSServer(WriteThroughServer):
    """
    A L{WriteThroughServer} that encrypts.  It is what that is, half-closing
    included: the peer's C{close_notify} stands for its FIN, and a FIN without
    one is a connection lost, for somebody may have cut it off.

    @ivar _tls: pyOpenSSL's connection; L{None} before L{beginTLS} and after the
        end, when the descriptor may be another's.
    @ivar _ssl: OpenSSL's own, for C{_read} and C{_write}.
    @ivar _handshaking: The protocol is a L{Handshake}.
    """

    _tls: SSL.Connection | None = None
    _ssl: Any = None
    _handshaking = False

    def beginTLS(self, context: SSL.Context) -> None:
        """
        Wait for the client's first words.
        """
        self._tls = SSL.Connection(context, self.socket)
        self._ssl = self._tls._ssl
        self._tls.set_accept_state()
        self._handshaking = True

    def doRead(self) -> Any:
        """
        Give the protocol what has arrived, one record.  See
        L{WriteThroughServer.doRead}; here the end is acted upon, since a
        C{close_notify} is not there to be found again.
        """
        if self._handshaking and not self._shakeHands():
            return None
        count = _read(self._ssl, _buffer, READ_SIZE)
        data = _view[:count] if count > 0 else self._readPlainly()
        if data is None:
            return None
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

    def _shakeHands(self) -> bool:
        """
        Go on with the handshake.

        @return: It is done, and the protocol wants data.
        """
        assert self._tls is not None
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.WantWriteError:
            self.startWriting()
            return False
        except (SSL.Error, NoCommonProtocol):
            self._refuse(Failure())
            return False
        self._handshaking = False
        handshake: Handshake = self.protocol  # type: ignore[assignment]  # see beginTLS
        self._inTurn = True
        try:
            handshake.completed()
        finally:
            self._inTurn = False
        if self.disconnecting or not self._reading:
            self._endTurn()
            return False
        return bool(self.connected)

    def _refuse(self, failure: Failure) -> None:
        """
        The handshake has failed.  OpenSSL has sent an alert, which a reset would
        overtake if bytes were left unread: in TLS 1.3 a client whose certificate
        is refused has sent its request already.  So they are, until the client
        closes or the L{Handshake}'s deadline passes.
        """
        lib.ERR_clear_error()

        def discard() -> None:
            try:
                if self.socket.recv(READ_SIZE):
                    return
            except BlockingIOError:
                return
            except OSError:
                pass
            self.connectionLost(failure)

        self.doRead = discard  # type: ignore[method-assign]  # as abortConnection does
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.connectionLost(failure)

    def _readPlainly(self) -> bytes | None:
        """
        Read where there is not a whole record.

        @return: L{None} if there is none yet, or the connection has ended.
        """
        assert self._tls is not None
        lib.ERR_clear_error()
        try:
            return self._tls.recv(READ_SIZE)
        except _NOT_NOW:
            return None
        except SSL.ZeroReturnError:
            self.stopReading()
            self.readConnectionLost(Failure(CONNECTION_DONE))
        except SSL.Error:
            lib.ERR_clear_error()
            self._ssl = self._tls = None  # There is nobody to say goodbye to.
            self.connectionLost(Failure(CONNECTION_LOST))
        return None

    # Writing

    def doWrite(self) -> Any:
        """
        Send what waits; a handshake may, too.
        """
        if not self._handshaking:
            return super().doWrite()
        self.stopWriting()
        return self.doRead()

    def _send(self, data: bytes) -> None:
        """
        Send as much as the kernel takes, and leave the rest to the base class.
        """
        if not data:
            return
        counters = self._counters
        if counters is not None and counters.answered:
            # As in the base class.
            counters.fold()
        length = len(data)
        if length <= RECORD:
            sent = _write(self._ssl, data, length)
            if sent == length:
                if counters is not None:
                    counters.sends += 1
                    counters.bytesOut += length
                return
            lib.ERR_clear_error()
        # An error is found again by doWrite, a turn later, which is when
        # protocols expect to hear of it.
        some = self.writeSomeData(data)
        if some != length:
            self._queueRest(data, some if isinstance(some, int) else 0)

    def writeSomeData(self, data: Any) -> Any:
        """
        Encrypt and send up to C{SEND_LIMIT} bytes, a record at a time.

        @return: How many were sent, or an exception if there is no connection.
        """
        sent = CONNECTION_LOST if self._tls is None else self._encrypt(self._tls, data)
        self._countSent(sent)
        return sent

    def _encrypt(self, tls: SSL.Connection, data: Any) -> int | BaseException:
        view = memoryview(data)[: self.SEND_LIMIT]
        sent = 0
        try:
            while sent < len(view):
                sent += tls.send(view[sent : sent + RECORD])
        except _NOT_NOW:
            pass
        except SSL.Error:
            lib.ERR_clear_error()
            return CONNECTION_LOST
        return sent

    def sendFile(self, descriptor: int, offset: int, count: int) -> int:
        """
        @raise OSError: The kernel cannot encrypt; C{write} can.
        """
        raise OSError(ENOTSUP, os.strerror(ENOTSUP))

    # Closing

    def _sayGoodbye(self) -> None:
        """
        Send a C{close_notify}, if the kernel takes it.
        """
        if self._tls is not None and not self._handshaking:
            try:
                self._tls.shutdown()
            except SSL.Error:
                lib.ERR_clear_error()

    def _closeWriteConnection(self) -> None:
        """
        Everything is sent: say that there is no more.
        """
        self._sayGoodbye()
        super()._closeWriteConnection()

    def connectionLost(self, reason: Failure) -> None:
        """
        Close the socket and tell the protocol.
        """
        if reason.check(ConnectionDone):
            self._sayGoodbye()
        # Both who is asked for after the end, and the key material, stay with
        # the protocol for as long as it lives otherwise.
        self._ssl = self._tls = None
        super().connectionLost(reason)

    # What is known of the peer

    def getPeerCertificate(self) -> X509 | None:
        """
        See L{ISSLTransport}.
        """
        return None if self._tls is None else self._tls.get_peer_certificate()

    @property
    def negotiatedProtocol(self) -> bytes | None:
        """
        See L{INegotiated}.
        """
        return (self._tls and self._tls.get_alpn_proto_negotiated()) or None

    @cached_property
    def peerIdentity(self) -> PeerIdentity | None:
        """
        Who the client is, where that was asked for.
        """
        certificate = self.getPeerCertificate()
        return None if certificate is None else identityOf(certificate.to_cryptography())


class Handshake(Preface):
    """
    Waits until the transport has shaken hands.
    """

    def begin(self) -> None:
        """
        Have it do so.
        """
        factory = self.factory
        self.transport.beginTLS(factory.certificates.contextFor(factory.protocols))


class TLSFactory(PrefacedFactory):
    """
    Serves another factory over TLS, on a listener of L{ktcp.endpoint.server}.

    @cvar ktcpTransport: What that looks for.
    """

    preface = Handshake
    kind = "tls"
    ktcpTransport = TLSServer

    def __init__(
        self,
        wrapped: IProtocolFactory,
        certificates: Certificates,
        reactor: Any,
        time: float = 10.0,
        refused: Callable[[str], None] = lambda kind: None,
        admission: Admission | None = None,
    ) -> None:
        """
        @param time: Seconds for the handshake.
        @param refused: See, as for C{admission}, L{PrefacedFactory}.
        """
        super().__init__(wrapped, reactor, time, refused, admission)
        self.certificates = certificates
        offers = IProtocolNegotiationFactory(wrapped, None)
        self.protocols = tuple(offers.acceptableProtocols()) if offers else ()

    def logPrefix(self) -> str:
        """
        The name under which Twisted logs.
        """
        return f"{super().logPrefix()} (TLS)"
