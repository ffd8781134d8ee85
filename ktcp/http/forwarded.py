# -*- test-case-name: ktcp.test.test_http_forwarded -*-
"""
Whose request it is that a proxy passes on: C{X-Forwarded-For}, C{-Proto} and
C{-Host}, or C{Forwarded} (RFC 7239).

Each proxy on the way adds to the right.  So the header is read from there, for as
long as who added is trusted: the first one who is not is the client, and what
stands left of it is the client's own invention.

Only one of the two kinds is read, the one that the proxies write.  HAProxy and
nginx write the first and pass the second on as it came, so that whoever preferred
it would believe the client.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from ipaddress import ip_address
from typing import NamedTuple

from ktcp.http.headers import Headers, isHost

# The kinds of headers; the first is the default.
KINDS = ("x-forwarded", "forwarded")


class Hop(NamedTuple):
    """
    What a proxy says of a connection to it.

    @ivar client: The address of who made it; L{None} if that is not told.
    @ivar scheme: C{b"http"} or C{b"https"}, if told.
    @ivar host: The Host that it was asked for, if told.
    """

    client: str | None = None
    scheme: bytes | None = None
    host: bytes | None = None


class Forwarding:
    """
    Reads the headers by which trusted proxies tell who their client is: X-Forwarded-For,
    -Proto and -Host, or Forwarded (RFC 7239).
    """

    def __init__(self, trusted: Container[str], kind: str = KINDS[0]) -> None:
        """
        @param trusted: Addresses of proxies, such as a
            L{Trust<ktcp.endpoint.proxy.Trust>}.
        @param kind: One of L{KINDS}.
        @raise ValueError: It is not.
        """
        if kind not in KINDS:
            raise ValueError(f"not a kind of forwarding headers: {kind!r}")
        self.trusted = trusted
        self._hops = _xForwarded if kind == KINDS[0] else _forwarded

    def read(self, headers: Headers) -> Hop:
        """
        Find the client of a request that came from a trusted proxy.

        @param headers: Those of the request.
        @return: The hop of the client, or of the proxy farthest away that says
            anything; what is not known is L{None}.
        """
        last = Hop()
        for hop in self._hops(headers):
            # One that does not tell who it was is not followed any further; what
            # it is connected to is the nearest that is known of the client.
            last = hop._replace(client=hop.client or last.client)
            if hop.client is None or hop.client not in self.trusted:
                break
        return last


def _forwarded(headers: Headers) -> Iterator[Hop]:
    """
    Read C{Forwarded}, the nearest hop first.
    """
    for element in reversed(_listed(headers, b"forwarded")):
        pairs = dict[bytes, bytes]()
        for pair in element.split(b";"):
            name, _, value = pair.partition(b"=")
            pairs.setdefault(name.strip(b" \t").lower(), value.strip(b" \t").strip(b'"'))
        yield _hop(pairs.get(b"for"), pairs.get(b"proto"), pairs.get(b"host"))


def _xForwarded(headers: Headers) -> Iterator[Hop]:
    """
    Read C{X-Forwarded-For} and its kin, the nearest hop first.

    Many proxies set one scheme and one host for all hops: the leftmost there is
    is for all that are farther away.
    """
    clients, schemes, hosts = (
        _listed(headers, name)
        for name in (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")
    )
    for back in range(1, 1 + max(len(clients), bool(schemes), bool(hosts))):
        yield _hop(
            clients[-back] if clients else None,
            schemes[-min(back, len(schemes))] if schemes else None,
            hosts[-min(back, len(hosts))] if hosts else None,
        )


def _listed(headers: Headers, name: bytes) -> list[bytes]:
    """
    The elements of a list, from all of its lines (RFC 9110, 5.6.1).

    Commas count inside quotes too: nothing that is of interest has one, and a
    quote that a client leaves open must not swallow what a proxy adds to it.
    """
    elements = b",".join(headers.getAll(name)).split(b",")
    return [element for each in elements if (element := each.strip(b" \t"))]


def _hop(client: bytes | None, scheme: bytes | None, host: bytes | None) -> Hop:
    known = scheme is not None and scheme.lower() in (b"http", b"https")
    return Hop(
        None if client is None else addressOf(client),
        scheme.lower() if scheme is not None and known else None,
        host if host and isHost(host) else None,
    )


def addressOf(node: bytes) -> str | None:
    """
    Read a node (RFC 7239, 6), or what is in C{X-Forwarded-For}: an address, an
    IPv6 one in brackets or not, perhaps with a port.

    @return: The address in its usual form; L{None} if it is none, as C{unknown}
        and a made-up name such as C{_gazonk}.
    """
    text = node.decode("latin-1")
    if text.startswith("["):
        text, _, rest = text[1:].partition("]")
        if rest and not rest.startswith(":"):
            return None
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if "%" in text:  # Which interface that is, only the proxy knows.
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)
