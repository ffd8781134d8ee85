# -*- test-case-name: ktcp.test.test_trace_kernel_bpf -*-
"""
Classic BPF: the filter that a capture gives to the kernel.

Assembled here, as tcpdump would from C{tcp port N}, but with a jump for each
kind of packet (linux/filter.h; Documentation/networking/filter.rst).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

# Opcodes, by the names of bpf_asm.
LDH_ABSOLUTE, LDB_ABSOLUTE = 0x28, 0x30
LDH_INDIRECT = 0x48
# X = 4 * (byte & 15): the length of an IPv4 header.
LDXB_MSH = 0xB1
JEQ, JSET, RET = 0x15, 0x45, 0x06

ETHERTYPE, ETHERNET = 12, 14
# SKF_AD_OFF + SKF_AD_PKTTYPE: not of the frame, but of what the kernel knows of it.
PACKET_TYPE = 2**32 - 0x1000 + 4
# linux/if_packet.h
PACKET_OUTGOING = 4
# sock_filter: code, jump when true, jump when false, operand.
INSTRUCTION = struct.Struct("=HBBI")


class Step(NamedTuple):
    """
    An instruction.

    @ivar true: The label to go to; empty for the next instruction.
    @ivar false: Likewise.
    @ivar label: Its own name.
    """

    code: int
    operand: int
    true: str = ""
    false: str = ""
    label: str = ""


def portFilter(port: int, snapLength: int) -> bytes:
    """
    A program that keeps TCP segments from or to a port, over IPv4 and IPv6,
    without VLAN tags (the kernel has taken those off).

    Later fragments have no port and are left out, as are IPv6 packets with
    extension headers: the kernel's TCP sends neither.

    @param snapLength: How many bytes to keep of each.
    """
    return assemble(
        [
            Step(LDH_ABSOLUTE, ETHERTYPE),
            Step(JEQ, 0x0800, false="v6"),
            Step(LDB_ABSOLUTE, ETHERNET + 9),
            Step(JEQ, 6, false="no"),
            Step(LDH_ABSOLUTE, ETHERNET + 6),
            Step(JSET, 0x1FFF, true="no"),
            Step(LDXB_MSH, ETHERNET),
            Step(LDH_INDIRECT, ETHERNET),
            Step(JEQ, port, true="yes"),
            Step(LDH_INDIRECT, ETHERNET + 2),
            Step(JEQ, port, true="yes", false="no"),
            Step(JEQ, 0x86DD, false="no", label="v6"),
            Step(LDB_ABSOLUTE, ETHERNET + 6),
            Step(JEQ, 6, false="no"),
            Step(LDH_ABSOLUTE, ETHERNET + 40),
            Step(JEQ, port, true="yes"),
            Step(LDH_ABSOLUTE, ETHERNET + 42),
            Step(JEQ, port, true="yes", false="no"),
            Step(RET, snapLength, label="yes"),
            Step(RET, 0, label="no"),
        ]
    )


def outgoingOnly() -> bytes:
    """
    A beginning for a program: what is not outgoing is dropped, the rest goes on.
    """
    return assemble(
        [
            Step(LDB_ABSOLUTE, PACKET_TYPE),
            Step(JEQ, PACKET_OUTGOING, true="on"),
            Step(RET, 0),
        ],
        {"on": 3},
    )


def everything(snapLength: int) -> bytes:
    """
    A program that keeps all.
    """
    return assemble([Step(RET, snapLength)])


def assemble(steps: list[Step], after: Mapping[str, int] = MappingProxyType({})) -> bytes:
    """
    An array of C{struct sock_filter}.

    @param after: Labels of places past the end.
    """
    places = {step.label: place for place, step in enumerate(steps) if step.label} | dict(after)

    def jump(place: int, label: str) -> int:
        return places[label] - place - 1 if label else 0

    return b"".join(
        INSTRUCTION.pack(step.code, jump(place, step.true), jump(place, step.false), step.operand)
        for place, step in enumerate(steps)
    )
