"""
Words of the code as reStructuredText: those of C{--help}, and docstrings in epytext.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from textwrap import indent

NOTHING = "\\ "
_SPECIAL = re.compile(r"([\\*`|_])")
_OPTION = r"(?<![\w-])(?:--?[A-Za-z](?:[\w.-]*\w)?|--(?![\w-]))"
_EPYTEXT = r"[CLI]\{([^{}]*)\}"
_MANPAGE = r"\b[a-z_0-9]+\([1-8]\)"
_RFC = r"\bRFC (?P<number>\d{3,4})(?:, (?P<section>\d{1,2}(?:\.\d+)*)(?!\d))?"
_MARKED = re.compile(
    f"(?P<code>{_EPYTEXT})|(?P<option>{_OPTION})|(?P<manpage>{_MANPAGE})|(?P<rfc>{_RFC})"
)


def prose(text: str, options: Collection[str] = ()) -> str:
    """
    Make a paragraph.  Manual pages and RFCs are linked, code is set as such.

    @param options: Those that can be linked to.
    """
    text = " ".join(text.split())
    made, at = [], 0
    for match in _MARKED.finditer(text):
        made.append(_SPECIAL.sub(r"\\\1", text[at : match.start()]))
        made.append(_marked(match, options))
        at = match.end()
    return "".join([*made, _SPECIAL.sub(r"\\\1", text[at:])])


def _marked(match: re.Match[str], options: Collection[str]) -> str:
    if match["code"]:
        return f"``{match['code'][2:-1]}``"
    if match["option"]:
        name = match["option"]
        if name in options:
            return f"\\ :option:`{name}`\\ "
        return f"\\ ``{name}``\\ " if name.startswith("--") else _SPECIAL.sub(r"\\\1", name)
    if match["manpage"]:
        return f"\\ :manpage:`{match['manpage']}`\\ "
    section = f"#section-{match['section']}" if match["section"] else ""
    return f"\\ :rfc:`{match['number']}{section}`\\ "


def sentence(text: str) -> str:
    """
    Begin a plain word with a capital, and end with a full stop.
    """
    if re.match(r"[a-z]+[ ,:;]", text) and not text.startswith("ktcp "):
        text = text[0].upper() + text[1:]
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def binary(size: int) -> str:
    """
    A number of bytes that is a whole number of KiB, in the largest unit that divides it.
    """
    unit, count = "KiB", size // 1024
    for larger in ("MiB", "GiB"):
        if count % 1024 == 0:
            unit, count = larger, count // 1024
    return f"{count} {unit}"


def firstParagraph(docstring: str | None) -> str:
    """
    The summary of a docstring, in a line.
    """
    return " ".join((docstring or "").strip().partition("\n\n")[0].split())


def documented(docstring: str | None, tag: str) -> dict[str, str]:
    """
    The fields C{@tag name: meaning} of a docstring, by name.
    """
    found = re.findall(rf"@{tag} (\w+): (.*?)(?=\n\s*@|\Z)", docstring or "", re.DOTALL)
    return {name: " ".join(meaning.split()) for name, meaning in found}


def directive(name: str, argument: str, body: Iterable[str]) -> Iterator[str]:
    """
    A directive with paragraphs in it.
    """
    yield f".. {name}:: {argument}\n"
    for paragraph in body:
        if paragraph:
            yield indent(paragraph, "   ") + "\n"


def heading(title: str, level: int, label: str) -> Iterator[str]:
    """
    The title of a section, and a label to refer to it by.
    """
    yield f".. _{label}:\n"
    yield f"{title}\n{'=-~^'[level] * len(title)}\n"


def table(head: Iterable[str], rows: Iterable[Iterable[str]], widths: str) -> Iterator[str]:
    """
    A table with a head.
    """
    yield f".. list-table::\n   :class: stacked\n   :header-rows: 1\n   :widths: {widths}\n"
    for row in (head, *rows):
        for at, cell in enumerate(row):
            yield f"   {'  -' if at else '* -'} {cell or NOTHING}"
    yield ""
