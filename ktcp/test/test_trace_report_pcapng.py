"""
Tests for L{ktcp.trace.report.pcapng}.
"""

from __future__ import annotations

import io
import subprocess

import pcapng as reader
from hypothesis import given
from hypothesis import strategies as some
from pcapng import blocks
from twisted.trial.unittest import SynchronousTestCase

from ktcp.test.peers import peer
from ktcp.test.support import STEADY
from ktcp.test.test_trace_kernel_packet import SIX, SYN
from ktcp.trace.report import pcapng

TIME_NS = 1_795_000_000_123_456_789


class WriterTests(SynchronousTestCase):
    """
    What others read.
    """

    def setUp(self) -> None:
        self.file = io.BytesIO()
        self.writer = pcapng.Writer(self.file, "lo", 128, "ktcp test")

    def read(self) -> list[object]:
        """
        The blocks of the file, as python-pcapng sees them.
        """
        self.file.seek(0)
        return list(reader.FileScanner(self.file))

    def test_interface(self) -> None:
        """
        Who wrote it and where.
        """
        section, interface = self.read()
        self.assertEqual(section.options["shb_userappl"], "ktcp test")
        self.assertEqual(interface.options["if_name"], "lo")
        self.assertEqual((interface.snaplen, interface.link_type), (128, 1))
        self.assertAlmostEqual(interface.timestamp_resolution, 1e-9)

    def test_packet(self) -> None:
        """
        A frame has its time to the nanosecond, its direction and its comment.
        """
        self.writer.write(TIME_NS, SYN[:50], len(SYN), True, "tcp_connect < __sys_connect")
        packet = self.read()[2]
        self.assertEqual((packet.timestamp_high << 32) + packet.timestamp_low, TIME_NS)
        self.assertEqual((packet.packet_data, packet.packet_len), (SYN[:50], len(SYN)))
        self.assertEqual(packet.options["epb_flags"].inout, "outbound")
        self.assertEqual(packet.options["opt_comment"], "tcp_connect < __sys_connect")

    def test_incoming(self) -> None:
        """
        The other direction, without a comment.
        """
        self.writer.write(TIME_NS, SYN, len(SYN), False)
        packet = self.read()[2]
        self.assertEqual(packet.options["epb_flags"].inout, "inbound")
        self.assertNotIn("opt_comment", packet.options)

    def test_statistics(self) -> None:
        """
        How much was lost is in the file, too.
        """
        self.writer.writeStatistics(TIME_NS, 10, 3)
        statistics = self.read()[2]
        self.assertIsInstance(statistics, blocks.InterfaceStatistics)
        self.assertEqual(statistics.options["isb_ifdrop"], 3)
        self.assertEqual(statistics.options["isb_ifrecv"], 10)

    def test_longComment(self) -> None:
        """
        A comment that is too long is cut between characters.
        """
        self.writer.write(TIME_NS, SYN, len(SYN), True, "ü" * 40_000)
        self.assertEqual(self.read()[2].options["opt_comment"], "ü" * 32_767)

    @STEADY
    @given(some.lists(some.tuples(some.binary(max_size=60), some.text(max_size=20)), max_size=5))
    def test_anything(self, frames: list[tuple[bytes, str]]) -> None:
        """
        Whatever the frames and comments, they come back.
        """
        self.setUp()
        for data, comment in frames:
            self.writer.write(TIME_NS, data, len(data), False, comment)
        back = self.read()[2:]
        self.assertEqual([packet.packet_data for packet in back], [data for data, _ in frames])

    def test_tcpdump(self) -> None:
        """
        tcpdump reads it.
        """
        tcpdump = peer("tcpdump", "tcpdump")
        self.writer.write(TIME_NS, SYN, len(SYN), True, "why")
        self.writer.write(TIME_NS + 1, SIX, len(SIX), False)
        read = subprocess.run(
            [tcpdump, "--nano", "-tt", "-nr", "-"],
            input=self.file.getvalue(),
            capture_output=True,
            check=True,
        )
        first, second = read.stdout.decode().splitlines()
        self.assertTrue(first.startswith("1795000000.123456789 "), first)
        self.assertIn("127.0.0.1.52220 > 127.0.0.1.8081: Flags [S], seq 1,", first)
        self.assertIn("::1.8081 > ::1.52220: Flags [P.]", second)
