"""
Public names, with the first paragraph of the docstring of each.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from importlib import import_module
from textwrap import indent

from zope.interface.interface import InterfaceClass

from generated.words import firstParagraph, prose


def rendered(module: str, names: Sequence[str]) -> Iterator[str]:
    """
    A definition for each name, linked to the API reference.

    @param module: Where users import them from.
    """
    for name in names:
        value = getattr(import_module(module), name)
        isDocumented = inspect.isroutine(value) or isinstance(value, (type, InterfaceClass))
        # What an example follows ends in colons.
        meaning = prose(firstParagraph(value.__doc__)).rstrip(":").removesuffix(".") + "."
        yield f":py:obj:`{module}.{name}`"
        yield indent(meaning if isDocumented else f"``{value!r}``", "   ") + "\n"
