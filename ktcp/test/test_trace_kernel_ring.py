"""
Tests for L{ktcp.trace.kernel.ring}, beside a real kernel.
"""

from __future__ import annotations

import socket
from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from ktcp.test.peers import kernel
from ktcp.test.support import enterNamespace
from ktcp.trace.errors import Refused
from ktcp.trace.kernel import packet
from ktcp.trace.kernel.ring import BLOCK_TIMEOUT_MS, Capture, Frame, Ring, taiOffsetNs

# Frames on loopback of a connection that says nothing: SYN, SYN ACK, ACK, FIN, (ACK,) FIN, ACK.
HANDSHAKE = ["SYN", "SYN ACK", "ACK"]


class NetworkTests(SynchronousTestCase):
    """
    A network of their own, with a server.
    """

    def setUp(self) -> None:
        kernel("packet sockets")
        self.taken: Counter[Capture] = Counter()
        enterNamespace(self)
        self.server = self.listen("127.0.0.1", socket.AF_INET)
        self.port = self.server.getsockname()[1]

    def listen(self, address: str, family: int) -> socket.socket:
        """
        A server.
        """
        server = socket.create_server((address, 0), family=family)
        self.addCleanup(server.close)
        return server

    def connect(self, server: socket.socket | None = None, times: int = 1) -> None:
        """
        Connections that end at once.
        """
        server = server or self.server
        for _ in range(times):
            with socket.create_connection(server.getsockname()[:2]):
                server.accept()[0].close()

    def flags(self, frames: list[Frame]) -> list[str]:
        """
        What segments there are.
        """
        return [" ".join(packet.decode(frame.data)[2].fields["flags"]) for frame in frames]

    def take(self, capture: Capture) -> list[Frame]:
        """
        All frames so far, as many as the kernel says; the last block is handed over when it
        has waited long enough.
        """
        found: list[Frame] = []
        for _ in range(100):
            found += capture.frames()
            capture.count()
            if self.taken[capture] + len(found) == capture.seen - capture.drops:
                self.taken[capture] += len(found)
                return found
            capture.wait(10 * BLOCK_TIMEOUT_MS / 1000)
        self.fail(f"{len(found)} of {capture.seen} frames, {capture.drops} lost")


class RingTests(NetworkTests):
    """
    The ring itself.
    """

    def test_once(self) -> None:
        """
        On loopback each frame is told of once: as it comes in, or as it goes out.
        """
        for direction, outgoing in (("", False), ("out", True)):
            with Capture("lo", self.port, direction=direction) as capture:
                self.connect()
                frames = self.take(capture)
            self.assertEqual({frame.outgoing for frame in frames}, {outgoing})
            self.assertEqual(self.flags(frames)[:3], HANDSHAKE)
            self.assertEqual(self.flags(frames).count("SYN"), 1)
            times = [frame.timeNs for frame in frames]
            self.assertEqual(times, sorted(times))

    def test_both(self) -> None:
        """
        Or twice, when that is asked for.
        """
        with Capture("lo", self.port, direction="both") as capture:
            self.connect()
            self.assertEqual(self.flags(self.take(capture)).count("SYN"), 2)

    def test_port(self) -> None:
        """
        Another port's frames are not among them; IPv6's are.
        """
        other = self.listen("127.0.0.1", socket.AF_INET)
        six = self.listen("::1", socket.AF_INET6)
        with Capture("lo", six.getsockname()[1]) as capture:
            self.connect(other)
            self.connect(six)
            frames = self.take(capture)
        self.assertEqual(self.flags(frames).count("SYN"), 1)
        self.assertEqual({packet.decode(frame.data)[1].name for frame in frames}, {"IPv6"})

    def test_everything(self) -> None:
        """
        Port 0 is every frame.
        """
        with Capture("lo", 0) as capture:
            self.connect()
            self.assertEqual(self.flags(self.take(capture))[:3], HANDSHAKE)

    def test_snapLength(self) -> None:
        """
        Frames are cut as asked, and their length is still known.
        """
        with Capture("lo", self.port, snapLength=40) as capture:
            self.connect()
            frames = self.take(capture)
        self.assertEqual({len(frame.data) for frame in frames}, {40})
        self.assertGreater(frames[0].length, 60)

    def test_drops(self) -> None:
        """
        What a small ring has no room for is counted; what it had is whole.
        """
        with Capture("lo", self.port, ring=Ring(4096, 2)) as capture:
            self.connect(times=50)
            frames = self.take(capture)
            capture.count()
            self.assertGreater(capture.drops, 100)
            self.assertEqual(len(frames), capture.seen - capture.drops)
            capture.count()
            self.assertEqual(len(frames), capture.seen - capture.drops)
        self.assertEqual(self.flags(frames)[:3], HANDSHAKE)

    def test_around(self) -> None:
        """
        The ring is used again and again.
        """
        with Capture("lo", self.port, ring=Ring(4096, 3)) as capture:
            for _ in range(12):
                self.connect()
                self.assertEqual(self.flags(self.take(capture)).count("SYN"), 1)
            capture.count()
            self.assertEqual(capture.drops, 0)

    def test_steps(self) -> None:
        """
        The five steps are told.
        """
        said: list[str] = []
        with Capture("lo", self.port, say=said.append):
            pass
        self.assertEqual([text[:2] for text in said], ["1.", "2.", "3.", "4.", "5."])

    def test_refused(self) -> None:
        """
        No such interface and no such ring are one line each.
        """
        with self.assertRaises(Refused) as raised:
            Capture("nope0", 1)
        self.assertEqual(str(raised.exception), "no interface 'nope0'; there are lo")
        for ring in (Ring(4000, 1), Ring(4096, 2**30), Ring(2**40, 1)):
            self.assertRaises(Refused, Capture, "lo", 1, ring=ring)

    def test_tai(self) -> None:
        """
        TAI is whole seconds from what frames have.
        """
        self.assertEqual(taiOffsetNs() % 1_000_000_000, 0)
