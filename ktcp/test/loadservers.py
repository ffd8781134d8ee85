"""
Servers for the tests of ktcp-load that do what they are told, right or wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from ktcp.load.job import Checks
from ktcp.load.process.frames import Frame
from ktcp.load.process.loop import Loop, clock
from ktcp.load.process.requests import Asked, EchoReader, HTTPReader, Message, patternOf, ring
from ktcp.load.process.work import Work
from ktcp.load.targets import Connector, targetOfAddress

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Scripted(Protocol):
    """
    Answers each request of HTTP without a body as its factory says.
    """

    def connectionMade(self) -> None:
        """
        Begin without bytes.
        """
        self._data = b""

    def dataReceived(self, data: bytes) -> None:
        """
        Answer what is whole.
        """
        *requests, self._data = (self._data + data).split(b"\r\n\r\n")
        for _ in requests:
            self.factory.answer(self, next(self.factory.numbers))


@implementer(IProtocolNegotiationFactory)
class ScriptedFactory(Factory):
    """
    @ivar answer: Called with the protocol and the number of the request, from 0.
    """

    protocol = Scripted
    noisy = False

    def __init__(self, answer: Callable[[Protocol, int], None]) -> None:
        self.answer = answer
        self.numbers = count()

    def acceptableProtocols(self) -> list[bytes]:
        """
        What TLS may negotiate: Twisted refuses who asks one that does not say.
        """
        return [b"http/1.1"]


def always(data: bytes) -> Callable[[Protocol, int], None]:
    """
    Make a script of one line.
    """
    return lambda protocol, number: protocol.transport.write(data)


class LoadTestCase(TestCase):
    """
    A server in the reactor, and a loop that loads it in a thread.
    """

    def listen(self, factory: Factory) -> str:
        """
        Serve until the test ends.

        @return: C{HOST:PORT}.
        """
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return f"127.0.0.1:{port.getHost().port}"

    def nobody(self) -> Deferred[str]:
        """
        Find an address where nobody listens.
        """
        port = reactor.listenTCP(0, Factory(), interface="127.0.0.1")
        text = f"127.0.0.1:{port.getHost().port}"
        return port.stopListening().addCallback(lambda ignored: text)

    def work(
        self, address: str, requests: int | None = 10, connections: int = 2, **more: Any
    ) -> Work:
        """
        Make work: GET without checks.
        """
        asked: Iterable[Asked] = more.pop("asked", None) or ring([GET]) * connections
        return Work(
            asked=list(asked),
            connector=Connector(targetOfAddress(address), many=False),
            makeReader=lambda: HTTPReader(more.get("checks", Checks())),
            requests=requests,
            **{name: value for name, value in more.items() if name != "checks"},
        )

    def echoes(self, address: str, size: int, connections: int = 2, **more: Any) -> Work:
        """
        Make work: echoes of a size.
        """
        pattern = patternOf(size)
        asked = [Message(pattern, size, step) for step in range(connections)]
        work = self.work(address, asked=asked, connections=connections, **more)
        work.makeReader = EchoReader
        work.peerCloses = False
        return work

    async def load(self, work: Work) -> Frame:
        """
        Run a loop to its end.

        @return: All that it counted.
        """
        frames: list[Frame] = []
        loop = Loop(work, frames.append)
        await deferToThread(loop.run, clock() + round(work.warmup * 10**9))
        whole = Frame()
        for frame in frames:
            if frame.number >= 0:
                whole.add(frame)
        return whole
