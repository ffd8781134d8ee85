# -*- test-case-name: ktcp.test.test_trace_main -*-
"""
The command C{ktcp}, and C{python -m ktcp.trace}.

A subcommand's module, in L{ktcp.trace.commands}, is imported only when it is asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from importlib import import_module
from typing import Any, NoReturn

from ktcp import __version__
from ktcp.console import loading, script

with loading():
    import argparse
    from functools import partial

    from ktcp.commandline import Parser, Section, complete, completing
    from ktcp.trace.errors import TraceError

# Each subcommand, and its line in C{ktcp --help}.
COMMANDS = {
    "doctor": "what the lab needs of this machine, and what is there",
    "trace": "follow connections through the kernel",
    "capture": "see the packets of a port, and keep them as pcapng",
    "queues": "accept queue and SYN queue of a port, and their limits",
    "connections": "what the kernel knows of each connection",
    "drop": "end sockets from outside, TIME_WAIT ones too",
}


def _module(command: str) -> Any:
    return import_module(f"ktcp.trace.commands.{command}")


STATUSES = Section(
    "exit status",
    (
        ("0", "it was done"),
        ("1", "it went wrong, or the client that was traced failed; one line says why"),
        ("2", "what was asked for makes no sense; one line says why"),
        ("77", "this cannot be done here; the line says what is missing, and how to get it"),
        ("130", "Ctrl-C, where there was nothing to finish"),
    ),
)
EXAMPLES = Section(
    "examples",
    (
        ("ktcp doctor", "what is missing on this machine"),
        ("ktcp trace run --http", "one request, from connect() to close(), in the kernel"),
        ("ktcp queues --port 8081 --watch", "the accept queue of a server, a line a second"),
        ("ktcp drop --port 8081 --state time-wait", "what is left of a run under load"),
    ),
)
SEE_ALSO = Section(
    "see also",
    (("twistd ktcp --help", "the server"), ("ktcp-load --help", "the load generator")),
)


def makeParser(loaded: Collection[str]) -> Parser:
    """
    The parser of the command line.

    @param loaded: The subcommands that are imported for their arguments; the
        others are only named.
    """
    parser = Parser(
        prog="ktcp",
        formatter_class=partial(argparse.HelpFormatter, max_help_position=20),
        description="The kernel lab: see what the kernel does for a connection.",
    )
    parser.sections = [EXAMPLES, STATUSES, SEE_ALSO]
    parser.add_argument("--version", action="version", version=f"ktcp {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        subparser = subparsers.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
        )
        if name in loaded:
            _module(name).addArguments(subparser)
    return parser


def run(arguments: Sequence[str]) -> int:
    """
    Run a subcommand.

    @return: The exit status.
    """
    # The first word is the subcommand, or the parser has an error to tell.
    with loading():
        parser = makeParser(COMMANDS if completing() else arguments[:1])
        complete(parser)
    args = parser.parse_args(arguments)
    try:
        status: int = _module(args.command).main(args)
    except TraceError as error:
        print(f"ktcp {args.command}: {error}", file=sys.stderr)
        return error.status
    return status


def main() -> NoReturn:
    """
    The console script.
    """
    script(run)


if __name__ == "__main__":
    main()
