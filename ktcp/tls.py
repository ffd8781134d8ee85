# -*- test-case-name: ktcp.test.test_tls -*-
"""
The contexts of TLS, for both sides; no connection.

L{Certificates} is the server's side: pairs of a certificate and its key, from
files that are read again on request, and which of them a client gets.
L{clientOptions} is the client's: whom to trust, and that the name is right.

What is offered: TLS 1.2 and 1.3; of TLS 1.2 only key exchanges with forward
secrecy and ciphers with authentication (RFC 9325, 4.2).  Sessions are resumed by
tickets alone, which cost no memory; their keys live as long as the context, that
is until the certificates are read again, in this process.  Workers do not share
them: pyOpenSSL has no way to set them, and a key that many processes hold for
long is one that decrypts what was recorded, where a client that meets another
worker only pays for a full handshake.  Left out: OCSP, which Let's Encrypt
and others have ended in favour of short lifetimes; compression, renegotiation
and early data, each of which is an attack.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any

from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import X509
from service_identity import VerificationError
from service_identity.cryptography import (
    verify_certificate_hostname,
    verify_certificate_ip_address,
)
from service_identity.exceptions import CertificateError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.logger import Logger
from zope.interface import implementer

from ktcp.certificates import (
    Pair,
    blaming,
    isAddress,
    readFile,
    subjectNames,
)

_log = Logger()

# RFC 9325, 4.2, and what Mozilla calls intermediate without the finite-field
# ones, which every client that has AEAD ciphers can do without.  The client
# chooses among them: one without AES in hardware is better off with ChaCha20.
CIPHERS = ":".join(
    f"ECDHE-{key}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for key in ("ECDSA", "RSA")
).encode()


class NoCommonProtocol(Exception):
    """
    The client insists on application protocols that are not spoken here.
    """


class Certificates:
    """
    The pairs of a server, and the contexts for its connections.

    Connections keep the context that they began with, so reading again ends none.
    """

    def __init__(self, load: Callable[[], Sequence[Pair]], clientCA: str | None = None) -> None:
        """
        @param load: Gives the pairs, the default one first.
        @param clientCA: A file in PEM with the authorities of whom clients must
            show a certificate.
        @raise ValueError: Something cannot be used; one line.
        """
        self._load = load
        self._clientCA = clientCA
        # By the application protocols that are offered: made when asked for.
        self._contexts: dict[tuple[bytes, ...], SSL.Context] = {}
        self.pairs: Sequence[Pair] = ()
        self._take()

    def contextFor(self, protocols: tuple[bytes, ...]) -> SSL.Context:
        """
        The context of a new connection.

        @param protocols: What may be negotiated (RFC 7301), most wanted first;
            empty means that what the client offers is ignored.
        """
        context = self._contexts.get(protocols)
        if context is None:
            context = self._contexts[protocols] = self._makeContext(self.pairs, protocols)
        return context

    def reread(self) -> None:
        """
        Read the files again; if that does not do, say so and keep what there is.
        """
        try:
            self._take()
        except ValueError as error:
            _log.error("ktcp: {error}; the certificates in use stay", error=error)
        else:
            _log.info("ktcp: the certificates have been read again")

    def _take(self) -> None:
        pairs = self._load()
        contexts = {
            protocols: self._makeContext(pairs, protocols) for protocols in self._contexts or [()]
        }
        self.pairs, self._contexts = pairs, contexts
        for pair in pairs:
            if pair.age is not None:
                _log.warn(
                    "ktcp: {origin}: {age}; clients will refuse it",
                    origin=pair.origin,
                    age=pair.age,
                )

    def _makeContext(self, pairs: Sequence[Pair], protocols: tuple[bytes, ...]) -> SSL.Context:
        """
        Make the context of the default pair, which finds those of the others.
        """
        contexts = [serverContext(pair, protocols, self._clientCA) for pair in pairs]
        if len(contexts) > 1:
            byName = dict[str, SSL.Context]()
            for pair, context in zip(pairs, contexts, strict=True):
                for name in pair.names:
                    byName.setdefault(name, context)

            def choose(connection: SSL.Connection) -> None:
                found = contextOf(connection.get_servername(), byName)
                if found is not None:
                    connection.set_context(found)

            contexts[0].set_tlsext_servername_callback(choose)
        return contexts[0]


def contextOf(name: bytes | None, byName: dict[str, SSL.Context]) -> SSL.Context | None:
    """
    Find what is for a server name (RFC 6066, 3): the very name before a
    wildcard, which stands for one label (RFC 9525, 6.3).
    """
    host = (name or b"").decode("ascii", "replace").lower()
    return byName.get(host) or byName.get(f"*.{host.partition('.')[2]}")


def serverContext(
    pair: Pair, protocols: tuple[bytes, ...] = (), clientCA: str | None = None
) -> SSL.Context:
    """
    Make the context of a server.

    @raise ValueError: OpenSSL does not take the pair, or the authorities.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(CIPHERS)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    # 34 KiB of each idle connection.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    # A session that was begun elsewhere, or with other demands on the client,
    # must not be resumed here (SSL_CTX_set_session_id_context(3)).
    context.set_session_id(b"ktcp")
    pair.giveTo(context)
    if clientCA is not None:
        _demandCertificates(context, clientCA)
    if protocols:

        def select(connection: SSL.Connection, offered: list[bytes]) -> bytes:
            for protocol in protocols:
                if protocol in offered:
                    return protocol
            # RFC 7301, 3.2: an alert.  To speak what was not asked for is how one
            # protocol's bytes are passed off as another's.
            raise NoCommonProtocol(offered)

        context.set_alpn_select_callback(select)
    return context


