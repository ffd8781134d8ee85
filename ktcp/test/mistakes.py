# -*- test-case-name: ktcp.test.test_docs_mistakes -*-
"""
How to make the mistakes that people make: on a command line, with files, keys and
rights; and what is said of each.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from twisted.internet import reactor
from twisted.logger import globalLogPublisher
from twisted.python.usage import UsageError
from twisted.scripts._twistd_unix import ServerOptions
from twisted.trial.unittest import TestCase

from ktcp import service
from ktcp.load import __main__ as load
from ktcp.options import Options
from ktcp.refusal import Refusal
from ktcp.root import KTCPService

# Somebody without rights (capabilities(7): they go with the effective uid).
NOBODY = 65534


@contextlib.contextmanager
def asNobody() -> Iterator[None]:
    """
    Have no rights for a while, whoever runs the tests.
    """
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


class Mistakes(TestCase):
    """
    Who makes them.
    """

    timeout = 120

    def setUp(self) -> None:
        """
        Have a folder for files, and none of them.

        @ivar names: What the page calls what is called differently here.
        """
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        self.names = {f"{self.folder}/": ""}
        self.logged: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event: dict[str, Any]) -> None:
        """
        Keep a line of the log.
        """
        self.logged.append((event.get("log_format") or "").format(**event))

    def refused(self, *arguments: object) -> str:
        """
        Start a server that does not start.
        """
        try:
            self.start(*arguments)
        except Refusal as refusal:
            # What was announced is not in the error any more.
            said: Any = sys.__stderr__
            return said.getvalue() or str(refusal.code)
        raise AssertionError(f"{arguments} serves")

    def start(self, *arguments: object) -> KTCPService:
        """
        Start a server, up to its listeners.
        """
        options = Options()
        options.parseOptions([str(each) for each in arguments])
        served = service.assemble(options, reactor)
        service.addPlane(options, reactor, served, None, None, None)  # nobody asks
        self.addCleanup(served.stopService)
        served.privilegedStartService()
        if served.plane is not None:
            served.plane.start()
        return served

    def load(self, *arguments: object) -> str:
        """
        Run C{ktcp-load}.
        """
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            try:
                load.main([str(each) for each in arguments])
            except SystemExit as ended:
                self.assertEqual(ended.code, 2)
        return said.getvalue()

    def twistd(self, *arguments: str) -> str:
        """
        Have twistd read options of its own.
        """
        try:
            ServerOptions().parseOptions(arguments)
        except (UsageError, KeyError) as error:
            return (
                traceback.format_exception_only(error)[-1].partition("UsageError: ")[2]
                or (traceback.format_exception_only(error)[-1])
            )
        raise AssertionError(f"{arguments} are right")

    def file(self, name: str, content: bytes = b"") -> Path:
        """
        Make a file; the page has it in /etc/ktcp or /run.
        """
        path = self.folder / name
        path.write_bytes(content)
        return path

    def certificate(self, name: str, key: Any, year: int = 2100) -> Path:
        """
        Make a certificate, good until the first day of a year.
        """
        subject = x509.Name([])
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(datetime.datetime(2020, 1, 1))
            .not_valid_after(datetime.datetime(year, 1, 1))
            .sign(key, hashes.SHA256())
        )
        return self.file(name, made.public_bytes(serialization.Encoding.PEM))

    def key(self, name: str, key: Any, passphrase: bytes | None = None) -> Path:
        """
        Write a key.
        """
        encryption: Any = serialization.NoEncryption()
        if passphrase is not None:
            encryption = serialization.BestAvailableEncryption(passphrase)
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return self.file(name, key.private_bytes(pem, pkcs8, encryption))
