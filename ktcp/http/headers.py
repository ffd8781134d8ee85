# -*- test-case-name: ktcp.test.test_http_headers -*-
"""
Header fields: checked where a handler writes them, kept in order, looked up without
regard to case.  What a request's are made of, L{ktcp.http.door} decides.

What goes over the wire is bytes; where a handler writes, C{str} will do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv6Address
from typing import Any, TypeAlias

Text: TypeAlias = "str | bytes"
HeadersLike: TypeAlias = "Headers | Mapping[Any, Text] | Iterable[tuple[Text, Text]]"

# field-name = token (RFC 9110, 5.1 and 5.6.2)
_NAME = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
# field-value = *field-content, of VCHAR, obs-text, SP and HTAB (RFC 9110, 5.5).
# Controls are refused altogether: CR, LF and NUL would split the header.
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")


# Host = uri-host [ ":" port ] (RFC 9110, 7.2; RFC 3986, 3.2.2).  A reg-name is
# unreserved / pct-encoded / sub-delims, and may be empty.  Which of the hosts in
# brackets is an IPv6 address, no regular expression says in a line.
_HOST = re.compile(
    rb"(?:\[(?:([0-9A-Fa-f:.]+)|v[0-9A-Fa-f]+\.[-._~0-9A-Za-z!$&'()*+,;=:]+)\]"
    rb"|(?:[-._~0-9A-Za-z!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?"
)


def _encoded(text: Text) -> bytes:
    if isinstance(text, bytes):
        return text
    if isinstance(text, str):
        return text.encode("latin-1")
    raise TypeError(f"neither str nor bytes: {text!r}")


class Headers:
    """
    An immutable collection of C{(name, value)} pairs of bytes, in order.

    Names are compared without regard to case.  A request's names are in lower
    case; a response's go out as the handler wrote them.
    """

    __slots__ = ("_hash", "_pairs")

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """
        @param pairs: Pairs that are known to be valid; L{of} checks.
        """
        self._pairs = tuple(pairs)
        self._hash: int | None = None

    @classmethod
    def of(cls, headers: HeadersLike | None) -> Headers:
        """
        Check headers written by a handler.

        @param headers: L{Headers}, a mapping or pairs, C{bytes} or C{str} of latin-1;
            L{None} is no header.
        @raise ValueError: A name is no token, or a value holds a control
            character such as CR, LF or NUL (RFC 9110, 5.5).
        @raise TypeError: A name or value is neither C{str} nor C{bytes}.
        """
        return headers if isinstance(headers, Headers) else checked(itemsOf(headers))

    def get(self, name: Text, default: bytes | None = None) -> bytes | None:
        """
        @param name: In any case.
        @param default: What there is where no header has that name.
        @return: The value; where there are several, all of them in order with
            C{b", "} between (RFC 9110, 5.2), which is right for every header
            but Set-Cookie.
        """
        values = self.getAll(name)
        return b", ".join(values) if values else default

    def getAll(self, name: Text) -> list[bytes]:
        """
        @return: The values of all headers of that name, in order.
        """
        wanted = _encoded(name).lower()
        return [value for key, value in self._pairs if key.lower() == wanted]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, (str, bytes)) and bool(self.getAll(name))

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return self._pairs == other._pairs

    def __hash__(self) -> int:
        # Kept, since the heads of answers are looked up by their headers; and
        # not before it is asked for, since a request's never are.
        if self._hash is None:
            self._hash = hash(self._pairs)
        return self._hash

    def __repr__(self) -> str:
        return f"Headers({list(self._pairs)!r})"


def itemsOf(headers: HeadersLike | None) -> tuple[tuple[Any, Text], ...]:
    if headers is None:
        return ()
    items: Any = headers.items() if isinstance(headers, Mapping) else headers
    return tuple((name, value) for name, value in items)


def checked(items: tuple[tuple[Any, Text], ...]) -> Headers:
    pairs = []
    for name, value in items:
        pair = _encoded(name), _encoded(value)
        if not _NAME.fullmatch(pair[0]):
            raise ValueError(f"not a header name: {name!r}")
        if not _VALUE.fullmatch(pair[1]):
            raise ValueError(f"not a value for header {name!r}: {value!r}")
        if pair[0].lower() == b"transfer-encoding":
            raise ValueError("Transfer-Encoding is decided for the handler")
        pairs.append((pair[0], pair[1].strip(b" \t")))
    return Headers(pairs)


def isHost(value: bytes) -> bool:
    """
    Whether a value is one of Host.
    """
    match = _HOST.fullmatch(value)
    if match is None:
        return False
    if match[1] is not None:
        try:
            IPv6Address(match[1].decode("ascii"))
        except ValueError:
            return False
    return True
