# -*- test-case-name: ktcp.test.test_trace_kernel_tcpinfo -*-
"""
C{struct tcp_info} (linux/tcp.h, tcp(7)) by name.

Kernels only ever append to it, and it is cut to what the reader asked for; so
any length is understood, and what is not there has no name in the answer.
"""

from __future__ import annotations

import struct

# linux/tcp.h of 6.18, without the prefix tcpi_.  Times are in microseconds, but for rto and
# ato (also microseconds) and last_* (milliseconds); rates in bytes per second.
FIELDS = (
    ("state", "B"),
    ("ca_state", "B"),
    ("retransmits", "B"),
    ("probes", "B"),
    ("backoff", "B"),
    ("options", "B"),
    # Two bit fields: taken apart below.
    ("wscale", "B"),
    ("flags", "B"),
    ("rto", "I"),
    ("ato", "I"),
    ("snd_mss", "I"),
    ("rcv_mss", "I"),
    # On a listening socket: the accept queue's length and its limit (tcp_get_info()).
    ("unacked", "I"),
    ("sacked", "I"),
    ("lost", "I"),
    ("retrans", "I"),
    ("fackets", "I"),
    ("last_data_sent", "I"),
    ("last_ack_sent", "I"),
    ("last_data_recv", "I"),
    ("last_ack_recv", "I"),
    ("pmtu", "I"),
    ("rcv_ssthresh", "I"),
    ("rtt", "I"),
    ("rttvar", "I"),
    ("snd_ssthresh", "I"),
    ("snd_cwnd", "I"),
    ("advmss", "I"),
    ("reordering", "I"),
    ("rcv_rtt", "I"),
    ("rcv_space", "I"),
    ("total_retrans", "I"),
    ("pacing_rate", "Q"),
    ("max_pacing_rate", "Q"),
    ("bytes_acked", "Q"),
    ("bytes_received", "Q"),
    ("segs_out", "I"),
    ("segs_in", "I"),
    ("notsent_bytes", "I"),
    ("min_rtt", "I"),
    ("data_segs_in", "I"),
    ("data_segs_out", "I"),
    ("delivery_rate", "Q"),
    ("busy_time", "Q"),
    ("rwnd_limited", "Q"),
    ("sndbuf_limited", "Q"),
    ("delivered", "I"),
    ("delivered_ce", "I"),
    ("bytes_sent", "Q"),
    ("bytes_retrans", "Q"),
    ("dsack_dups", "I"),
    ("reord_seen", "I"),
    ("rcv_ooopack", "I"),
    ("snd_wnd", "I"),
    ("rcv_wnd", "I"),
    ("rehash", "I"),
    ("total_rto", "H"),
    ("total_rto_recoveries", "H"),
    ("total_rto_time", "I"),
)

# Every field is aligned as it stands, so native order without padding is the C layout.
_NAMES = tuple(name for name, _ in FIELDS)
_FORMATS = "".join(format for _, format in FIELDS)
_ENDS = tuple(struct.calcsize("=" + _FORMATS[: count + 1]) for count in range(len(FIELDS)))

# The rates when nothing paces (tcp_get_info() gives all ones).
UNPACED = 2**64 - 1

# What the kernel calls a connection in the SYN queue; inet_diag says SYN_RECV of it.
NEW_SYN_RECV = 12
# include/net/tcp_states.h; diag speaks of these too.
STATES = {
    1: "ESTABLISHED",
    2: "SYN_SENT",
    3: "SYN_RECV",
    4: "FIN_WAIT1",
    5: "FIN_WAIT2",
    6: "TIME_WAIT",
    7: "CLOSE",
    8: "CLOSE_WAIT",
    9: "LAST_ACK",
    10: "LISTEN",
    11: "CLOSING",
    NEW_SYN_RECV: "SYN_RECV",
}
NUMBERS = {name: number for number, name in reversed(STATES.items())}


def parseTCPInfo(data: bytes) -> dict[str, int]:
    """
    What the kernel says of a connection.

    @param data: Of any length, from C{getsockopt(IPPROTO_TCP, TCP_INFO)} or inet_diag.
    @return: The fields that are there in full, by the names of linux/tcp.h
        without C{tcpi_}, in its order.
    """
    count = sum(end <= len(data) for end in _ENDS)
    values = dict(zip(_NAMES, struct.unpack_from("=" + _FORMATS[:count], data), strict=False))
    if "wscale" in values:
        packed = values.pop("wscale")
        values["snd_wscale"], values["rcv_wscale"] = packed & 15, packed >> 4
    if "flags" in values:
        packed = values.pop("flags")
        values["delivery_rate_app_limited"] = packed & 1
        values["fastopen_client_fail"] = packed >> 1 & 3
    return values
