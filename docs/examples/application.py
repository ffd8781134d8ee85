from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import Application
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString

from ktcp import HTTPFactory, Request, Response


def app(request: Request) -> Response:
    return Response(200, b"hello " + request.target, {"Content-Type": "text/plain"})


application = Application("hello")
endpoint = serverFromString(reactor, "ktcp:8080:interface=127.0.0.1")
StreamServerEndpointService(endpoint, HTTPFactory(app)).setServiceParent(application)
