# -*- test-case-name: ktcp.test.test_trace_main -*-
"""
Values on the command line that several subcommands take.

argparse turns each error here into one line, with the option's name.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from math import isfinite

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
