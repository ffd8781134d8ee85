# -*- test-case-name: ktcp.test.test_load_options -*-
"""
The command lines of C{http} and C{echo}, checked, made a L{Job}.
"""

from __future__ import annotations

import argparse
import math
import re
import ssl
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ktcp.load.barrier import SHORTEST_MESSAGE
from ktcp.load.job import Job
from ktcp.load.responses import Checks
from ktcp.load.result import Plan
from ktcp.load.schedule import ARRIVALS
from ktcp.load.targets import TLS, Target, targetOfAddress, targetOfURL

DEFAULT_SECONDS = 10.0
MESSAGE_SIZE = 64
BULK_SIZE = 1 << 20

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SPANS = {"": 1.0, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class BadOption(Exception):
    """
    Options that cannot be meant.  The text is one line for the user.
    """


def positive(text: str) -> int:
    """
    Read a whole number from 1 on.
    """
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def size(text: str) -> int:
    """
    Read a number of bytes: C{64}, C{16k}, C{1M}.
    """
    match = re.fullmatch(r"([0-9]+)([kKmMgG]?)", text)
    if match is None or not int(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 64, 16k or 1M")
    return int(match[1]) * _UNITS[match[2].lower()]


def span(text: str) -> float:
    """
    Read a time: C{5}, C{0.5}, C{250ms}, C{2m}.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(us|ms|s|m|h|)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 5, 0.5, 250ms or 2m")
    return float(match[1]) * _SPANS[match[2]]


def longer(text: str) -> float:
    """
    Read a time that is not zero.
    """
    seconds = span(text)
    if not seconds:
        raise argparse.ArgumentTypeError(f"{text!r} is no time at all")
    return seconds


def rate(text: str) -> float:
    """
    Read a number of requests a second: C{1000}, C{0.5}, C{20k}.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([kK]?)", text)
    value = float(match[1]) * (1000 if match[2] else 1) if match else 0.0
    if not value or not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate such as 1000 or 20k")
    return value


def header(text: str) -> tuple[str, str]:
    """
    Read C{Name: value}.
    """
    name, colon, value = text.partition(":")
    if not colon or not _TOKEN.fullmatch(name) or re.search(r"[\x00\r\n]", value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a header such as 'Accept: text/html'")
    return name, value.strip()


def method(text: str) -> str:
    """
    Read a method.
    """
    if not _TOKEN.fullmatch(text) or text == "CONNECT":
        raise argparse.ArgumentTypeError(f"{text!r} is no method that can be asked for")
    return text


def statuses(text: str) -> frozenset[int]:
    """
    Read statuses: C{200} or C{200,404}.
    """
    if not re.fullmatch(r"[2-5][0-9]{2}(,[2-5][0-9]{2})*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a status such as 200 or 200,404")
    return frozenset(int(part) for part in text.split(","))


def natural(text: str) -> int:
    """
    Read a whole number from 0 on.
    """
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def digest(text: str) -> str:
    """
    Read a SHA-256 in hexadecimal.
    """
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a SHA-256 (64 hexadecimal digits)")
    return text.lower()


def regex(text: str) -> bytes:
    """
    Read a regular expression for bytes.
    """
    try:
        re.compile(text.encode())
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no regular expression: {error}") from error
    return text.encode()


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
    if not _TOKEN.fullmatch(verb) or not path.startswith("/") or not path.isascii():
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
