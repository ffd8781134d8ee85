# -*- test-case-name: ktcp.test.test_load_main -*-
"""
C{ktcp-load} and C{python -m ktcp.load}: subcommands, and what becomes of their results.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from ktcp import __version__
from ktcp.console import loading, script

with loading():
    from importlib.util import find_spec

    from ktcp.commandline import Parser, Section, complete

INSECURE = "--insecure: anybody could be answering; no certificate is looked at"
MISSING = "needs hdrhistogram and rich: pip install 'ktcp[load]'"

STATUSES = Section(
    "exit status",
    (
        ("0", "it was measured, and no condition was so"),
        (
            "1",
            "a --fail-if is so or cannot be judged, there was not one good answer, or no rate held",
        ),
        (
            "2",
            "the command line is wrong, a file cannot be read or written, or the run cannot be "
            "made; one line says why",
        ),
        ("130", "Ctrl-C; the report is of what was measured until then"),
    ),
)
EXAMPLES = {
    "http": Section(
        "examples",
        (
            ("ktcp-load http http://127.0.0.1:8081/", "ten connections for ten seconds"),
            (
                "ktcp-load http -n 200000 -c 20 -t 3 --http1.0 http://127.0.0.1:8081/",
                "as htstress: a connection for each request",
            ),
            (
                "ktcp-load http --rate 5k --fail-if 'p99>10ms' --json run.json http://example.com/",
                "at a rate, for a machine to judge; and kept, to compare",
            ),
        ),
    ),
    "echo": Section(
        "examples",
        (
            ("ktcp-load echo 127.0.0.1:12345", "64 bytes to and fro on ten connections"),
            ("ktcp-load echo --barrier 1000 127.0.0.1:12345", "kecho's benchmark"),
        ),
    ),
}
SEE_ALSO = Section(
    "see also",
    (("twistd ktcp --help", "the server"), ("ktcp --help", "what the kernel does for it")),
)


def commands() -> tuple[Parser, Mapping[str, Parser]]:
    """
    Make the parser of the command line, and those of its subcommands by their names.
    """
    from ktcp.load.compare import parser as comparing
    from ktcp.load.options import echoParser, httpParser
    from ktcp.load.perform import addRunOptions
    from ktcp.load.report.outputs import addOutputOptions

    parser = Parser(
        "ktcp-load",
        description="Load a server, and tell the truth of it: rates, latencies as they were, and "
        "errors by kind.",
    )
    parser.sections = [STATUSES, SEE_ALSO]
    parser.add_argument("--version", action="version", version=f"ktcp-load {__version__}")
    made = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    for name, what, fill in (
        ("http", "load an HTTP server", httpParser),
        ("echo", "load an echo server", echoParser),
    ):
        sub = made.add_parser(name, help=what, description=f"L{what[1:]}.")
        fill(sub)
        addRunOptions(sub)
        addOutputOptions(sub)
        sub.sections = [EXAMPLES[name], STATUSES]
    # For a shell to complete; main() has it read by the parser itself.
    made.add_parser(
        "compare",
        help="compare runs, from what --json wrote",
        parents=[comparing()],
        add_help=False,
    )
    return parser, made.choices


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command line.

    @return: The exit status: 0; 1 where a run failed or a goal was missed; 2 for bad options.
    """
    if any(find_spec(name) is None for name in ("hdrh", "rich")):
        print(f"ktcp-load: {MISSING}", file=sys.stderr)
        return 2
    with loading():
        from ktcp.load.compare import main as compare
        from ktcp.load.engine import CannotRun, run
        from ktcp.load.options import BadOption, echoJob, httpJob
        from ktcp.load.perform import checkRunOptions, perform
        from ktcp.load.targets import BadTarget

    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments[:1] == ["compare"]:
        return compare(arguments[1:])
    parser, subparsers = commands()
    complete(parser)
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


def console() -> NoReturn:
    """
    The console script.
    """
    script(main)


if __name__ == "__main__":
    console()
