"""
Tests for L{ktcp.trace.kernel.tcpinfo}.
"""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from ktcp.test.support import STEADY
from ktcp.trace.kernel.tcpinfo import FIELDS, NUMBERS, STATES, parseTCPInfo

# The kernel's struct, with each 32-bit word its own place: word n is n * 0x01010101.
WORDS = b"".join(struct.pack("=I", n * 0x01010101) for n in range(62))


class ParseTests(SynchronousTestCase):
    """
    C{struct tcp_info}.
    """

    def test_places(self) -> None:
        """
        Fields are where offsetof() says that they are in linux/tcp.h.
        """
        info = parseTCPInfo(WORDS)
        offsets = {"rto": 8, "unacked": 24, "rtt": 68, "snd_cwnd": 80, "total_retrans": 100}
        offsets |= {"segs_out": 136, "min_rtt": 148, "delivered": 192, "rehash": 236}
        for name, offset in offsets.items():
            self.assertEqual(info[name], offset // 4 * 0x01010101, name)
        self.assertEqual(info["bytes_sent"], 0x33333333_32323232)
        self.assertEqual(info["total_rto_time"], 61 * 0x01010101)

    def test_bits(self) -> None:
        """
        The bit fields are taken apart.
        """
        info = parseTCPInfo(bytes(6) + b"\xa7\x05")
        self.assertEqual((info["snd_wscale"], info["rcv_wscale"]), (7, 10))
        self.assertEqual(info["delivery_rate_app_limited"], 1)
        self.assertEqual(info["fastopen_client_fail"], 2)

    def test_otherKernels(self) -> None:
        """
        An older kernel's has fewer fields; a newer one's has what we know.
        """
        # Linux 2.6: up to total_retrans.
        old = parseTCPInfo(WORDS[:104])
        self.assertIn("total_retrans", old)
        self.assertNotIn("pacing_rate", old)
        self.assertEqual(parseTCPInfo(WORDS + bytes(100)), parseTCPInfo(WORDS))
        self.assertEqual(parseTCPInfo(b""), {})

    def test_half(self) -> None:
        """
        A field that is cut through is not there.
        """
        self.assertNotIn("pacing_rate", parseTCPInfo(WORDS[:111]))
        self.assertIn("pacing_rate", parseTCPInfo(WORDS[:112]))

    @STEADY
    @given(some.binary(max_size=600))
    def test_anything(self, data: bytes) -> None:
        """
        Whatever the bytes, the answer is some of the fields.
        """
        info = parseTCPInfo(data)
        self.assertLessEqual(len(info), len(FIELDS) + 2)
        self.assertEqual("state" in info, len(data) > 0)

    def test_states(self) -> None:
        """
        Each state has a number, and SYN_RECV the one that requests have.
        """
        self.assertEqual(NUMBERS["SYN_RECV"], 3)
        self.assertEqual({STATES[number] for number in NUMBERS.values()}, set(STATES.values()))
