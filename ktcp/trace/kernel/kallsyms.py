# -*- test-case-name: ktcp.test.test_trace_kernel_kallsyms -*-
"""
Addresses of the kernel into names.  Pure: lines in, a table out.

Two files have them: C{/proc/kallsyms}, whose addresses are zero for whoever
may not know them (C{kernel.kptr_restrict}, CAP_SYSLOG), and tracefs's
C{available_filter_functions_addrs} (Linux 6.5), which is the owner's to read.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable

# ".isra", ".part", ".constprop" and ".cold": pieces a compiler cut a function into.
_CUT = re.compile(r"\.(?:isra|part|constprop|cold|llvm)\b.*")
# Functions on the way to main memory; absolute ("A") symbols and data are none.
_TEXT = frozenset("tTwWiI")
# Bytes; an address that far above the last symbol is not in that function.
_FARTHEST = 1 << 20


class Symbols:
    """
    Functions by address.
    """

    def __init__(self, pairs: Iterable[tuple[int, str]]) -> None:
        """
        @param pairs: Addresses and names, in any order.
        """
        ordered = sorted(pairs)
        self._addresses = [address for address, _ in ordered]
        self._names = [name for _, name in ordered]

    def __bool__(self) -> bool:
        """
        Whether there are any.
        """
        return bool(self._addresses)

    def name(self, address: int) -> str | None:
        """
        The function that an address lies in, without what the compiler added.
        """
        index = bisect_right(self._addresses, address) - 1
        if index < 0 or address - self._addresses[index] > _FARTHEST:
            return None
        return plainName(self._names[index])


def plainName(name: str) -> str:
    """
    A name as the source has it: no C{.part.0}, no C{.constprop.0}, no offset, no module.
    """
    return _CUT.sub("", name.partition("+")[0].partition(" ")[0])


def parseKallsyms(lines: Iterable[str]) -> Symbols:
    """
    Read C{/proc/kallsyms}: C{ffffffff81000000 T name [module]}.

    @return: Empty where the kernel hides its addresses.
    """
    return Symbols(_pairs(line.split() for line in lines))


def parseFunctions(lines: Iterable[str]) -> Symbols:
    """
    Read C{available_filter_functions_addrs}: C{ffffffff81000000 name [module]}.
    """
    return Symbols(_pairs([parts[0], "t", *parts[1:]] for parts in map(str.split, lines) if parts))


def _pairs(rows: Iterable[list[str]]) -> Iterable[tuple[int, str]]:
    """
    The functions among rows of address, type and name.
    """
    for row in rows:
        if len(row) < 3 or row[1] not in _TEXT:
            continue
        try:
            address = int(row[0], 16)
        except ValueError:
            continue
        if address:
            yield address, row[2]
