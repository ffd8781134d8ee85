"""
Tests for daytime.
"""

from daytime import makeDaytime
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from ktcp.interfaces import Context


class DaytimeTests(SynchronousTestCase):
    """
    The protocol, on no network.
    """

    def test_tellsTheTimeAndCloses(self) -> None:
        """
        Whoever connects reads one line with the time in UTC, then the end.
        """
        clock = Clock()
        clock.advance(1761998400)
        context = Context(reactor=clock)
        factory = makeDaytime({"daytime-format": "%Y-%m-%d %H:%M:%S"}, context)
        transport = StringTransport()
        factory.buildProtocol(None).makeConnection(transport)
        self.assertEqual(transport.value(), b"2025-11-01 12:00:00\r\n")
        self.assertTrue(transport.disconnecting)
