# -*- test-case-name: ktcp.test.test_init -*-
"""
ktcp: an HTTP/1.1 server and an echo server on Twisted.

Importing this package stays cheap: twistd imports it to print its help, so the
public names below are loaded from their rooms when first asked for (PEP 562),
and neither h11 nor a reactor comes with them before that.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ktcp.echo import ChargenFactory, DiscardFactory, EchoFactory
    from ktcp.http.errors import HTTPError
    from ktcp.http.factory import HTTPFactory
    from ktcp.http.headers import Headers
    from ktcp.http.limits import Limits
    from ktcp.http.message import Request, Response
    from ktcp.http.router import Router
    from ktcp.http.static import StaticFiles

__version__ = "0.1.0.dev0"

__all__ = [
    "ChargenFactory",
    "DiscardFactory",
    "EchoFactory",
    "HTTPError",
    "HTTPFactory",
    "Headers",
    "Limits",
    "Request",
    "Response",
    "Router",
    "StaticFiles",
    "__version__",
]

_ROOMS = {
    "ChargenFactory": "ktcp.echo",
    "DiscardFactory": "ktcp.echo",
    "EchoFactory": "ktcp.echo",
    "HTTPError": "ktcp.http.errors",
    "HTTPFactory": "ktcp.http.factory",
    "Headers": "ktcp.http.headers",
    "Limits": "ktcp.http.limits",
    "Request": "ktcp.http.message",
    "Response": "ktcp.http.message",
    "Router": "ktcp.http.router",
    "StaticFiles": "ktcp.http.static",
}


def __getattr__(name: str) -> object:
    """
    Load a public name from the room it lives in.

    @raise AttributeError: There is no such public name.
    """
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_ROOMS[name]), name)
    globals()[name] = value
    return value
