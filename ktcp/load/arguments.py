# -*- test-case-name: ktcp.test.test_load_options -*-
"""
Values on the command line, each read for argparse, which tells of an error in one line.
"""

from __future__ import annotations

import argparse
import math
import re

# RFC 9110, 5.6.2
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SPANS = {"": 1.0, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def positive(text: str) -> int:
    """
    Read a whole number from 1 on.
    """
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def size(text: str) -> int:
    """
    Read a number of bytes: C{64}, C{16k}, C{1M}.
    """
    match = re.fullmatch(r"([0-9]+)([kKmMgG]?)", text)
    if match is None or not int(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 64, 16k or 1M")
    return int(match[1]) * _UNITS[match[2].lower()]


def span(text: str) -> float:
    """
    Read a time: C{5}, C{0.5}, C{250ms}, C{2m}.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(us|ms|s|m|h|)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 5, 0.5, 250ms or 2m")
    return float(match[1]) * _SPANS[match[2]]


def longer(text: str) -> float:
    """
    Read a time that is not zero.
    """
    seconds = span(text)
    if not seconds:
        raise argparse.ArgumentTypeError(f"{text!r} is no time at all")
    return seconds


def rate(text: str) -> float:
    """
    Read a number of requests a second: C{1000}, C{0.5}, C{20k}.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([kK]?)", text)
    value = float(match[1]) * (1000 if match[2] else 1) if match else 0.0
    if not value or not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate such as 1000 or 20k")
    return value


def header(text: str) -> tuple[str, str]:
    """
    Read C{Name: value}.
    """
    name, colon, value = text.partition(":")
    if not colon or not TOKEN.fullmatch(name) or re.search(r"[\x00\r\n]", value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a header such as 'Accept: text/html'")
    return name, value.strip()


def method(text: str) -> str:
    """
    Read a method.
    """
    if not TOKEN.fullmatch(text) or text == "CONNECT":
        raise argparse.ArgumentTypeError(f"{text!r} is no method that can be asked for")
    return text


def statuses(text: str) -> frozenset[int]:
    """
    Read statuses: C{200} or C{200,404}.
    """
    if not re.fullmatch(r"[2-5][0-9]{2}(,[2-5][0-9]{2})*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a status such as 200 or 200,404")
    return frozenset(int(part) for part in text.split(","))


def natural(text: str) -> int:
    """
    Read a whole number from 0 on.
    """
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def digest(text: str) -> str:
    """
    Read a SHA-256 in hexadecimal.
    """
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a SHA-256 (64 hexadecimal digits)")
    return text.lower()


def regex(text: str) -> bytes:
    """
    Read a regular expression for bytes.
    """
    try:
        re.compile(text.encode())
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no regular expression: {error}") from error
    return text.encode()
