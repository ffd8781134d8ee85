"""
A few paths, each with a handler of its own; run it and ask C{/users/1}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IReactorCore
from twisted.internet.task import react

from ktcp import HTTPFactory, Request, Response, Router

users = {"1": "Ada", "2": "Brian"}
router = Router()


@router.route("/users/{id}")
def user(request: Request, id: str) -> Response:
    """
    Tell the name of a user.
    """
    return Response(200, users[id].encode()) if id in users else Response(404)


@router.route("/users/{id}", "PUT")
async def rename(request: Request, id: str) -> Response:
    """
    Change it to the body.
    """
    users[id] = (await request.body.read(limit=100)).decode()
    return Response(204)


@router.route("/files/{path...}")
def file(request: Request, path: tuple[str, ...]) -> Response:
    """
    Tell what would be looked up.
    """
    return Response(200, " > ".join(path).encode())


def old(request: Request) -> Response:
    """
    An application of its own, which knows nothing of where it is mounted.
    """
    return Response(200, b"the old site, " + request.target)


router.mount("/old", old)


async def main(reactor: IReactorCore) -> None:
    """
    Listen, say where, and serve until interrupted.
    """
    endpoint = serverFromString(reactor, "tcp:8080:interface=127.0.0.1")
    port = await endpoint.listen(HTTPFactory(router))
    print(port.getHost())
    await Deferred()


if __name__ == "__main__":
    react(main)
