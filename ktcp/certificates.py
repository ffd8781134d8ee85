# -*- test-case-name: ktcp.test.test_tls -*-
"""
Certificates and keys: from files or made, and what a certificate says of who
has it.
"""

from __future__ import annotations

import datetime
import socket
from collections.abc import Iterable, Sequence
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

# What a self-signed certificate is good for, in days.
SELF_SIGNED_DAYS = 30


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
        return [name.lower() for name in subjectNames(self.chain[0], x509.DNSName)]

    @property
    def fingerprint(self) -> str:
        """
        SHA-256 of the certificate, as C{openssl x509 -fingerprint} prints it.
        """
        return fingerprintOf(self.chain[0])

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
        chain = x509.load_pem_x509_certificates(readFile(certOrigin, certificate))
    except ValueError as error:
        raise blaming(certOrigin, error, "holds no certificate in PEM") from None
    try:
        private: Any = serialization.load_pem_private_key(readFile(keyOrigin, key), None)
    except TypeError:
        # Nobody is there to type a passphrase when a server starts by itself.
        raise ValueError(
            f"{keyOrigin}: is encrypted; decrypt it with openssl pkey -in OLD -out NEW"
        ) from None
    except Exception as error:
        raise blaming(keyOrigin, error, "holds no private key in PEM") from None
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
        .add_extension(x509.SubjectAlternativeName([generalName(each) for each in every]), False)
        .sign(key, hashes.SHA256())
    )
    return Pair("--tls-self-signed", [certificate], key)


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
        tuple(subjectNames(certificate, x509.DNSName)),
        tuple(subjectNames(certificate, x509.RFC822Name)),
        tuple(subjectNames(certificate, x509.UniformResourceIdentifier)),
        tuple(map(str, subjectNames(certificate, x509.IPAddress))),
        certificate.serial_number,
        fingerprintOf(certificate),
        certificate,
    )


# Small things.


def readFile(origin: str, path: str) -> bytes:
    """
    @param origin: What the user calls it.
    @raise ValueError: It cannot be read; one line.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{origin}: {error.strerror}") from error


def blaming(origin: str, error: Exception, otherwise: str) -> ValueError:
    """
    The error of L{readFile} as it is, and anything a parser says in our words.
    """
    return error if isinstance(error.__cause__, OSError) else ValueError(f"{origin}: {otherwise}")  # type: ignore[return-value]  # readFile raises no other


def _reason(error: SSL.Error) -> str:
    """
    What OpenSSL said last.
    """
    errors: Any = error.args[0] if error.args else ()
    return str(errors[-1][-1]) if errors else "OpenSSL does not take it"


def subjectNames(certificate: x509.Certificate, kind: type[x509.GeneralName]) -> list[Any]:
    """
    @return: The alternative names of a kind; often none.
    """
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return extension.value.get_values_for_type(kind)  # type: ignore[arg-type]  # typed for each kind apart


def fingerprintOf(certificate: x509.Certificate) -> str:
    """
    @return: SHA-256, hexadecimal with colons.
    """
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def isAddress(host: str) -> bool:
    """
    Tell an IP address from a name.
    """
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def generalName(name: str) -> x509.GeneralName:
    """
    @param name: An address or a host name.
    """
    return x509.IPAddress(ip_address(name)) if isAddress(name) else x509.DNSName(name)
