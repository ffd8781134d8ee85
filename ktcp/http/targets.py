# -*- test-case-name: ktcp.test.test_http_paths,ktcp.test.test_http_router -*-
"""
What the target of a request is made of (RFC 9112, 3.2).  Pure.
"""

from __future__ import annotations

import re

# A percent sign that encodes nothing (RFC 3986, 2.1).
STRAY_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")

# scheme "://" authority, of the absolute-form (3.2.2); the door has checked the rest.
_ORIGIN = re.compile(rb"[A-Za-z][-+.A-Za-z0-9]*://[^/?]*")


def splitTarget(target: bytes) -> tuple[bytes, bytes]:
    """
    @return: The path, still encoded, which begins with a slash; and the query with
        its question mark, if there is one.
    """
    if not target.startswith(b"/"):
        origin = _ORIGIN.match(target)
        target = target[origin.end() :] if origin else target
        if not target.startswith(b"/"):
            target = b"/" + target
    path, mark, query = target.partition(b"?")
    return path, mark + query
