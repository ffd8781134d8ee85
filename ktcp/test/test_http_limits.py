"""
Tests for L{ktcp.http.limits}.
"""

from __future__ import annotations

from dataclasses import FrozenInstanceError, asdict, fields, replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ktcp.http.limits import PARAMETERS, Limits, limitsOf


class LimitsTests(SynchronousTestCase):
    """
    The bounds of a connection.
    """

    def test_defaults(self) -> None:
        """
        The whole mapping, so that a new or changed default shows up here.
        """
        self.assertEqual(
            {
                "head": 16384,
                "headers": 100,
                "target": 8192,
                "body": 1048576,
                "readAhead": 65536,
                "drain": 65536,
                "batch": 65536,
                "requests": 100_000,
                "headTime": 20.0,
                "idle": 75.0,
                "bodyRate": 500.0,
                "bodyGrace": 20.0,
                "handlerTime": 60.0,
                "stall": 60.0,
                "linger": 2.0,
            },
            asdict(Limits()),
        )

    def test_options(self) -> None:
        """
        Each limit has an option, and what they say by default is the default.
        """
        given = {each.name: each.default for each in PARAMETERS}
        self.assertEqual(Limits(), limitsOf(given))
        self.assertEqual(
            Limits(headTime=2.5, head=100),
            limitsOf({**given, "limit-head-time": 2.5, "limit-head": 100}),
        )
        self.assertEqual(len(PARAMETERS), len(fields(Limits)))

    def test_checks(self) -> None:
        """
        An option takes what its limit can be.
        """
        checks: Any = {each.name: each.check for each in PARAMETERS}
        self.assertEqual(2.5, checks["limit-idle"]("2.5"))
        self.assertEqual(300, checks["limit-head"]("300"))
        for name, text in (
            ("limit-head", "0"),
            ("limit-head", "1.5"),
            ("limit-idle", "0"),
            ("limit-idle", "-1"),
            ("limit-idle", "nan"),
            ("limit-idle", "1e9"),
            ("limit-idle", "99999999999"),
        ):
            self.assertRaises(ValueError, checks[name], text)

    def test_frozen(self) -> None:
        """
        Connections share limits, so nobody changes them.
        """
        with self.assertRaises(FrozenInstanceError):
            Limits().head = 1  # type: ignore[misc]  # that it cannot be set

    def test_positive(self) -> None:
        """
        A limit that lets nothing through raises, and is named.
        """
        for field in fields(Limits):
            for value in (0, -1, float("nan")):
                with self.assertRaises(ValueError) as caught:
                    replace(Limits(), **{field.name: value})
                self.assertIn(f" {field.name} ", str(caught.exception))
