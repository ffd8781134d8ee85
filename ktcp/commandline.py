# -*- test-case-name: ktcp.test.test_commandline -*-
"""
What the command lines of C{ktcp}, C{ktcp-load} and C{twistd ktcp} have in
common: a mistake is one line that says what to do, C{--help} is laid out as a
manual page and as wide as the terminal, and a shell can complete it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple, NoReturn

# As alike as that (difflib's ratio) a word must be to be what was meant.
ALIKE = 0.7


class Section(NamedTuple):
    """
    What C{--help} says after the options.

    @ivar entries: Each a word or a command line, and what it means.
    """

    title: str
    entries: Sequence[tuple[str, str]]


def width() -> int:
    """
    How many columns there are to write in: C{COLUMNS}, or what the terminal
    says, or 80.
    """
    return shutil.get_terminal_size().columns


def sections(made: Iterable[Section], columns: int) -> Iterator[str]:
    """
    Lay sections out.

    @return: Lines.
    """
    for section in made:
        yield from ("", f"{section.title}:")
        room = 2 + max(len(left) for left, _ in section.entries)
        if room > 12:
            for left, right in section.entries:
                # A command line is to be copied: it is not wrapped.
                yield f"  {left}"
                yield from (f"      {line}" for line in textwrap.wrap(right, max(columns - 6, 20)))
            continue
        for left, right in section.entries:
            lines = textwrap.wrap(right, max(columns - room - 2, 20)) or [""]
            yield f"  {left.ljust(room)}{lines[0]}".rstrip()
            yield from (" " * (room + 2) + line for line in lines[1:])


def likely(word: str, words: Iterable[str]) -> list[str]:
    """
    Find what may have been meant by a word: what begins with it, or else what
    is most like it.
    """
    known = list(words)
    begun = [each for each in known if len(word) > 1 and each.startswith(word)]
    if begun:
        return begun
    ratios = {each: SequenceMatcher(None, word, each).ratio() for each in known}
    best = max(ratios.values(), default=0.0)
    return [each for each, ratio in ratios.items() if ratio == best >= ALIKE]


def didYouMean(found: Sequence[str]) -> str:
    """
    Offer what L{likely} found.
    """
    return f"did you mean {' or '.join(found)}?"


class Parser(argparse.ArgumentParser):
    """
    An C{ArgumentParser} that does so; its subcommands' parsers do too.

    @ivar sections: What C{--help} says after the options and the epilog.
    """

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.sections: list[Section] = []

    def format_help(self) -> str:
        """
        Explain everything.
        """
        lines = list(sections(self.sections, width()))
        return super().format_help() + "".join(f"{line}\n" for line in lines)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """
        Refuse what is unknown here, where it is known what there is instead:
        argparse has the outermost parser do it.
        """
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(self._unknown(rest[0]))
        return found, rest

    def _unknown(self, word: str) -> str:
        if not word.startswith("-"):
            return f"{word}: one too many"
        option = word.partition("=")[0]
        found = likely(option, self._option_string_actions)
        return f"{option}: no such option" + (f"; {didYouMean(found)}" if found else "")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """
        The same for subcommands, and for words of which one is to be chosen.
        """
        if action.choices is not None and value not in action.choices:
            words = list(map(str, action.choices))
            found = likely(str(value), words)
            hint = didYouMean(found) if found else f"it is one of {', '.join(words)}"
            raise argparse.ArgumentError(action, f"no {value!r}; {hint}")

    def error(self, message: str) -> NoReturn:
        """
        End with one line, and status 2.
        """
        message = re.sub(r"^argument (.*?): ", r"\1: ", message)
        message = re.sub(r"^the following arguments are required: ", "needs ", message)
        more = "" if message.endswith("?") else f"; see {self.prog} --help"
        self.exit(2, f"{self.prog}: {message}{more}\n")


def completing() -> bool:
    """
    Whether it is a shell that asks how a word may go on.
    """
    return "_ARGCOMPLETE" in os.environ


def complete(parser: argparse.ArgumentParser) -> None:
    """
    Answer it, and end; see U{https://kislyuk.github.io/argcomplete/}, the extra
    C{completion}.
    """
    if completing():
        from argcomplete import autocomplete

        autocomplete(parser)
