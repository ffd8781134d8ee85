# -*- test-case-name: ktcp.test.test_trace_main -*-
"""
The command C{ktcp}, and C{python -m ktcp.trace}.

A subcommand is a module with C{addArguments(parser)} and C{main(args)}, which
returns the exit status; it is imported only when it is asked for.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Collection, Sequence
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

from ktcp import __version__
from ktcp.trace.errors import TraceError


class Command(NamedTuple):
    """
    A subcommand.

    @ivar module: Where it is.
    @ivar summary: Its line in C{ktcp --help}.
    """

    module: str
    summary: str


COMMANDS = {
    "doctor": Command("ktcp.trace.doctor", "what the lab needs of this machine, and what is there"),
    "trace": Command("ktcp.trace.run", "follow connections through the kernel"),
    "capture": Command("ktcp.trace.capture", "see the packets of a port, and keep them as pcapng"),
    "queues": Command(
        "ktcp.trace.queues", "accept queue and SYN queue of a port, and their limits"
    ),
    "connections": Command("ktcp.trace.connections", "what the kernel knows of each connection"),
    "drop": Command("ktcp.trace.drop", "end sockets from outside, TIME_WAIT ones too"),
}


def makeParser(loaded: Collection[str]) -> argparse.ArgumentParser:
    """
    The parser of the command line.

    @param loaded: The subcommands that are imported for their arguments; the
        others are only named.
    """
    parser = argparse.ArgumentParser(
        prog="ktcp",
        formatter_class=partial(argparse.HelpFormatter, max_help_position=20),
        description="The kernel lab: see what the kernel does for a connection.",
        epilog="Exit status 77: this cannot be done here; the line says what is missing.",
    )
    parser.add_argument("--version", action="version", version=f"ktcp {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (path, summary) in COMMANDS.items():
        subparser = subparsers.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
        )
        if name in loaded:
            import_module(path).addArguments(subparser)
    return parser


def run(arguments: Sequence[str]) -> int:
    """
    Run a subcommand.

    @return: The exit status.
    """
    # The first word is the subcommand, or the parser has an error to tell.
    args = makeParser(arguments[:1]).parse_args(arguments)
    module: Any = import_module(COMMANDS[args.command].module)
    try:
        status: int = module.main(args)
    except TraceError as error:
        print(f"ktcp {args.command}: {error}", file=sys.stderr)
        return error.status
    return status


def main() -> None:
    """
    The console script.
    """
    try:
        status = run(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        # What a shell says of a program that SIGINT has ended.
        status = 130
    except BrokenPipeError:
        # `ktcp capture | head`: nobody reads on.  Python would flush once more, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 141
    sys.exit(status)


if __name__ == "__main__":
    main()
