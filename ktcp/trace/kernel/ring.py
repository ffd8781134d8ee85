# -*- test-case-name: ktcp.test.test_trace_kernel_ring -*-
"""
Frames through PACKET_MMAP, for L{ktcp.trace.commands.capture} and the tracer.

The kernel writes frames into a ring of blocks that it shares with us (packet(7),
Documentation/networking/packet_mmap.rst), here in version 3: a block has as many
frames as fit, and is ours when it is full or has waited for L{BLOCK_TIMEOUT_MS}.
"""

from __future__ import annotations

import mmap
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import NamedTuple

from ktcp.trace.errors import Refused, TraceError, Unavailable
from ktcp.trace.kernel import bpf

# linux/if_packet.h
SOL_PACKET = 263
PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION, PACKET_IGNORE_OUTGOING = 5, 6, 10, 23
TPACKET_V3 = 2
TP_STATUS_KERNEL, TP_STATUS_USER = 0, 1
PACKET_OUTGOING = 4
# linux/if_ether.h, asm-generic/socket.h, linux/if_arp.h
ETH_P_ALL = 3
SO_ATTACH_FILTER = 26
ARPHRD_ETHER, ARPHRD_LOOPBACK = 1, 772

# struct tpacket_req3: block size and count, frame size and count, timeout, private, features.
REQUEST = struct.Struct("=IIIIIII")
# struct tpacket_hdr_v1, from its status: status, number of packets, offset of the first.
BLOCK = struct.Struct("=III")
BLOCK_STATUS = 8
# struct tpacket3_hdr: next offset, seconds, nanoseconds, captured, length, status, mac.
FRAME = struct.Struct("=IIIIIIH")
# struct sockaddr_ll stands behind it, aligned to 16; sll_pkttype is its 11th byte.
PACKET_TYPE = 48 + 10
# struct tpacket_stats_v3: packets (those dropped too), drops, times that the ring was full.
STATISTICS = struct.Struct("=III")

# 4 MiB: held all of 16,694 frames in a row, while Python walks 460,000 a second.
BLOCK_SIZE, BLOCKS = 1 << 18, 16
# The largest frame size that every block size is a multiple of; version 3 only checks it.
FRAME_SIZE = 2048
# How late a frame may be seen, against how often we wake up for one.
BLOCK_TIMEOUT_MS = 20
SNAP_LENGTH = 65535

DIRECTIONS = ("in", "out", "both")


class Frame(NamedTuple):
    """
    A frame, as the ring has it.

    @ivar timeNs: By CLOCK_REALTIME; add L{taiOffsetNs} for CLOCK_TAI.
    @ivar data: Perhaps only its beginning.
    @ivar length: How long it was.
    @ivar outgoing: Whether the interface was about to send it.
    """

    timeNs: int
    data: bytes
    length: int
    outgoing: bool


class Ring(NamedTuple):
    """
    How much the kernel may be ahead of us.

    @ivar blockSize: Bytes, a multiple of the page size.
    """

    blockSize: int = BLOCK_SIZE
    blocks: int = BLOCKS


def taiOffsetNs() -> int:
    """
    What to add to CLOCK_REALTIME to have CLOCK_TAI: whole seconds, and 0 where
    nobody has told the kernel of leap seconds.
    """
    difference = time.clock_gettime_ns(time.CLOCK_TAI) - time.time_ns()
    return round(difference / 1e9) * 1_000_000_000


def silent(step: str) -> None:
    """
    Say nothing.
    """


