"""
Tests for L{ktcp.http.conditions}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ktcp.http.conditions import isPlain, precondition, rangeHolds
from ktcp.http.dates import formatDate, parseDate
from ktcp.http.headers import Headers

NOW = 784111777
DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
BEFORE = b"Sun, 06 Nov 1994 08:49:36 GMT"
ETAG = b'"abc"'


class PreconditionTests(SynchronousTestCase):
    """
    A file with the tag C{"abc"}, changed at C{DATE}.
    """

    def check(self, expected: int | None, *pairs: tuple[bytes, bytes]) -> None:
        self.assertEqual(precondition(Headers(pairs), ETAG, NOW), expected, pairs)

    def test_ifMatch(self) -> None:
        """
        The tag must be listed, and not as a weak one.
        """
        for value in (b"*", ETAG, b'"x", "abc"', b'"x" ,, "abc",'):
            self.check(None, (b"if-match", value))
        for value in (b'"x"', b'W/"abc"', b"abc", b"", b'"abc" "x"', b'"a,"abc"'):
            self.check(412, (b"if-match", value))

    def test_ifUnmodifiedSince(self) -> None:
        """
        It holds if not changed after; it yields to If-Match, and no date is ignored.
        """
        name = b"if-unmodified-since"
        self.check(None, (name, DATE))
        self.check(412, (name, BEFORE))
        self.check(None, (name, BEFORE), (b"if-match", ETAG))
        self.check(None, (name, b"yesterday"))
        self.check(None, (name, BEFORE), (name, BEFORE))

    def test_ifNoneMatch(self) -> None:
        """
        A listed tag, weak or not, means that nothing is sent.
        """
        for value in (b"*", ETAG, b'W/"abc"', b'"x", W/"abc"'):
            self.check(304, (b"if-none-match", value))
        for value in (b'"x"', b"abc", b""):
            self.check(None, (b"if-none-match", value))

    def test_ifModifiedSince(self) -> None:
        """
        Not changed after means nothing is sent; it yields to If-None-Match.
        """
        name = b"if-modified-since"
        self.check(304, (name, DATE))
        self.check(None, (name, BEFORE))
        self.check(None, (name, DATE), (b"if-none-match", b'"x"'))
        self.check(None, (name, b"0"))

    def test_order(self) -> None:
        """
        412 comes before 304 (RFC 9110, 13.2.2).
        """
        self.check(412, (b"if-none-match", ETAG), (b"if-match", b'"x"'))
        self.check(412, (b"if-modified-since", DATE), (b"if-unmodified-since", BEFORE))
        self.check(304, (b"if-match", ETAG), (b"if-none-match", ETAG))

    def test_ifRange(self) -> None:
        """
        A range is of the same file only if a strong validator says so.
        """
        for value, holds in (
            (ETAG, True),
            (b'W/"abc"', False),
            (b'"x"', False),
            (DATE, True),
            (BEFORE, False),
            (b"x", False),
        ):
            self.assertIs(rangeHolds(Headers([(b"if-range", value)]), ETAG, NOW, NOW + 9), holds)
        self.assertTrue(rangeHolds(Headers(), ETAG, NOW, NOW))
        # A second change may come within the same second.
        self.assertFalse(rangeHolds(Headers([(b"if-range", DATE)]), ETAG, NOW, NOW + 0.5))

    def test_plain(self) -> None:
        """
        Other headers make no condition.
        """
        self.assertTrue(isPlain(Headers([(b"host", b"a"), (b"accept", b"*/*")])))
        self.assertFalse(isPlain(Headers([(b"host", b"a"), (b"range", b"bytes=0-")])))


class ParseDateTests(SynchronousTestCase):
    """
    Dates as clients write them (RFC 9110, 5.6.7).
    """

    def test_forms(self) -> None:
        """
        The one in use, and two that were.
        """
        for text in (DATE, b"Sunday, 06-Nov-94 08:49:37 GMT", b"Sun Nov  6 08:49:37 1994"):
            self.assertEqual(parseDate(text), NOW)
        self.assertEqual(formatDate(NOW), DATE)

    def test_malformed(self) -> None:
        """
        Nothing else is a date.
        """
        for text in (
            b"",
            b"784111777",
            b"Sun, 06 Nov 1994 08:49:37 PST",
            b"Sun, 6 Nov 1994 08:49:37 GMT",
            b"Sun, 31 Feb 1994 08:49:37 GMT",
            b"Sun, 06 Nix 1994 08:49:37 GMT",
            b"Sun, 06 Nov 1994 25:49:37 GMT",
            b"Sun, 06 Nov 1994 08:49:37 GMT, x",
        ):
            self.assertIsNone(parseDate(text), text)
