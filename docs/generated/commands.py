"""
The command lines of ktcp, read from what reads them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import NamedTuple

from twisted.plugins import ktcp_plugin

from generated.words import binary, directive, documented, firstParagraph, heading, prose, sentence
from ktcp import manual
from ktcp.endpoint.parser import optionChecks
from ktcp.endpoint.sockets import SocketOptions
from ktcp.interfaces import IProtocolPlugin
from ktcp.load.__main__ import commands as loadCommands
from ktcp.load.compare import parser as compareParser
from ktcp.options import BaseOptions, called, optionsFor
from ktcp.parameters import Parameter
from ktcp.trace.__main__ import COMMANDS, makeParser


class Option(NamedTuple):
    """
    An option, or an argument that has no dashes.

    @ivar names: As they are typed; of an argument what C{--help} calls it.
    @ivar metavar: What C{--help} calls the value; empty where there is none.
    @ivar meaning: What it does.
    @ivar kind: What the value must be.
    @ivar default: What holds without the option.
    @ivar isRequired: The command does not go without it.
    """

    names: tuple[str, ...]
    metavar: str
    meaning: str
    kind: str = ""
    default: str = ""
    isRequired: bool = False


class Group(NamedTuple):
    """
    Options that stand together in C{--help}; the first of a command may have no title.
    """

    title: str
    options: Sequence[Option]


class Command(NamedTuple):
    """
    A command, or a subcommand.

    @ivar name: With what comes before it: C{ktcp trace run}.
    @ivar usage: A synopsis.
    @ivar closing: What C{--help} ends with.
    """

    name: str
    about: str
    usage: str
    groups: Sequence[Group]
    closing: str = ""
    commands: Sequence[Command] = ()

    @property
    def options(self) -> frozenset[str]:
        """
        All names of its options.
        """
        return frozenset(
            name for group in self.groups for option in group.options for name in option.names
        )

    def walk(self) -> Iterator[Command]:
        """
        This command and those below it.
        """
        yield self
        for command in self.commands:
            yield from command.walk()


def everyCommand() -> dict[str, Command]:
    """
    The commands of ktcp, those below others included, by their names.
    """
    load, below = loadCommands()
    trees = (
        twistdCommand(),
        _ofParser(makeParser(COMMANDS)),
        # compare has a parser of its own.
        _ofParser(load, {**below, "compare": compareParser()}),
        endpointString(),
    )
    return {command.name: command for tree in trees for command in tree.walk()}


def twistdCommand() -> Command:
    """
    C{twistd ktcp} with ktcp's own protocols, whatever else is installed here.
    """
    plugins = [each for each in vars(ktcp_plugin).values() if IProtocolPlugin.providedBy(each)]
    made = optionsFor(plugins)
    groups = [
        Group(group.title, [_ofParameter(each) for each in group.parameters])
        for group in made.groups
    ]
    own = [
        Option((f"--{name}",), "", firstParagraph(getattr(BaseOptions, f"opt_{name}").__doc__))
        for name in ("help", "version")
    ]
    usage = "twistd -n ktcp [--OPTION [VALUE]]..."
    return Command("twistd ktcp", "", usage, [Group("", own), *groups], manual.ENDPOINTS)


def _ofParameter(parameter: Parameter) -> Option:
    names = dict.fromkeys((called(parameter.name), parameter.name))
    shown = tuple(f"--{name}" for name in names)
    if parameter.check is None:
        return Option(shown, "", parameter.description)
    default = parameter.default
    if parameter.repeatable and isinstance(default, Sequence):
        default = ", ".join(map(str, default)) or None
    more = "; may be given again" if parameter.repeatable else ""
    return Option(
        shown,
        parameter.metavar,
        parameter.description,
        wanted(parameter.check) + more,
        _amount(default, parameter.metavar),
    )


def wanted(check: Callable[[str], object]) -> str:
    """
    Ask a check of L{ktcp.parameters} what it takes: what it says of nothing at all.
    """
    try:
        check("")
    except ValueError as error:
        return str(error)
    return "text"


def _amount(value: object, metavar: str) -> str:
    """
    A default, for people.
    """
    if metavar == "BYTES" and isinstance(value, int) and value % 1024 == 0:
        return f"{value} ({binary(value)})"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)


def _ofParser(
    parser: argparse.ArgumentParser, below: Mapping[str, argparse.ArgumentParser] | None = None
) -> Command:
    """
    @param below: The parsers of the subcommands, where they are not the parser's own.
    """
    groups, commands = [], []
    for group in parser._action_groups:
        options = []
        for action in group._group_actions:
            if isinstance(action, argparse._SubParsersAction):
                about = {each.dest: each.help for each in action._choices_actions}
                made = {name: _ofParser(each) for name, each in (below or action.choices).items()}
                commands = [
                    each if each.about else each._replace(about=sentence(about[name] or ""))
                    for name, each in made.items()
                ]
            else:
                options.append(_ofAction(parser, action))
        standard = group.title in ("positional arguments", "options")
        if options:
            groups.append(Group("" if standard else str(group.title), options))
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    return Command(
        parser.prog, parser.description or "", usage, groups, parser.epilog or "", commands
    )


def _ofAction(parser: argparse.ArgumentParser, action: argparse.Action) -> Option:
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    if action.choices is not None:
        metavar = "|".join(filter(None, map(str, action.choices)))
    if not action.option_strings:
        names, metavar = (metavar or action.dest,), ""
    else:
        # Long names are the ones to be found by.
        names = tuple(sorted(action.option_strings, key=lambda name: not name.startswith("--")))
    takesValue = action.nargs != 0
    meaning = (action.help or "") % {"default": action.default, "prog": parser.prog}
    return Option(
        names,
        metavar if takesValue else "",
        meaning,
        _kindOf(action) if takesValue else "",
        _defaultOf(action, meaning) if takesValue else "",
        action.required and bool(action.option_strings),
    )


def _kindOf(action: argparse.Action) -> str:
    if action.choices is not None:
        return "one of these"
    if action.type in (None, str, Path):
        return "text"
    # Each reads its value, and its docstring says what that is.
    said = firstParagraph(getattr(action.type, "__doc__", "")).removeprefix("Read ")
    if said[1:2].islower() or said[1:2] == " ":
        said = said[0].lower() + said[1:]
    repeatable = "; may be given again" if isinstance(action, argparse._AppendAction) else ""
    return said.removesuffix(".") + repeatable


def _defaultOf(action: argparse.Action, meaning: str) -> str:
    if action.required:
        return ""
    isSaid = "default" in meaning or f"({action.default})" in meaning
    if isSaid or action.default in (None, "", argparse.SUPPRESS) or action.default == []:
        return ""
    return "" if action.default == frozenset() else str(action.default)


def endpointString() -> Command:
    """
    C{ktcp:}, as if it were a command.
    """
    meanings = documented(SocketOptions.__doc__, "ivar")
    options = []
    for name, check in optionChecks().items():
        default = getattr(SocketOptions, name)
        kind = wanted(check)
        isFlag = kind == "yes or no"
        if isinstance(default, bool):
            default = "yes" if default else "no"
        elif default is None:
            default = "the kernel's" if isFlag else "no"
        metavar = "yes|no" if isFlag else kind.split()[0] if kind[:1].isupper() else "N"
        options.append(Option((name,), metavar, meanings[name], kind, str(default)))
    port, address = "a whole number from 0 to 65535", "an IPv4 or IPv6 address"
    place = [
        Option(("port",), "PORT", "The TCP port, also without its name; 0 is any free one.", port),
        Option(("interface",), "ADDRESS", "Where to listen.", address, "every IPv4 address"),
    ]
    usage = "ktcp:PORT[:interface=ADDRESS][:OPTION=VALUE]..."
    return Command("ktcp:", "", usage, [Group("", [*place, *options])])


def rendered(command: Command, level: int = 0) -> Iterator[str]:
    """
    A command as it stands on a page, with those below it.
    """
    known = command.options
    if command.about:
        yield prose(command.about, known) + "\n"
    usage = fill(command.usage, 90, subsequent_indent="   ", break_on_hyphens=False)
    yield from directive("code-block", "text", [usage])
    yield f".. program:: {command.name}\n"
    for group in command.groups:
        if group.title:
            yield from heading(group.title, level, _label(f"{command.name} {group.title}"))
        for option in group.options:
            if level and "-h" in option.names:
                # The page says once that each has it.
                continue
            yield from _entry(option, known, "=" if command.name == "ktcp:" else " ")
    if command.closing:
        if any(group.title for group in command.groups):
            yield from heading("Notes", level, _label(f"{command.name} notes"))
        yield prose(command.closing, known) + "\n"
    for each in command.commands:
        yield from heading(each.name, level, _label(each.name))
        yield from rendered(each, level + 1)


def _entry(option: Option, known: frozenset[str], between: str) -> Iterator[str]:
    value = f"{between}{option.metavar}" if option.metavar else ""
    facts = []
    # What the name of the value says already is not said again.
    if option.kind not in ("", "text", "one of these", "yes or no"):
        named = f"``{option.metavar}``: " if option.metavar else ""
        facts.append(f"{named}{prose(option.kind, known)}.")
    if option.isRequired:
        facts.append("Required.")
    if option.default:
        facts.append(f"Default: ``{option.default}``.")
    yield from directive(
        "option",
        ", ".join(f"{name}{value}" for name in option.names),
        [prose(sentence(option.meaning), known), "  ".join(facts)],
    )


def _label(name: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())
