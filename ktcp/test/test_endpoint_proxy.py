"""
Tests for L{ktcp.endpoint.proxy}: bytes.
"""

from __future__ import annotations

import struct
from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.trial.unittest import SynchronousTestCase

from ktcp.endpoint.proxy import LONGEST_V1, BadHeader, Header, Trust, parse
from ktcp.test.support import STEADY

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
FOUR = struct.pack("!4s4sHH", bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]), 1024, 80)
SIX = struct.pack("!16s16sHH", bytes(15) + b"\1", bytes(15) + b"\2", 1024, 80)


def v2(command: int, kind: int, rest: bytes) -> bytes:
    """
    Make a header of version 2.
    """
    return SIGNATURE + bytes([0x20 | command, kind]) + len(rest).to_bytes(2, "big") + rest


_FOUR = (IPv4Address("TCP", "192.0.2.1", 1024), IPv4Address("TCP", "192.0.2.2", 80))
_SIX = (IPv6Address("TCP", "::1", 1024), IPv6Address("TCP", "::2", 80))

GOOD = {
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1024 80\r\n": _FOUR,
    b"PROXY TCP6 ::1 ::2 1024 80\r\n": _SIX,
    b"PROXY UNKNOWN\r\n": (None, None),
    b"PROXY UNKNOWN ffff:f...f:ffff whatever\r\n": (None, None),
    v2(1, 0x11, FOUR): _FOUR,
    v2(1, 0x11, FOUR + b"\x04\x00\x03abc"): _FOUR,
    v2(1, 0x21, SIX): _SIX,
    v2(0, 0x00, b""): (None, None),
    v2(0, 0x11, FOUR): (None, None),
    v2(1, 0x31, bytes(216)): (None, None),
    v2(1, 0x00, b"anything"): (None, None),
}

BAD = [
    b"GET / HTTP/1.1\r\n",
    b"\x16\x03\x01",
    b"PROXY\tTCP4",
    b"PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
    b"PROXY UNKNOWN\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
    b"PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
    b"PROXY TCP4 ::1 ::2 1 2\r\n",
    b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
    b"PROXY TCP6 fe80::1%lo ::2 1 2\r\n",
    b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
    b"PROXY \r\n",
    b"PROXY " + b"x" * LONGEST_V1,
    SIGNATURE + b"\x11",
    SIGNATURE + b"\x22",
    v2(1, 0x11, FOUR[:-1]),
    v2(1, 0x41, FOUR),
    v2(1, 0x11, FOUR)[:14] + b"\xff\xff",
]


class ParseTests(SynchronousTestCase):
    """
    L{parse}.
    """

    def test_good(self) -> None:
        """
        Each form is read; what follows it does not matter.
        """
        for data, (source, destination) in GOOD.items():
            expected = Header(len(data), source, destination)
            self.assertEqual(parse(data), expected, data)
            self.assertEqual(parse(data + b"GET / HTTP/1.1\r\n"), expected, data)

    def test_everyPart(self) -> None:
        """
        A header that is not there yet is waited for, whatever the part.
        """
        for data in GOOD:
            for end in range(len(data)):
                self.assertIsNone(parse(data[:end]), data[:end])

    def test_bad(self) -> None:
        """
        Everything else is refused.
        """
        for data in BAD:
            self.assertRaises(BadHeader, parse, data)

    @STEADY
    @given(st.binary(max_size=300), st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE]))
    def test_anything(self, rest: bytes, start: bytes) -> None:
        """
        Any bytes have a verdict: no error but ours, and byte by byte the same as
        at once.
        """

        def verdict(data: bytes) -> object:
            try:
                return parse(data)
            except BadHeader:
                return BadHeader

        data = start + rest
        whole = verdict(data)
        for end in range(len(data) + 1):
            part = verdict(data[:end])
            if part is not None:
                self.assertEqual(part, whole)
                return

    @STEADY
    @given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(0, 65535), st.integers(0, 65535))
    def test_roundTrip(self, source: object, destination: object, a: int, b: int) -> None:
        """
        Both versions say the same of the same addresses.
        """
        line = f"PROXY TCP4 {source} {destination} {a} {b}\r\n".encode()
        packed = [ip_address(str(each)).packed for each in (source, destination)]
        binary = v2(1, 0x11, struct.pack("!4s4sHH", *packed, a, b))
        first, second = parse(line), parse(binary)
        assert first is not None and second is not None
        self.assertEqual(first[1:], second[1:])


class TrustTests(SynchronousTestCase):
    """
    L{Trust}.
    """

    def test_contains(self) -> None:
        """
        Addresses of the networks are trusted, mapped ones too; names are not.
        """
        trust = Trust([ip_network("10.0.0.0/8"), ip_network("::1")])
        for host, expected in {
            "10.1.2.3": True,
            "::ffff:10.1.2.3": True,
            "::1": True,
            "::1%lo": True,
            "11.0.0.1": False,
            "::2": False,
            "localhost": False,
            None: False,
        }.items():
            self.assertEqual(host in trust, expected, host)
