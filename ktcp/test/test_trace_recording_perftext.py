"""
Tests for L{ktcp.trace.recording.perftext} and L{ktcp.trace.recording.perffile}.
"""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ktcp.test.support import STEADY
from ktcp.trace.errors import TraceError
from ktcp.trace.recording.perffile import importFile
from ktcp.trace.recording.perftext import parse
from ktcp.trace.report.timeline import attribution

LO = "saddr=127.0.0.1 daddr=127.0.0.1 saddrv6=::ffff:127.0.0.1 daddrv6=::ffff:127.0.0.1"


def state(time: str, sport: int, dport: int, old: str, new: str, *stack: str) -> str:
    """
    A change of state as perf prints it.
    """
    fields = f"family=AF_INET protocol=IPPROTO_TCP sport={sport} dport={dport} {LO}"
    head = f"python3 32 [001] 14.{time}:  sock:inet_sock_set_state: {fields}"
    states = f"oldstate=TCP_{old} newstate=TCP_{new}"
    return event(f"{head} {states}", *stack)


def event(head: str, *stack: str) -> str:
    """
    An event with its stack, and the program's part of it.
    """
    frames = [f"\tffffffff8205{index:04x} {name}" for index, name in enumerate(stack)]
    return "\n".join([head, *frames, "\t          10a8e7 __libc_connect", "", ""])


TEXT = (
    "# captured on an ordinary day\n"
    + state("100000000", 0, 80, "CLOSE", "SYN_SENT", "inet_sk_state_store", "tcp_v4_connect")
    + event(
        "python3 32 [001] 14.100020000:  net:net_dev_start_xmit: dev=lo skbaddr=0xffff888 len=74",
        "dev_hard_start_xmit",
        "tcp_connect.constprop.0",
        "__x64_sys_connect",
    )
    + state("100050000", 5000, 80, "SYN_SENT", "ESTABLISHED", "tcp_finish_connect")
    + state("100090000", 80, 5000, "LISTEN", "SYN_RECV", "tcp_check_req", "net_rx_action")
    + event(
        "python3 32 [001] 14.100095000:  sock:sk_data_ready: family=2 protocol=6 func=readable",
        "sock_def_readable",
        "tcp_child_process",
        "net_rx_action",
    )
    + event("server 33 [000] 14.1002:  syscalls:sys_exit_accept4: 0x5", "do_syscall_64")
    + state("100300000", 80, 0, "LISTEN", "CLOSE", "tcp_close")
)


class ParseTests(SynchronousTestCase):
    """
    Tests for L{parse}.
    """

    def test_events(self) -> None:
        """
        An event has its time, its processor, its fields and the kernel's part of its stack.
        """
        found = parse(TEXT.splitlines())
        self.assertEqual((7, 0), (len(found.events), found.skipped))
        self.assertEqual({32: "python3", 33: "server"}, found.tasks)
        sent, accepted = found.events[1], found.events[5]
        self.assertEqual((14_100_020_000, 1, 32), (sent.time, sent.cpu, sent.pid))
        self.assertEqual(("lo", 74), (sent.values["name"], sent.values["len"]))
        self.assertEqual(("dev_hard_start_xmit", "tcp_connect", "__x64_sys_connect"), sent.stack)
        self.assertEqual((14_100_200_000, 5), (accepted.time, accepted.values["ret"]))

    def test_sockets(self) -> None:
        """
        The port that connect(2) chose later is that of its first change of state, too.
        """
        found = parse(TEXT.splitlines())
        names = [each.values.get("skaddr") for each in found.events]
        expected = ["5000>80", None, "5000>80", "80>5000", None, None, None]
        self.assertEqual(expected, names)

    def test_skipped(self) -> None:
        """
        Lines of something else are counted, and harm nobody.
        """
        self.assertEqual(1, parse(["hello", *TEXT.splitlines()]).skipped)

    @STEADY
    @given(st.lists(st.text() | st.sampled_from(TEXT.splitlines())))
    def test_anything(self, lines: list[str]) -> None:
        """
        No text raises.
        """
        self.assertLessEqual(len(parse(lines).events), len(lines))


class ImportTests(SynchronousTestCase):
    """
    Tests for L{importFile}.
    """

    def test_import(self) -> None:
        """
        A recording of perf has the steps of its connection, and says what it lacks.
        """
        path = Path(self.mktemp())
        path.write_text(TEXT)
        trace = importFile(path, 80)
        [connection] = trace.connections
        self.assertEqual(
            ["syn", "established", "child", "acceptQueue", "accept"],
            [each.step for each in connection.steps],
        )
        self.assertEqual("127.0.0.1:5000", connection.client)
        self.assertEqual(105_000, connection.dwell.acceptQueue)
        self.assertIn("frames", trace.environment.notAvailable)
        self.assertEqual(0, attribution(trace)[1])

    def test_refused(self) -> None:
        """
        What is missing, or no such text, is an error in a line.
        """
        path = Path(self.mktemp())
        with self.assertRaisesRegex(TraceError, "cannot read"):
            importFile(path, 80)
        path.write_bytes(b"\xff\xfe\0")
        with self.assertRaisesRegex(TraceError, "no events"):
            importFile(path, 80)
