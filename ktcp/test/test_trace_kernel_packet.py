"""
Tests for L{ktcp.trace.kernel.packet}, on frames that a kernel sent.
"""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from ktcp.test.support import STEADY
from ktcp.trace.kernel.packet import decode, summary, tcpOptions

ETHERNET = bytes(12) + b"\x08\x00"
# A SYN from 127.0.0.1:52220 to port 8081, with the options of Linux.
SYN = ETHERNET + bytes.fromhex(
    "4500003c1c46400040060000"
    + "7f000001" + "7f000001"
    + "cbfc1f91" + "00000001" + "00000000" + "a002ffd7" + "fe300000"
    + "0204ffd7" + "0402080a" + "00000010" + "00000000" + "0103030a"
)  # fmt: skip
SIX = bytes(12) + b"\x86\xdd" + bytes.fromhex(
    "60000000" + "00190640" + "0" * 31 + "1" + "0" * 31 + "1"
    + "1f91cbfc" + "00000005" + "00000007" + "50180040" + "00000000"
) + b"hello"  # fmt: skip
WHO_HAS = b"\xff" * 6 + bytes.fromhex(
    "020000000001" + "0806" + "0001080006040001" + "0200000000010a000001" + "0000000000000a000002"
)


class DecodeTests(SynchronousTestCase):
    """
    Layers and their fields.
    """

    def test_syn(self) -> None:
        """
        A SYN, with its options by name.
        """
        ethernet, ip, tcp = decode(SYN)
        self.assertEqual([ethernet.name, ip.name, tcp.name], ["Ethernet", "IPv4", "TCP"])
        self.assertEqual([ip.start, tcp.start, tcp.length], [14, 34, 40])
        self.assertEqual((ip.fields["source"], ip.fields["ttl"]), ("127.0.0.1", 64))
        self.assertTrue(ip.fields["dontFragment"])
        self.assertEqual(tcp.fields["flags"], ["SYN"])
        self.assertEqual(
            tcp.fields["options"],
            {"mss": 65495, "sackOK": True, "timestamps": [16, 0], "wscale": 10},
        )
        self.assertEqual(
            summary([ethernet, ip, tcp]),
            "127.0.0.1:52220 > 127.0.0.1:8081 SYN seq=1 win=65495 mss=65495 wscale=10 len=0",
        )

    def test_data(self) -> None:
        """
        A segment over IPv6, and what it carries.
        """
        layers = decode(SIX)
        self.assertEqual([layer.name for layer in layers], ["Ethernet", "IPv6", "TCP", "data"])
        self.assertEqual(SIX[layers[3].start :], b"hello")
        self.assertEqual(
            summary(layers), "[::1]:8081 > [::1]:52220 PSH ACK seq=5 ack=7 win=64 len=5"
        )

    def test_padding(self) -> None:
        """
        What Ethernet adds to a short frame is not taken for data.
        """
        self.assertEqual(decode(SYN + bytes(6))[-1].name, "TCP")
        self.assertEqual(decode(WHO_HAS + bytes(18))[-1].name, "ARP")

    def test_arp(self) -> None:
        """
        Somebody looks for a neighbour.
        """
        self.assertEqual(summary(decode(WHO_HAS)), "ARP who has 10.0.0.2? tell 10.0.0.1")

    def test_others(self) -> None:
        """
        UDP and ICMP have a line, whatever else has its protocol's name or none.
        """
        ip = bytearray(SYN[:34])
        for protocol, body, line in [
            (17, bytes.fromhex("0035003500080000"), "127.0.0.1:53 > 127.0.0.1:53 UDP"),
            (1, bytes.fromhex("08000000"), "127.0.0.1 > 127.0.0.1 ICMP echo request"),
            (99, b"", "127.0.0.1 > 127.0.0.1 IPv4"),
        ]:
            ip[23] = protocol
            ip[16:18] = (20 + len(body)).to_bytes(2, "big")
            self.assertEqual(summary(decode(bytes(ip) + body)), line)
        self.assertEqual(summary(decode(bytes(14))), "Ethernet")
        self.assertEqual(summary(decode(b"")), "nothing")

    def test_vlan(self) -> None:
        """
        A VLAN tag is a layer.
        """
        layers = decode(SYN[:12] + bytes.fromhex("8100a005") + SYN[12:])
        self.assertEqual(layers[1].fields["id"], 5)
        self.assertEqual(layers[-1].name, "TCP")

    def test_fragment(self) -> None:
        """
        Only the first fragment has ports.
        """
        later = SYN[:20] + b"\x00\x10" + SYN[22:]
        self.assertEqual([layer.name for layer in decode(later)], ["Ethernet", "IPv4", "data"])
        self.assertEqual(decode(later)[1].fields["fragment"], 128)

    def test_extensions(self) -> None:
        """
        IPv6's extension headers are passed over, within bounds.
        """
        extended = SIX[:20] + b"\x00" + SIX[21:54] + b"\x06\x00" + bytes(6) + SIX[54:]
        extended = extended[:18] + b"\x00\x21" + extended[20:]
        layers = decode(extended)
        self.assertEqual(layers[1].fields["extensions"], ["hop-by-hop"])
        self.assertEqual(layers[2].fields["sourcePort"], 8081)

    def test_cut(self) -> None:
        """
        Wherever a frame is cut, what is missing is said and what is there is told.
        """
        for end in range(len(SYN)):
            layers = decode(SYN[:end])
            covered = sum(layer.length for layer in layers)
            self.assertEqual(covered, end)
            json.dumps([layer.name for layer in layers])
            self.assertTrue(end in (0, 14, 34) or layers[-1].note, end)
        self.assertEqual(
            summary(decode(SYN[:40])), "127.0.0.1 > 127.0.0.1 TCP [cut short: 6 of 20 bytes]"
        )

    @STEADY
    @given(
        some.sampled_from([SYN, SIX, WHO_HAS, b""]), some.integers(0, 80), some.binary(max_size=200)
    )
    def test_anything(self, frame: bytes, end: int, tail: bytes) -> None:
        """
        Whatever the bytes, each is in one layer, fields fit JSON, and there is a line.
        """
        data = frame[:end] + tail
        layers = decode(data)
        places = [(layer.start, layer.start + layer.length) for layer in layers]
        for (_, stop), (start, _) in pairwise(places):
            self.assertEqual(stop, start)
        self.assertTrue(all(0 <= start <= stop <= len(data) for start, stop in places))
        whole = [layer for layer in layers if not layer.note]
        json.dumps([layer.fields for layer in whole])
        self.assertNotIn("\n", summary(layers))

    @STEADY
    @given(some.binary(max_size=40))
    def test_options(self, data: bytes) -> None:
        """
        Options that are none end the list.
        """
        self.assertLessEqual(len(tcpOptions(data)), 21)
