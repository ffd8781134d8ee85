"""
Tests for L{ktcp.endpoint.parser}.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpointStringParser
from twisted.internet.testing import MemoryReactorClock
from twisted.plugin import IPlugin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ktcp.endpoint import server
from ktcp.endpoint.parser import KTCPServerParser
from ktcp.endpoint.sockets import KeepAlive, SocketOptions


class KTCPServerParserTests(SynchronousTestCase):
    """
    C{ktcp:} strings.
    """

    def parsed(self, description: str) -> tuple[int, str, SocketOptions]:
        """
        Parse as any application does; what the endpoint was made with.
        """
        made: list[Any] = []
        self.patch(server, "KTCPServerEndpoint", lambda reactor, *args: made.append(args))
        serverFromString(MemoryReactorClock(), description)
        arguments: tuple[int, str, SocketOptions]
        [arguments] = made
        return arguments

    def refused(self, description: str) -> str:
        """
        Parse something bad; the one line that says why.
        """
        error = self.assertRaises(ValueError, serverFromString, MemoryReactorClock(), description)
        self.assertNotIn("\n", str(error))
        return str(error)

    def test_interface(self) -> None:
        """
        The parser is what Twisted looks for.
        """
        verifyObject(IPlugin, KTCPServerParser())
        verifyObject(IStreamServerEndpointStringParser, KTCPServerParser())

    def test_port(self) -> None:
        """
        The port alone is enough, by position or by name.
        """
        self.assertEqual(self.parsed("ktcp:8080"), (8080, "", SocketOptions()))
        self.assertEqual(self.parsed("ktcp:port=0"), (0, "", SocketOptions()))

    def test_everyOption(self) -> None:
        """
        Every option can be given.
        """
        self.assertEqual(
            self.parsed(
                r"ktcp:8080:interface=\:\:1:backlog=128:reuseport=yes:nodelay=no:cork=yes"
                ":rcvbuf=1:sndbuf=2:deferaccept=3:fastopen=4:keepalive=60,10,6:usertimeout=5"
                ":quickack=yes:busypoll=6:notsentlowat=7:v6only=yes"
            ),
            (
                8080,
                "::1",
                SocketOptions(
                    backlog=128,
                    reuseport=True,
                    nodelay=False,
                    cork=True,
                    rcvbuf=1,
                    sndbuf=2,
                    deferaccept=3,
                    fastopen=4,
                    keepalive=KeepAlive(60, 10, 6),
                    usertimeout=5,
                    quickack=True,
                    busypoll=6,
                    notsentlowat=7,
                    v6only=True,
                ),
            ),
        )
        self.assertEqual(self.parsed("ktcp:1:keepalive=no"), (1, "", SocketOptions()))

    def test_bad(self) -> None:
        """
        What is wrong is named, with its value.
        """
        for description, words in (
            ("ktcp:", "port must be a whole number from 0 to 65535, not ''"),
            ("ktcp:70000", "port must be a whole number from 0 to 65535, not '70000'"),
            ("ktcp:80:81", "give one port"),
            ("ktcp:80:port=81", "give one port"),
            ("ktcp:interface=127.0.0.1", "give one port"),
            ("ktcp:80:color=red", "unknown option color=red"),
            ("ktcp:80:backlog=-1", "backlog must be a whole number"),
            ("ktcp:80:v6only=1", "v6only must be yes or no, not '1'"),
            ("ktcp:80:keepalive=60", "keepalive must be IDLE,INTERVAL,COUNT"),
            ("ktcp:80:keepalive=60,0,6", "not '60,0,6'"),
            ("ktcp:80:interface=localhost", "interface must be an IPv4 or IPv6 address"),
        ):
            message = self.refused(description)
            self.assertTrue(message.startswith("ktcp: "), message)
            self.assertIn(words, message)

    def test_light(self) -> None:
        """
        Importing the parser, as any twistd does for its help, brings in
        neither transports nor a reactor.
        """
        code = (
            "import sys, ktcp.endpoint.parser;"
            "print([m for m in ('twisted.internet.tcp', 'twisted.internet.reactor',"
            " 'ktcp.endpoint.server', 'OpenSSL') if m in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        self.assertEqual(done.stdout, b"[]\n")
