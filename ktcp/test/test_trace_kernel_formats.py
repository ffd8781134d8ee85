"""
Tests for L{ktcp.trace.kernel.formats}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ktcp.test import recorded
from ktcp.test.support import STEADY
from ktcp.test.tracedata import RECORDED
from ktcp.trace.kernel.formats import BadFormat, Layout, parseFormat, parsePageLayout

FORMAT = """name: sample
ID: 7
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:const void * skaddr;	offset:8;	size:8;	signed:0;
	field:__data_loc char[] name;	offset:16;	size:4;	signed:0;
	field:__u8 saddr[4];	offset:20;	size:4;	signed:0;
	field:int state;	offset:24;	size:4;	signed:1;

print fmt: "x=%s", __print_symbolic(REC->state, { 1, "ONE" }, { 2, "TWO" })
"""


class FormatTests(SynchronousTestCase):
    """
    Tests for L{parseFormat} and L{Layout}.
    """

    def test_kinds(self) -> None:
        """
        Addresses, texts, arrays and numbers are told apart.
        """
        parsed = parseFormat(FORMAT)
        self.assertEqual(("sample", 7), (parsed.name, parsed.id))
        kinds = {each.name: each.kind for each in parsed.fields}
        self.assertEqual("address", kinds["skaddr"])
        self.assertEqual("text", kinds["name"])
        self.assertEqual("bytes", kinds["saddr"])
        self.assertEqual("int", kinds["state"])

    def test_symbols(self) -> None:
        """
        The names that the kernel prints for numbers are known.
        """
        self.assertEqual({"state": {1: "ONE", 2: "TWO"}}, parseFormat(FORMAT).symbols)

    def test_read(self) -> None:
        """
        The wanted fields of a record come out, the text from where it points to.
        """
        layout = Layout(parseFormat(FORMAT), ["skaddr", "name", "saddr", "state", "unheard of"])
        record = bytes(8) + b"\1" + bytes(7) + b"\x1c\0\3\0" + b"\x7f\0\0\1" + b"\xff" * 4 + b"lo\0"
        expected = {"skaddr": 1, "name": "lo", "saddr": b"\x7f\0\0\1", "state": -1}
        self.assertEqual(expected, layout.read(record))

    def test_tooShort(self) -> None:
        """
        A record that ends early is nothing, not an error.
        """
        self.assertIsNone(Layout(parseFormat(FORMAT), ["state"]).read(bytes(27)))

    def test_recorded(self) -> None:
        """
        Each format of a real kernel is understood, all fields that ktcp wants are there.
        """
        self.assertEqual(set(RECORDED["formats"]), set(recorded.formats()))
        reasons = recorded.formats()["skb/kfree_skb"].symbols["reason"]
        self.assertIn("NETFILTER_DROP", reasons.values())

    def test_refused(self) -> None:
        """
        A file that describes something else is refused.
        """
        self.assertRaises(BadFormat, parseFormat, "name: x\n")
        self.assertRaises(BadFormat, parsePageLayout, "")

    def test_pageLayout(self) -> None:
        """
        The head of a page is as the kernel says.
        """
        layout = parsePageLayout(RECORDED["headerPage"])
        self.assertEqual(
            (8, 8, 16, 4096), (layout.commit, layout.commitSize, layout.data, layout.size)
        )

    @STEADY
    @given(st.text() | st.sampled_from([FORMAT, RECORDED["headerPage"]]), st.text(), st.integers(0))
    def test_anything(self, text: str, more: str, place: int) -> None:
        """
        Whatever a file holds, it is understood or refused.
        """
        place %= len(text) + 1
        for parse in (parseFormat, parsePageLayout):
            try:
                parsed = parse(text[:place] + more + text[place:])
                if parse is parseFormat:
                    Layout(parsed, [each.name for each in parsed.fields]).read(bytes(64))
            except BadFormat:
                pass
