"""
The same answers from C{twisted.web}, as its tutorial writes them.
"""

import sys

from twisted.internet import epollreactor

epollreactor.install()

from twisted.internet import reactor  # noqa: E402  # the reactor first
from twisted.web.resource import Resource  # noqa: E402  # the reactor first
from twisted.web.server import Site  # noqa: E402  # the reactor first


class Answer(Resource):
    isLeaf = True

    def render_GET(self, request):
        request.setHeader(b"content-type", b"text/plain")
        return b"Hello World!"

    def render_POST(self, request):
        request.setHeader(b"content-type", b"application/octet-stream")
        return request.content.read()


# 60 s is Site's own default; idle connections of other rows must outlive it.
reactor.listenTCP(
    int(sys.argv[1]), Site(Answer(), timeout=3600), backlog=4096, interface="127.0.0.1"
)
reactor.run()
