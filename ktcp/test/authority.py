"""
Certificates for tests, as an authority gives them out.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ktcp.certificates import Pair, generalName

_DAY = datetime.timedelta(days=1)
_PEM = serialization.Encoding.PEM


class Authority:
    """
    Signs certificates.
    """

    def __init__(self, name: str = "ktcp test authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = (
            self._begin(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def issue(
        self, *names: str, days: int = 30, client: bool = False, commonName: str = "test"
    ) -> Pair:
        """
        Make a pair.

        @param names: DNS names and addresses.
        @param days: Until its end; negative for one that has expired.
        @param client: It is for a client.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = self._begin(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, commonName)]), key.public_key(), days
        ).add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            alternatives = x509.SubjectAlternativeName([generalName(each) for each in names])
            builder = builder.add_extension(alternatives, critical=False)
        return Pair("test", [builder.sign(self._key, hashes.SHA256())], key)

    def _begin(self, subject: x509.Name, key: Any, days: int = 30) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 60 * _DAY)
            .not_valid_after(now + days * _DAY)
        )


def save(folder: Path, name: str, pair: Pair, password: bytes | None = None) -> tuple[str, str]:
    """
    Write a pair to two files.

    @return: The certificate's path, and the key's.
    """
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(b"".join(each.public_bytes(_PEM) for each in pair.chain))
    key.write_bytes(
        pair.key.private_bytes(
            _PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(password)
            if password
            else serialization.NoEncryption(),
        )
    )
    return str(certificate), str(key)


def saveCertificate(path: Path, certificate: x509.Certificate) -> str:
    """
    Write a certificate to a file.
    """
    path.write_bytes(certificate.public_bytes(_PEM))
    return str(path)
