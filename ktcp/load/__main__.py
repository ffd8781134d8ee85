# -*- test-case-name: ktcp.test.test_load_main -*-
"""
C{ktcp-load} and C{python -m ktcp.load}: subcommands, and what becomes of their results.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec

INSECURE = "--insecure: anybody could be answering; no certificate is looked at"
MISSING = "needs hdrhistogram and rich: pip install 'ktcp[load]'"


def commands() -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """
    Make the parser of the command line, and those of its subcommands by their names.
    """
    from ktcp.load.options import echoParser, httpParser
    from ktcp.load.perform import addRunOptions
    from ktcp.load.report.outputs import addOutputOptions

    parser = argparse.ArgumentParser("ktcp-load")
    made = parser.add_subparsers(required=True, dest="command")
    for name, what, fill in (
        ("http", "load an HTTP server", httpParser),
        ("echo", "load an echo server", echoParser),
    ):
        sub = made.add_parser(name, help=what, description=what.capitalize() + ".")
        fill(sub)
        addRunOptions(sub)
        addOutputOptions(sub)
    # Its own parser reads it, see main(): here it is only named.
    made.add_parser("compare", help="compare runs, from what --json wrote", add_help=False)
    return parser, made.choices


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command line.

    @return: The exit status: 0; 1 where a run failed or a goal was missed; 2 for bad options.
    """
    if any(find_spec(name) is None for name in ("hdrh", "rich")):
        print(f"ktcp-load: {MISSING}", file=sys.stderr)
        return 2
    from ktcp.load.compare import main as compare
    from ktcp.load.engine import CannotRun, run
    from ktcp.load.options import BadOption, echoJob, httpJob
    from ktcp.load.perform import checkRunOptions, perform
    from ktcp.load.targets import BadTarget

    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments[:1] == ["compare"]:
        return compare(arguments[1:])
    parser, subparsers = commands()
    args = parser.parse_args(arguments)
    checkRunOptions(subparsers[args.command], args)
    make = httpJob if args.command == "http" else echoJob
    try:
        job = make(args, ["ktcp-load", *arguments])
        if job.plan.tls == "insecure":
            print(f"ktcp-load: {INSECURE}", file=sys.stderr)
        return perform(run, job, args)
    except (BadOption, BadTarget, CannotRun) as error:
        print(f"ktcp-load: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
