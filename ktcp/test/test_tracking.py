"""
Tests for L{ktcp.tracking}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as globalReactor
from twisted.internet.address import IPv4Address
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocolFactory, IProtocolNegotiationFactory
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from ktcp import HTTPFactory
from ktcp.drain import Drain
from ktcp.echo import ChargenFactory, EchoFactory
from ktcp.test.support import Client
from ktcp.tracking import TrackingFactory

reactor: Any = globalReactor


class TrackingFactoryTests(TestCase):
    """
    What a factory knows of the connections of another.
    """

    timeout = 30

    def test_negotiation(self) -> None:
        """
        What TLS may negotiate is the protocol's to say, and not every one does.
        """
        factory = TrackingFactory(HTTPFactory())
        verifyObject(IProtocolNegotiationFactory, factory)
        self.assertEqual(factory.acceptableProtocols(), [b"http/1.1"])
        silent = TrackingFactory(EchoFactory())
        self.assertFalse(IProtocolNegotiationFactory.providedBy(silent))

    async def test_stopClosesEndless(self) -> None:
        """
        A protocol that never stops producing does not keep its connection.
        """
        factory = TrackingFactory(ChargenFactory())
        verifyObject(IProtocolFactory, factory)
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        client: Client = await connectProtocol(endpoint, Client())
        self.addCleanup(client.drop)
        await client.got(1)
        drained = Drain(factory.connections, reactor, 60.0).begin()
        self.assertIsInstance(await client.closed, ConnectionDone)
        await drained

    def test_connectionsAreForgotten(self) -> None:
        """
        A connection that is gone is not kept.
        """
        factory = TrackingFactory(EchoFactory())
        protocol = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        self.assertEqual(len(factory.connections()), 1)
        Drain(factory.connections, Clock(), 0.0).begin()  # Not connected yet: left alone.
        del protocol
        self.assertEqual(len(factory.connections()), 0)
