"""
Tests for L{ktcp.load.process.frames}.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load.process.frames import Frame, Recorder


def full(count: int) -> Frame:
    """
    Make a frame that has something of everything.
    """
    made = Frame(number=7)
    for each in fields(Frame):
        value: Any = getattr(made, each.name)
        if isinstance(value, Counter):
            value["a"] = count
        elif isinstance(value, dict):
            value[5] = count
        elif each.name != "number":
            setattr(made, each.name, type(value)(count))
    return made


class FrameTests(SynchronousTestCase):
    """
    Tests for L{Frame}.
    """

    def test_add(self) -> None:
        """
        Nothing that a frame counts is left out when frames are added up; its number stays.
        """
        made = full(1)
        made.add(full(2))
        self.assertEqual(made, full(3))


class RecorderTests(SynchronousTestCase):
    """
    Tests for L{Recorder}.
    """

    def test_closedLoop(self) -> None:
        """
        In a closed loop an answer in one read is one latency, to its first byte and to its last.
        """
        recorder = Recorder(openLoop=False)
        recorder.whole[5] += 2
        recorder.total[6] += 1
        frame = recorder.take(3)
        self.assertEqual((frame.number, frame.total, frame.firstByte), (3, {5: 2, 6: 1}, {5: 2}))
        self.assertEqual(frame.uncorrected, {})

    def test_openLoop(self) -> None:
        """
        In an open loop it is the uncorrected one: the corrected is counted from the plan.
        """
        recorder = Recorder(openLoop=True)
        recorder.whole[5] += 2
        recorder.total[6] += 2
        frame = recorder.take(0)
        self.assertEqual(
            (frame.total, frame.uncorrected, frame.firstByte), ({6: 2}, {5: 2}, {5: 2})
        )

    def test_next(self) -> None:
        """
        A frame that was taken does not come again.
        """
        recorder = Recorder(openLoop=False)
        recorder.whole[5] += 1
        recorder.frame.good = 1
        recorder.take(0)
        self.assertEqual(recorder.take(1), Frame(number=1))
