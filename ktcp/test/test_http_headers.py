"""
Tests for L{ktcp.http.headers}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ktcp.http.headers import Headers

CONTROLS = [chr(code) for code in [*range(9), *range(10, 32), 127]]


class HeadersTests(SynchronousTestCase):
    """
    What a collection of headers is, and what it refuses.
    """

    def test_kinds(self) -> None:
        """
        A mapping, pairs and L{Headers} will do, of C{str} or bytes.
        """
        expected = [(b"A", b"b"), (b"C", b"d")]
        for given in (
            {"A": "b", "C": "d"},
            {b"A": b"b", b"C": b"d"},
            [("A", b"b"), (b"C", "d")],
            (pair for pair in [("A", "b"), ("C", "d")]),
            Headers(expected),
        ):
            self.assertEqual(expected, list(Headers.of(given)))
        self.assertEqual([], list(Headers.of(None)))
        self.assertEqual([], list(Headers.of({})))

    def test_get(self) -> None:
        """
        Names are found in any case; several values come as one list.
        """
        headers = Headers.of([("X-A", "1"), ("Other", "o"), ("x-a", "2")])
        for name in ("X-A", b"x-a", "x-A"):
            self.assertEqual(b"1, 2", headers.get(name))
            self.assertEqual([b"1", b"2"], headers.getAll(name))
            self.assertIn(name, headers)
        self.assertIsNone(headers.get("missing"))
        self.assertEqual(b"default", headers.get("missing", b"default"))
        self.assertEqual([], headers.getAll("missing"))
        self.assertNotIn("missing", headers)
        self.assertNotIn(None, headers)

    def test_emptyValue(self) -> None:
        """
        A header without a value is there.
        """
        headers = Headers.of({"X": ""})
        self.assertEqual(b"", headers.get("x", b"default"))
        self.assertIn("x", headers)

    def test_collection(self) -> None:
        """
        Order, length, equality and hash are those of the pairs.
        """
        headers = Headers.of([("B", "1"), ("A", "2")])
        self.assertEqual([(b"B", b"1"), (b"A", b"2")], list(headers))
        self.assertEqual(2, len(headers))
        self.assertEqual(headers, Headers([(b"B", b"1"), (b"A", b"2")]))
        self.assertEqual(hash(headers), hash(Headers([(b"B", b"1"), (b"A", b"2")])))
        self.assertNotEqual(headers, Headers([(b"A", b"2"), (b"B", b"1")]))
        self.assertNotEqual(headers, [(b"B", b"1"), (b"A", b"2")])
        self.assertEqual("Headers([(b'B', b'1'), (b'A', b'2')])", repr(headers))

    def test_splitting(self) -> None:
        """
        A character that would split a header raises at the call, in names and
        in values, wherever it is, in C{str} and bytes.
        """
        for control in CONTROLS:
            for text in (control, "a" + control, control + "a", "a" + control + "b"):
                for headers in ({"X": text}, {text: "x"}):
                    encoded = {a.encode(): b.encode() for a, b in headers.items()}
                    self.assertRaises(ValueError, Headers.of, headers)
                    self.assertRaises(ValueError, Headers.of, encoded)

    def test_names(self) -> None:
        """
        A name is a token.
        """
        for name in ("", " ", "a b", "a:", ":", "a(", "ä", b"\xff", "a\t"):
            self.assertRaises(ValueError, Headers.of, {name: "x"})

    def test_values(self) -> None:
        """
        A value may hold tabs and Latin-1; blanks around it are left out.
        """
        headers = Headers.of([("A", " \tä\tb \t"), ("B", b"\xff")])
        self.assertEqual([(b"A", b"\xe4\tb"), (b"B", b"\xff")], list(headers))
        self.assertRaises(ValueError, Headers.of, {"A": "\u20ac"})

    def test_transferEncoding(self) -> None:
        """
        How a body is framed is not the handler's to say.
        """
        for name in ("Transfer-Encoding", b"transfer-encoding"):
            self.assertRaises(ValueError, Headers.of, {name: "chunked"})
