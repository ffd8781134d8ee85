# -*- test-case-name: ktcp.test.test_tls -*-
"""
Certificates, and the contexts made of them: both sides of TLS, no connection.

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

import datetime
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from OpenSSL.crypto import X509, PKey
from service_identity import VerificationError
from service_identity.cryptography import (
    verify_certificate_hostname,
    verify_certificate_ip_address,
)
from service_identity.exceptions import CertificateError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.logger import Logger
from zope.interface import implementer

_log = Logger()

# RFC 9325, 4.2, and what Mozilla calls intermediate without the finite-field
# ones, which every client that has AEAD ciphers can do without.  The client
# chooses among them: one without AES in hardware is better off with ChaCha20.
CIPHERS = ":".join(
    f"ECDHE-{key}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for key in ("ECDSA", "RSA")
).encode()

# What a self-signed certificate is good for, in days.
SELF_SIGNED_DAYS = 30


class NoCommonProtocol(Exception):
    """
    The client insists on application protocols that are not spoken here.
    """


@dataclass(frozen=True)
class Pair:
    """
    A certificate with its chain and its key.

    @ivar origin: What the user calls it.
    @ivar chain: The certificate, then those that lead to its root.
    """

    origin: str
    chain: Sequence[x509.Certificate]
    key: Any

    @cached_property
    def names(self) -> list[str]:
        """
        The DNS names that it is for, in lower case.
        """
        return [name.lower() for name in _subjectNames(self.chain[0], x509.DNSName)]

    @property
    def fingerprint(self) -> str:
        """
        SHA-256 of the certificate, as C{openssl x509 -fingerprint} prints it.
        """
        return _fingerprint(self.chain[0])

    @property
    def age(self) -> str | None:
        """
        What is wrong with its dates today, if anything is.
        """
        now = datetime.datetime.now(datetime.timezone.utc)
        certificate = self.chain[0]
        if now > certificate.not_valid_after_utc:
            return f"has expired on {certificate.not_valid_after_utc:%Y-%m-%d}"
        if now < certificate.not_valid_before_utc:
            return f"is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}"
        return None

    def giveTo(self, context: SSL.Context) -> None:
        """
        @raise ValueError: OpenSSL does not take it.
        """
        try:
            context.use_certificate(X509.from_cryptography(self.chain[0]))
            for each in self.chain[1:]:
                context.add_extra_chain_cert(X509.from_cryptography(each))
            context.use_privatekey(PKey.from_cryptography_key(self.key))
            context.check_privatekey()
        except SSL.Error as error:
            raise ValueError(f"{self.origin}: {_reason(error)}") from None


def loadPair(certificate: str, key: str) -> Pair:
    """
    Read a pair from files in PEM, which may be the same one.

    @raise ValueError: It is none; one line that begins with the option to blame.
    """
    certOrigin, keyOrigin = f"--tls-cert {certificate}", f"--tls-key {key}"
    try:
        chain = x509.load_pem_x509_certificates(_read(certOrigin, certificate))
    except ValueError as error:
        raise _blaming(certOrigin, error, "holds no certificate in PEM") from None
    try:
        private: Any = serialization.load_pem_private_key(_read(keyOrigin, key), None)
    except TypeError:
        # Nobody is there to type a passphrase when a server starts by itself.
        raise ValueError(
            f"{keyOrigin}: is encrypted; decrypt it with openssl pkey -in OLD -out NEW"
        ) from None
    except Exception as error:
        raise _blaming(keyOrigin, error, "holds no private key in PEM") from None
    if chain[0].public_key() != private.public_key():
        raise ValueError(f"{keyOrigin}: is not the key of the certificate in {certificate}")
    return Pair(certOrigin, chain, private)


def selfSigned(names: Iterable[str] = ()) -> Pair:
    """
    Make a pair for trying out, which nobody trusts who does not know its
    fingerprint.

    @param names: Host names and addresses besides this machine's own.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ktcp --tls-self-signed")])
    start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
    every = dict.fromkeys(["localhost", socket.gethostname(), "127.0.0.1", "::1", *names])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=SELF_SIGNED_DAYS))
        .add_extension(x509.SubjectAlternativeName([_generalName(each) for each in every]), False)
        .sign(key, hashes.SHA256())
    )
    return Pair("--tls-self-signed", [certificate], key)


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
        authorities = x509.load_pem_x509_certificates(_read(origin, path))
    except ValueError as error:
        raise _blaming(origin, error, "holds no certificate in PEM") from None
    store = context.get_cert_store()
    assert store is not None
    for each in authorities:
        authority = X509.from_cryptography(each)
        store.add_cert(authority)
        # What browsers choose from.
        context.add_client_ca(authority)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)


