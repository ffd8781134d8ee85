# -*- test-case-name: ktcp.test.test_endpoint_proxy -*-
"""
The PROXY protocol's header, versions 1 and 2: bytes in, verdict out.

https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt

A load balancer writes it before all else on a connection, to say whose it is.
L{Trust} is in whom that is believed; L{ktcp.endpoint.proxied} acts upon both.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import NamedTuple

from twisted.internet.address import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address

_V1 = b"PROXY "
_V2 = b"\r\n\r\n\0\r\nQUIT\n"

# The longest line of version 1, its end included (2.1).
LONGEST_V1 = 107
# Of version 2, its first 16 bytes, two IPv6 addresses or UNIX paths (216 bytes),
# and room for what senders add as TLVs: HAProxy's TLS ones take a few hundred.
LONGEST_V2 = 16 + 2048


class Trust:
    """
    Whose word is taken: addresses of proxies, asked by C{host in trust}.
    """

    def __init__(self, networks: Sequence[IPv4Network | IPv6Network] = ()) -> None:
        """
        @param networks: Where such proxies are, as L{ktcp.parameters.network} makes
            them of text; none: nobody's word is taken.
        """
        self._networks = networks

    def __contains__(self, host: object) -> bool:
        """
        @param host: An address; anything else is not trusted.
        """
        try:
            address = ip_address(str(host).partition("%")[0])
        except ValueError:
            return False
        # A listener on :: sees IPv4 as ::ffff:192.0.2.1.
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)


class BadHeader(Exception):
    """
    Not a header of this protocol.
    """


class Header(NamedTuple):
    """
    A whole header.

    @ivar length: Bytes, from the first of the connection.
    @ivar source: Whose connection it is; L{None} where the sender speaks for
        itself (a health check), or of what is no TCP.
    @ivar destination: Where the client has connected to; with C{source}.
    """

    length: int
    source: Address | None
    destination: Address | None


def parse(data: bytes) -> Header | None:
    """
    Read the header at the beginning of a connection.

    @param data: All that has come; what follows the header does not matter.
    @return: L{None}: the header goes on.  Then all of C{data} is its.
    @raise BadHeader: It is none, however it would go on.
    """
    if data.startswith(_V2):
        return _parseV2(data)
    if data.startswith(_V1):
        return _parseV1(data)
    if _V1.startswith(data) or _V2.startswith(data):
        return None
    raise BadHeader("it does not begin as one")


def _parseV1(data: bytes) -> Header | None:
    """
    C{PROXY TCP4 192.0.2.1 192.0.2.2 1024 80}, and the end of a line.
    """
    end = data.find(b"\n", 0, LONGEST_V1)
    if end < 0:
        if len(data) >= LONGEST_V1:
            raise BadHeader("the line has no end")
        return None
    if data[end - 1 : end] != b"\r":
        raise BadHeader("the line ends with LF alone")
    fields = data[: end - 1].split(b" ")
    if fields[1] == b"UNKNOWN":
        # What follows the word is to be ignored.
        return Header(end + 1, None, None)
    if len(fields) != 6 or fields[1] not in (b"TCP4", b"TCP6"):
        raise BadHeader("the line has other fields")
    _, family, source, destination, sourcePort, destinationPort = fields
    version = 4 if family == b"TCP4" else 6
    return Header(
        end + 1,
        _addressV1(version, source, sourcePort),
        _addressV1(version, destination, destinationPort),
    )


def _addressV1(version: int, host: bytes, port: bytes) -> Address:
    try:
        address = ip_address(host.decode("ascii"))
    except ValueError:
        raise BadHeader("an address is none") from None
    # "0" or no leading zero (2.1); and int() takes more than digits.
    isNumber = port.isdigit() and len(port) <= 5 and (port == b"0" or port[:1] != b"0")
    # ip_address takes a scope, which the protocol does not have.
    if address.version != version or b"%" in host or not isNumber or int(port) > 65535:
        raise BadHeader("an address or a port is none")
    return _address(str(address), int(port))


def _parseV2(data: bytes) -> Header | None:
    """
    Signature, version and command, family, length, then addresses and TLVs.
    """
    if len(data) > 12 and data[12] >> 4 != 2:
        raise BadHeader("version 2's signature, but another version")
    if len(data) > 12 and data[12] & 15 > 1:
        raise BadHeader("the command is neither LOCAL nor PROXY")
    if len(data) < 16:
        return None
    length = 16 + int.from_bytes(data[14:16], "big")
    if length > LONGEST_V2:
        raise BadHeader("it is too long")
    isLocal, kind = data[12] & 15 == 0, data[13]
    # TCP over IPv4 and IPv6; the receiver must take the others as if LOCAL.
    layout = None if isLocal else {0x11: "!4s4sHH", 0x21: "!16s16sHH"}.get(kind)
    if layout is None and not isLocal and kind not in _OTHERS:
        raise BadHeader("the family or the protocol is none")
    if layout is not None and length < 16 + struct.calcsize(layout):
        raise BadHeader("it is too short for its addresses")
    if len(data) < length:
        return None
    if layout is None:
        return Header(length, None, None)
    source, destination, sourcePort, destinationPort = struct.unpack_from(layout, data, 16)
    return Header(
        length,
        _address(str(ip_address(source)), sourcePort),
        _address(str(ip_address(destination)), destinationPort),
    )


# UNSPEC, datagrams, and UNIX sockets (2.2).
_OTHERS = frozenset((0x00, 0x01, 0x02, 0x10, 0x12, 0x20, 0x22, 0x30, 0x31, 0x32))


def _address(host: str, port: int) -> Address:
    return (IPv6Address if ":" in host else IPv4Address)("TCP", host, port)