def _demandCertificates(context: SSL.Context, path: str) -> None:
    """
    Have clients show a certificate of an authority in a file.

    @raise ValueError: The file names none.
    """
    origin = f"--tls-client-ca {path}"
    try:
        authorities = x509.load_pem_x509_certificates(readFile(origin, path))
    except ValueError as error:
        raise blaming(origin, error, "holds no certificate in PEM") from None
    store = context.get_cert_store()
    assert store is not None
    for each in authorities:
        authority = X509.from_cryptography(each)
        store.add_cert(authority)
        # What browsers choose from.
        context.add_client_ca(authority)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)


# The client's side.


class CertificateProblem(SSL.Error):
    """
    The server's certificate is not to be trusted; one line says why.
    """


# Of X509_V_ERR_* (openssl-verification-options(1)), those that people meet.
_PROBLEMS = {
    9: "is not valid yet",
    10: "has expired",
    18: "is self-signed, and not among those trusted",
    19: "leads to an authority that is not among those trusted",
    20: "is from an authority that is not among those trusted",
    21: "is from an authority that is not among those trusted",
    26: "is not meant for servers",
}


@implementer(IOpenSSLClientConnectionCreator)
class ClientOptions:
    """
    How to connect to one host; see L{clientOptions}.
    """

    def __init__(self, host: str, context: SSL.Context) -> None:
        self._host = host
        self._context = context

    def connection(self, sock: socket.socket | None = None) -> SSL.Connection:
        """
        Make a connection that is about to begin its handshake.

        C{do_handshake()} verifies everything, the name included, and raises
        L{CertificateProblem} itself.

        @param sock: Connected, blocking or not; L{None} for memory BIOs.
        """
        connection = SSL.Connection(self._context, sock)
        if not isAddress(self._host):
            # RFC 6066, 3: no addresses.
            connection.set_tlsext_host_name(self._host.encode("idna"))
        connection.set_connect_state()
        return connection

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """
        The same, for Twisted's C{wrapClientTLS}, C{startTLS} and C{Agent}s.
        """
        return self.connection()


def clientOptions(host: str, cacert: str | None = None, insecure: bool = False) -> ClientOptions:
    """
    Make what connects to a host by TLS 1.2 or later.

    @param host: A name or an address, which the certificate must be for.
    @param cacert: A file in PEM with whom to trust, rather than the system's
        authorities.
    @param insecure: Verify nothing.
    @raise ValueError: The file cannot be used; one line.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    if insecure:
        context.set_verify(SSL.VERIFY_NONE)
        return ClientOptions(host, context)
    if cacert is None:
        context.set_default_verify_paths()
    else:
        store = context.get_cert_store()
        assert store is not None
        try:
            for each in x509.load_pem_x509_certificates(readFile(cacert, cacert)):
                store.add_cert(X509.from_cryptography(each))
        except ValueError as error:
            raise blaming(cacert, error, "holds no certificate in PEM") from None

    def verify(connection: Any, certificate: X509, error: int, depth: int, ok: int) -> bool:
        if not ok:
            which = "the certificate" if depth == 0 else "a certificate behind the server's"
            raise CertificateProblem(
                f"{host}: {which} {_PROBLEMS.get(error, f'does not verify (error {error})')}"
            )
        # OpenSSL goes from the root to the server's own, which has the name.
        if depth == 0:
            _verifyName(host, certificate.to_cryptography())
        return True

    context.set_verify(SSL.VERIFY_PEER, verify)
    return ClientOptions(host, context)


def _verifyName(host: str, certificate: x509.Certificate) -> None:
    """
    @raise CertificateProblem: The certificate is for somebody else.
    """
    try:
        if isAddress(host):
            verify_certificate_ip_address(certificate, host)
        else:
            verify_certificate_hostname(certificate, host)
    except (VerificationError, CertificateError):
        names = [
            *subjectNames(certificate, x509.DNSName),
            *map(str, subjectNames(certificate, x509.IPAddress)),
        ]
        raise CertificateProblem(
            f"{host}: the certificate is for {', '.join(names) or 'no name at all'}"
        ) from None
