# -*- test-case-name: ktcp.test.test_admin_gate -*-
"""
Who may ask the second plane.

Without a token it is whoever reaches a loopback address or a UNIX socket: the users of
this machine.  Their browsers run what strangers wrote, so two ways in are closed:

  - a page whose name is made to resolve to 127.0.0.1 (DNS rebinding) is of the same origin
    to its browser, but sends its own name as Host.  Only addresses and localhost pass;
  - a page of another site may ask and not read, as no answer carries CORS headers;
    browsers say where a request comes from (Fetch Metadata), and that is refused too,
    so that nobody loads an answer as an image or a script.

With a token, who does not know it learns nothing but the health.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64decode
from binascii import Error
from collections.abc import Awaitable, Callable

from ktcp.http.headers import Headers
from ktcp.http.message import Request, Response
from ktcp.http.targets import splitTarget

_Handler = Callable[[Request], Response | Awaitable[Response]]

# An IPv4 address, one of IPv6 in brackets, or a name that no DNS gives (RFC 6761, 6.3).
_LOCAL = re.compile(rb"(?:localhost|[0-9]+(?:\.[0-9]+){3}|\[[0-9a-fA-F:.]+\])(?::[0-9]*)?")

# What load balancers and kubelets ask, who hold no token; it says one word.
HEALTH = frozenset((b"/healthz", b"/readyz"))

SAFE = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
_PLAIN = Headers.of({**SAFE, "Content-Type": "text/plain; charset=utf-8"})
# Basic, whose password is the token, because that is what browsers ask their users for.
_ASKING = Headers.of([*_PLAIN, (b"WWW-Authenticate", b'Basic realm="ktcp admin"')])

_FOREIGN_HOST = Response(
    421, b"421 Misdirected Request: ask by an address or as localhost\n", _PLAIN
)
_CROSS_SITE = Response(403, b"403 Forbidden: asked for by a page of another site\n", _PLAIN)
_NO_TOKEN = Response(401, b"401 Unauthorized: the admin token is needed\n", _ASKING)


class Gate:
    """
    A handler that lets requests through to another.
    """

    def __init__(self, handler: _Handler, token: bytes | None = None) -> None:
        self._handler = handler
        self._token = token

    def __call__(self, request: Request) -> Response | Awaitable[Response]:
        """
        Answer, or have it answered.
        """
        return self._refusal(request) or self._handler(request)

    def _refusal(self, request: Request) -> Response | None:
        headers = request.headers
        if splitTarget(request.target)[0] in HEALTH:
            return None
        if self._token is not None:
            given = _given(headers.get(b"authorization") or b"")
            if not hmac.compare_digest(given, self._token):
                return _NO_TOKEN
        elif not _LOCAL.fullmatch(headers.get(b"host") or b"localhost"):
            return _FOREIGN_HOST
        # A person who follows a link is not a page that asks.
        site = headers.get(b"sec-fetch-site", b"none")
        navigates = headers.get(b"sec-fetch-mode") == b"navigate"
        if site not in (b"none", b"same-origin") and not navigates:
            return _CROSS_SITE
        return None


def _given(authorization: bytes) -> bytes:
    """
    The token in an Authorization header; empty if there is none.
    """
    scheme, _, rest = authorization.partition(b" ")
    if scheme.lower() == b"bearer":
        return rest.strip()
    if scheme.lower() == b"basic":
        try:
            return b64decode(rest.strip(), validate=True).partition(b":")[2]
        except Error:
            pass
    return b""
