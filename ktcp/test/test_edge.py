"""
Tests for L{ktcp.edge}: which options go together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ktcp.edge import certificatesOf
from ktcp.options import Options
from ktcp.refusal import Refusal
from ktcp.test.authority import Authority, save

PAIR = ["--tls-cert", "a.pem", "--tls-key", "a.key"]


class ContradictionTests(SynchronousTestCase):
    """
    Each mistake is one line that names an option and what to do.
    """

    def parse(self, *arguments: str) -> Any:
        """
        Read a command line.
        """
        options = Options()
        options.parseOptions(list(arguments))
        return options

    def test_mistakes(self) -> None:
        """
        What cannot be meant is refused.
        """
        port = ["--tls-port", "8443"]
        for arguments, line in (
            (port, "--tls-port: needs --tls-cert and --tls-key, or --tls-self-signed"),
            (
                ["--echo-tls-port", "7443"],
                "--echo-tls-port: needs --tls-cert and --tls-key, or --tls-self-signed",
            ),
            (PAIR, "--tls-cert: nothing is served over TLS; give --tls-port too"),
            (
                ["--tls-self-signed"],
                "--tls-self-signed: nothing is served over TLS; give --tls-port too",
            ),
            (
                ["--tls-client-ca", "ca.pem"],
                "--tls-client-ca: nothing is served over TLS; give --tls-port too",
            ),
            (
                [*port, *PAIR, "--tls-cert", "b.pem"],
                "--tls-cert: 2 given, but 1 --tls-key; each needs the other, in the same order",
            ),
            (
                [*port, *PAIR, "--tls-self-signed"],
                "--tls-self-signed: contradicts --tls-cert; give one of the two",
            ),
            (
                [*port, "--tls-self-signed", "--workers", "2"],
                "--tls-self-signed: each worker would have a certificate of its own; give "
                "--tls-cert and --tls-key, or no --workers",
            ),
            (["--proxy-protocol"], "--proxy-protocol: trusts nobody; give --proxy-trust too"),
            (
                ["--proxy-headers", "forwarded"],
                "--proxy-headers: nobody's are read; give --proxy-trust too",
            ),
        ):
            error = self.assertRaises(Refusal, self.parse, *arguments)
            self.assertEqual(str(error), f"ktcp: {line}")

    def test_certificates(self) -> None:
        """
        Pairs are read in the order they were given; a self-signed one is for this
        machine's names and the interface.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        authority = Authority()
        given = []
        for name in ("a", "b"):
            certificate, key = save(folder, name, authority.issue(f"{name}.test"))
            given += ["--tls-cert", certificate, "--tls-key", key]
        options = self.parse("--tls-port", "0", *given)
        names = [pair.names for pair in certificatesOf(options).pairs]
        self.assertEqual(names, [["a.test"], ["b.test"]])
        made = certificatesOf(self.parse("--tls-port", "0", "--tls-self-signed"))
        self.assertIn("localhost", made.pairs[0].names)