class Capture(AbstractContextManager["Capture"]):
    """
    Frames of an interface, from when it is made until it is closed.

    A context manager.  Iterate over L{frames} when L{wait} (or a reactor, by
    L{fileno}) says that there are some.

    @ivar seen: How many frames passed the filter, as of the last L{count}.
    @ivar drops: How many of those the ring had no room for.
    """

    def __init__(
        self,
        interface: str,
        port: int,
        *,
        direction: str = "",
        snapLength: int = SNAP_LENGTH,
        ring: Ring = Ring(),  # noqa: B008  # a tuple: it cannot change
        say: Callable[[str], None] = silent,
    ) -> None:
        """
        @param port: Of TCP, at either end; 0 for every frame, ARP too.
        @param direction: One of L{DIRECTIONS}; empty for C{"in"} on loopback,
            where each frame goes out and comes in, and C{"both"} elsewhere.
        @param say: Is told of each step.
        @raise Unavailable: No right to, or not on this kernel.
        @raise Refused: There is no such interface, or no such ring.
        """
        self.direction = direction or ("in" if _hardware(interface) == ARPHRD_LOOPBACK else "both")
        self.seen = 0
        self.drops = 0
        self._next = 0
        self._ring = ring
        self._say = say
        with ExitStack() as stack:
            self._socket = stack.enter_context(openPacketSocket())
            say("1. socket(AF_PACKET, SOCK_RAW): sees frames, with their Ethernet headers")
            self._configure(port, snapLength)
            self._memory = self._map()
            stack.enter_context(self._memory)
            # Only now do frames come: the filter is there before the first.
            self._socket.bind((interface, ETH_P_ALL))
            say(f"4. bind({interface}), then poll() and walk: blocks that are ours go back read")
            self._opened = stack.pop_all()

    def __exit__(self, *failure: object) -> None:
        self.close()

    def fileno(self) -> int:
        """
        What to poll for reading.
        """
        return self._socket.fileno()

    def close(self) -> None:
        """
        Give the ring back.
        """
        self._opened.close()
        self._say("5. munmap() and close(): the kernel frees the ring")

    def wait(self, seconds: float) -> None:
        """
        Wait for a block, but no longer than that.
        """
        poller = select.poll()
        poller.register(self._socket, select.POLLIN | select.POLLERR)
        poller.poll(max(0, seconds * 1000))

    def frames(self) -> Iterator[Frame]:
        """
        What is in the blocks that are ours by now.
        """
        # One round at most: a flood must not keep the caller from its deadline.
        for _ in range(self._ring.blocks):
            start = self._next * self._ring.blockSize
            status, count, offset = BLOCK.unpack_from(self._memory, start + BLOCK_STATUS)
            if not status & TP_STATUS_USER:
                return
            found = self._walk(start + offset, count)
            # The last we do with it: after this the kernel writes there.
            struct.pack_into("=I", self._memory, start + BLOCK_STATUS, TP_STATUS_KERNEL)
            self._next = (self._next + 1) % self._ring.blocks
            yield from found

    def count(self) -> None:
        """
        Bring L{seen} and L{drops} up to date; the kernel counts from 0 each time.
        """
        numbers = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, STATISTICS.size)
        seen, drops, _ = STATISTICS.unpack(numbers)
        self.seen += seen
        self.drops += drops

    def _walk(self, place: int, count: int) -> list[Frame]:
        """
        The frames of a block.
        """
        found = []
        memory = self._memory
        for _ in range(count):
            following, seconds, nanoseconds, kept, length, _, mac = FRAME.unpack_from(memory, place)
            start = place + mac
            outgoing = memory[place + PACKET_TYPE] == PACKET_OUTGOING
            timeNs = seconds * 1_000_000_000 + nanoseconds
            found.append(Frame(timeNs, memory[start : start + kept], length, outgoing))
            place += following
        return found

    def _configure(self, port: int, snapLength: int) -> None:
        """
        Say what frames are wanted, and how much room there is for them.
        """
        ring = self._ring
        keep = bpf.portFilter if port else lambda _, length: bpf.everything(length)
        program = keep(port, snapLength)
        if self.direction == "out":
            program = bpf.outgoingOnly() + program
        attachFilter(self._socket, program)
        try:
            if self.direction == "in":
                # Since Linux 4.20.  It costs less than a filter: no copy is made.
                self._socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
            self._socket.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V3)
        except OSError as error:
            missing = f"TPACKET_V3 or PACKET_IGNORE_OUTGOING ({error.strerror})"
            raise Unavailable(missing, "ktcp capture", "boot Linux 4.20 or later") from None
        perBlock = ring.blockSize // FRAME_SIZE
        numbers = (ring.blockSize, ring.blocks, FRAME_SIZE, perBlock * ring.blocks)
        try:
            request = REQUEST.pack(*numbers, BLOCK_TIMEOUT_MS, 0, 0)
            self._socket.setsockopt(SOL_PACKET, PACKET_RX_RING, request)
        except (OSError, struct.error) as error:
            raise Refused(
                f"no ring of {ring.blocks} blocks of {ring.blockSize} bytes ({error}): a block is a"
                f" multiple of {mmap.PAGESIZE}, and all of them are kernel memory"
            ) from None
        self._say(f"2. setsockopt(PACKET_RX_RING): {ring.blocks} blocks of {ring.blockSize} bytes")

    def _map(self) -> mmap.mmap:
        """
        See the ring.
        """
        size = self._ring.blockSize * self._ring.blocks
        try:
            memory = mmap.mmap(self._socket.fileno(), size)
        except OSError as error:
            raise TraceError(f"cannot map {size} bytes: {error.strerror}") from None
        self._say(
            f"3. mmap(): {size} bytes shared with the kernel, so no frame costs a system call"
        )
        return memory


def attachFilter(sock: socket.socket, program: bytes) -> None:
    """
    Give a classic BPF program to a socket.

    @raise OSError: The kernel does not take it.
    """
    # Here, because importing it takes longer than all of --help.
    import ctypes

    text = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: a count, padding, and the address of the instructions.
    count = len(program) // bpf.INSTRUCTION.size
    sock.setsockopt(
        socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", count, ctypes.addressof(text))
    )


def openPacketSocket() -> socket.socket:
    """
    A packet socket that gets nothing yet.

    @raise Unavailable: No right to, or not on this kernel.
    """
    try:
        return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    except PermissionError:
        missing, remedy = "the right to open packet sockets", "run it as root or with CAP_NET_RAW"
    except OSError as error:
        missing, remedy = f"AF_PACKET ({error.strerror})", "boot a kernel with CONFIG_PACKET"
    raise Unavailable(missing, "ktcp capture", remedy)


def _hardware(interface: str) -> int:
    """
    What kind of interface it is.

    @return: C{ARPHRD_ETHER} or C{ARPHRD_LOOPBACK}.
    @raise Refused: There is none of that name, or it has no Ethernet headers.
    """
    names = [name for _, name in socket.if_nameindex()]
    if interface not in names:
        raise Refused(f"no interface {interface!r}; there are {', '.join(names)}")
    # Of the calling thread's namespace, where sysfs shows that of its mount.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        import fcntl

        # SIOCGIFHWADDR (netdevice(7)): struct ifreq, whose sa_family is the hardware's type.
        answer = fcntl.ioctl(asking, 0x8927, struct.pack("16s24x", interface.encode()))
    hardware: int = struct.unpack_from("=H", answer, 16)[0]
    if hardware not in (ARPHRD_ETHER, ARPHRD_LOOPBACK):
        raise Refused(f"interface {interface!r} has no Ethernet headers (its type is {hardware})")
    return hardware
