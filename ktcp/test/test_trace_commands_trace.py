"""
Tests for C{ktcp trace run} and its kin, on the running kernel.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from ktcp.test import recorded
from ktcp.test.peers import kernel, peer
from ktcp.test.support import ROOT, runKtcp
from ktcp.trace.analysis.join import joined
from ktcp.trace.model import Trace
from ktcp.trace.report.files import load, save
from ktcp.trace.report.timeline import attribution

INSTANCES = Path("/sys/kernel/tracing/instances")
CONNECT = "import socket, sys; socket.create_connection(('127.0.0.1', {port}), {seconds})"


def command(*arguments: object) -> list[str]:
    """
    C{ktcp trace} with arguments.
    """
    return [sys.executable, "-b", "-m", "ktcp.trace", "trace", *map(str, arguments)]


def run(*arguments: object, before: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """
    Run it to its end.

    @param before: A command that runs it.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*before, *command(*arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment,
    )


class UsageTests(SynchronousTestCase):
    """
    What needs no kernel.
    """

    def assertRefused(self, status: int, reason: str, *arguments: object) -> None:
        """
        It ends with a status and one line, without a traceback.
        """
        done, output, errors = runKtcp(self, "trace", *arguments)
        self.assertEqual((status, ""), (done, output), errors)
        self.assertIn(reason, errors.splitlines()[-1])

    def test_noTraceFS(self) -> None:
        """
        Without tracefs the status is 77, and a line says what to do.
        """
        self.assertRefused(77, "mount -t tracefs", "run", "--tracefs", "/nowhere")

    def test_together(self) -> None:
        """
        Options that contradict each other are refused.
        """
        self.assertRefused(2, "--lab veth", "run", "--port", 80, "--lab", "veth", "--", "true")
        self.assertRefused(2, "needs a COMMAND", "run", "--port", 80)
        self.assertRefused(2, "must have {port}", "run", "--", "curl", "http://127.0.0.1/")

    def test_values(self) -> None:
        """
        A value that is none is refused by the option's name.
        """
        self.assertRefused(2, "-n", "run", "-n", 0)
        self.assertRefused(2, "--for", "attach", "--port", 80, "--for", "soon")

    def test_show(self) -> None:
        """
        A trace that was kept is shown again, anywhere.
        """
        folder = Path(self.mktemp())
        save(recorded.trace(), folder)
        status, output, errors = runKtcp(self, "trace", "show", folder)
        self.assertEqual((0, ""), (status, errors))
        self.assertIn("tcp_v4_connect > tcp_connect", output)
        self.assertRefused(1, "cannot read", "show", "nowhere")


