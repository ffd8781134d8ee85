"""
Tests for L{ktcp.trace.model}.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ktcp.test import recorded
from ktcp.test.support import STEADY
from ktcp.trace.model import BadTrace, Trace, dumps, loads

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """
    The way to every value in a document, of lists only to the first two.
    """
    children = data.items() if isinstance(data, dict) else []
    if isinstance(data, list):
        children = list(enumerate(data[:2]))
    return [path, *(each for key, value in children for each in places(value, (*path, key)))]


class JSONTests(SynchronousTestCase):
    """
    Tests for L{dumps} and L{loads}.
    """

    def test_roundTrip(self) -> None:
        """
        A trace is read back as it was written.
        """
        trace = recorded.trace()
        self.assertEqual(trace, loads(dumps(trace)))

    def test_numbers(self) -> None:
        """
        No number is too large for JavaScript.
        """

        def check(value: str) -> int:
            self.assertLess(abs(int(value)), 2**53)
            return int(value)

        json.loads(dumps(recorded.trace()), parse_int=check)

    def test_defaults(self) -> None:
        """
        A field with a default may be missing.
        """
        data = json.loads(dumps(recorded.trace()))
        del data["otherEvents"], data["environment"]["notAvailable"]
        self.assertEqual(0, loads(json.dumps(data)).otherEvents)

    def test_refused(self) -> None:
        """
        What is no trace is refused with a reason.
        """
        for text, reason in (
            ("", "not JSON"),
            ("[" * 100_000, "not JSON"),
            ("{}", "schema"),
            ('{"schema": "ktcp-trace/2"}', "schema"),
            ('{"schema": "ktcp-trace/1"}', "trace lacks .*connections"),
            (b"\xff\xfe", "not JSON"),
        ):
            with self.assertRaisesRegex(BadTrace, reason):
                loads(text)

    def test_danglingIndex(self) -> None:
        """
        An index with nothing behind it is refused: no reader falls over it.
        """
        trace = recorded.trace()
        event = replace(trace.events[0], stack=len(trace.stacks))
        with self.assertRaisesRegex(BadTrace, "no stack"):
            loads(dumps(replace(trace, events=(event,))))
        with self.assertRaisesRegex(BadTrace, "no symbol -1"):
            loads(dumps(replace(trace, stacks=((-1,), *trace.stacks[1:]))))

    @STEADY
    @given(st.data(), JSON)
    def test_damaged(self, data: st.DataObject, value: Any) -> None:
        """
        With any value anywhere else than it was, it is a trace or refused.
        """
        document = json.loads(self.small)
        path = data.draw(st.sampled_from(places(document)))
        if path:
            inner = document
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = value
        else:
            document = value
        with contextlib.suppress(BadTrace):
            self.assertIsInstance(loads(json.dumps(document)), Trace)

    @property
    def small(self) -> str:
        """
        A trace with few events.
        """
        trace = recorded.trace()
        steps = tuple(replace(each, event=0) for each in trace.connections[0].steps[:2])
        connection = replace(trace.connections[0], steps=steps)
        return dumps(
            replace(
                trace,
                events=trace.events[:2],
                frames=tuple(replace(each, event=None) for each in trace.frames[:2]),
                connections=(connection,),
            )
        )
