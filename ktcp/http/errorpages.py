# -*- test-case-name: ktcp.test.test_http_errorpages -*-
"""
What a client is told when its request was refused, or its handler failed: a
short body in the type it likes best of three.  Nothing of the request is in it
but what a handler put in the reason, and that is escaped as its type asks.
"""

from __future__ import annotations

import json
from html import escape

from ktcp.http.accept import qualities
from ktcp.http.errors import HTTPError
from ktcp.http.headers import Headers
from ktcp.http.message import Response, reasonPhrase

# Media ranges that take each type, from the most to the least specific (RFC
# 9110, 12.5.1); types in our order, which decides between equals.  Who asks for
# plain JSON can read problem details.
_RANGES = {
    b"text/plain": (b"text/plain", b"text/*", b"*/*"),
    b"text/html": (b"text/html", b"text/*", b"*/*"),
    b"application/problem+json": (
        b"application/problem+json",
        b"application/json",
        b"application/*",
        b"*/*",
    ),
}
_DEFAULT = b"text/plain"


def errorResponse(error: HTTPError, accept: bytes | None = None) -> Response:
    """
    @param accept: The request's Accept header, where there was a request and it
        had one.
    """
    kind = _preferred(accept) if accept else _DEFAULT
    headers = Headers([*_HEADERS[kind], *error.headers]) if error.headers else _HEADERS[kind]
    return Response(error.status, _BODIES[kind](error), headers)


def _preferred(accept: bytes) -> bytes:
    """
    @return: The type that the client likes best; where it takes none of them,
        text all the same, which is better than silence (RFC 9110, 12.4.1).
    """
    taken = qualities(accept)
    best, liking = _DEFAULT, 0.0
    for kind, ranges in _RANGES.items():
        quality = next((taken[name] for name in ranges if name in taken), 0.0)
        if quality > liking:
            best, liking = kind, quality
    return best


def _title(error: HTTPError) -> str:
    return f"{error.status} {reasonPhrase(error.status).decode('ascii')}".rstrip()


def _bytes(text: str) -> bytes:
    # A reason may hold a file's name, and that may be no Unicode (PEP 383).
    return text.encode("utf-8", "backslashreplace")


def _text(error: HTTPError) -> bytes:
    return _bytes(f"{_title(error)}: {error.reason}\n" if error.reason else f"{_title(error)}\n")


def _page(error: HTTPError) -> bytes:
    title = _title(error)
    why = f"<p>{escape(error.reason)}</p>\n" if error.reason else ""
    return _bytes(
        '<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}</title>\n<h1>{title}</h1>\n{why}</html>\n"
    )


def _problem(error: HTTPError) -> bytes:
    """
    RFC 9457; of no C{type} but the status.
    """
    members: dict[str, str | int] = {"title": _title(error)[4:], "status": error.status}
    if error.reason:
        members["detail"] = error.reason
    return _bytes(json.dumps(members) + "\n")


_BODIES = {
    b"text/plain": _text,
    b"text/html": _page,
    b"application/problem+json": _problem,
}


def _headersFor(contentType: bytes) -> Headers:
    # A browser is to take a reason for nothing else, and a cache is to know
    # that another client may be told otherwise.
    pairs = [
        (b"Content-Type", contentType),
        (b"X-Content-Type-Options", b"nosniff"),
        (b"Vary", b"Accept"),
    ]
    return Headers.of(pairs)


_HEADERS = {
    b"text/plain": _headersFor(b"text/plain; charset=utf-8"),
    b"text/html": _headersFor(b"text/html; charset=utf-8"),
    b"application/problem+json": _headersFor(b"application/problem+json"),
}
