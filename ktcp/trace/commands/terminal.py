# -*- test-case-name: ktcp.test.test_trace_main -*-
"""
Colour, where a person looks and has not said no.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO

# ECMA-48, 8.3.117, by what we use them for.
CODES = {"good": "32", "bad": "31", "warning": "33", "faint": "2", "strong": "1"}


def wantsColour(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """
    Whether to colour what goes there: a terminal, and no C{NO_COLOR} that is not
    empty (https://no-color.org).
    """
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return False
    return stream.isatty()


def paint(text: str, style: str, stream: TextIO) -> str:
    """
    Text in a style, for a stream.

    @param style: A key of L{CODES}.
    """
    if not wantsColour(stream, os.environ):
        return text
    return f"\x1b[{CODES[style]}m{text}\x1b[0m"
