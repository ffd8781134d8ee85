"""
Tests for L{ktcp.load.result}.
"""

from __future__ import annotations

import json
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load.result import SCHEMA, NotAResult, Result, Round
from ktcp.test.loadresults import exampleResult

RESULT = exampleResult(rate=100, seconds=2)


class ResultTests(SynchronousTestCase):
    """
    Tests for L{Result}.
    """

    def test_roundTrip(self) -> None:
        """
        What was written is read back the same, a barrier's rounds and errors too.
        """
        full = replace(RESULT, rounds=(Round((1, 3), 2.0, 3, 1),), errors={"reset": 1})
        for result in (RESULT, full):
            self.assertEqual(Result.fromJSON(result.toJSON()), result)
            self.assertEqual(json.loads(result.toJSON())["schema"], SCHEMA)

    def test_refused(self) -> None:
        """
        A file that is something else is refused with a reason.
        """
        fields = json.loads(RESULT.toJSON())
        other = {**fields, "schema": "ktcp-load-sweep/1"}
        lacking = {name: value for name, value in fields.items() if name != "generator"}
        for text, reason in (
            ("nonsense", "not JSON"),
            ("[]", SCHEMA),
            (json.dumps(other), "'ktcp-load-sweep/1'"),
            (json.dumps(lacking), "a field is missing"),
            (json.dumps({**fields, "more": 1}), "a field is missing or strange"),
        ):
            error = self.assertRaises(NotAResult, Result.fromJSON, text)
            self.assertIn(reason, str(error))

    def test_figures(self) -> None:
        """
        The rate is good answers over the time; without any there are no figures, and no error.
        """
        self.assertEqual((RESULT.rate, RESULT.failed), (100.0, 0))
        self.assertEqual(RESULT.percentile("p99"), RESULT.histograms["total"].percentiles["p99"])
        none = replace(RESULT, elapsed=0.0, histograms={}, errors={"reset": 2, "body": 1})
        self.assertEqual((none.rate, none.failed, none.percentile("p50")), (0.0, 3, 0))
