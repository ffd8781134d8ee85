"""
Tests for L{ktcp.trace.report.pagedata}.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ktcp.test import recorded
from ktcp.test.support import STEADY
from ktcp.trace.model import Frame, Lost, Sample, Step, Task, Trace
from ktcp.trace.report import pagedata as module
from ktcp.trace.report.pagedata import view


def altered(step: str, /, **changes: Any) -> Trace:
    """
    The recorded trace with a step changed.
    """
    trace = recorded.trace()
    connection = trace.connections[0]
    steps = tuple(replace(s, **changes) if s.step == step else s for s in connection.steps)
    return replace(trace, connections=(replace(connection, steps=steps),))


def withStep(**fields: Any) -> Trace:
    """
    The recorded trace with a step more, just after its first frame.
    """
    trace = recorded.trace()
    connection = trace.connections[0]
    time = trace.frames[0].time + 1
    extra = Step(time, "drop", "client", "softirq", 0, 0, "", "", None, "kfree_skb", "", None)
    steps = (*connection.steps, replace(extra, **fields))
    return replace(trace, connections=(replace(connection, steps=steps),))


def repeated(count: int) -> Trace:
    """
    The recorded trace with its connection so many times.
    """
    trace = recorded.trace()
    frames = tuple(
        replace(frame, connection=n, bytes=frame.bytes + n.to_bytes(2, "big"))
        for n in range(count)
        for frame in trace.frames
    )
    return replace(trace, connections=trace.connections * count, frames=frames)


class ViewTests(SynchronousTestCase):
    """
    Tests for L{view}.
    """

    def rows(self, trace: Trace, kind: str) -> list[dict[str, Any]]:
        """
        The rows of a kind of the first connection.
        """
        return [row for row in view(trace)["connections"][0]["rows"] if row["kind"] == kind]

    def test_lanes(self) -> None:
        """
        A step stands in the lane of who ran it; a softirq names whose time it took.
        """
        lanes = {
            row["step"]: (row["lane"], row["lender"]) for row in self.rows(recorded.trace(), "step")
        }
        self.assertEqual(("client", "client"), lanes["syn"])
        self.assertEqual(("softirq", "client"), lanes["synQueue"])
        self.assertEqual(("softirq", "client"), lanes["acceptQueue"])
        self.assertEqual(("server", "server"), lanes["accept"])

    def test_arrows(self) -> None:
        """
        Each segment is one arrow, though loopback shows it twice, and knows when it came in.
        """
        rows = self.rows(recorded.trace(), "frame")
        self.assertEqual(10, len(rows))
        self.assertEqual(
            [("SYN", "client"), ("SYN ACK", "server"), ("ACK", "client")],
            [(row["title"], row["from"]) for row in rows[:3]],
        )
        for row in rows:
            self.assertGreater(row["arrived"], row["time"])
            self.assertIsNotNone(row["stack"])

    def test_sentBySoftirq(self) -> None:
        """
        The SYN-ACK is the server's, but a softirq in the client's process sends it.
        """
        row = self.rows(recorded.trace(), "frame")[1]
        self.assertEqual(("softirq", "client"), (row["lane"], row["lender"]))

    def test_handshake(self) -> None:
        """
        The server's half of the handshake is known to be run by the client's connect(2).
        """
        self.assertEqual(
            {"steps": 4, "borrowed": 4, "call": "connect", "first": "accept()"},
            view(recorded.trace())["connections"][0]["handshake"],
        )

    def test_handshakeElsewhere(self) -> None:
        """
        Where another task's time was taken, it is not said to be the client's.
        """
        trace = recorded.trace()
        tasks = tuple(replace(task, role="other") for task in trace.tasks)
        handshake = view(replace(trace, tasks=tasks))["connections"][0]["handshake"]
        self.assertEqual((4, 0, ""), tuple(handshake[key] for key in ("steps", "borrowed", "call")))

    def test_way(self) -> None:
        """
        The way of data is told by a stack that goes down to the device and up again.
        """
        data = view(recorded.trace())
        symbols = [data["symbols"][each] for each in data["stacks"][data["connections"][0]["way"]]]
        layers = [layer for _, layer, _ in symbols if layer]
        turn = layers.index("softirq")
        for part in (layers[:turn], layers[turn:]):
            self.assertLessEqual({"tcp", "ip", "device"}, set(part))
        self.assertIn("sendto(2)", " ".join(text for _, _, text in symbols))

    def test_bytes(self) -> None:
        """
        A frame's bytes are there once, with each header's place and fields.
        """
        data = view(recorded.trace())
        frame = data["frames"][data["connections"][0]["rows"][0]["frame"]]
        self.assertEqual(recorded.trace().frames[0].bytes.hex(), frame["bytes"])
        names = [name for name, *_ in frame["layers"]]
        self.assertEqual(["Ethernet", "IPv4", "TCP"], names)
        self.assertIn(["flags", "SYN"], frame["layers"][2][3])
        self.assertEqual(10, len(data["frames"]))

    def test_arp(self) -> None:
        """
        ARP, which belongs to no connection, stands in the one that had begun.
        """
        asks = bytes.fromhex(
            "ffffffffffff16843d1542c20806000108000604000116843d1542c27f000001000000000000c0000201"
        )
        trace = recorded.trace()
        first = trace.frames[0]
        extra = Frame(first.time + 1, "ktp1", "out", 42, asks, "", None, None, None)
        rows = self.rows(replace(trace, frames=(*trace.frames, extra)), "frame")
        self.assertEqual(("ARP request", "client"), (rows[1]["title"], rows[1]["from"]))

    def test_drop(self) -> None:
        """
        A drop marks its own row and the segment that did not arrive, and no other.
        """
        trace = withStep(text="NETFILTER_DROP", evidence="kfree_skb < nft_do_chain")
        rows = view(trace)["connections"][0]["rows"]
        self.assertEqual(
            [("frame", "SYN"), ("step", "dropped")],
            [(row["kind"], row["title"]) for row in rows if row["trouble"]],
        )

    def test_flame(self) -> None:
        """
        The flame graph weighs every event that has a stack.
        """
        trace = recorded.trace()
        counted = sum(event.stack is not None for event in trace.events)
        self.assertEqual(counted, sum(count for *_, count in view(trace)["flame"]))

    def test_lost(self) -> None:
        """
        A trace with holes says so before all else.
        """
        notes = view(replace(recorded.trace(), lost=Lost(7, 3)))["notes"]
        self.assertIn("7 events and 3 frames were lost", notes[0])

    def test_whole(self) -> None:
        """
        Of one connection nothing is left out.
        """
        data = view(recorded.trace())
        self.assertEqual(([], 0), (data["notes"], data["connections"][0]["left"]))

    def test_empty(self) -> None:
        """
        A trace in which nothing happened is no error.
        """
        trace = recorded.trace()
        data = view(replace(trace, connections=(), events=(), frames=trace.frames[:1], queues=()))
        self.assertEqual(([], [], []), (data["connections"], data["flame"], data["queues"]))

    def test_noFrames(self) -> None:
        """
        Without frames, as perf records, the steps are all there, and so is the way.
        """
        data = view(replace(recorded.trace(), frames=()))["connections"][0]
        self.assertEqual({"step"}, {row["kind"] for row in data["rows"]})
        self.assertIsNotNone(data["way"])

    def test_noSteps(self) -> None:
        """
        Connections of which only frames were seen have arrows, and neither steps nor stacks.
        """
        trace = recorded.trace()
        connection = replace(trace.connections[0], steps=())
        data = view(replace(trace, connections=(connection,)))["connections"][0]
        self.assertEqual({"frame"}, {row["kind"] for row in data["rows"]})
        self.assertIsNone(data["way"])


class BoundsTests(SynchronousTestCase):
    """
    L{view} of more than a page can hold.
    """

    def test_connections(self) -> None:
        """
        Of many connections those in trouble are kept, and a note says how many are not.
        """
        self.patch(module, "CONNECTIONS", 3)
        trace = repeated(5)
        last = trace.connections[-1]
        reset = replace(last.steps[-1], step="reset")
        connections = (*trace.connections[:-1], replace(last, steps=(*last.steps, reset)))
        data = view(replace(trace, connections=connections))
        self.assertEqual(3, len(data["connections"]))
        self.assertTrue(data["connections"][-1]["name"].startswith("5: "))
        self.assertIn("3 of 5 connections are here", data["notes"][0])

    def test_rows(self) -> None:
        """
        Of a long connection the beginning is drawn, and the number of the rest told.
        """
        trace = recorded.trace()
        connection = replace(trace.connections[0], steps=trace.connections[0].steps * 100)
        data = view(replace(trace, connections=(connection,)))
        shown = data["connections"][0]
        self.assertEqual(module.ROWS, len(shown["rows"]))
        self.assertEqual(len(connection.steps) + 10 - module.ROWS, shown["left"])
        self.assertIn("of a connection, the first 400 steps and frames are drawn", data["notes"])

    def test_size(self) -> None:
        """
        Whatever the trace, the page's data stay within what a browser opens at once.
        """
        trace = repeated(250)
        frames = tuple(replace(each, bytes=each.bytes.ljust(2_000, b"x")) for each in trace.frames)
        names = tuple(Task(each.pid, "x" * 100_000, each.role) for each in trace.tasks)
        huge = replace(trace, frames=frames, tasks=names, queues=trace.queues * 1_000)
        data = view(huge)
        self.assertLess(len(json.dumps(data)), 12_000_000)
        self.assertEqual(3, len(data["notes"]))
        self.assertLessEqual(len(data["queues"]), module.POINTS)

    def test_fullestMoment(self) -> None:
        """
        A moment in which the queue was full is drawn, however many samples there are.
        """
        samples = [Sample(time, 0, 0, 5) for time in range(9_999)]
        samples[4_321] = Sample(4_321, 6, 0, 5)
        queues = view(replace(recorded.trace(), queues=tuple(samples)))["queues"]
        self.assertIn([4_321, 6, 0, 5], queues)

    def test_stacks(self) -> None:
        """
        Stacks that the page has no room for are left out, and their rows stay.
        """
        self.patch(module, "FUNCTIONS", 100)
        data = view(recorded.trace())
        self.assertLessEqual(sum(map(len, data["stacks"])), 100)
        rows = data["connections"][0]["rows"]
        self.assertEqual(34, len(rows))
        self.assertIn(None, {row["stack"] for row in rows})
        self.assertIn("stacks beyond the first 100 functions are left out", data["notes"])

    def test_deepStack(self) -> None:
        """
        Of a stack deeper than any kernel's, the innermost functions are shown.
        """
        trace = recorded.trace()
        stacks = tuple((0, *stack, *[1] * 100_000) for stack in trace.stacks)
        shown = view(replace(trace, stacks=stacks))["stacks"]
        self.assertEqual({module.DEPTH}, {len(stack) for stack in shown})
        self.assertEqual(1, len({stack[-1] for stack in shown}))

    @STEADY
    @given(st.binary(max_size=200), st.text(max_size=40), st.integers(-5, 10**20))
    def test_anything(self, content: bytes, text: str, time: int) -> None:
        """
        No bytes, names or times of a trace are an error.
        """
        trace = altered("accept", step=text, who=text, text=text, time=time)
        frame = replace(trace.frames[0], bytes=content, connection=None, time=time)
        json.dumps(view(replace(trace, frames=(frame, *trace.frames))))
