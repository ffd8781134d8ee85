"""
ktcp with an application in it, as an embedder would write one.

The handler is called for every request and makes a response of its own each
time.  GET is answered with a fixed text, POST with the request's own bytes; the
worker's process id goes into a header when the row is about workers.
"""

import os

from ktcp import HTTPFactory, Response
from ktcp.http.door import Door


async def echo(request):
    body = await request.body.read()
    return Response(200, body, {"Content-Type": "application/octet-stream"})


async def discard(request):
    async for _ in request.body:
        pass
    return Response(204)


def app(request):
    if request.method == b"POST":
        return discard(request) if request.target == b"/discard" else echo(request)
    return Response(200, b"Hello World!", {"Content-Type": "text/plain"})


def laboriously(turns):
    """
    Make a handler that computes before it answers.
    """

    def work(request):
        sum(range(turns))
        headers = {"Content-Type": "text/plain", "X-Worker": str(os.getpid())}
        return Response(200, b"Hello World!", headers)

    return work


def makeFactory(parameters, context):
    turns = parameters["bench-work"]
    handler = laboriously(turns) if turns else app
    factory = HTTPFactory(handler, reactor=context.reactor)
    if parameters["bench-plain"]:
        factory.door = Door(factory.limits, remember=False)
    return factory
