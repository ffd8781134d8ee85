# -*- test-case-name: ktcp.test.test_trace_main -*-
"""
The command C{ktcp}, and C{python -m ktcp.trace}.

A subcommand's module, in L{ktcp.trace.commands}, is imported only when it is asked for.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Collection, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from ktcp import __version__
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
    args = makeParser(arguments[:1]).parse_args(arguments)
    try:
        status: int = _module(args.command).main(args)
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
