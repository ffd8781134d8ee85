"""
Tests for L{ktcp.tls}, in memory: what is loaded, chosen and believed.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ktcp.certificates import Pair, loadPair, selfSigned
from ktcp.test.authority import Authority, save, saveCertificate
from ktcp.tls import Certificates, clientOptions, contextOf


def shakeHands(client: SSL.Connection, server: SSL.Connection) -> None:
    """
    Carry bytes both ways until both sides are done.
    """
    sides = [(client, server), (server, client)]
    while sides:
        for side in list(sides):
            here, there = side
            try:
                here.do_handshake()
                sides.remove(side)
            except SSL.WantReadError:
                pass
            with contextlib.suppress(SSL.WantReadError):
                there.bio_write(here.bio_read(65536))


def accept(certificates: Certificates, protocols: tuple[bytes, ...] = ()) -> SSL.Connection:
    """
    The server's side of a connection.
    """
    connection = SSL.Connection(certificates.contextFor(protocols), None)
    connection.set_accept_state()
    return connection


class CertificatesTests(SynchronousTestCase):
    """
    L{Certificates} and what they are read from.
    """

    def setUp(self) -> None:
        """
        A folder.
        """
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.authority = Authority()

    def serialFor(self, certificates: Certificates, name: str) -> int:
        """
        Which certificate a client gets that asks for a name.
        """
        client = clientOptions(name, insecure=True).connection()
        shakeHands(client, accept(certificates))
        certificate: Any = client.get_peer_certificate()
        return int(certificate.get_serial_number())

    def test_sni(self) -> None:
        """
        The very name is chosen before a wildcard, a wildcard stands for one
        label, and the first pair is for everybody else.
        """
        pairs = [
            self.authority.issue(*names)
            for names in (["first.test"], ["*.a.test"], ["exact.a.test", "other.test"])
        ]
        first, wildcard, exact = (pair.chain[0].serial_number for pair in pairs)
        certificates = Certificates(lambda: pairs)
        for name, expected in {
            "exact.a.test": exact,
            "EXACT.a.test": exact,
            "x.a.test": wildcard,
            "x.y.a.test": first,
            "a.test": first,
            "unknown.test": first,
            "127.0.0.1": first,
        }.items():
            self.assertEqual(self.serialFor(certificates, name), expected, name)

    def test_oddNames(self) -> None:
        """
        A server name that is none finds nothing, and breaks nothing.
        """
        for name in (None, b"", b"\xff\xff", b".", b"*."):
            self.assertIsNone(contextOf(name, {"a.test": object()}))  # type: ignore[dict-item]  # none is looked at

    def test_reread(self) -> None:
        """
        A new pair serves new connections; one that is broken leaves the old.
        """
        old, new = self.authority.issue("a.test"), self.authority.issue("a.test")
        paths = save(self.folder, "a", old)
        certificates = Certificates(lambda: [loadPair(*paths)])
        begun = accept(certificates)
        save(self.folder, "a", new)
        certificates.reread()
        self.assertEqual(self.serialFor(certificates, "a.test"), new.chain[0].serial_number)
        (self.folder / "a.key").write_bytes(b"broken")
        certificates.reread()
        self.assertEqual(self.serialFor(certificates, "a.test"), new.chain[0].serial_number)
        shakeHands(clientOptions("a.test", insecure=True).connection(), begun)

    def test_refusals(self) -> None:
        """
        Each pair that cannot be used is one line that names the option to blame.
        """
        pair, other = self.authority.issue("a.test"), self.authority.issue("a.test")
        cert, key = save(self.folder, "a", pair)
        _, otherKey = save(self.folder, "b", other)
        _, locked = save(self.folder, "c", pair, b"password")
        for paths, expected in {
            (f"{cert}x", key): f"--tls-cert {cert}x: No such file or directory",
            (str(self.folder), key): f"--tls-cert {self.folder}: Is a directory",
            (key, key): f"--tls-cert {key}: holds no certificate in PEM",
            (cert, f"{key}x"): f"--tls-key {key}x: No such file or directory",
            (cert, cert): f"--tls-key {cert}: holds no private key in PEM",
            (cert, otherKey): f"--tls-key {otherKey}: is not the key of the certificate in {cert}",
            (
                cert,
                locked,
            ): f"--tls-key {locked}: is encrypted; decrypt it with openssl pkey -in OLD -out NEW",
        }.items():
            error = self.assertRaises(ValueError, loadPair, *paths)
            self.assertEqual(str(error), expected)

    def test_clientCA(self) -> None:
        """
        An authority's file that cannot be used is one line too.
        """
        path = self.folder / "ca.pem"
        for reason in ("No such file or directory", "holds no certificate in PEM"):
            error = self.assertRaises(ValueError, Certificates, lambda: [selfSigned()], str(path))
            self.assertEqual(str(error), f"--tls-client-ca {path}: {reason}")
            path.write_bytes(b"nothing")

    def test_dates(self) -> None:
        """
        A pair out of date is said to be.
        """
        self.assertIn("has expired on ", str(self.authority.issue(days=-1).age))
        self.assertIsNone(self.authority.issue().age)

    def test_versions(self) -> None:
        """
        Nothing below TLS 1.2 is spoken, and of that no cipher without forward
        secrecy or authentication.
        """
        certificates = Certificates(lambda: [selfSigned()])
        for highest, ciphers in (
            (SSL.TLS1_1_VERSION, b"ALL:@SECLEVEL=0"),
            (SSL.TLS1_2_VERSION, b"AES128-GCM-SHA256:AES256-SHA:ECDHE-ECDSA-AES128-SHA"),
        ):
            context = SSL.Context(SSL.TLS_CLIENT_METHOD)
            context.set_cipher_list(ciphers)
            context.set_max_proto_version(highest)
            client = SSL.Connection(context, None)
            client.set_connect_state()
            self.assertRaises(SSL.Error, shakeHands, client, accept(certificates))


class ClientTests(SynchronousTestCase):
    """
    L{clientOptions}.
    """

    def setUp(self) -> None:
        """
        An authority, in a file.
        """
        self.authority = Authority()
        self.path = saveCertificate(Path(self.mktemp()), self.authority.certificate)

    def connect(self, host: str, pair: Pair, cacert: str | None = None) -> None:
        """
        Shake hands.
        """
        client = clientOptions(host, cacert or self.path).connection()
        shakeHands(client, accept(Certificates(lambda: [pair])))

    def test_right(self) -> None:
        """
        A name, a wildcard and addresses are recognised.
        """
        pair = self.authority.issue("a.test", "*.b.test", "127.0.0.1", "::1")
        for host in ("a.test", "A.test", "x.b.test", "127.0.0.1", "::1"):
            self.connect(host, pair)

    def test_wrong(self) -> None:
        """
        What is wrong with a certificate is one line for each fault.
        """
        good, old = self.authority.issue("a.test"), self.authority.issue("a.test", days=-1)
        client = self.authority.issue("a.test", client=True)
        for host, pair, reason in (
            ("b.test", good, "the certificate is for a.test"),
            ("x.a.test", good, "the certificate is for a.test"),
            ("127.0.0.1", good, "the certificate is for a.test"),
            ("a.test", self.authority.issue(), "the certificate is for no name at all"),
            ("a.test", old, "the certificate has expired"),
            ("a.test", client, "the certificate is not meant for servers"),
            (
                "localhost",
                selfSigned(),
                "the certificate is self-signed, and not among those trusted",
            ),
            (
                "a.test",
                Authority("stranger").issue("a.test"),
                "the certificate is from an authority that is not among those trusted",
            ),
        ):
            error = self.assertRaises(SSL.Error, self.connect, host, pair)
            self.assertEqual(str(error), f"{host}: {reason}")

    def test_insecure(self) -> None:
        """
        Who wants to verify nothing does not.
        """
        client = clientOptions("b.test", insecure=True).connection()
        shakeHands(client, accept(Certificates(lambda: [selfSigned()])))

    def test_badFile(self) -> None:
        """
        A file that cannot be used is one line.
        """
        error = self.assertRaises(ValueError, clientOptions, "a.test", "/nothere")
        self.assertEqual(str(error), "/nothere: No such file or directory")

    def test_interface(self) -> None:
        """
        Twisted takes it.
        """
        verifyObject(IOpenSSLClientConnectionCreator, clientOptions("a.test"))
