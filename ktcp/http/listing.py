# -*- test-case-name: ktcp.test.test_http_listing -*-
"""
The page of a directory, as HTML and as JSON, in slices that others can run
between.  Pure but for L{scan}.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone
from heapq import merge
from html import escape
from itertools import islice
from stat import S_ISDIR, S_ISREG
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import parse_qs, quote

# Rows that are rendered in one go: a millisecond or two.
ROWS = 256

# Names that are sorted in one go.  list.sort gives no other thread a turn
# before it is done, and 100,000 names take it 100 ms.
RUN = 4096

# Entries that a page has at most: some 200 bytes of memory each, while it is sent.
MOST = 200_000


# An entry of a directory: its name, whether it is a directory, its size in bytes
# and when it was modified, in seconds since the epoch.  A tuple of no class of
# its own, because the garbage collector lets go of those that hold only such
# values: looking through 100,000 named ones stalled everybody for 30 ms
# (python -m bench.macro.memory).
Listed: TypeAlias = tuple[bytes, bool, int, float]


class Order(NamedTuple):
    """
    How a page is sorted: by C{name}, C{size} or C{time}; directories come first.
    """

    by: str = "name"
    descending: bool = False


_KEYS: dict[str, Callable[[Listed], tuple[Any, ...]]] = {
    "name": lambda entry: (entry[0].lower(), entry[0]),
    "size": lambda entry: (entry[2], entry[0]),
    "time": lambda entry: (entry[3], entry[0]),
}


def orderOf(query: bytes) -> Order:
    """
    Read C{sort=name|size|time&order=asc|desc}; what is not understood is the
    default.
    """
    try:
        given = parse_qs(query.decode("ascii"), max_num_fields=16)
    except ValueError:
        return Order()
    by = given.get("sort", ["name"])[0]
    return Order(by if by in _KEYS else "name", given.get("order") == ["desc"])


def scan(
    descriptor: int, hidden: bool, resolve: Callable[[bytes], os.stat_result | None]
) -> list[Listed]:
    """
    Read a directory: the first L{MOST} entries of it that can be served.

    @param descriptor: Of the directory.
    @param resolve: What stat(2) says of a symbolic link's target; L{None} if it
        is not served.
    """
    found = []
    with os.scandir(descriptor) as entries:
        for entry in entries:
            # Of a descriptor scandir gives str.
            name = os.fsencode(entry.name)
            if name.startswith(b".") and not hidden:
                continue
            try:
                status = resolve(name) if entry.is_symlink() else entry.stat(follow_symlinks=False)
            except OSError:
                # Gone meanwhile.
                continue
            if status is None or not (S_ISREG(status.st_mode) or S_ISDIR(status.st_mode)):
                continue
            isDirectory = S_ISDIR(status.st_mode)
            size = 0 if isDirectory else status.st_size
            found.append((name, isDirectory, size, status.st_mtime))
            if len(found) == MOST:
                break
    return found


def inOrder(entries: list[Listed], order: Order) -> Iterator[Listed]:
    """
    Sort, in runs that are merged as the result is taken.
    """
    key = _KEYS[order.by]
    for wanted in (True, False):
        runs: list[list[Listed]] = []
        chosen = (entry for entry in entries if entry[1] is wanted)
        while run := list(islice(chosen, RUN)):
            run.sort(key=key, reverse=order.descending)
            runs.append(run)
        yield from merge(*runs, key=key, reverse=order.descending)


def sizeOf(size: float) -> str:
    """
    @return: Such as C{1.5 KiB}.
    """
    unit = "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size /= 1024
        unit = larger
    return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"


def _stamp(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "1970-01-01T00:00:00Z"


def _href(name: bytes, isDirectory: bool) -> str:
    # The dot: a name with a colon would begin with a scheme.
    return "./" + quote(name) + ("/" if isDirectory else "")


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "replace")


def slices(lines: Iterable[str]) -> Iterator[bytes]:
    """
    Render lines, many at a time.
    """
    lines = iter(lines)
    while batch := list(islice(lines, ROWS)):
        yield "".join(batch).encode("utf-8")


def asJSON(path: bytes, entries: list[Listed], order: Order) -> Iterator[str]:
    """
    Render a directory for programs.
    """
    yield f'{{"path": {json.dumps(_shown(path))}, "entries": ['
    separator = "\n"
    for name, isDirectory, size, modified in inOrder(entries, order):
        fields: dict[str, object] = {
            "name": _shown(name),
            "href": _href(name, isDirectory),
            "type": "directory" if isDirectory else "file",
            "size": None if isDirectory else size,
            "modified": _stamp(modified),
        }
        yield separator + json.dumps(fields)
        separator = ",\n"
    yield f'\n], "complete": {json.dumps(len(entries) < MOST)}}}\n'


_STYLE = """
:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem}
h1{font-size:1.25rem;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}
th,td{padding:.3rem .5rem;text-align:left}
th:nth-child(2),td:nth-child(2){text-align:right;white-space:nowrap}
td:first-child{overflow-wrap:anywhere}
td:nth-child(3){white-space:nowrap}
tbody tr{border-top:1px solid #8884}
tbody tr:hover{background:#8882}
a{color:#0b57d0}
@media(prefers-color-scheme:dark){a{color:#8ab4f8}}
@media(max-width:36rem){th:nth-child(3),td:nth-child(3){display:none}}
""".strip()

_COLUMNS = (("name", "Name"), ("size", "Size"), ("time", "Modified"))


def asHTML(path: bytes, entries: list[Listed], order: Order) -> Iterator[str]:
    """
    Render a directory for people: HTML5 that needs no script.

    @param path: From the root, decoded, with a slash at its end.
    """
    title = escape(_shown(path))
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # Else browsers ask for /favicon.ico, and say that it is missing.
        '<link rel="icon" href="data:,">\n'
        f"<title>{title}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{title}</h1>\n<table>\n<thead>\n<tr>"
    )
    for by, label in _COLUMNS:
        yield _heading(by, label, order)
    yield "</tr>\n</thead>\n<tbody>\n"
    if path != b"/":
        yield '<tr><td><a href="../">../</a></td><td></td><td></td></tr>\n'
    for name, isDirectory, size, modified in inOrder(entries, order):
        text = escape(_shown(name)) + ("/" if isDirectory else "")
        stamp = _stamp(modified)
        shown = "" if isDirectory else sizeOf(size)
        yield (
            f'<tr><td><a href="{escape(_href(name, isDirectory))}">{text}</a></td><td>{shown}</td>'
            f'<td><time datetime="{stamp}">{stamp[:10]} {stamp[11:16]}</time></td></tr>\n'
        )
    yield "</tbody>\n</table>\n"
    if len(entries) == MOST:
        yield f"<p>There are more; these are the first {MOST}.</p>\n"
    yield "</main>\n</body>\n</html>\n"


def _heading(by: str, label: str, order: Order) -> str:
    """
    Render the head of a column: a link that sorts by it, or the other way round.
    """
    isChosen = order.by == by
    other = "asc" if isChosen and order.descending else "desc"
    sort, arrow = "", ""
    if isChosen:
        sort = f' aria-sort="{"descending" if order.descending else "ascending"}"'
        arrow = " \u25bc" if order.descending else " \u25b2"
    target = f"?sort={by}&amp;order={other if isChosen else 'asc'}"
    return f'<th scope="col"{sort}><a href="{target}">{label}{arrow}</a></th>'
