# -*- test-case-name: ktcp.test.test_trace_report_pcapng -*-
"""
Writing pcapng, what tcpdump and Wireshark read.

See U{https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html}.  Times are in
nanoseconds; a frame has its direction, and may have a comment.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import BinaryIO

# Block types (4.1, 4.2, 4.3, 4.6).
SECTION, INTERFACE, PACKET, STATISTICS = 0x0A0D0D0A, 1, 6, 5
BYTE_ORDER_MAGIC = 0x1A2B3C4D
# https://www.tcpdump.org/linktypes.html
LINKTYPE_ETHERNET = 1

# Options (3.5 and the blocks' own).
OPT_COMMENT = 1
SHB_USERAPPL = 4
IF_NAME, IF_TSRESOL = 2, 9
EPB_FLAGS = 2
ISB_IFRECV, ISB_IFDROP = 4, 5
# epb_flags, bits 0 and 1.
INBOUND, OUTBOUND = 1, 2
# An option's length has 16 bits.
MAX_OPTION = 65535


class Writer:
    """
    A file of one section and one interface.
    """

    def __init__(
        self,
        file: BinaryIO,
        interface: str,
        snapLength: int,
        application: str = "",
    ) -> None:
        """
        Write the beginning.

        @param file: Where to; stays the caller's to flush and close.
        @param snapLength: How many bytes of a frame are kept at most; 0 for all.
        """
        self._file = file
        section = struct.pack("=IHHq", BYTE_ORDER_MAGIC, 1, 0, -1)
        # 9: the resolution is ten to the minus ninth of a second.
        options = [(IF_NAME, interface.encode()), (IF_TSRESOL, b"\x09")]
        file.write(block(SECTION, section, [(SHB_USERAPPL, application.encode())]))
        file.write(block(INTERFACE, struct.pack("=HHI", LINKTYPE_ETHERNET, 0, snapLength), options))

    def write(
        self, timeNs: int, data: bytes, length: int, outgoing: bool, comment: str = ""
    ) -> None:
        """
        Write a frame.

        @param timeNs: Since 1970.
        @param length: How long it was before it was cut to C{data}.
        """
        # Aligned by itself: the options begin at four bytes.
        body = struct.pack("=IIIII", 0, timeNs >> 32, timeNs & 0xFFFFFFFF, len(data), length)
        flags = struct.pack("=I", OUTBOUND if outgoing else INBOUND)
        options = [(EPB_FLAGS, flags)]
        if comment:
            options.append((OPT_COMMENT, cut(comment)))
        self._file.write(block(PACKET, body + padded(data), options))

    def writeStatistics(self, timeNs: int, received: int, dropped: int) -> None:
        """
        Write how many frames there were, and how many of them were lost.
        """
        body = struct.pack("=III", 0, timeNs >> 32, timeNs & 0xFFFFFFFF)
        counts = [(ISB_IFRECV, received), (ISB_IFDROP, dropped)]
        options = [(code, struct.pack("=Q", count)) for code, count in counts]
        self._file.write(block(STATISTICS, body, options))


def block(type: int, body: bytes, options: Iterable[tuple[int, bytes]]) -> bytes:
    """
    A block: its length stands before and after.

    @param body: A multiple of four bytes.
    @param options: Codes and values; empty values are left out.
    """
    parts = [
        struct.pack("=HH", code, len(value)) + padded(value) for code, value in options if value
    ]
    if parts:
        # opt_endofopt
        parts.append(bytes(4))
    content = body + b"".join(parts)
    length = struct.pack("=I", len(content) + 12)
    return struct.pack("=I", type) + length + content + length


def padded(data: bytes) -> bytes:
    """
    Bytes, and zeros up to a multiple of four.
    """
    return data + bytes(-len(data) % 4)


def cut(comment: str) -> bytes:
    """
    A comment as far as an option can hold it, whole characters only.
    """
    return comment.encode()[:MAX_OPTION].decode("utf-8", "ignore").encode()
