"""
Tests for L{ktcp.trace.kernel.kallsyms}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ktcp.test.support import STEADY
from ktcp.trace.kernel.kallsyms import parseFunctions, parseKallsyms, plainName

LINES = """\
ffffffff81000000 T _text
ffffffff81000100 t tcp_v4_rcv
ffffffff81000200 D jiffies
ffffffff81000300 t tcp_fin.part.0
ffffffffc0000000 t nft_do_chain\t[nf_tables]
""".splitlines()


class KallsymsTests(SynchronousTestCase):
    """
    Tests for L{parseKallsyms} and L{parseFunctions}.
    """

    def test_name(self) -> None:
        """
        An address inside a function has its name, without what a compiler added.
        """
        symbols = parseKallsyms(reversed(LINES))
        self.assertEqual("tcp_v4_rcv", symbols.name(0xFFFFFFFF81000100))
        self.assertEqual("tcp_v4_rcv", symbols.name(0xFFFFFFFF810002FF))
        self.assertEqual("tcp_fin", symbols.name(0xFFFFFFFF81000300))
        self.assertEqual("nft_do_chain", symbols.name(0xFFFFFFFFC0000001))

    def test_nowhere(self) -> None:
        """
        An address before all functions, or far from each, has no name.
        """
        symbols = parseKallsyms(LINES)
        self.assertIsNone(symbols.name(0xFFFFFFFF80000000))
        self.assertIsNone(symbols.name(0xFFFFFFFFB0000000))

    def test_hidden(self) -> None:
        """
        A kernel that hides its addresses has no symbols; its functions' own list may have.
        """
        hidden = parseKallsyms(["0000000000000000 T " + line.split()[2] for line in LINES])
        self.assertFalse(hidden)
        listed = parseFunctions(["ffffffff81000100 tcp_v4_rcv", "ffffffff81000300 tcp_fin [x]"])
        self.assertTrue(listed)
        self.assertEqual("tcp_v4_rcv", listed.name(0xFFFFFFFF81000101))

    def test_plainName(self) -> None:
        """
        One function has one name, however it was cut up.
        """
        names = ("tcp_ack", "tcp_ack.isra.0", "tcp_ack.constprop.0.cold", "tcp_ack+0x1f/0x30")
        self.assertEqual({"tcp_ack"}, set(map(plainName, names)))

    @STEADY
    @given(st.lists(st.text()), st.integers(0, 2**64))
    def test_anything(self, lines: list[str], address: int) -> None:
        """
        No file raises.
        """
        parseKallsyms(lines).name(address)
        parseFunctions(lines).name(address)
