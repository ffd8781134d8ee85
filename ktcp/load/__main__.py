# -*- test-case-name: ktcp.test.test_load_main -*-
"""
C{ktcp-load} and C{python -m ktcp.load}: subcommands, and what becomes of their results.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

INSECURE = "--insecure: anybody could be answering; no certificate is looked at"


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command line.

    @return: The exit status: 0; 1 where a run failed or a goal was missed; 2 for bad options.
    """
    from ktcp.load.compare import main as compare
    from ktcp.load.engine import CannotRun, run
    from ktcp.load.options import BadOption, echoJob, echoParser, httpJob, httpParser
    from ktcp.load.outputs import addOutputOptions
    from ktcp.load.perform import perform
    from ktcp.load.search import addSearchOptions, checkSearchOptions
    from ktcp.load.targets import BadTarget

    arguments = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser("ktcp-load")
    commands = parser.add_subparsers(required=True, dest="command")
    for name, fill in (("http", httpParser), ("echo", echoParser)):
        sub = commands.add_parser(name)
        fill(sub)
        addSearchOptions(sub)
        addOutputOptions(sub)
    commands.add_parser("compare", help="runs that --json wrote", add_help=False)
    if arguments[:1] == ["compare"]:
        return compare(arguments[1:])
    args = parser.parse_args(arguments)
    checkSearchOptions(commands.choices[args.command], args)
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
