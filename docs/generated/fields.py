"""
What is written as JSON, field by field from its class; and the limits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from textwrap import indent
from typing import Any, get_args, get_origin, get_type_hints

from generated.words import NOTHING, binary, documented, firstParagraph, heading, prose, table
from ktcp.http.limits import PARAMETERS, Limits

_JSON = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    bytes: "string of hexadecimal digits",
    type(None): "null",
}


def rendered(root: type, level: int = 0) -> Iterator[str]:
    """
    A class and those it is made of, each its fields with their types in JSON.

    @param root: A dataclass, or a NamedTuple.
    """
    for kind in _within(root):
        prefix = root.__module__.rpartition(".")[0]
        yield from heading(kind.__name__, level, _label(prefix, kind))
        summary = firstParagraph(kind.__doc__)
        if not summary.startswith("@"):
            yield prose(summary) + "\n"
        meanings = documented(kind.__doc__, "ivar")
        for name, hint in _hintsOf(kind).items():
            yield f"``{name}`` : {_jsonType(hint, prefix)}"
            meaning = prose(meanings.get(name, "").replace("C{None}", "C{null}"))
            yield indent(meaning or NOTHING, "   ") + "\n"


def _hintsOf(kind: type) -> dict[str, Any]:
    # A field called bytes hides the type of that name from its own annotations.
    return get_type_hints(kind, localns={"bytes": bytes})


def _within(root: type) -> list[type]:
    """
    The class, then those of its fields, in the order in which they are met.
    """
    found = [root]
    for kind in found:
        for hint in _hintsOf(kind).values():
            for each in _parts(hint):
                if dataclasses.is_dataclass(each) and each not in found:
                    found.append(each)
    return found


def _parts(hint: Any) -> Iterator[Any]:
    yield hint
    for each in get_args(hint):
        yield from _parts(each)


def _label(prefix: str, kind: type) -> str:
    return f"{prefix}.{kind.__name__}".replace(".", "-").lower()


def _jsonType(hint: Any, prefix: str) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is tuple:
        return f"array of {_jsonType(arguments[0], prefix)}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"object of {_jsonType(arguments[1], prefix)}"
    if arguments:
        return " or ".join(_jsonType(each, prefix) for each in arguments)
    if dataclasses.is_dataclass(hint):
        return f":ref:`{_label(prefix, hint)}`"
    return _JSON[hint]


def meanings(words: Mapping[str, str]) -> Iterator[str]:
    """
    Names that a field may have, each with what it means.
    """
    for name, meaning in words.items():
        yield f"``{name}``\n{indent(prose(meaning), '   ')}\n"


_UNITS = {"SECONDS": " s", "COUNT": "", "BYTES": " bytes"}


def _bound(default: Any, metavar: str) -> str:
    if metavar == "BYTES" and default % 1024 == 0:
        return binary(default)
    return f"{default:,g}{_UNITS[metavar]}"


def limits() -> Iterator[str]:
    """
    The limits of L{Limits}, with their options.
    """
    meanings = documented(Limits.__doc__, "ivar")
    rows = [
        (
            f":option:`--{parameter.name} <twistd ktcp --{parameter.name}>`",
            f"``{field.name}``",
            _bound(field.default, parameter.metavar),
            prose(meanings[field.name]),
        )
        for field, parameter in zip(dataclasses.fields(Limits), PARAMETERS, strict=True)
    ]
    yield from table(("option", "keyword", "default", "what it bounds"), rows, "22 13 15 50")
