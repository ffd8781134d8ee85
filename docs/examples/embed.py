"""
Echo and HTTP from ktcp, and a C{twisted.web} site, in an application of yours.

Run it, or import it: nothing is opened before L{listen} is called.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IReactorCore
from twisted.internet.task import react
from twisted.web.resource import Resource
from twisted.web.server import Site

from ktcp import EchoFactory, HTTPFactory, Request, Response


async def app(request: Request) -> Response:
    """
    Greet whoever asks; send a posted body back, at most 64 KiB of it.
    """
    if request.method == b"POST":
        return Response(200, await request.body.read(limit=64 * 1024))
    return Response(200, b"hello " + request.target, {"Content-Type": "text/plain"})


class Greeting(Resource):
    """
    What the application served before ktcp came, and still does.
    """

    isLeaf = True

    def render_GET(self, request: object) -> bytes:
        """
        Greet from C{twisted.web}.
        """
        return b"hello from twisted.web"


async def listen(reactor: IReactorCore, *descriptions: str) -> list[IListeningPort]:
    """
    Serve echo, HTTP and the site on three endpoints, in this order.
    """
    factories = [EchoFactory(), HTTPFactory(app), Site(Greeting())]
    return [
        await serverFromString(reactor, description).listen(factory)
        for description, factory in zip(descriptions, factories, strict=True)
    ]


async def main(reactor: IReactorCore) -> None:
    """
    Listen, say where, and serve until interrupted.
    """
    places = (f"tcp:{port}:interface=127.0.0.1" for port in (7000, 8080, 8000))
    for port in await listen(reactor, *places):
        print(port.getHost())
    await Deferred()


if __name__ == "__main__":
    react(main)
