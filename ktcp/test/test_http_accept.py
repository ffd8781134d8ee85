"""
Tests for L{ktcp.http.accept}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ktcp.http.accept import bestCoding, prefersJSON


class AcceptTests(SynchronousTestCase):
    """
    What is chosen for a client.
    """

    def test_coding(self) -> None:
        """
        The quality decides, then the server's order; zero means never.
        """
        for value, coding in (
            (None, None),
            (b"", None),
            (b"gzip", b"gzip"),
            (b"GZIP", b"gzip"),
            (b"gzip, br", b"br"),
            (b"gzip;q=0.9, br;q=0.8", b"gzip"),
            (b"gzip; q=0", None),
            (b"br;q=0, *", b"gzip"),
            (b"*;q=0", None),
            (b"identity, gzip;q=0.5", None),
            (b"identity;q=0.5, gzip;q=0.5", b"gzip"),
            (b"gzip;q=2", None),
            (b"gzip;q=x", None),
            (b"deflate", None),
        ):
            self.assertEqual(bestCoding(value, [b"br", b"gzip"]), coding, value)
        self.assertIsNone(bestCoding(b"gzip", []))

    def test_json(self) -> None:
        """
        JSON is for who likes it better than HTML; a browser does not.
        """
        for value, preferred in (
            (None, False),
            (b"*/*", False),
            (b"application/json", True),
            (b"application/json, */*;q=0.1", True),
            (b"text/html,application/json;q=0.9", False),
            (b"application/json;q=0", False),
        ):
            self.assertIs(prefersJSON(value), preferred, value)
