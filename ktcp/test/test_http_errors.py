"""
Tests for L{ktcp.http.errors}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ktcp.http.errors import BadRequest, BodyTooLarge, HTTPError, IncompleteBody


class ErrorTests(SynchronousTestCase):
    """
    Errors that stand for an answer.
    """

    def test_oneParent(self) -> None:
        """
        Each error carries its status, and one C{except} catches all.
        """
        for error, status in [
            (HTTPError(404, "gone"), 404),
            (BadRequest("no"), 400),
            (BadRequest("no", 505), 505),
            (IncompleteBody("cut"), 400),
            (BodyTooLarge(5), 413),
        ]:
            self.assertIsInstance(error, HTTPError)
            self.assertEqual(status, error.status)
            self.assertIsInstance(error.reason, str)
        for status in (0, 200, 304, 399, 600):
            self.assertRaises(ValueError, HTTPError, status)
        self.assertEqual(5, BodyTooLarge(5).limit)
        self.assertIsInstance(IncompleteBody("cut"), BadRequest)
