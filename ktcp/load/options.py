# -*- test-case-name: ktcp.test.test_load_options -*-
"""
The command lines of C{http} and C{echo}, checked, made a L{Job}.

What a value looks like is in L{ktcp.load.arguments}; how to run a job, and what becomes of its
result, are options of L{ktcp.load.perform} and L{ktcp.load.report.outputs}.
"""

from __future__ import annotations

import argparse
import ssl
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ktcp.load.arguments import (
    TOKEN,
    digest,
    header,
    longer,
    method,
    natural,
    positive,
    rate,
    regex,
    size,
    span,
    statuses,
)
from ktcp.load.job import Checks, Job
from ktcp.load.process.barrier import SHORTEST_MESSAGE
from ktcp.load.result import Plan
from ktcp.load.schedule import ARRIVALS
from ktcp.load.targets import TLS, Target, targetOfAddress, targetOfURL

DEFAULT_SECONDS = 10.0
MESSAGE_SIZE = 64
BULK_SIZE = 1 << 20


class BadOption(Exception):
    """
    Options that cannot be meant.  The text is one line for the user.
    """


def _common(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("load").add_argument
    # htstress's and wrk's names, where they have one.
    add("-n", "--number", type=positive, metavar="N", help="requests in all")
    add("-d", "--duration", type=longer, metavar="TIME", help="how long (default: 10s, or -n)")
    add(
        *("-c", "--connections", "--concurrency"),
        type=positive,
        metavar="C",
        help="connections in all (default: 10)",
    )
    add(
        *("-t", "--threads", "--processes"),
        type=positive,
        default=1,
        dest="processes",
        metavar="P",
        help="processes that share them (default: 1)",
    )
    add("-u", "--udaddr", "--unix", dest="unix", metavar="PATH", help="connect to this socket")
    add("--timeout", type=longer, default=10.0, metavar="TIME", help="for an answer (default: 10s)")
    add("--warmup", type=span, default=0.0, metavar="TIME", help="before it counts (default: 0)")
    add("--rate", type=rate, metavar="R", help="open loop: so many a second in all")
    add(
        "--arrivals",
        choices=ARRIVALS,
        default="constant",
        help="how --rate is spread in time (default: constant)",
    )


def httpParser(parser: argparse.ArgumentParser) -> None:
    """
    Add what C{http} takes.
    """
    _common(parser)
    parser.add_argument("url", metavar="URL", help="http://HOST:PORT/PATH or https://...")
    add = parser.add_argument_group("request").add_argument
    add(
        *("-H", "--header"),
        type=header,
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="another header; may be repeated",
    )
    add("-m", "--method", type=method, metavar="METHOD", help="default: GET, or POST with --body")
    add("--body", metavar="TEXT", help="or @FILE")
    add("--requests", type=Path, metavar="FILE", help="asked in turn: lines METHOD PATH [BODY]")
    add("--close", action="store_true", help="a connection for each request")
    add("--http1.0", action="store_true", dest="old", help="as --close, in HTTP/1.0")
    add("--pipeline", type=positive, default=1, metavar="N", help="requests at a time (default: 1)")
    add("--cacert", metavar="FILE", help="certificates to trust instead of the system's")
    add("--insecure", action="store_true", help="believe any certificate")
    add = parser.add_argument_group("what an answer is to be").add_argument
    add(
        "--expect-status",
        type=statuses,
        default=frozenset(),
        metavar="S",
        help="such as 200 or 200,404 (default: 2xx and 3xx)",
    )
    add("--expect-length", type=natural, metavar="N", help="bytes of the body")
    add("--expect-sha256", type=digest, metavar="HEX", help="of the body")
    add("--expect-regex", type=regex, metavar="RE", help="to be found in the body")


def echoParser(parser: argparse.ArgumentParser) -> None:
    """
    Add what C{echo} takes.
    """
    _common(parser)
    parser.add_argument("address", metavar="HOST:PORT", help="such as 127.0.0.1:12345")
    add = parser.add_argument_group("messages").add_argument
    add(
        "--size",
        type=size,
        metavar="BYTES",
        help="of a message, such as 16k (default: 64, or 1M with --bulk)",
    )
    add("--close", action="store_true", help="a connection for each message")
    add("--bulk", action="store_true", help="as many bytes as go, both ways")
    add("--barrier", type=positive, metavar="C", help="connections held, then sent on at once")
    add("--rounds", type=positive, metavar="R", help="of --barrier (default: 10)")


def _plan(args: argparse.Namespace, **more: object) -> Plan:
    """
    Make the plan of what both commands take.

    Each process has at least one connection, and no connection is without a request.
    """
    connections = max(args.connections or 10, args.processes)
    if args.number is not None:
        connections = max(min(connections, args.number), args.processes)
        if args.number < args.processes:
            raise BadOption(f"-n {args.number} cannot be shared by -t {args.processes} processes")
    if args.rate is None and args.arrivals != "constant":
        raise BadOption("--arrivals means something with --rate only")
    seconds = args.duration
    if seconds is None and args.number is None:
        seconds = DEFAULT_SECONDS
    plan = Plan(
        connections=connections,
        processes=args.processes,
        requests=args.number,
        seconds=seconds,
        rate=args.rate,
        arrivals=args.arrivals,
        warmup=args.warmup,
        timeout=args.timeout,
    )
    return replace(plan, **more)  # type: ignore[arg-type]  # each caller's are Plan's own


def echoJob(args: argparse.Namespace, command: Sequence[str]) -> Job:
    """
    Make the job of C{echo}.

    @raise BadOption: The options contradict one another.
    @raise BadTarget: There is no such target.
    """
    if args.barrier is not None:
        return _barrierJob(args, command)
    if args.rounds is not None:
        raise BadOption("--rounds are of a --barrier")
    if args.bulk and (args.close or args.rate is not None):
        raise BadOption("--bulk goes as fast as it can on connections it keeps")
    length = args.size or (BULK_SIZE if args.bulk else MESSAGE_SIZE)
    plan = _plan(args, size=length, keepAlive=not args.close)
    target = targetOfAddress(args.address, args.unix)
    mode = "bulk" if args.bulk else "echo"
    return Job(mode, target, plan, tuple(command), peerCloses=False)


def _barrierJob(args: argparse.Namespace, command: Sequence[str]) -> Job:
    others = (args.number, args.duration, args.connections, args.rate)
    if any(option is not None for option in others) or args.close or args.bulk or args.warmup:
        raise BadOption("--barrier takes --rounds, --size, --timeout, -t and -u only")
    length = args.size or MESSAGE_SIZE
    if length < SHORTEST_MESSAGE:
        raise BadOption(
            f"--barrier needs --size {SHORTEST_MESSAGE} or more: its messages are all different"
        )
    plan = Plan(
        connections=max(args.barrier, args.processes),
        processes=args.processes,
        requests=None,
        seconds=None,
        timeout=args.timeout,
        size=length,
        rounds=args.rounds or 10,
        keepAlive=False,
    )
    target = targetOfAddress(args.address, args.unix)
    return Job("barrier", target, plan, tuple(command), peerCloses=False)


def httpJob(args: argparse.Namespace, command: Sequence[str]) -> Job:
    """
    Make the job of C{http}.

    @raise BadOption: The options contradict one another.
    @raise BadTarget: There is no such target.
    """
    close = args.close or args.old
    if close and args.pipeline > 1:
        raise BadOption("--pipeline needs connections that are kept")
    if args.rate is not None and args.pipeline > 1:
        raise BadOption("--pipeline has no schedule: not with --rate")
    tls = TLS(args.cacert, args.insecure)
    target = targetOfURL(args.url, args.unix, tls)
    if target.tls is None and (args.cacert or args.insecure):
        raise BadOption("--cacert and --insecure are for https:// only")
    if args.cacert is not None:
        _readable(args.cacert)
    requests = _requests(args, target)
    kind = "none" if target.tls is None else "insecure" if args.insecure else "verified"
    plan = _plan(args, size=len(requests[0]), keepAlive=not close, pipeline=args.pipeline, tls=kind)
    checks = Checks(args.expect_status, args.expect_length, args.expect_sha256, args.expect_regex)
    return Job("http", target, plan, tuple(command), requests, checks)


def _readable(cacert: str) -> None:
    try:
        ssl.create_default_context(cafile=cacert)
    except OSError as error:
        raise BadOption(f"--cacert {cacert}: {error.strerror or error}") from error


def _requests(args: argparse.Namespace, target: Target) -> tuple[bytes, ...]:
    body = _body(args.body)
    first = args.method or ("POST" if body is not None else "GET")
    if args.requests is None:
        return (_render(args, target, first, target.path, body),)
    try:
        lines = args.requests.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadOption(f"cannot read {args.requests}: {error}") from error
    made = [
        _render(args, target, *_line(line, f"{args.requests}:{number}"))
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.startswith("#")
    ]
    if not made:
        raise BadOption(f"{args.requests} holds no request")
    return tuple(made)


def _line(line: str, where: str) -> tuple[str, str, bytes | None]:
    verb, _, rest = line.strip().partition(" ")
    path, _, body = rest.strip().partition(" ")
    if not TOKEN.fullmatch(verb) or not path.startswith("/") or not path.isascii():
        raise BadOption(f"{where}: {line!r} is not METHOD PATH [BODY]")
    return verb, path, body.encode() if body else None


def _body(text: str | None) -> bytes | None:
    if text is None or not text.startswith("@"):
        return None if text is None else text.encode()
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        raise BadOption(f"cannot read {text[1:]}: {error.strerror}") from error


def _render(
    args: argparse.Namespace, target: Target, verb: str, path: str, body: bytes | None
) -> bytes:
    """
    Write a request.
    """
    fields = {"Host": target.authority}
    if args.close and not args.old:
        fields["Connection"] = "close"
    if body is not None:
        fields["Content-Length"] = str(len(body))
    given = {name.lower() for name, _ in args.header}
    if body is not None and "content-length" in given:
        raise BadOption("Content-Length is --body's own")
    lines = [f"{verb} {path} HTTP/1.{0 if args.old else 1}"]
    lines += [f"{name}: {value}" for name, value in fields.items() if name.lower() not in given]
    lines += [f"{name}: {value}" for name, value in args.header]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")