# Who the other side is.


@dataclass(frozen=True)
class PeerIdentity:
    """
    A client, as its certificate names it.  The certificate was verified: it is
    in date, meant for clients, and one of C{--tls-client-ca} stands behind it.

    @ivar subject: The distinguished name (RFC 4514), such as
        C{CN=alice,O=Example}.
    @ivar commonName: The first of the subject's, if it has one.
    @ivar dnsNames: Alternative names, of each kind.
    @ivar serial: The number that its authority gave it.
    @ivar fingerprint: SHA-256 of the certificate: hexadecimal, with colons.
    @ivar certificate: The certificate itself.
    """

    subject: str
    commonName: str | None
    dnsNames: tuple[str, ...]
    emails: tuple[str, ...]
    uris: tuple[str, ...]
    addresses: tuple[str, ...]
    serial: int
    fingerprint: str
    certificate: x509.Certificate = field(repr=False)


def identityOf(certificate: x509.Certificate) -> PeerIdentity:
    """
    Read a verified certificate.
    """
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return PeerIdentity(
        certificate.subject.rfc4514_string(),
        str(common[0].value) if common else None,
        tuple(_subjectNames(certificate, x509.DNSName)),
        tuple(_subjectNames(certificate, x509.RFC822Name)),
        tuple(_subjectNames(certificate, x509.UniformResourceIdentifier)),
        tuple(map(str, _subjectNames(certificate, x509.IPAddress))),
        certificate.serial_number,
        _fingerprint(certificate),
        certificate,
    )


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
        if not _isAddress(self._host):
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
            for each in x509.load_pem_x509_certificates(_read(cacert, cacert)):
                store.add_cert(X509.from_cryptography(each))
        except ValueError as error:
            raise _blaming(cacert, error, "holds no certificate in PEM") from None

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
        if _isAddress(host):
            verify_certificate_ip_address(certificate, host)
        else:
            verify_certificate_hostname(certificate, host)
    except (VerificationError, CertificateError):
        names = [
            *_subjectNames(certificate, x509.DNSName),
            *map(str, _subjectNames(certificate, x509.IPAddress)),
        ]
        raise CertificateProblem(
            f"{host}: the certificate is for {', '.join(names) or 'no name at all'}"
        ) from None


# Small things.


def _read(origin: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{origin}: {error.strerror}") from error


def _blaming(origin: str, error: Exception, otherwise: str) -> ValueError:
    """
    The error of L{_read} as it is, and anything a parser says in our words.
    """
    return error if isinstance(error.__cause__, OSError) else ValueError(f"{origin}: {otherwise}")  # type: ignore[return-value]  # _read raises no other


def _reason(error: SSL.Error) -> str:
    """
    What OpenSSL said last.
    """
    errors: Any = error.args[0] if error.args else ()
    return str(errors[-1][-1]) if errors else "OpenSSL does not take it"


def _subjectNames(certificate: x509.Certificate, kind: type[x509.GeneralName]) -> list[Any]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return extension.value.get_values_for_type(kind)  # type: ignore[arg-type]  # typed for each kind apart


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _isAddress(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _generalName(name: str) -> x509.GeneralName:
    return x509.IPAddress(ip_address(name)) if _isAddress(name) else x509.DNSName(name)
