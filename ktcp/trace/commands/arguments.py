# -*- test-case-name: ktcp.test.test_trace_main -*-
"""
Values on the command line that several subcommands take.

argparse turns each error here into one line, with the option's name.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from ipaddress import IPv4Address, IPv6Address, ip_address
from math import isfinite

from ktcp.trace.kernel.tcpinfo import NUMBERS

# In seconds.
UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0}


def portNumber(text: str) -> int:
    """
    A TCP port.
    """
    number = wholeNumber(text)
    if number > 65535:
        raise ArgumentTypeError(f"{text} is not a port: 1 to 65535")
    return number


def wholeNumber(text: str) -> int:
    """
    A number from 1.
    """
    if not (text.isascii() and text.isdecimal() and len(text) < 16 and int(text) > 0):
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def positiveSeconds(text: str) -> float:
    """
    A time: C{5}, C{0.5}, C{5s}, C{200ms}, C{2m}.
    """
    number = text.rstrip("ms")
    try:
        seconds = float(number) * UNITS[text[len(number) :]]
    except (ValueError, KeyError):
        seconds = 0.0
    if not (isfinite(seconds) and 0 < seconds <= 1e6):
        raise ArgumentTypeError(f"{text!r} is not a time such as 5s or 200ms")
    return seconds


def stateName(text: str) -> str:
    """
    A TCP state: C{time-wait}, C{TIME_WAIT}.
    """
    name = text.upper().replace("-", "_")
    if name not in NUMBERS:
        known = ", ".join(each.lower().replace("_", "-") for each in NUMBERS)
        raise ArgumentTypeError(f"{text!r} is no TCP state: {known}")
    return name


def place(text: str) -> tuple[str, int]:
    """
    An address, a port, or both: C{127.0.0.1}, C{:8081}, C{127.0.0.1:8081}, C{[::1]:8081}.

    @return: The address as L{ktcp.trace.kernel.diagmessages.Entry} has it, or C{""}
        for any; and the port, or 0.
    """
    address, colon, port = text.rpartition(":")
    # IPv6 has colons of its own: without brackets, all is address.
    if not colon or (":" in address and not address.endswith("]")):
        address, port = text, ""
    try:
        number = portNumber(port) if port else 0
        return (str(plain(address)) if address else ""), number
    except (ValueError, ArgumentTypeError):
        raise ArgumentTypeError(f"{text!r} is no ADDRESS, :PORT or ADDRESS:PORT") from None


def plain(text: str) -> IPv4Address | IPv6Address:
    """
    An address; an IPv4 one that IPv6 has wrapped is unwrapped.

    @raise ValueError: It is none.
    """
    bracketed = text.startswith("[") and text.endswith("]")
    address = ip_address(text[1:-1] if bracketed else text)
    return getattr(address, "ipv4_mapped", None) or address
