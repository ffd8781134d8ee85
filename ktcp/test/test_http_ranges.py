"""
Tests for L{ktcp.http.ranges}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ktcp.http.ranges import MOST, Span, Unsatisfiable, parseRange


class ParseRangeTests(SynchronousTestCase):
    """
    Which bytes of a file of 1000 a client gets.
    """

    def test_single(self) -> None:
        """
        Both ends count, what is past the end is cut, a suffix is of the end.
        """
        for value, span in (
            (b"bytes=0-0", (0, 1)),
            (b"bytes=0-999", (0, 1000)),
            (b"bytes=10-", (10, 1000)),
            (b"bytes=999-", (999, 1000)),
            (b"bytes=990-5000", (990, 1000)),
            (b"bytes=-1", (999, 1000)),
            (b"bytes=-5000", (0, 1000)),
            (b"Bytes = 1-2", (1, 3)),
            (b"bytes= ,1-2, ,", (1, 3)),
            (b"bytes=0001-0002", (1, 3)),
            (b"bytes=5-" + b"9" * 5000, (5, 1000)),
            (b"bytes=-" + b"9" * 5000, (0, 1000)),
        ):
            self.assertEqual(parseRange(value, 1000), [Span(*span)], value[:40])

    def test_ignored(self) -> None:
        """
        What is no range of bytes is as if it was not there.
        """
        for value in (
            b"",
            b"bytes",
            b"bytes=",
            b"bytes=,",
            b"bytes=-",
            b"bytes=2-1",
            b"bytes=a-b",
            b"bytes=1-2-3",
            b"bytes=+1-2",
            b"bytes=1 - 2",
            b"bytes=0-1;2-3",
            b"bytes=0x1-0x2",
            b"lines=0-1",
            b"bytes=0-1,x",
            b"bytes=" + b",".join([b"0-0"] * (MOST + 1)),
            b"bytes=" + b"," * 10000 + b"0-0",
        ):
            self.assertIsNone(parseRange(value, 1000), value[:40])

    def test_unsatisfiable(self) -> None:
        """
        Ranges that begin past the end, and suffixes of nothing.
        """
        for value in (b"bytes=1000-", b"bytes=1000-2000", b"bytes=-0", b"bytes=5000-,-0"):
            self.assertRaises(Unsatisfiable, parseRange, value, 1000)
        self.assertRaises(Unsatisfiable, parseRange, b"bytes=0-", 0)
        self.assertIsNone(parseRange(b"bytes=-1", 0))

    def test_several(self) -> None:
        """
        Ranges apart stay apart, in the order asked for; those past the end go.
        """
        self.assertEqual(
            parseRange(b"bytes=900-909, 0-9,2000-2001,-1", 1000),
            [Span(900, 910), Span(0, 10), Span(999, 1000)],
        )

    def test_joined(self) -> None:
        """
        Overlaps and small gaps are sent once, in the place of the first.
        """
        self.assertEqual(parseRange(b"bytes=0-9,5-20", 1000), [Span(0, 21)])
        self.assertEqual(parseRange(b"bytes=0-9,90-99", 1000), [Span(0, 100)])
        self.assertEqual(parseRange(b"bytes=0-9,91-99", 1000), [Span(0, 10), Span(91, 100)])
        self.assertEqual(
            parseRange(b"bytes=500-509,0-9,700-709,400-800", 1000), [Span(400, 801), Span(0, 10)]
        )
        self.assertEqual(parseRange(b"bytes=" + b",".join([b"0-"] * MOST), 1000), [Span(0, 1000)])

    def test_contentRange(self) -> None:
        """
        The header names the last byte, not the one after it.
        """
        self.assertEqual(Span(0, 10).of(1000), b"bytes 0-9/1000")
