# -*- test-case-name: ktcp.test.test_trace_commands_trace -*-
"""
The frames of a lab's devices, while a workload runs there.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from ktcp.trace.analysis.join import Captured
from ktcp.trace.errors import Unavailable
from ktcp.trace.kernel import packet
from ktcp.trace.kernel.namespaces import inside
from ktcp.trace.kernel.ring import Capture, Frame, taiOffsetNs
from ktcp.trace.recording.collect import Collector
from ktcp.trace.recording.lab import Loopback


class Captures:
    """
    The frames of a lab's devices.

    @ivar drops: How many the rings had no room for.
    """

    def __init__(self, where: Loopback, port: int, collector: Collector, stack: ExitStack) -> None:
        self.drops = 0
        self._captures: list[Capture] = []
        self._frames: list[tuple[str, Frame]] = []
        # A private device has ARP too, which has no port.
        wanted = 0 if where.private else port
        for namespace, interface in where.captures:
            try:
                with inside(namespace):
                    capture = stack.enter_context(Capture(interface, wanted, direction="both"))
            except Unavailable as error:
                collector.missing.append(error.missing)
                return
            self._captures.append(capture)
            collector.watch(capture.fileno(), partial(self._read, interface, capture))

    def _read(self, interface: str, capture: Capture) -> None:
        """
        Take the frames that wait.
        """
        self._frames += [(interface, frame) for frame in capture.frames()]

    def finish(self) -> list[Captured]:
        """
        All of them, on the trace's clock.
        """
        # Packet sockets have the time of day, tracefs has TAI.
        ahead = taiOffsetNs()
        for capture in self._captures:
            capture.count()
            self.drops += capture.drops
        return [_captured(interface, frame, ahead) for interface, frame in self._frames]


def _captured(interface: str, frame: Frame, ahead: int) -> Captured:
    """
    A frame as L{ktcp.trace.analysis.join} takes it.

    @param ahead: Nanoseconds from its clock to the trace's.
    """
    layers = packet.decode(frame.data)
    return Captured(
        frame.timeNs + ahead,
        interface,
        frame.outgoing,
        frame.length,
        frame.data,
        packet.summary(layers),
        packet.endpointsOf(layers),
    )
