# -*- test-case-name: ktcp.test.test_parameters -*-
"""
What a parameter is, and how a value given as text is checked.

Kernel modules declare theirs with C{module_param(name, type, perm)} and the
kernel's C{parse_args} refuses a bad value before the module starts.  Here a
L{Parameter} is declared the same way, by the service for itself and by each
protocol plugin for its own, and L{ktcp.options} makes command line options of
them.  Pure: nothing here opens, listens or prints.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network


@dataclass(frozen=True)
class Parameter:
    """
    One parameter, as it appears on the command line.

    @ivar name: The option's name without dashes.  Lower-case letters, digits
        and hyphens; those of a plugin from another package begin with the
        plugin's name.
    @ivar description: One sentence for C{--help}, with the unit of the value.
    @ivar default: The checked value that holds when the option is not given.
    @ivar check: From the text given to the checked value.  Raises
        C{ValueError} whose message completes "must be ...".  L{None} makes a
        flag: no value, C{True} when given.
    @ivar metavar: What C{--help} calls the value.
    @ivar repeatable: The option may come more than once; the checked values
        are a list, in the order given, and C{default} is a sequence of them.
    """

    name: str
    description: str
    default: object = None
    check: Callable[[str], object] | None = str
    metavar: str = "VALUE"
    repeatable: bool = False


def integerBetween(lowest: int, highest: int) -> Callable[[str], int]:
    """
    Make a check for a whole number of a range, both ends included.

    @param lowest: The least that is right.
    @param highest: The most.
    """

    def check(text: str) -> int:
        """
        Check a whole number.

        @raise ValueError: It is none, or not of the range.
        """
        # int() takes underscores, blanks, signs and digits of other scripts;
        # an operator who typed those meant something else.
        # The length first: int() refuses thousands of digits in words of its own.
        wellFormed = text.isascii() and text.isdigit() and len(text) < 20
        if not (wellFormed and lowest <= int(text) <= highest):
            raise ValueError(f"a whole number from {lowest} to {highest}")
        return int(text)

    return check


port = integerBetween(0, 65535)

# listen(2) takes a C int, and the kernel reads it as unsigned: a negative one
# would ask for the longest queue there is.
backlog = integerBetween(0, 2**31 - 1)


def workers(text: str) -> int:
    """
    Check a number of processes.

    @return: For C{auto}, the number of processors that this process may use.
    @raise ValueError: It is neither.
    """
    if text == "auto":
        return len(os.sched_getaffinity(0))
    try:
        return integerBetween(1, 1024)(text)
    except ValueError as error:
        raise ValueError(f"auto or {error}") from None


def directory(text: str) -> str:
    """
    Check a directory.

    @return: Its absolute path: a daemon works elsewhere.
    @raise ValueError: It is none, or may not be looked into.
    """
    if not (os.path.isdir(text) and os.access(text, os.R_OK | os.X_OK)):
        raise ValueError("a directory that can be read")
    return os.path.abspath(text)


def path(text: str) -> str:
    """
    Check the name of a file, not the file.

    @return: Its absolute path: a daemon works elsewhere.
    @raise ValueError: No file can be called that.
    """
    if not text or "\0" in text:
        raise ValueError("the path of a file")
    return os.path.abspath(text)


def fileName(text: str) -> str:
    """
    Check the name of a file in some directory.

    @raise ValueError: It is a path, or nothing at all.
    """
    if text in ("", ".", "..") or "/" in text or "\0" in text:
        raise ValueError("the name of a file, with no slash")
    return text


def interface(text: str) -> str:
    """
    Check the address of a network interface: IPv4 or IPv6, scope allowed.

    @raise ValueError: It is a host name or no address at all.
    """
    try:
        ip_address(text)
    except ValueError:
        raise ValueError("an IPv4 or IPv6 address, such as 127.0.0.1 or ::1") from None
    return text


def network(text: str) -> IPv4Network | IPv6Network:
    """
    Check a network, or a single address.

    @raise ValueError: It is none; bits beyond its prefix are not taken lightly.
    """
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError(
            "an address, or a network without bits beyond its prefix, such as 10.0.0.0/8"
        ) from None


def oneOf(*words: str) -> Callable[[str], str]:
    """
    Make a check for one of some words.
    """

    def check(text: str) -> str:
        if text not in words:
            raise ValueError(" or ".join(words))
        return text

    return check


def headerValue(text: str) -> str:
    """
    Check what is to be the value of a header (RFC 9110, 5.5).

    @raise ValueError: It is empty, or would not be read as it was written.
    """
    if not (text.isascii() and text.isprintable() and text == text.strip() != ""):
        raise ValueError("printable ASCII, with no blanks around")
    return text


def seconds(text: str) -> float:
    """
    Check a time, or another quantity that need not be whole: more than 0.

    @raise ValueError: It is something else, or more than a year.
    """
    if not (_isSeconds(text) and float(text) > 0):
        raise ValueError("a number of more than 0, such as 30 or 2.5")
    return float(text)


def pause(text: str) -> float:
    """
    Check a time that may be none at all, in seconds.

    @raise ValueError: It is something else, or more than a year.
    """
    if not _isSeconds(text):
        raise ValueError("a number of seconds, such as 30, 2.5 or 0")
    return float(text)


def _isSeconds(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text)) and float(text) <= 366 * 86400
