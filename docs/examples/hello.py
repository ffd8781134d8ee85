from twisted.internet import endpoints, reactor

from ktcp import HTTPFactory, Request, Response


def app(request: Request) -> Response:
    return Response(200, b"hello " + request.target, {"Content-Type": "text/plain"})


if __name__ == "__main__":
    endpoints.serverFromString(reactor, "tcp:8080").listen(HTTPFactory(app))
    reactor.run()
