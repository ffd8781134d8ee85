"""
Tests for L{ktcp.load.process.work}: TLS, and who the server has to be.
"""

from __future__ import annotations

import datetime
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet import reactor, ssl

from ktcp.load.job import Job, Share
from ktcp.load.process.frames import Frame
from ktcp.load.process.work import workOf
from ktcp.load.result import Plan
from ktcp.load.targets import TLS, Target, targetOfURL
from ktcp.test.loadservers import GET, OK, LoadTestCase, ScriptedFactory, always

PEM = serialization.Encoding.PEM


def makeIdentity() -> tuple[bytes, bytes]:
    """
    Make a certificate for C{good.test} and 127.0.0.1 that vouches for itself, and its key.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ktcp-load's tests")])
    names = [x509.DNSName("good.test"), x509.IPAddress(ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(datetime.datetime(2120, 1, 1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(PEM, form, serialization.NoEncryption())
    return certificate.public_bytes(PEM), secret


class TLSTests(LoadTestCase):
    """
    Tests for loading a server over TLS.
    """

    def setUp(self) -> None:
        """
        Serve over TLS.
        """
        certificate, secret = makeIdentity()
        self.cafile = Path(self.mktemp())
        self.cafile.write_bytes(certificate)
        context = ssl.PrivateCertificate.loadPEM(certificate + secret).options()
        factory = ScriptedFactory(always(OK))
        port = reactor.listenSSL(0, factory, context, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.url = f"https://127.0.0.1:{port.getHost().port}/"

    def aim(self, host: str, tls: TLS) -> Target:
        """
        Make the server a target under some name.
        """
        return replace(targetOfURL(self.url, tls=tls), host=host)

    async def ask(self, target: Target, **more: object) -> Frame:
        """
        Ask for a few answers.
        """
        plan = replace(Plan(connections=2, requests=10, seconds=None), **more)
        return await self.load(workOf(Share(Job("http", target, plan, (), (GET,)), 0, 1)))

    async def test_verified(self) -> None:
        """
        A server whose certificate is trusted and names it is asked, by name and by address.
        """
        for host in ("good.test", "127.0.0.1"):
            frame = await self.ask(self.aim(host, TLS(str(self.cafile))))
            self.assertEqual((frame.good, frame.errors, frame.connects), (10, {}, 2))

    async def test_anotherName(self) -> None:
        """
        A trusted certificate that names somebody else is an error of TLS, for each request.
        """
        for host in ("other.test", "127.0.0.2"):
            frame = await self.ask(self.aim(host, TLS(str(self.cafile))))
            self.assertEqual((frame.good, frame.errors), (0, {"tls": 10}))

    async def test_untrusted(self) -> None:
        """
        A certificate that nobody trusted vouches for is an error of TLS.
        """
        frame = await self.ask(self.aim("good.test", TLS()))
        self.assertEqual((frame.good, frame.errors), (0, {"tls": 10}))

    async def test_insecure(self) -> None:
        """
        Anybody is believed where that was asked for.
        """
        frame = await self.ask(self.aim("other.test", TLS(insecure=True)))
        self.assertEqual((frame.good, frame.errors), (10, {}))
