# -*- test-case-name: ktcp.test.test_http_handlers -*-
"""
What is answered where nobody says otherwise.
"""

from __future__ import annotations

from ktcp.http.headers import Headers
from ktcp.http.message import Request, Response

_PLAIN = Headers.of({"Content-Type": "text/plain"})
_HELLO = Response(200, b"Hello World!", _PLAIN)
_NOT_IMPLEMENTED = Response(501, b"501 Not Implemented\n", _PLAIN)
# Soon: what ends in the meantime are connections, of which there are many.
_NO_ROOM = Response(
    503, b"503 Service Unavailable\n", {"Content-Type": "text/plain", "Retry-After": "1"}
)


def hello(request: Request) -> Response:
    """
    Answer as khttpd does: every URL greets, methods but GET and HEAD get 501.
    """
    if request.method == b"GET" or request.method == b"HEAD":
        return _HELLO
    return _NOT_IMPLEMENTED


def noRoom(request: Request) -> Response:
    """
    Answer on a connection that is one too many.
    """
    return _NO_ROOM
