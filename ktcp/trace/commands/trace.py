# -*- test-case-name: ktcp.test.test_trace_commands_trace -*-
"""
C{ktcp trace}: follow connections through the kernel.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from ktcp.trace.commands.arguments import portNumber, positiveSeconds, wholeNumber
from ktcp.trace.errors import Refused
from ktcp.trace.model import Trace


def addArguments(parser: argparse.ArgumentParser) -> None:
    """
    Declare the subcommands.
    """
    subparsers = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _addRun(subparsers.add_parser("run", help="run a workload and trace it"))
    _addAttach(subparsers.add_parser("attach", help="trace a server that runs already"))
    show = subparsers.add_parser("show", help="print the timeline of a trace")
    show.add_argument("file", type=Path, metavar="FILE", help="trace.json, or its folder")
    _addMost(show)
    page = subparsers.add_parser("html", help="draw a trace as one page, for any browser")
    page.add_argument("file", type=Path, metavar="FILE", help="trace.json, or its folder")
    page.add_argument(
        "-o", type=Path, metavar="PAGE", dest="page", help="(default: index.html beside it)"
    )
    diff = subparsers.add_parser("diff", help="compare two traces, per request")
    for name in ("A", "B"):
        diff.add_argument(name.lower(), type=Path, metavar=name, help="trace.json, or its folder")
    perf = subparsers.add_parser("import", help="make a trace of what `perf script` printed")
    perf.add_argument(
        "file", type=Path, metavar="FILE", help="see the documentation for its columns"
    )
    perf.add_argument("--port", type=portNumber, metavar="P", required=True, help="of the server")
    perf.add_argument("-o", type=Path, metavar="DIR", dest="folder", help="keep the trace there")
    _addMost(perf)


def _addRun(parser: argparse.ArgumentParser) -> None:
    """
    Declare the options of C{ktcp trace run}.
    """
    workload = parser.add_mutually_exclusive_group()
    for name in ("echo", "http"):
        workload.add_argument(
            f"--{name}",
            dest="workload",
            action="store_const",
            const=name,
            help=f"ktcp's {name} server, and a client (default: echo)",
        )
    parser.set_defaults(workload="echo")
    parser.add_argument(
        "-n", type=wholeNumber, default=1, metavar="N", dest="count", help="connections (default 1)"
    )
    parser.add_argument(
        "--clients", type=wholeNumber, default=1, metavar="N", help="at a time (default 1)"
    )
    parser.add_argument(
        "--requests", type=wholeNumber, default=1, metavar="N", help="on each connection"
    )
    parser.add_argument(
        "--lab",
        choices=("lo", "veth"),
        default="lo",
        help="loopback, or two network namespaces with a veth pair",
    )
    parser.add_argument(
        "--transport",
        choices=("ktcp", "tcp"),
        default="ktcp",
        help="the server's endpoint: ktcp's own, or Twisted's",
    )
    parser.add_argument(
        "--port", type=portNumber, metavar="P", help="trace this server's port; start none"
    )
    parser.add_argument(
        "shell",
        nargs="*",
        metavar="COMMAND",
        help="the client, after --; {address} and {port} in it are the server's",
    )
    _addCommon(parser)


def _addAttach(parser: argparse.ArgumentParser) -> None:
    """
    Declare the options of C{ktcp trace attach}.
    """
    parser.add_argument("--port", type=portNumber, metavar="P", required=True, help="of the server")
    parser.add_argument(
        "--for", type=positiveSeconds, metavar="TIME", default=5.0, dest="seconds", help="5s, 200ms"
    )
    parser.add_argument("-i", "--interface", default="lo", metavar="IF", help="where (default: lo)")
    _addCommon(parser)


def _addCommon(parser: argparse.ArgumentParser) -> None:
    """
    Declare what every tracing takes.
    """
    parser.add_argument("-o", type=Path, metavar="DIR", dest="folder", help="keep the trace there")
    parser.add_argument(
        "--detail",
        choices=("all", "states"),
        default="all",
        help="states: only TCP's, without stacks, which costs next to nothing",
    )
    parser.add_argument(
        "--buffer",
        type=wholeNumber,
        default=4096,
        metavar="KIB",
        help="of each processor's ring buffer (default 4096)",
    )
    parser.add_argument("--tracefs", metavar="PATH", help="where tracefs is mounted")
    _addMost(parser)


def _addMost(parser: argparse.ArgumentParser) -> None:
    """
    Declare how much to print.
    """
    parser.add_argument(
        "--most", type=wholeNumber, default=3, metavar="N", help="connections to print (default 3)"
    )
    parser.add_argument("--full", action="store_true", help="print whole stacks")


def main(args: argparse.Namespace) -> int:
    """
    Do what was asked.

    @return: The exit status: 1 where the workload failed.
    """
    actions = {"show": _show, "html": _html, "diff": _diff, "import": _import}
    return actions.get(args.action, _trace)(args)


def _show(args: argparse.Namespace) -> int:
    """
    C{ktcp trace show}.
    """
    from ktcp.trace.report.files import load
    from ktcp.trace.report.timeline import timeline

    for line in timeline(load(args.file), args.most, args.full):
        print(line)
    return 0


def _html(args: argparse.Namespace) -> int:
    """
    C{ktcp trace html}.
    """
    from ktcp.trace.report.files import load, savePage

    beside = args.file if args.file.is_dir() else args.file.parent
    print(f"written: {savePage(load(args.file), args.page or beside / 'index.html')}")
    return 0


def _diff(args: argparse.Namespace) -> int:
    """
    C{ktcp trace diff}.
    """
    from ktcp.trace.report.diff import diff
    from ktcp.trace.report.files import load

    for line in diff(load(args.a), load(args.b)):
        print(line)
    return 0


def _import(args: argparse.Namespace) -> int:
    """
    C{ktcp trace import}.
    """
    from ktcp.trace.recording.perffile import importFile

    _tell(importFile(args.file, args.port), args)
    return 0


def _tell(trace: Trace, args: argparse.Namespace) -> None:
    """
    Print a trace, and keep it where that was asked for.
    """
    from ktcp.trace.report.files import save
    from ktcp.trace.report.timeline import timeline

    for line in timeline(trace, args.most, args.full):
        print(line)
    if args.folder:
        names = save(trace, args.folder)
        print(f"written to {args.folder}: {', '.join(names)}")


def _trace(args: argparse.Namespace) -> int:
    """
    C{ktcp trace run} and C{ktcp trace attach}.
    """
    from ktcp.trace.recording.session import Plan, trace

    common = {
        "lab": "lo",
        "detail": args.detail,
        "bufferKiB": args.buffer,
        "tracefs": args.tracefs,
        "line": shlex.join(["ktcp", *sys.argv[1:]]),
    }
    if args.action == "attach":
        plan = Plan(
            "attach", port=args.port, seconds=args.seconds, interface=args.interface, **common
        )
    else:
        _check(args)
        plan = Plan(
            "command" if args.shell else args.workload,
            command=tuple(args.shell),
            server=args.workload,
            port=args.port or 0,
            count=args.count,
            clients=min(args.clients, args.count),
            requests=args.requests,
            transport=args.transport,
            **{**common, "lab": args.lab},
        )
    result = trace(plan)
    if result.output:
        print(result.output.rstrip("\n"))
    _tell(result.trace, args)
    for failure in sorted(set(result.failures)):
        times = result.failures.count(failure)
        print(f"ktcp trace: the workload failed: {failure} ({times} x)", file=sys.stderr)
    return 1 if result.failures else 0


def _check(args: argparse.Namespace) -> None:
    """
    Refuse options that do not go together.

    @raise Refused: They do not.
    """
    if args.port and args.lab == "veth":
        raise Refused("--port is a server of this host, which --lab veth has nothing to do with")
    if args.port and not args.shell:
        raise Refused(
            "--port needs a COMMAND that connects to it: ktcp trace run --port P -- curl …"
        )
    if args.shell and not args.port and not any("{port}" in word for word in args.shell):
        raise Refused("the COMMAND must have {port} in it, or --port must say what it connects to")
