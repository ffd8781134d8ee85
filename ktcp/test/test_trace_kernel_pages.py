"""
Tests for L{ktcp.trace.kernel.pages}.
"""

from __future__ import annotations

import struct
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ktcp.test import recorded
from ktcp.test.support import STEADY
from ktcp.trace.kernel.formats import Layout, PageLayout, parseFormat
from ktcp.trace.kernel.pages import SOFTIRQ, Decoder, parsePage

LAYOUT = PageLayout(commit=8, commitSize=8, data=16, size=4096)
EVENT, STACK = 7, 4


def page(*parts: bytes, time: int = 1000, flags: int = 0) -> bytes:
    """
    A page of the ring buffer.
    """
    data = b"".join(parts)
    return struct.pack("<QQ", time, len(data) | flags) + data


def item(data: bytes, delta: int = 0) -> bytes:
    """
    A record in a page.
    """
    data = data.ljust((len(data) + 3) & ~3, b"\0")
    return struct.pack("<I", delta << 5 | len(data) // 4) + data


def event(pid: int, value: int = 0, flags: int = 0) -> bytes:
    """
    A hit of the tracepoint of these tests.
    """
    return struct.pack("<HBBii", EVENT, flags, 0, pid, value)


def stack(*addresses: int) -> bytes:
    """
    The stack that follows a hit.
    """
    head = struct.pack("<HBBiii", STACK, 0, 0, 1, len(addresses), 0)
    return head + struct.pack(f"<{len(addresses)}Q", *addresses)


def decoder() -> Decoder:
    """
    A decoder that knows L{event} and L{stack}.
    """
    text = f"name: sample\nID: {EVENT}\n\tfield:int value;\toffset:8;\tsize:4;\tsigned:1;\n"
    return Decoder(LAYOUT, {EVENT: Layout(parseFormat(text), ["value"])}, STACK)


class PageTests(SynchronousTestCase):
    """
    Tests for L{parsePage}.
    """

    def test_times(self) -> None:
        """
        Each record's time is that of the one before and a bit.
        """
        items, missed = parsePage(page(item(b"aaaa", 5), item(b"bbbb", 7)), LAYOUT)
        self.assertEqual([(1005, b"aaaa"), (1012, b"bbbb")], items)
        self.assertEqual(0, missed)

    def test_longRecord(self) -> None:
        """
        A record too long for five bits has its length in a word of its own.
        """
        data = bytes(range(256))
        long = struct.pack("<II", 3 << 5, len(data) + 4) + data
        self.assertEqual(
            [(1003, data), (1003, b"next")], parsePage(page(long, item(b"next")), LAYOUT)[0]
        )

    def test_timeExtend(self) -> None:
        """
        After a long pause the time has more than 27 bits.
        """
        extend = struct.pack("<II", 9 << 5 | 30, 2)
        items, _ = parsePage(page(extend, item(b"aaaa")), LAYOUT)
        self.assertEqual([(1000 + (2 << 27) + 9, b"aaaa")], items)

    def test_timeStamp(self) -> None:
        """
        An absolute time keeps the page's high bits, which it has no room for.
        """
        high = 3 << 59
        stamp = struct.pack("<II", 11 << 5 | 31, 4)
        items, _ = parsePage(page(stamp, item(b"aaaa"), time=high + 5), LAYOUT)
        self.assertEqual([(high + (4 << 27) + 11, b"aaaa")], items)

    def test_padding(self) -> None:
        """
        A discarded record is skipped; padding ends the page.
        """
        discarded = struct.pack("<III", 1 << 5 | 29, 8, 0)
        end = struct.pack("<I", 29)
        items, _ = parsePage(page(discarded, item(b"aaaa"), end, item(b"bbbb")), LAYOUT)
        self.assertEqual([(1001, b"aaaa")], items)

    def test_missed(self) -> None:
        """
        What was overwritten before this page is counted, known or not how many.
        """
        self.assertEqual(1, parsePage(page(item(b"aaaa"), flags=1 << 31), LAYOUT)[1])
        counted = page(item(b"aaaa"), flags=3 << 30) + struct.pack("<Q", 42)
        self.assertEqual(42, parsePage(counted, LAYOUT)[1])

    @STEADY
    @given(st.binary(max_size=600))
    def test_anything(self, data: bytes) -> None:
        """
        Whatever a page holds, reading it ends, with no more than fits on it.
        """
        for whole in (data, page(data)):
            items, _ = parsePage(whole, LAYOUT)
            self.assertLessEqual(len(items), len(whole) // 4)
            self.assertLessEqual(sum(len(each) for _, each in items), len(whole))


class DecoderTests(SynchronousTestCase):
    """
    Tests for L{Decoder}.
    """

    def test_stack(self) -> None:
        """
        An event gets the stack that follows it.
        """
        [record] = decoder().decode(1, [page(item(event(5, 6, SOFTIRQ)), item(stack(10, 20)))])
        self.assertEqual(
            (1, 5, SOFTIRQ, "sample"), (record.cpu, record.pid, record.flags, record.name)
        )
        self.assertEqual(({"value": 6}, (10, 20)), (record.values, record.stack))

    def test_interrupted(self) -> None:
        """
        An interrupt between an event and its stack does not mix up the two stacks.
        """
        data = page(item(event(1)), item(event(2)), item(stack(22)), item(stack(11)))
        self.assertEqual([(11,), (22,)], [each.stack for each in decoder().decode(0, [data])])

    def test_acrossPages(self) -> None:
        """
        A stack may be on the next page.
        """
        pages = [page(item(event(1))), page(item(stack(11)))]
        self.assertEqual([(11,)], [each.stack for each in decoder().decode(0, pages)])

    def test_lostBetween(self) -> None:
        """
        After a loss a stack is not given to an event that it may not be of.
        """
        reading = decoder()
        pages = [page(item(event(1))), page(item(stack(11)), flags=1 << 31)]
        self.assertEqual([()], [each.stack for each in reading.decode(0, pages)])
        self.assertEqual(1, reading.missed)

    def test_unknown(self) -> None:
        """
        Records that nobody asked for, and cut ones, are counted.
        """
        reading = decoder()
        other = struct.pack("<HBBii", 99, 0, 0, 1, 0)
        self.assertEqual([], reading.decode(0, [page(item(other), item(event(1)[:8]))]))
        self.assertEqual(2, reading.unknown)

    def test_recorded(self) -> None:
        """
        A real kernel's pages are read whole: every event with its stack, in the order of time.
        """
        reading = recorded.decoder()
        for cpu, pages in recorded.pages():
            records = reading.decode(cpu, pages)
            self.assertEqual(sorted(each.time for each in records), [r.time for r in records])
            self.assertEqual([], [each for each in records if not each.stack])
        self.assertEqual((0, 0), (reading.missed, reading.unknown))
        counts = Counter(each.name for each in recorded.records())
        self.assertEqual(10, counts["net_dev_start_xmit"])
        self.assertEqual(2, counts["tcp_destroy_sock"])

    @STEADY
    @given(st.integers(0, 7), st.integers(0, 4095), st.binary(min_size=1, max_size=16))
    def test_damaged(self, number: int, place: int, data: bytes) -> None:
        """
        A damaged page costs records, not the trace.
        """
        pages = [each for _, many in recorded.pages() for each in many]
        whole = pages[number % len(pages)]
        broken = (whole[:place] + data + whole[place + len(data) :])[: len(whole)]
        recorded.decoder().decode(0, [broken])

    @STEADY
    @given(st.lists(st.binary(max_size=200)))
    def test_anything(self, data: list[bytes]) -> None:
        """
        No bytes raise.
        """
        recorded.decoder().decode(0, [page(*map(item, data)), *data])
