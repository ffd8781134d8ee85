# -*- test-case-name: ktcp.test.test_trace_analysis_steps -*-
"""
The steps of a connection, each by its evidence.  Pure: linked events in
(L{ktcp.trace.analysis.link}), steps and dwell times out.

The kernel has no tracepoint for some of them, and then the nearest thing that
it does is taken, by the functions above it: a request enters the SYN queue
just before its SYN-ACK is sent (C{tcp_conn_request}); a connection enters the
accept queue just before the listener is told (C{tcp_child_process}), and
leaves it with the end of accept(2), first in first out.  TIME_WAIT has no
state change at all: the socket is closed, and a small one waits in its place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ktcp.trace.analysis.events import STATES, Seen
from ktcp.trace.analysis.link import SHARED
from ktcp.trace.model import Dwell

# A change of state is a step.
_STATE_STEPS = {
    ("CLOSE", "SYN_SENT"): "syn",
    ("SYN_SENT", "ESTABLISHED"): "established",
    ("SYN_SENT", "SYN_RECV"): "child",
    ("LISTEN", "SYN_RECV"): "child",
    ("SYN_RECV", "ESTABLISHED"): "established",
    ("SYN_RECV", "FIN_WAIT1"): "fin",
    ("ESTABLISHED", "FIN_WAIT1"): "fin",
    ("CLOSE_WAIT", "LAST_ACK"): "fin",
    ("ESTABLISHED", "CLOSE_WAIT"): "finReceived",
    ("FIN_WAIT1", "CLOSING"): "finReceived",
    ("FIN_WAIT1", "FIN_WAIT2"): "finAcked",
    ("FIN_WAIT2", "CLOSE"): "timeWait",
    ("CLOSING", "CLOSE"): "timeWait",
}
# Of a change of state, the functions that do no more than what they are told.
_WRITERS = frozenset({"tcp_set_state", "tcp_done", "tcp_create_openreq_child"})
# Why a buffer was freed, when that is no loss: its socket is gone, its content taken over.
_HARMLESS = frozenset(
    {"QUEUE_PURGE", "SOCKET_CLOSE", "TCP_OFOMERGE", "CONSUMED", "TCP_OLD_ACK", "UNIX_DISCONNECT"}
)
# From where netfilter is asked.
_HOOKS = {
    "ip_rcv": "prerouting",
    "ip_local_deliver": "input",
    "ip_forward": "forward",
    "__ip_local_out": "output",
    "ip_output": "postrouting",
    "ipv6_rcv": "prerouting",
    "ip6_input": "input",
    "ip6_forward": "forward",
    "__ip6_local_out": "output",
    "ip6_output": "postrouting",
}
_SYN_ACKS = ("tcp_v4_send_synack", "tcp_v6_send_synack")
_MSG_PEEK = 2


@dataclass
class Found:
    """
    A step; see L{ktcp.trace.model.Step}.

    @ivar event: Index of its evidence.
    """

    event: int
    step: str
    side: str
    evidence: str
    oldState: str = ""
    newState: str = ""
    text: str = ""


@dataclass
class Story:
    """
    What was found of one connection.

    @ivar lastLength: By side, the bytes of the segment received last.
    """

    steps: list[Found] = field(default_factory=list)
    lastLength: dict[str, int] = field(default_factory=dict)

    def last(self, step: str, side: str) -> Found | None:
        """
        The latest such step.
        """
        for found in reversed(self.steps):
            if (found.step, found.side) == (step, side):
                return found
        return None

    def first(self, step: str) -> Found | None:
        """
        The first such step.
        """
        return next((found for found in self.steps if found.step == step), None)


class Teller:
    """
    Goes through the events once.
    """

    def __init__(self, count: int, roles: Mapping[int, str]) -> None:
        """
        @param count: Of connections.
        @param roles: C{client} or C{server}, by pid.
        """
        self.stories = [Story() for _ in range(count)]
        self._roles = roles
        self._accepting: deque[int] = deque()

    def tell(self, events: Sequence[Seen]) -> list[Story]:
        """
        Find the steps of all connections.
        """
        for index, event in enumerate(events):
            if event.name in SHARED:
                self._accepted(index, event)
            elif event.connection is not None:
                rule = _RULES.get(event.name)
                if rule is not None:
                    rule(self, index, event, self.stories[event.connection])
        # The order of evidence: a step may have been given a later event than it had.
        for story in self.stories:
            story.steps.sort(key=lambda found: found.event)
        return self.stories

    def _accepted(self, index: int, event: Seen) -> None:
        """
        The end of accept(2): the oldest of the queue is out of it.
        """
        enters = event.name.startswith("sys_enter") or event.number("ret") < 0
        if enters or not self._accepting or self._roles.get(event.pid) == "client":
            return
        event.connection = self._accepting.popleft()
        text = f"descriptor {event.number('ret')}"
        evidence = f"{event.name}, first in first out"
        found = Found(index, "accept", "server", evidence, text=text)
        self.stories[event.connection].steps.append(found)

    def _state(self, index: int, event: Seen, story: Story) -> None:
        """
        A change of state.
        """
        old, new = (STATES.get(event.number(each), "?") for each in ("oldstate", "newstate"))
        step = _STATE_STEPS.get((old, new), "closed" if new == "CLOSE" else "")
        if not step:
            return
        functions = (each for each in event.near() if each not in _WRITERS)
        by = next((each for each in functions if each.startswith("tcp_")), "")
        text = "a minisock waits" if step == "timeWait" else ""
        evidence = _evidence(event, by)
        story.steps.append(Found(index, step, event.side, evidence, old, new, text))

    def _queued(self, index: int, event: Seen, story: Story) -> None:
        """
        A frame on its way to the device's queue.
        """
        near = event.near()
        if _asksNeighbour(near):
            return
        if "tcp_conn_request" in near and any(each in near for each in _SYN_ACKS):
            evidence = _evidence(event, "tcp_conn_request")
            story.steps.append(Found(index, "synQueue", "server", evidence))

    def _sent(self, index: int, event: Seen, story: Story) -> None:
        """
        A frame on its way to the driver.
        """
        near = event.near()
        if _asksNeighbour(near):
            return
        if "tcp_connect" in near:
            syn = story.last("syn", "client")
            if syn is not None:
                syn.event, syn.evidence = index, _evidence(event, "tcp_connect")
        elif "tcp_conn_request" in near:
            by = next((each for each in _SYN_ACKS if each in near), "tcp_conn_request")
            story.steps.append(Found(index, "synAck", "server", _evidence(event, by)))
        elif "tcp_sendmsg_locked" in near:
            side = self._roles.get(event.pid, "")
            story.steps.append(Found(index, "send", side, _evidence(event, "tcp_sendmsg_locked")))

    def _handedOver(self, index: int, event: Seen, story: Story) -> None:
        """
        The end of send(2): how many bytes it was.
        """
        count = event.number("ret")
        sent = story.last("send", event.side)
        if count > 0 and sent is not None and not sent.text:
            sent.text = f"{count} bytes"

    def _probed(self, index: int, event: Seen, story: Story) -> None:
        """
        A segment has come for an established connection.
        """
        story.lastLength[event.side] = event.number("data_len")

    def _ready(self, index: int, event: Seen, story: Story) -> None:
        """
        Somebody is told to look: at a listener, which is none of our sockets, or at data.
        """
        if not event.side:
            if "tcp_child_process" in event.near():
                assert event.connection is not None
                self._accepting.append(event.connection)
                evidence = _evidence(event, "tcp_child_process") + " on the listener"
                story.steps.append(Found(index, "acceptQueue", "server", evidence))
            return
        count = story.lastLength.pop(event.side, 0)
        if count:
            by = next((each for each in event.near() if each.startswith("tcp_")), "")
            found = Found(index, "queued", event.side, _evidence(event, by), text=f"{count} bytes")
            story.steps.append(found)

    def _read(self, index: int, event: Seen, story: Story) -> None:
        """
        The end of recv(2).
        """
        count = event.number("ret")
        if count < 0 or event.number("flags") & _MSG_PEEK:
            return
        step, text = ("read", f"{count} bytes") if count else ("eof", "")
        story.steps.append(Found(index, step, event.side, _evidence(event, ""), text=text))

    def _freed(self, index: int, event: Seen, story: Story) -> None:
        """
        A frame was thrown away.
        """
        reason = str(event.values.get("reason", ""))
        if reason in _HARMLESS:
            return
        hook = next((_HOOKS[each] for each in event.near() if each in _HOOKS), "")
        by = _dropper(event)
        at = f" by netfilter, hook {hook}" if hook and reason.startswith("NETFILTER") else ""
        text = f"{reason}{at}"
        story.steps.append(Found(index, "drop", "", _evidence(event, by), text=text))

    def _destroyed(self, index: int, event: Seen, story: Story) -> None:
        """
        A socket's memory is free for another.
        """
        story.steps.append(Found(index, "destroyed", event.side, _evidence(event, "")))

    def _retransmitted(self, index: int, event: Seen, story: Story) -> None:
        """
        No acknowledgment came in time.
        """
        text = STATES.get(event.number("state"), "")
        text = f"in {text}" if text else ""
        found = Found(index, "retransmit", event.side, _evidence(event, ""), text=text)
        story.steps.append(found)

    def _reset(self, index: int, event: Seen, story: Story) -> None:
        """
        RST, sent or received.
        """
        text = "received" if event.name == "tcp_receive_reset" else "sent"
        story.steps.append(Found(index, "reset", event.side, _evidence(event, ""), text=text))


_RULES = {
    "inet_sock_set_state": Teller._state,
    "net_dev_queue": Teller._queued,
    "net_dev_start_xmit": Teller._sent,
    "sock_send_length": Teller._handedOver,
    "tcp_probe": Teller._probed,
    "sk_data_ready": Teller._ready,
    "sock_recv_length": Teller._read,
    "kfree_skb": Teller._freed,
    "tcp_destroy_sock": Teller._destroyed,
    "tcp_retransmit_skb": Teller._retransmitted,
    "tcp_retransmit_synack": Teller._retransmitted,
    "tcp_receive_reset": Teller._reset,
    "tcp_send_reset": Teller._reset,
}


def _asksNeighbour(near: Sequence[str]) -> bool:
    """
    Whether a frame on the way of a segment is not that segment, but ARP.
    """
    return any(each.startswith(("arp_", "ndisc_")) for each in near)


def _evidence(event: Seen, by: str) -> str:
    """
    What says so, for people.
    """
    return f"{event.name} < {by}" if by else event.name


def _dropper(event: Seen) -> str:
    """
    The innermost function that decided to drop, not merely did.
    """
    return next((each for each in event.near() if "skb" not in each), "")


def dwellOf(story: Story, events: Sequence[Seen]) -> Dwell:
    """
    How long a connection was in the SYN queue and in the accept queue.
    """

    def between(start: str, end: str) -> int | None:
        first, last = story.first(start), story.first(end)
        if first is None or last is None:
            return None
        return events[last.event].time - events[first.event].time

    return Dwell(between("synQueue", "child"), between("acceptQueue", "accept"))


# What goes into a queue, and what comes out: SYN queue, accept queue.
_QUEUE_CHANGES = {"synQueue": (1, 0), "child": (-1, 0), "acceptQueue": (0, 1), "accept": (0, -1)}


def queueLengths(stories: Sequence[Story], events: Sequence[Seen]) -> list[tuple[int, int, int]]:
    """
    Both queues over time, by the connections in this trace.

    @return: Times with the lengths of the accept queue and of the SYN queue from then on.
    """
    changes = [
        (events[found.event].time, *_QUEUE_CHANGES[found.step])
        for story in stories
        for found in story.steps
        if found.step in _QUEUE_CHANGES
    ]
    lengths, half, full = [], 0, 0
    for time, syn, accept in sorted(changes):
        # What was in a queue before tracing began comes out of it, too.
        half, full = max(half + syn, 0), max(full + accept, 0)
        lengths.append((time, full, half))
    return lengths
