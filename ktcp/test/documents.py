# -*- test-case-name: ktcp.test.test_docs_pages -*-
"""
Reads a page of the documentation as its reader does; L{ktcp.test.reader} then does
what it says.

  - A block with a C{:caption:} is a file of this name, saved before what comes next.
  - In a C{console} block, C{$} and C{#} begin commands, C{>} goes on with one, and
    what stands below is all that it prints.  Each ends with status 0.
  - Other C{python} is one program, made of all such blocks of the page.

C{...} stands for anything on its line or, alone on a line, for any lines.  Dates,
times of day and process ids match others of their kind.  What cannot be seen on
the page is said in comments above a block:

  - C{.. terminal: NAME}: in another terminal, where the last command goes on until
    something else is typed there, or the page ends: then Ctrl-C ends it.  The page
    goes on when what it shows is there; if that is nothing, C{.. terminal: NAME, port
    N} says which port opens.
  - C{.. figures vary}: numbers, units and widths of columns match others.
  - C{.. not run: REASON}: there is no way to run it in a test.

and, anywhere on the page, C{.. in the clone}: it begins in a clone of ktcp.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ktcp.test.support import ROOT

DOCS = ROOT / "docs"

_DIRECTIVE = re.compile(r"( *)\.\. (code-block|literalinclude):: *(.*)")
_OPTION = re.compile(r" +:([\w-]+): *(.*)")
_COMMENT = re.compile(r"\.\. (terminal|figures vary|not run|in the clone)(?:: (.*))?$")


class Block(NamedTuple):
    """
    @ivar line: Where it begins on its page.
    @ivar kind: C{console}, C{python} and so on.
    @ivar text: What a reader sees.
    @ivar caption: The name of the file that it is, or nothing.
    @ivar marks: The comments right above it.
    """

    line: int
    kind: str
    text: str
    caption: str
    marks: dict[str, str]


class Command(NamedTuple):
    """
    @ivar text: What is typed; nothing, where a block only goes on with what is printed.
    @ivar expected: What is to be printed.
    """

    text: str
    expected: str


def blocks(page: Path) -> Iterator[Block]:
    """
    Find what a page shows as it is.
    """
    lines = page.read_text().splitlines()
    marks: dict[str, str] = {}
    number = 0
    while number < len(lines):
        line, start, number = lines[number], number + 1, number + 1
        if comment := _COMMENT.match(line.strip()):
            reason = comment[2] or ""
            while number < len(lines) and lines[number].startswith("   "):
                reason, number = f"{reason} {lines[number].strip()}", number + 1
            marks[comment[1]] = reason
            continue
        directive = _DIRECTIVE.fullmatch(line)
        if directive is None and not (line.endswith("::") and not line.lstrip().startswith("..")):
            if line.strip():
                marks = {}
            continue
        indent = len(directive[1]) if directive else len(line) - len(line.lstrip())
        options: dict[str, str] = {}
        while directive and number < len(lines) and (option := _OPTION.fullmatch(lines[number])):
            options[option[1]], number = option[2], number + 1
        body: list[str] = []
        while number < len(lines) and (
            not lines[number].strip() or len(lines[number]) - len(lines[number].lstrip()) > indent
        ):
            body.append(lines[number])
            number += 1
        text, kind = dedent(body), directive[3] if directive else "literal"
        if directive and directive[2] == "literalinclude":
            text, kind = (page.parent / directive[3]).read_text(), options.get("language", "text")
            if start_at := options.get("start-at"):
                text = text[text.index(start_at) :]
        yield Block(start, kind, text, options.get("caption", ""), marks)
        marks = {}


def dedent(lines: list[str]) -> str:
    """
    Take away the indentation of the first line, and what is blank around.
    """
    text = "\n".join(lines).strip("\n").rstrip()
    margin = len(text) - len(text.lstrip(" "))
    return "".join(f"{line[margin:]}\n" for line in text.split("\n"))


def commands(text: str) -> Iterator[Command]:
    """
    Take a console block apart.
    """
    typed, printed = "", ""
    for line in [*text.splitlines(), "$ "]:
        if line.startswith(("$ ", "# ")):
            if typed or printed:
                yield Command(typed, f"{printed.rstrip()}\n" if printed.strip() else "")
            typed, printed = line[2:], ""
        elif typed and not printed and (typed.endswith("\\") or line.startswith("> ")):
            typed += "\n" + line.removeprefix("> ")
        else:
            printed += f"{line}\n"


# What is shown otherwise each time, and what it may be; the first that fits counts.
_VARYING = {
    # Any lines.
    r"(?m:^ *\.\.\.\n)": r"(?:.*\n)*?",
    r"\.\.\.": r".*?",
    # HTTP's dates, Apache's, ISO 8601, the time of a packet.
    r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT": None,
    r"\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}": None,
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d{4})": None,
    r"\d\d:\d\d:\d\d\.\d+": None,
    r"\(pid \d+\)": None,
}
# As above, where a page says that figures vary.
_FIGURES = {
    r"(?<![A-Za-z\d])[+-]?\d[\d,.]*(?: ?(?:ns|us|ms|[kKMG]?i?B(?:/s)?|s)\b)?": None,
    r"(?m:^ +)": r" *",
    r" +": None,
}


def pattern(expected: str, figures: bool = False) -> str:
    """
    Make a regular expression of what a page shows.
    """
    varying = [*_VARYING.items(), *(_FIGURES.items() if figures else ())]
    tokens = re.compile("|".join(f"({token})" for token, _ in varying))
    parts, end = [], 0
    for found in tokens.finditer(expected):
        assert found.lastindex is not None
        token, fits = varying[found.lastindex - 1]
        parts += [re.escape(expected[end : found.start()]), token if fits is None else fits]
        end = found.end()
    return "".join([*parts, re.escape(expected[end:])])
