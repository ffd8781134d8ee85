# -*- test-case-name: ktcp.test.test_trace_analysis_lessons -*-
"""
What each step of a connection means, for readers who know sockets and not the
kernel.  A pure table.
"""

from __future__ import annotations

LESSONS = {
    "syn": "connect(2) sends a SYN and sleeps until the handshake is over.",
    "synQueue": (
        "The kernel notes the SYN as a request of the listening socket: half open."
        " There is no socket yet, and the server's program is not asked."
    ),
    "synAck": "The kernel answers at once; a request for which no ACK comes is answered again.",
    "established": "This side knows that the other is there: bytes may flow.",
    "child": (
        "The ACK has come. The kernel makes a socket out of the request, a copy of the"
        " listening one: the request leaves the SYN queue."
    ),
    "acceptQueue": (
        "The new connection waits for accept(2). This is the queue that listen(2)'s"
        " backlog bounds; the client already believes itself connected."
    ),
    "accept": "The server's program takes the oldest connection off the accept queue.",
    "send": "The program's bytes are copied into the kernel, and leave as a segment.",
    "queued": (
        "The bytes are in the receive queue of the socket, in order, and whoever waits"
        " for it is woken."
    ),
    "read": "The program copies the bytes out of the receive queue.",
    "fin": "This side will send no more; what it has sent already still arrives.",
    "finReceived": "The other side will send no more: a read gives the rest, then the end of file.",
    "eof": "recv(2) gives no byte: the program learns that the other side has ended.",
    "finAcked": "The other side has the FIN; now this one waits for the other's.",
    "timeWait": (
        "Who closed first keeps the pair of addresses for a minute, so that late segments"
        " of this connection do not reach another one."
    ),
    "closed": "The connection is over on this side.",
    "destroyed": "The memory of the socket is given back.",
    "retransmit": "No answer came in time, so the segment is sent again, each time after longer.",
    "reset": "RST: the connection ends at once, and what was on its way is lost.",
    "drop": "The kernel threw the segment away. Its sender is not told: it can only try again.",
}
