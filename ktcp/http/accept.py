# -*- test-case-name: ktcp.test.test_http_accept -*-
"""
What a client prefers (RFC 9110, 12): Accept and Accept-Encoding.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# qvalue (RFC 9110, 12.4.2)
_QUALITY = re.compile(rb"0(?:\.\d{0,3})?|1(?:\.0{0,3})?")


def qualities(value: bytes) -> dict[bytes, float]:
    """
    @return: The quality of each member of a list, by its name in lower case;
        members that are malformed are left out.
    """
    found: dict[bytes, float] = {}
    for member in value.lower().split(b","):
        name, *parameters = (part.strip(b" \t") for part in member.split(b";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith(b"q="):
                quality = float(parameter[2:]) if _QUALITY.fullmatch(parameter[2:]) else -1.0
        if name and quality >= 0:
            found[name] = quality
    return found


def bestCoding(value: bytes | None, codings: Sequence[bytes]) -> bytes | None:
    """
    Choose a content coding (RFC 9110, 12.5.3).

    @param value: The Accept-Encoding header; L{None} where there is none.
    @param codings: What there is, the dearest to the server first.
    @return: L{None} for none, which a client that likes nothing gets too.
    """
    if not value:
        return None
    wanted = qualities(value)
    others = wanted.get(b"*", 0.0)
    # Not named, it is welcome, but less so than anything that is named.
    best, least = None, max(wanted.get(b"identity", 0.0), 0.0005)
    for coding in codings:
        quality = wanted.get(coding, others)
        if quality > least or (quality == least and best is None):
            best, least = coding, quality
    return best


def prefersJSON(value: bytes | None) -> bool:
    """
    @return: Whether a client likes JSON better than HTML.
    """
    if not value or b"json" not in value.lower():
        return False
    wanted = qualities(value)
    html = wanted.get(b"text/html", wanted.get(b"text/*", wanted.get(b"*/*", 0.0)))
    return wanted.get(b"application/json", 0.0) > html
