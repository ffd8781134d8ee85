"""
Tests for L{ktcp.trace.analysis.join}.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ktcp.test import recorded
from ktcp.trace.analysis.join import Captured, comments, joined, joinFrames
from ktcp.trace.model import Connection, Dwell, Event, Step

ENDS = ("127.0.0.1:5000", "127.0.0.1:80")


def sent(time: int, length: int, connection: int = 0) -> Event:
    """
    A frame handed to the driver.
    """
    fields: dict[str, int | str] = {"len": length}
    return Event(time, 0, 0, "task", "net_dev_start_xmit", fields, None, connection)


def captured(
    time: int, length: int, ends: tuple[str, str] = ENDS, outgoing: bool = True
) -> Captured:
    """
    A frame.
    """
    return Captured(1000 + time, "lo", outgoing, length, b"", "", ends)


def connection(start: int = 0, ends: tuple[str, str] = ENDS) -> Connection:
    """
    A connection that begins.
    """
    step = Step(start, "syn", "client", "client", 0, 0, "", "", None, "", "", None)
    return Connection(*ends, (step,), Dwell(None, None))


class JoinTests(SynchronousTestCase):
    """
    Tests for L{joinFrames}.
    """

    def join(
        self, frames: list[Captured], events: list[Event], connections: list[Connection]
    ) -> list[tuple[int | None, int | None]]:
        """
        The connection and the event of each frame.
        """
        made = joinFrames(frames, events, connections, 1000)
        return [(each.connection, each.event) for each in made]

    def test_order(self) -> None:
        """
        Of frames as long as each other, each has the event that follows it.
        """
        events = [sent(110, 66), sent(120, 74), sent(130, 66)]
        frames = [captured(109, 66), captured(119, 74), captured(129, 66)]
        self.assertEqual([(0, 0), (0, 1), (0, 2)], self.join(frames, events, [connection()]))

    def test_otherConnection(self) -> None:
        """
        An event of another connection is not taken, however near.
        """
        other = ("127.0.0.1:5001", "127.0.0.1:80")
        events = [sent(110, 66, 1), sent(111, 66, 0)]
        frames = [captured(109, 66), captured(110, 66, (other[1], other[0]))]
        self.assertEqual(
            [(0, 1), (1, 0)], self.join(frames, events, [connection(), connection(0, other)])
        )

    def test_incoming(self) -> None:
        """
        A frame that was received has no stack that sent it.
        """
        frames = [captured(109, 66, outgoing=False)]
        self.assertEqual([(0, None)], self.join(frames, [sent(110, 66)], [connection()]))

    def test_tooLate(self) -> None:
        """
        An event long after the frame is another frame's.
        """
        frames = [captured(0, 66)]
        self.assertEqual([(0, None)], self.join(frames, [sent(2_000_000, 66)], [connection()]))

    def test_reusedPort(self) -> None:
        """
        A port's frames are of the connection that has it at the time.
        """
        connections = [connection(0), connection(5_000_000)]
        frames = [captured(10, 66, outgoing=False), captured(5_000_010, 66, outgoing=False)]
        self.assertEqual([(0, None), (1, None)], self.join(frames, [], connections))

    def test_strangers(self) -> None:
        """
        Frames of connections that are not in the trace are left out; ARP is kept.
        """
        frames = [captured(5, 66, ("1.2.3.4:5", ENDS[1])), captured(109, 42, ("", ""))]
        self.assertEqual([(0, 0)], self.join(frames, [sent(110, 42)], [connection()]))

    def test_recorded(self) -> None:
        """
        Each frame that a real connection sent has its stack; SYN was sent by tcp_connect.
        """
        trace = recorded.trace()
        self.assertEqual((10, 10), joined(trace))
        first = next(each for each in trace.frames if each.direction == "out")
        assert first.stack is not None
        self.assertIn(" SYN ", first.summary)
        self.assertIn("tcp_connect", [trace.symbols[i].name for i in trace.stacks[first.stack]])

    def test_comments(self) -> None:
        """
        The comment of a packet is its stack; without one there is none.
        """
        trace = recorded.trace()
        self.assertEqual(10, len(comments(trace)))
        self.assertIn(" < tcp_connect < tcp_v4_connect < ", comments(trace)[0])
        bare = replace(trace, frames=tuple(replace(each, stack=None) for each in trace.frames))
        self.assertEqual({}, comments(bare))
