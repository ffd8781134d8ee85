"""
Tests for L{ktcp.trace.kernel.bpf}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ktcp.test.test_trace_kernel_packet import SIX, SYN
from ktcp.trace.kernel import bpf


class FilterTests(SynchronousTestCase):
    """
    The filter program, on a small BPF machine.
    """

    def run_(self, program: bytes, frame: bytes, outgoing: bool = False) -> int:
        """
        How many bytes of a frame the program keeps.
        """
        steps = list(bpf.INSTRUCTION.iter_unpack(program))
        a = x = place = 0
        # Jumps only go forward, or the kernel would not take it.
        for _ in steps:
            code, true, false, operand = steps[place]
            place += 1
            if code == bpf.RET:
                return int(operand)
            if code in (bpf.JEQ, bpf.JSET):
                place += true if (a == operand if code == bpf.JEQ else a & operand) else false
            elif operand == bpf.PACKET_TYPE:
                a = bpf.PACKET_OUTGOING if outgoing else 0
            else:
                start = operand + (x if code == bpf.LDH_INDIRECT else 0)
                size = 2 if code in (bpf.LDH_ABSOLUTE, bpf.LDH_INDIRECT) else 1
                if start + size > len(frame):
                    return 0
                value = int.from_bytes(frame[start : start + size], "big")
                if code == bpf.LDXB_MSH:
                    x = 4 * (value & 15)
                else:
                    a = value
        raise AssertionError("the program does not return")

    def test_port(self) -> None:
        """
        Either end's port, over IPv4 and IPv6, and no other.
        """
        for frame in (SYN, SIX):
            for port, kept in ((8081, 96), (52220, 96), (80, 0)):
                self.assertEqual(self.run_(bpf.portFilter(port, 96), frame), kept)

    def test_others(self) -> None:
        """
        What has no TCP port is left out, however its bytes look.
        """
        program = bpf.portFilter(8081, 96)
        udp = SYN[:23] + b"\x11" + SYN[24:]
        later = SYN[:20] + b"\x00\x10" + SYN[22:]
        arp = SYN[:12] + b"\x08\x06" + SYN[14:]
        for frame in (udp, later, arp, SIX[:20] + b"\x11" + SIX[21:], b"", SYN[:30]):
            self.assertEqual(self.run_(program, frame), 0)

    def test_options(self) -> None:
        """
        Ports stand behind IPv4's options.
        """
        longer = SYN[:14] + b"\x46" + SYN[15:34] + bytes(4) + SYN[34:]
        self.assertEqual(self.run_(bpf.portFilter(8081, 96), longer), 96)

    def test_outgoing(self) -> None:
        """
        Only what goes out, when asked.
        """
        program = bpf.outgoingOnly() + bpf.everything(96)
        self.assertEqual(self.run_(program, SYN, outgoing=True), 96)
        self.assertEqual(self.run_(program, SYN, outgoing=False), 0)
