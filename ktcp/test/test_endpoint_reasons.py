"""
Tests for L{ktcp.endpoint.reasons}.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionAborted, ConnectionClosed, ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ktcp.endpoint.reasons import DONE, KnownFailure


class KnownFailureTests(SynchronousTestCase):
    """
    A reason that remembers what it was asked.
    """

    def test_check(self) -> None:
        """
        It says what any failure says, the second time as well.
        """
        questions: list[tuple[object, ...]] = [
            (ConnectionDone,),
            (ConnectionAborted,),
            (ConnectionAborted, ConnectionClosed),
            ("twisted.internet.error.ConnectionDone",),
            (),
        ]
        known, plain = KnownFailure(ConnectionDone()), Failure(ConnectionDone())
        for _ in range(2):
            for question in questions:
                self.assertEqual(plain.check(*question), known.check(*question))

    def test_trap(self) -> None:
        """
        It is raised where it is not expected.
        """
        self.assertIs(ConnectionDone, DONE.trap(ConnectionDone))
        self.assertRaises(ConnectionDone, DONE.trap, ConnectionAborted)