class RunTests(SynchronousTestCase):
    """
    Tracing the running kernel.
    """

    def setUp(self) -> None:
        kernel("tracefs")
        kernel("packet sockets")
        self.folder = Path(self.mktemp())

    def trace(self, *arguments: object) -> Trace:
        """
        Trace, and read what was kept.
        """
        status, self.output, errors = runKtcp(self, "trace", *arguments, "-o", self.folder)
        self.assertEqual((0, ""), (status, errors))
        return load(self.folder)

    def layers(self, trace: Trace) -> set[str]:
        """
        The layers in its stacks.
        """
        return {trace.symbols[each].layer for stack in trace.stacks for each in stack}

    def test_echo(self) -> None:
        """
        One echo connection: every step with its stack, nothing lost, frames joined, cost stated.
        """
        trace = self.trace("run")
        [connection] = trace.connections
        names = [each.step for each in connection.steps]
        for step in ("syn", "synQueue", "synAck", "child", "acceptQueue", "accept", "timeWait"):
            self.assertIn(step, names)
        handshake = [names.index(each) for each in ("syn", "synQueue", "synAck", "child")]
        self.assertEqual(sorted(handshake), handshake)
        self.assertEqual([], [each for each in connection.steps if each.stack is None])
        self.assertIsNotNone(connection.dwell.synQueue)
        self.assertIsNotNone(connection.dwell.acceptQueue)
        total, unknown = attribution(trace)
        self.assertLessEqual(unknown, total // 100)
        self.assertLessEqual({"syscall", "tcp", "ip", "device", "softirq"}, self.layers(trace))
        self.assertEqual((10, 10), joined(trace))
        lines = self.output.splitlines()
        self.assertIn("lost: 0", lines)
        self.assertTrue(any(line.startswith("cost: ") and "untraced" in line for line in lines))

    def test_many(self) -> None:
        """
        Of many connections at once, beside other load, 99 of 100 frames have their stack, no SYN
        another than tcp_connect's, and no event is the other load's.
        """
        with otherLoad() as port:
            trace = self.trace("run", "-n", 200, "--clients", 8)
        self.assertEqual(200, len(trace.connections))
        sent, found = joined(trace)
        self.assertGreaterEqual(found, sent * 0.99)
        for frame in trace.frames:
            if " SYN seq" in frame.summary and frame.stack is not None:
                names = [trace.symbols[each].name for each in trace.stacks[frame.stack]]
                self.assertIn("tcp_connect", names)
                self.assertNotIn("tcp_conn_request", names)
        ports = {event.fields.get(each) for event in trace.events for each in ("sport", "dport")}
        self.assertNotIn(port, ports)
        self.assertNotIn(os.getpid(), {each.pid for each in trace.tasks})
        tcpdump = [peer("tcpdump", "tcpdump"), "-nr", str(self.folder / "frames.pcapng")]
        syns = [*tcpdump, "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn"]
        shown = subprocess.run(syns, capture_output=True, text=True, check=True).stdout
        self.assertEqual(200, len(shown.splitlines()))

    def test_veth(self) -> None:
        """
        Between two namespaces there is ARP, too.
        """
        kernel("network namespaces")
        peer("ip", "iproute2")
        trace = self.trace("run", "--lab", "veth")
        self.assertIn("arp", self.layers(trace))
        self.assertTrue(any(frame.summary.startswith("ARP who has") for frame in trace.frames))
        sent, found = joined(trace)
        self.assertEqual(sent, found)

    def test_drop(self) -> None:
        """
        A SYN that a rule drops: the trace says by what, in which hook, with the stack.  What the
        client, a command of one's own, said and how it ended is told.
        """
        kernel("network namespaces")
        rules = (
            "ip link set lo up && nft add table inet ktcp &&"
            " nft add chain inet ktcp in '{ type filter hook input priority 0; }' &&"
            ' nft add rule inet ktcp in tcp dport 4444 drop && exec "$@"'
        )
        for program, package in (
            ("nft", "nftables"),
            ("unshare", "util-linux"),
            ("ip", "iproute2"),
        ):
            peer(program, package)
        listen = (
            "import os, socket, sys; s = socket.create_server(('127.0.0.1', 4444));"
            " s.set_inheritable(True); os.execvp(sys.argv[1], sys.argv[1:])"
        )
        # The listener is a descriptor that `ktcp trace` inherits: it need not accept.
        serve = (sys.executable, "-c", listen)
        client = f"print('hello', flush=True); {CONNECT.format(port=4444, seconds=0.2)}"
        arguments = ("run", "--port", 4444, "-o", self.folder, "--", sys.executable, "-c", client)
        done = run(*arguments, before=("unshare", "-n", "sh", "-ec", rules, "sh", *serve))
        self.assertEqual(1, done.returncode, done.stderr)
        [connection] = load(self.folder).connections
        [drop] = [each for each in connection.steps if each.step == "drop"]
        self.assertEqual("NETFILTER_DROP by netfilter, hook input", drop.text)
        self.assertEqual("kfree_skb < nft_do_chain", drop.evidence)
        self.assertIsNotNone(drop.stack)
        self.assertIn("netfilter", self.layers(load(self.folder)))
        self.assertIn(drop.text, (self.folder / "index.html").read_text())
        self.assertIn("hello\n", done.stdout)
        self.assertIn("ended with status 1", done.stderr)

    def test_killed(self) -> None:
        """
        A run that was killed leaves its instances; the next removes them.  Its buffers are too
        small, and it says what was lost.
        """
        switches = Path("/sys/kernel/tracing/events/enable").read_text()
        process = subprocess.Popen(
            command("run", "-n", 100_000),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.addCleanup(process.wait)
        ours = INSTANCES / f"ktcp-{process.pid}-ports"
        waiting = Event()
        while process.poll() is None:
            # The folder is there a moment before its files are.
            switch = ours / "tracing_on"
            if switch.exists() and switch.read_text() == "1\n":
                break
            waiting.wait(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.assertEqual(-signal.SIGKILL, process.returncode)
        trace = self.trace("run", "-n", 50, "--clients", 4, "--buffer", 8)
        self.assertEqual([], list(INSTANCES.glob(f"ktcp-{process.pid}-*")))
        self.assertEqual(switches, Path("/sys/kernel/tracing/events/enable").read_text())
        self.assertGreater(trace.lost.events, 0)
        self.assertIn(f"lost: {trace.lost.events}\n", self.output)

    def test_states(self) -> None:
        """
        A trace of states alone has the states, no stacks, and says so.
        """
        trace = self.trace("run", "--detail", "states")
        self.assertEqual((), trace.stacks)
        steps = [each.step for each in trace.connections[0].steps]
        self.assertIn("timeWait", steps)

    def test_nobody(self) -> None:
        """
        Whoever may not trace is told so, in a line, with status 77.
        """
        setpriv = peer("setpriv", "util-linux")
        nobody = (setpriv, "--reuid", "65534", "--regid", "65534", "--clear-groups")
        if run("--help", before=nobody).returncode:
            raise SkipTest(f"needs a Python that everybody may run, not {sys.executable}")
        done = run("run", before=nobody)
        self.assertEqual((77, ""), (done.returncode, done.stdout), done.stderr)
        self.assertEqual(1, len(done.stderr.splitlines()))

    def test_attach(self) -> None:
        """
        A server that runs already is traced with its clients; nobody's port is refused.
        """
        with otherLoad() as port:
            trace = self.trace("attach", "--port", port, "--for", "200ms")
        whole = [each for each in trace.connections if each.steps[0].step == "syn"]
        self.assertTrue(whole)
        self.assertIn("accept", [each.step for each in whole[0].steps])
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            arguments = ("attach", "--port", free.getsockname()[1], "--for", "1s")
            status, _, errors = runKtcp(self, "trace", *arguments)
        self.assertEqual((2, 1), (status, len(errors.splitlines())))
        self.assertIn("nobody listens", errors)


@contextmanager
def otherLoad() -> Iterator[int]:
    """
    Connections of this process to itself, for as long as the context lasts.
    """
    over = Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def load() -> None:
            while not over.wait(0.001):
                with socket.create_connection(listener.getsockname(), 5) as client:
                    server, _ = listener.accept()
                    with server:
                        client.sendall(b"other")
                        server.recv(10)

        thread = Thread(target=load)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            thread.join(10)
