# -*- test-case-name: ktcp.test.test_load_process_frames -*-
"""
What one process counts, in frames of a quarter of a second.

A frame is what a child tells its parent: small, whole, and added up there, so that
nothing is lost when a run is cut short, and the second's percentiles and the live
panel need nothing else.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from ktcp.load.buckets import add

FRAMES_A_SECOND = 4
FRAME_NS = 10**9 // FRAMES_A_SECOND


@dataclass
class Frame:
    """
    A quarter of a second.

    @ivar number: Which, from the start of the measured part; negative in the warm-up.
    @ivar total: Counts by bucket, like the three after it; their names are L{Result}'s.
    @ivar behind: Sent late although a connection was free: the generator's own fault.
    @ivar cpu: Processor seconds of the process.
    """

    number: int = 0
    total: dict[int, int] = field(default_factory=dict)
    uncorrected: dict[int, int] = field(default_factory=dict)
    connect: dict[int, int] = field(default_factory=dict)
    firstByte: dict[int, int] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    good: int = 0
    sent: int = 0
    received: int = 0
    connects: int = 0
    late: int = 0
    behind: int = 0
    unsent: int = 0
    unanswered: int = 0
    cpu: float = 0.0

    def add(self, more: Frame) -> None:
        """
        Add another frame to this one, whose C{number} stays.
        """
        for name in ("total", "uncorrected", "connect", "firstByte"):
            add(getattr(self, name), getattr(more, name))
        self.errors.update(more.errors)
        self.statuses.update(more.statuses)
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(more, name))


_NUMBERS = (
    *("good", "sent", "received", "connects", "late", "behind", "unsent", "unanswered", "cpu"),
)


class Recorder:
    """
    The frame under way.

    @ivar whole: Counts by bucket of answers that one read held and that were C{known},
        from sending: of a closed loop that is C{total} as well as C{firstByte}, of an open
        one C{uncorrected} as well as C{firstByte}.  One count in the loop, two in the frame.
    """

    def __init__(self, openLoop: bool) -> None:
        self._twin = "uncorrected" if openLoop else "total"
        self.whole: defaultdict[int, int] = defaultdict(int)
        self.total: defaultdict[int, int] = defaultdict(int)
        self.frame = Frame()

    def take(self, number: int) -> Frame:
        """
        Give the frame that is over, and begin the next.
        """
        frame, self.frame = self.frame, Frame()
        frame.number = number
        add(frame.total, self.total)
        add(frame.firstByte, self.whole)
        add(getattr(frame, self._twin), self.whole)
        self.whole.clear()
        self.total.clear()
        return frame
