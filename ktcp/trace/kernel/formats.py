# -*- test-case-name: ktcp.test.test_trace_kernel_formats -*-
"""
What tracefs says of its own bytes: C{events/*/*/format} and
C{events/header_page}.  Pure: text in, layouts out.

The kernel's offsets are never assumed; they change between versions.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass

# "	field:const void * skaddr;	offset:8;	size:8;	signed:0;", an array as "__u8 saddr[4];".
_FIELD = re.compile(
    r"^\s*field:(?P<type>[^;\n]*?)\s*\b(?P<name>\w+)(?:\[(?P<count>\w*)\])?;"
    r"\s*offset:(?P<offset>\d{1,9});\s*size:(?P<size>\d{1,9});(?:\s*signed:(?P<signed>[01]);)?",
    re.M,
)
_NAME = re.compile(r"^name: (\w+)$", re.M)
_ID = re.compile(r"^ID: (\d{1,9})$", re.M)
# The names that the print format gives to numbers.
_SYMBOLIC = re.compile(r"__print_symbolic\(REC->(\w+), ((?:\{ ?\w+, \"[^\"]*\" ?\},? ?)+)\)")
_PAIR = re.compile(r"\{ ?(\d+), \"([^\"]*)\" ?\}")

_CODES = {1: "b", 2: "h", 4: "i", 8: "q"}


class BadFormat(Exception):
    """
    A description that cannot be understood.
    """


@dataclass(frozen=True)
class Field:
    """
    A field of a record.

    @ivar kind: C{int}, C{address}, C{text} (C{__data_loc}) or C{bytes}.
    """

    name: str
    offset: int
    size: int
    signed: bool
    kind: str


@dataclass(frozen=True)
class Format:
    """
    A tracepoint's record.

    @ivar symbols: For some fields, the names of their values.
    """

    name: str
    id: int
    fields: tuple[Field, ...]
    symbols: dict[str, dict[int, str]]


@dataclass(frozen=True)
class PageLayout:
    """
    The head of a page of the ring buffer (C{events/header_page}).

    @ivar commit: Where it says how many bytes of data follow, and how wide that is.
    @ivar data: Where they begin.
    @ivar size: Of the whole page.
    """

    commit: int
    commitSize: int
    data: int
    size: int


def parseFormat(text: str) -> Format:
    """
    Read a C{format} file.

    @raise BadFormat: It is none.
    """
    name, number = _NAME.search(text), _ID.search(text)
    if name is None or number is None:
        raise BadFormat("a format without a name or an ID")
    symbols = {
        field: {int(value): label for value, label in _PAIR.findall(pairs)}
        for field, pairs in _SYMBOLIC.findall(text)
    }
    return Format(name[1], int(number[1]), tuple(_fieldsOf(text)), symbols)


def parsePageLayout(text: str) -> PageLayout:
    """
    Read C{events/header_page}.

    @raise BadFormat: It lacks a field.
    """
    named = {each.name: each for each in _fieldsOf(text)}
    try:
        commit, data = named["commit"], named["data"]
    except KeyError as missing:
        raise BadFormat(f"header_page has no {missing}") from None
    if commit.size not in (4, 8) or commit.offset + commit.size > data.offset:
        raise BadFormat("header_page describes an unknown page")
    return PageLayout(commit.offset, commit.size, data.offset, data.offset + data.size)


def _fieldsOf(text: str) -> Iterable[Field]:
    """
    The fields that a description lists.
    """
    for match in _FIELD.finditer(text):
        kind = match["type"]
        size = int(match["size"])
        if kind.startswith("__data_loc"):
            what = "text"
        # "void *", and the two that are addresses in all but type: sk_data_ready's
        # ip and a stack's callers.
        elif "*" in kind:
            what = "address"
        elif match["count"] is not None or size not in _CODES:
            what = "bytes"
        else:
            what = "int"
        yield Field(match["name"], int(match["offset"]), size, match["signed"] == "1", what)


Values = dict[str, int | str | bytes]


class Layout:
    """
    Takes chosen fields out of a record, in one go.

    @ivar symbols: As L{Format.symbols}.
    """

    def __init__(self, format: Format, wanted: Iterable[str]) -> None:
        """
        @param wanted: Names; what this kernel does not have is left out.
        """
        self.name = format.name
        self.symbols = format.symbols
        names = set(wanted)
        chosen = sorted((f for f in format.fields if f.name in names), key=lambda f: f.offset)
        self._names = [field.name for field in chosen]
        self._texts = [field.name for field in chosen if field.kind == "text"]
        self._struct = struct.Struct("<" + "".join(_codes(chosen)))

    def read(self, record: bytes) -> Values | None:
        """
        The chosen fields of a record.

        @return: None where the record is too short.
        """
        if len(record) < self._struct.size:
            return None
        values: Values = dict(zip(self._names, self._struct.unpack_from(record), strict=True))
        for name in self._texts:
            where = values[name]
            assert isinstance(where, int)
            # Low half: where the text is; high half: how long, its NUL included.
            start, length = where & 0xFFFF, where >> 16
            text = record[start : start + length].partition(b"\0")[0]
            values[name] = text.decode("ascii", "replace")
        return values


def _codes(fields: Iterable[Field]) -> Iterable[str]:
    """
    The L{struct} codes of fields in the order of their offsets, gaps included.
    """
    at = 0
    for field in fields:
        if field.offset < at:
            raise BadFormat(f"{field.name} overlaps the field before it")
        yield f"{field.offset - at}x"
        if field.kind == "bytes":
            yield f"{field.size}s"
        else:
            code = _CODES.get(field.size)
            if code is None:
                raise BadFormat(f"{field.name} has {field.size} bytes")
            yield code if field.signed and field.kind == "int" else code.upper()
        at = field.offset + field.size
