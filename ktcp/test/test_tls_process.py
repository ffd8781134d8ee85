"""
Tests for TLS as an operator has it: C{twistd -n ktcp --tls-port}, and the clients
that people type, OpenSSL's own among them.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from ktcp.test.authority import Authority, save, saveCertificate
from ktcp.test.peers import peer
from ktcp.test.support import BIN, portOf, spawn
from ktcp.tls import clientOptions

ASK = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"


class TLSTestCase(TestCase):
    """
    A server with certificates of an authority made for the test.
    """

    timeout = 60

    def setUp(self) -> None:
        """
        A folder with C{ca.pem} and the pair C{a} for C{a.test}.
        """
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.authority = Authority()
        self.ca = saveCertificate(self.folder / "ca.pem", self.authority.certificate)
        self.pair = save(self.folder, "a", self.authority.issue("a.test", commonName="first"))

    async def start(self, *options: object) -> None:
        """
        Serve over TLS, the pair C{a} first.
        """
        command = [BIN / "twistd", "-n", "ktcp", "--port", "0", "--no-echo", "--tls-port", "0"]
        pair = ["--tls-cert", self.pair[0], "--tls-key", self.pair[1]]
        self.server = spawn(self, [*command, *pair, *options])
        self.port = portOf(await self.server.said("tls=yes"))

    async def run_(self, program: str, package: str, *arguments: object) -> tuple[str, int]:
        """
        Run a client to its end.

        @return: All that it printed, and its exit status.
        """
        out, err, status = await getProcessOutputAndValue(
            peer(program, package), [str(each) for each in arguments], env=os.environ
        )
        return (out + err).decode("latin-1"), status

    async def curl(self, host: str, *options: object) -> tuple[str, int]:
        """
        Have curl ask for C{/} under a host name.
        """
        return await self.run_(
            *("curl", "curl", "-sv", "--max-time", "20", "--cacert", self.ca),
            *("--resolve", f"{host}:{self.port}:127.0.0.1", *options),
            f"https://{host}:{self.port}/",
        )

    async def openssl(self, *options: object) -> str:
        """
        Have C{openssl s_client} ask for C{/} and read to the end.

        @return: All that it printed.
        """
        script = (
            "printf 'GET / HTTP/1.1\\r\\nHost: a.test\\r\\nConnection: close\\r\\n\\r\\n' | "
            'timeout 20 "$@"'
        )
        command = [peer("openssl", "openssl"), "s_client", "-connect", f"127.0.0.1:{self.port}"]
        out, _ = await self.run_("sh", "dash", "-c", script, "sh", *command, "-ign_eof", *options)
        return out


class ClientsTests(TLSTestCase):
    """
    What clients that verify get, and those that would have less.
    """

    async def test_curl(self) -> None:
        """
        curl trusts the authority, speaks TLS 1.3 and http/1.1, and is greeted; it
        refuses the same server under another name.
        """
        await self.start()
        said, status = await self.curl("a.test")
        self.assertEqual(status, 0, said)
        self.assertIn("SSL connection using TLSv1.3", said)
        self.assertIn("server accepted http/1.1", said)
        self.assertIn("Hello World!", said)
        said, status = await self.curl("b.test")
        self.assertEqual(status, 60, said)
        self.assertIn("subject name", said)

    async def test_refused(self) -> None:
        """
        OpenSSL's client, willing to speak anything, gets nothing below TLS 1.2, and of
        that no cipher without forward secrecy or authentication.
        """
        await self.start()
        anything = ["-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]
        for version in ("-tls1", "-tls1_1"):
            self.assertIn("alert protocol version", await self.openssl(version, *anything))
        weak = (
            "AES128-SHA:AES256-SHA:AES128-GCM-SHA256:AES256-GCM-SHA384:ECDHE-ECDSA-AES128-SHA:"
            "ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES128-SHA:DHE-RSA-AES128-SHA:AECDH-AES128-SHA:"
            "ADH-AES128-SHA:NULL-SHA256:@SECLEVEL=0"
        )
        said = await self.openssl("-tls1_2", "-cipher", weak)
        self.assertIn("alert handshake failure", said)
        said = await self.openssl("-tls1_2", *anything)
        self.assertIn("Hello World!", said)
        self.assertRegex(said, "Cipher is ECDHE-ECDSA-(AES128-GCM|AES256-GCM|CHACHA20)")

    async def test_resumed(self) -> None:
        """
        A client that comes back with its ticket resumes its session, in both versions.
        """
        await self.start()
        for version, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            ticket = self.folder / version
            self.assertIn(f"New, {name}", await self.openssl(version, "-sess_out", ticket))
            self.assertIn(f"Reused, {name}", await self.openssl(version, "-sess_in", ticket))

    async def test_names(self) -> None:
        """
        Of several certificates, a client gets the one for the name it asks for: the
        very name before a wildcard, the first for any other.
        """
        options = []
        for name, *hosts in (("wildcard", "*.b.test"), ("exact", "x.b.test")):
            pair = save(self.folder, name, self.authority.issue(*hosts, commonName=name))
            options += ["--tls-cert", pair[0], "--tls-key", pair[1]]
        await self.start(*options)
        for host, name in (
            ("a.test", "first"),
            ("x.b.test", "exact"),
            ("y.b.test", "wildcard"),
            ("c.test", "first"),
        ):
            self.assertIn(f"subject=CN = {name}\n", await self.openssl("-servername", host))

    async def test_clientCertificates(self) -> None:
        """
        With --tls-client-ca, only a client with a certificate of that authority is served.
        """
        await self.start("--tls-client-ca", self.ca)
        known = self.authority.issue("alice.test", client=True)
        stranger = Authority("stranger").issue("alice.test", client=True)
        for name, pair, says in (("known", known, "Hello"), ("stranger", stranger, "unknown ca")):
            certificate, key = save(self.folder, name, pair)
            said, _ = await self.curl("a.test", "--cert", certificate, "--key", key)
            self.assertIn(says, said)
        said, _ = await self.curl("a.test")
        self.assertIn("certificate required", said)

    async def test_deadline(self) -> None:
        """
        A client that says nothing is let go once C{--tls-handshake-time} is over.
        """
        await self.start("--tls-handshake-time", "0.2")

        def run() -> None:
            with socket.create_connection(("127.0.0.1", self.port), 20) as sock:
                sock.recv(1)

        await self.assertFailure(deferToThread(run), ConnectionResetError)


class Conversation:
    """
    A connection that a test keeps, with the server's certificate.
    """

    def __init__(self, port: int, ca: str) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), 20)
        self.sock.settimeout(None)  # As OpenSSL has it.
        self.tls = clientOptions("a.test", ca).connection(self.sock)
        self.tls.do_handshake()
        certificate: Any = self.tls.get_peer_certificate()
        self.serial: int = certificate.get_serial_number()

    def ask(self) -> bytes:
        """
        @return: An answer.
        """
        self.tls.sendall(ASK)
        return self.tls.recv(65536)


class ReloadTests(TLSTestCase):
    """
    SIGHUP on a live process.
    """

    async def converse(self) -> Conversation:
        """
        Connect, as a client that verifies.
        """
        made: Conversation = await deferToThread(Conversation, self.port, self.ca)
        self.addCleanup(made.sock.close)
        return made

    def renew(self) -> int:
        """
        Put another pair in the place of the first.

        @return: Its serial number.
        """
        pair = self.authority.issue("a.test")
        save(self.folder, "a", pair)
        return pair.chain[0].serial_number

    async def reload(self, says: str, **which: int) -> str:
        """
        Send SIGHUP and wait for the line that tells what became of it.
        """
        self.server.signal("HUP")
        return await self.server.said(says, **which)

    async def test_reread(self) -> None:
        """
        New connections get the new certificate, and those that there are live on; a pair
        that cannot be used is one line in the log, and the one before it stays.
        """
        await self.start()
        before = await self.converse()
        new = self.renew()
        await self.reload("the certificates have been read again")
        after = await self.converse()
        self.assertEqual(after.serial, new)
        self.assertNotEqual(before.serial, new)
        Path(self.pair[1]).write_text("no key")
        line = await self.reload("the certificates in use stay")
        self.assertIn(f"--tls-key {self.pair[1]}: holds no private key in PEM", line)
        self.assertEqual((await self.converse()).serial, new)
        for conversation in (before, after):
            answer = await deferToThread(conversation.ask)
            self.assertTrue(answer.startswith(b"HTTP/1.1 200"), answer)

    async def test_workers(self) -> None:
        """
        With workers, new ones have read the new certificate when the old ones go; a pair
        that cannot be used is one line, and the workers stay with their connections.
        """
        await self.start("--workers", "2")
        new = self.renew()
        await self.reload("the workers are replaced")
        before = await self.converse()
        self.assertEqual(before.serial, new)
        Path(self.pair[1]).write_text("no key")
        line = await self.reload("the workers that serve stay")
        self.assertIn(f"--tls-key {self.pair[1]}: holds no private key in PEM", line)
        self.assertEqual((await self.converse()).serial, new)
        self.assertTrue((await deferToThread(before.ask)).startswith(b"HTTP/1.1 200"))


class RefusalTests(TestCase):
    """
    What cannot be served over TLS is not served at all, and one line says why.
    """

    timeout = 60

    async def test_start(self) -> None:
        """
        A pair that cannot be used ends the command with one line and no traceback.
        """
        child = spawn(
            self,
            [
                *(BIN / "twistd", "-n", "ktcp", "--port", "0", "--no-echo", "--tls-port", "0"),
                *("--tls-cert", "nothere.pem", "--tls-key", "nothere.key"),
            ],
        )
        self.assertEqual(await child.ended, 1)
        [line] = child.errors()
        self.assertRegex(line, r"--tls-cert .*nothere\.pem: No such file or directory$")
