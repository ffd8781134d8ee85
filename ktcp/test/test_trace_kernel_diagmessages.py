"""
Tests for L{ktcp.trace.kernel.diagmessages}, on what a kernel said.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from ktcp.test.diagreplies import ESTABLISHED, HALF_OPEN, LISTENING, REFUSED, TIME_WAIT
from ktcp.test.support import STEADY
from ktcp.trace.kernel import diagmessages as messages
from ktcp.trace.kernel.diagmessages import Entry, Malformed


def only(datagram: bytes) -> Entry:
    """
    The one socket of a reply.
    """
    (entry,) = (
        messages.parseEntry(message.payload)
        for message in messages.parseMessages(datagram)
        if message.type == messages.SOCK_DIAG_BY_FAMILY
    )
    return entry


class RecordedTests(SynchronousTestCase):
    """
    What the kernel answers.
    """

    def test_listening(self) -> None:
        """
        A listening socket has its queue, its limit and what it lost.
        """
        entry = only(LISTENING)
        self.assertEqual((entry.state, entry.local), ("LISTEN", ("127.0.0.1", 8081)))
        self.assertEqual((entry.receiveQueue, entry.sendQueue, entry.drops), (6, 5, 2))
        # The same by way of tcp_info.
        self.assertEqual((entry.info["unacked"], entry.info["sacked"]), (6, 5))

    def test_established(self) -> None:
        """
        A connection has its two ends and its tcp_info.
        """
        entry = only(ESTABLISHED)
        self.assertEqual(entry.remote, ("127.0.0.1", 52220))
        self.assertEqual((entry.congestion, entry.info["rtt"]), ("bbr", 24))
        self.assertEqual(entry.info["bytes_sent"], 5)

    def test_halfOpen(self) -> None:
        """
        An IPv4 client of an IPv6 socket has its own address, and no tcp_info yet.
        """
        entry = only(HALF_OPEN)
        self.assertEqual((entry.family, entry.state), (socket.AF_INET6, "SYN_RECV"))
        self.assertEqual((entry.local, entry.info), (("127.0.0.1", 8082), {}))

    def test_timeWait(self) -> None:
        """
        A socket in TIME_WAIT belongs to nobody.
        """
        entry = only(TIME_WAIT)
        self.assertEqual((entry.state, entry.inode, entry.drops), ("TIME_WAIT", 0, 0))

    def test_refused(self) -> None:
        """
        A refusal has its number.
        """
        (message,) = messages.parseMessages(REFUSED)
        self.assertEqual(message.type, messages.NLMSG_ERROR)
        self.assertEqual(messages.parseError(message.payload), errno.ENOENT)

    def test_done(self) -> None:
        """
        A list ends with a message of its own.
        """
        kinds = [message.type for message in messages.parseMessages(TIME_WAIT)]
        self.assertEqual(kinds, [messages.SOCK_DIAG_BY_FAMILY, messages.NLMSG_DONE])


class RequestTests(SynchronousTestCase):
    """
    What is asked.
    """

    def test_dump(self) -> None:
        """
        A request has the family, the states and the ports, and its own length.
        """
        request = messages.dumpRequest(socket.AF_INET, {"LISTEN", "SYN_RECV"}, 8081, 52220, 7)
        self.assertEqual(struct.unpack_from("=IHHII", request), (72, 20, 0x301, 7, 0))
        family, protocol, extensions, states = struct.unpack_from("=BBBxI", request, 16)
        self.assertEqual((family, protocol, states), (2, 6, 1 << 10 | 1 << 3 | 0))
        self.assertEqual(extensions, 1 << 1 | 1 << 3 | 1 << 6)
        self.assertEqual(request[24:28], struct.pack("!HH", 8081, 52220))
        self.assertEqual(len(request), 72)

    def test_destroy(self) -> None:
        """
        A socket is named as the kernel named it, cookie and all.
        """
        entry = only(TIME_WAIT)
        request = messages.destroyRequest(entry, 9)
        self.assertEqual(struct.unpack_from("=IHHII", request), (72, 21, 0x5, 9, 0))
        self.assertEqual(request[24:], entry.identity)


class HostileTests(SynchronousTestCase):
    """
    What no kernel answers.
    """

    def parse(self, datagram: bytes) -> int:
        """
        Read all of it, as L{ktcp.trace.kernel.diag} does.
        """
        count = 0
        with contextlib.suppress(Malformed):
            for message in messages.parseMessages(datagram):
                count += 1
                with contextlib.suppress(Malformed):
                    messages.parseError(message.payload)
                messages.parseEntry(message.payload)
        return count

    @STEADY
    @given(some.binary(max_size=600))
    def test_anything(self, datagram: bytes) -> None:
        """
        Whatever the bytes, it ends, and with no other error than its own.
        """
        self.assertLessEqual(self.parse(datagram), 600 // 16)

    @STEADY
    @given(
        some.sampled_from([LISTENING, HALF_OPEN, ESTABLISHED, TIME_WAIT, REFUSED]),
        some.integers(0, 475),
        some.binary(min_size=1, max_size=8),
        some.integers(0, 476),
    )
    def test_damaged(self, datagram: bytes, place: int, bytes_: bytes, end: int) -> None:
        """
        Likewise when a real answer is damaged and cut.
        """
        damaged = datagram[:place] + bytes_ + datagram[place + len(bytes_) :]
        self.assertLessEqual(self.parse(damaged[:end]), 600 // 16)

    def test_lengths(self) -> None:
        """
        A length that is too small would never end, one too large would read past the end.
        """
        for length in (0, 15, 17, 2**32 - 1):
            datagram = struct.pack("=IHHII", length, 20, 0, 1, 0)
            self.assertRaises(Malformed, list, messages.parseMessages(datagram))

    def test_states(self) -> None:
        """
        A state that TCP has not is refused.
        """
        payload = next(messages.parseMessages(TIME_WAIT)).payload
        with self.assertRaises(Malformed) as raised:
            messages.parseEntry(payload[:1] + b"\x63" + payload[2:])
        self.assertEqual(str(raised.exception), "inet_diag: a socket of family 2 in state 99")
