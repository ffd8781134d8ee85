# -*- test-case-name: ktcp.test.test_http_handlers -*-
"""
Handlers that come with ktcp, and how C{twistd ktcp} makes its HTTP factory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ktcp.http.message import Headers, Request, Response

if TYPE_CHECKING:
    from ktcp.http.protocol import HTTPFactory
    from ktcp.interfaces import Context

_PLAIN = Headers.of({"Content-Type": "text/plain"})
_HELLO = Response(200, b"Hello World!", _PLAIN)
_NOT_IMPLEMENTED = Response(501, b"501 Not Implemented\n", _PLAIN)


def hello(request: Request) -> Response:
    """
    Answer as khttpd does: every URL greets, methods but GET and HEAD get 501.
    """
    if request.method == b"GET" or request.method == b"HEAD":
        return _HELLO
    return _NOT_IMPLEMENTED


def makeHTTP(parameters: Mapping[str, object], context: Context) -> HTTPFactory:
    """
    Make what C{twistd ktcp} serves.  See L{ktcp.interfaces.IProtocolPlugin}.
    """
    from ktcp.http.protocol import HTTPFactory

    return HTTPFactory(hello, reactor=context.reactor)
