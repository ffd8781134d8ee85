# -*- test-case-name: bench.macro.test_compare -*-
"""
The rows of the comparison, and the bars that ktcp is to clear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from bench.macro import peers
from bench.macro.clients import (
    ApacheBench,
    Client,
    Echoload,
    IdleConnections,
    KtcpLoad,
    WatchedWrk,
    Wrk,
)
from bench.macro.peers import KIBIBYTE, MODIFIED, SIZES, Peer


@dataclass(frozen=True)
class Row:
    """
    One kind of work.

    @ivar peers: The names of who takes part, in the order of the rounds.
    @ivar absent: Who does not, by design, and why.
    @ivar table: Where the peers are found.
    @ivar subject: The peer whose ratio to each of the others is reported.
    @ivar figure: The one that is compared.
    @ivar unit: Of that figure.
    @ivar fresh: Every sample is of a server started for it, without warm-up.
    @ivar spread: The server may use all cores, not just its own.
    """

    name: str
    title: str
    client: Client
    peers: Sequence[str]
    absent: Mapping[str, str] = field(default_factory=dict)
    table: Mapping[str, Peer] = field(default_factory=lambda: peers.HTTP)
    subject: str = "ktcp"
    figure: str = "rate"
    unit: str = "req/s"
    fresh: bool = False
    spread: bool = False


@dataclass(frozen=True)
class Bar:
    """
    What a row's subject is to reach.

    @ivar peer: The bar is on the ratio to this peer; L{None}: on the subject's
        own median.
    @ivar least: Not below this.
    @ivar most: Not above this.
    """

    row: str
    peer: str | None
    least: float | None = None
    most: float | None = None
    figure: str = "rate"


def _request(head: str, body: bytes = b"") -> bytes:
    return head.replace("\n", "\r\n").encode() + b"\r\n" + body


HELLO = _request("GET / HTTP/1.1\nHost: localhost\n")

TARGETS = _request("GET /item/{n}?page={n} HTTP/1.1\nHost: localhost\n")

# What a browser sends with a page's request: nine headers, the cookie another each time.
BROWSER = _request(
    "GET /item/{n}?page={n} HTTP/1.1\n"
    "Host: localhost\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\n"
    "Accept-Language: en-US,en;q=0.5\n"
    "Accept-Encoding: gzip, deflate, br\n"
    "Referer: http://localhost/index.html\n"
    "Connection: keep-alive\n"
    "Cookie: session={n}; theme=dark\n"
    "Upgrade-Insecure-Requests: 1\n"
)

POST = _request(
    "POST /echo HTTP/1.1\nHost: localhost\n"
    "Content-Type: application/octet-stream\nContent-Length: 1024\n",
    KIBIBYTE,
)


def _file(name: str, **options: Any) -> Wrk:
    request = _request(f"GET /{name} HTTP/1.1\nHost: localhost\n")
    return Wrk(request, KIBIBYTE * SIZES[name], **options)


UNCHANGED = _request(
    "GET /1k.bin HTTP/1.1\nHost: localhost\n"
    f"If-Modified-Since: {formatdate(MODIFIED, usegmt=True)}\n"
)

_FILES = {"table": peers.FILES, "peers": tuple(peers.FILES)}

_ASYNC = (
    "granian",
    "uvicorn httptools",
    "uvicorn h11",
    "hypercorn",
    "daphne",
    "twisted.web",
    "aiohttp",
)
_ALL = ("ktcp", "ktcp built-in", "nginx", *_ASYNC)
_CLOSES = {"http.server": "speaks HTTP/1.0 and closes after each answer"}

ROWS = (
    Row("keepalive", "keep-alive GET, 20 connections", Wrk(HELLO), _ALL, _CLOSES),
    # The same work, asked for by another generator: the two must tell the same of a server.
    Row(
        "keepaliveload",
        "keep-alive GET, 20 connections, by ktcp-load",
        KtcpLoad("http", ("-c", "20")),
        ("ktcp", "nginx", "twisted.web"),
    ),
    Row(
        "guarded",
        "keep-alive GET with limits and access log, 20 connections",
        Wrk(HELLO),
        ("ktcp guarded", "ktcp unguarded"),
        subject="ktcp guarded",
    ),
    Row(
        "observed",
        "keep-alive GET, counted, logged as JSON, scraped and watched, 20 connections",
        WatchedWrk(HELLO),
        ("ktcp observed", "ktcp unobserved"),
        subject="ktcp observed",
    ),
    Row(
        "tls",
        "keep-alive GET over TLS 1.3, 20 connections",
        Wrk(HELLO, tls=True),
        tuple(peers.TLS),
        table=peers.TLS,
    ),
    Row(
        "pipelined",
        "pipelined by 16, 20 connections",
        Wrk(HELLO, pipelined=16),
        _ALL,
        _CLOSES,
    ),
    Row(
        "targets",
        "a different URL each time, same headers",
        Wrk(TARGETS, script="varied"),
        _ALL,
        _CLOSES,
    ),
    Row(
        "cookies",
        "a different URL and cookie each time, 9 browser headers",
        Wrk(BROWSER, script="varied"),
        ("ktcp", "ktcp memo off", "nginx", *_ASYNC),
        _CLOSES,
    ),
    Row(
        "post",
        "POST of 1 KiB answered with its own bytes",
        Wrk(POST, KIBIBYTE),
        ("ktcp", *_ASYNC),
        {
            "nginx": "cannot answer with a request's body by itself",
            "http.server": "answers GET and HEAD only",
        },
    ),
    Row(
        "connections",
        "a connection per request (HTTP/1.0)",
        ApacheBench(),
        (*_ALL, "http.server"),
    ),
    Row(
        "echo",
        "echo 64 B, 50 connections",
        Echoload(64),
        tuple(peers.ECHO),
        table=peers.ECHO,
        unit="echoes/s",
    ),
    Row(
        "echoload",
        "echo 64 B, 50 connections, by ktcp-load",
        KtcpLoad("echo", ("-c", "50", "--size", "64")),
        tuple(peers.ECHO),
        table=peers.ECHO,
        unit="echoes/s",
    ),
    Row(
        "echo16k",
        "echo 16 KiB, 50 connections",
        Echoload(16 * 1024),
        tuple(peers.ECHO),
        table=peers.ECHO,
        unit="echoes/s",
    ),
    Row(
        "echoconnections",
        "echo 64 B, a connection per message",
        Echoload(64, reconnect=True),
        tuple(peers.ECHO),
        table=peers.ECHO,
        unit="echoes/s",
    ),
    Row("file1k", "a file of 1 KiB, keep-alive, 20 connections", _file("1k.bin"), **_FILES),
    Row("file64k", "a file of 64 KiB, keep-alive, 20 connections", _file("64k.bin"), **_FILES),
    Row(
        "file10m",
        "a file of 10 MiB, keep-alive, 20 connections",
        _file("10m.bin"),
        ("ktcp", "nginx"),
        {"twisted.web File": "is busy for ten seconds with what a client has left behind"},
        table=peers.FILES,
    ),
    Row(
        "unchanged",
        "a file of 1 KiB that the client has (304), keep-alive, 20 connections",
        Wrk(UNCHANGED, b"", status=304),
        **_FILES,
    ),
    # A request costs about 200 us of pure Python: the work of a small application.
    # With none, one worker keeps both cores of a small machine busy, its own and the
    # client's, and a second one could show nothing.  256 connections: SO_REUSEPORT
    # spreads connections by a hash, and of a few the halves would be far from even.
    Row(
        "workers",
        "2 workers against 1, 200 us of work per request, 256 connections",
        Wrk(HELLO, connections=256, script="workers", share=True),
        ("ktcp 2 workers", "ktcp 1 worker"),
        subject="ktcp 2 workers",
        spread=True,
    ),
    # What another application gains without a change: twistd web, one file.
    Row(
        "web",
        "twistd web --listen ktcp:, keep-alive GET of a 12-byte file, 20 connections",
        Wrk(HELLO),
        ("web on ktcp: and its reactor", "web on ktcp:", "web on tcp:"),
        subject="web on ktcp: and its reactor",
    ),
    Row(
        "memory",
        "memory per idle keep-alive connection, 10,000 open",
        IdleConnections(10_000, HELLO),
        ("ktcp", "nginx", "uvicorn httptools", "uvicorn h11"),
        figure="kibPerConnection",
        unit="KiB",
        fresh=True,
    ),
)

BARS = (
    Bar("keepalive", "nginx", least=0.90),
    Bar("keepalive", "granian", least=2.5),
    Bar("keepalive", "uvicorn httptools", least=2.5),
    Bar("keepalive", "twisted.web", least=10),
    Bar("keepalive", "uvicorn h11", least=12),
    Bar("guarded", "ktcp unguarded", least=0.95),
    Bar("observed", "ktcp unobserved", least=0.95),
    Bar("tls", "nginx", least=0.8),
    Bar("pipelined", "nginx", least=2.0),
    Bar("targets", "uvicorn httptools", least=1.0),
    Bar("cookies", "uvicorn h11", least=2.5),
    Bar("cookies", "ktcp memo off", least=1.0),
    Bar("post", "uvicorn h11", least=1.5),
    Bar("connections", "nginx", least=0.60),
    Bar("connections", "uvicorn httptools", least=1.5),
    Bar("echo", "C epoll", least=0.80),
    Bar("echo", "Twisted", least=2.0),
    Bar("echo16k", "C epoll", least=0.75),
    Bar("echo16k", "uvloop", least=1.0),
    Bar("echoconnections", "C epoll", least=0.65),
    Bar("keepalive", "nginx", most=2.0, figure="p99Us"),
    Bar("file1k", "nginx", least=1.3),
    Bar("file1k", "twisted.web File", least=8),
    Bar("file64k", "nginx", least=0.8),
    Bar("file64k", "twisted.web File", least=8),
    Bar("file10m", "nginx", least=0.9),
    Bar("unchanged", "nginx", least=0.9),
    Bar("unchanged", "twisted.web File", least=8),
    Bar("workers", "ktcp 1 worker", least=1.6),
    Bar("workers", None, most=0.60, figure="share"),
    Bar("memory", None, most=3.0, figure="kibPerConnection"),
    Bar("memory", "uvicorn httptools", most=0.5, figure="kibPerConnection"),
    Bar("memory", "uvicorn h11", most=0.5, figure="kibPerConnection"),
)


def needed(row: Row) -> list[str]:
    """
    Name the peers of a row that a quick comparison cannot do without.

    They are its subject, those that a bar names, and those that no bar names
    anywhere and that have this row as their first: so every row is there, and
    every peer is started and checked once.
    """
    barred = {(bar.row, bar.peer) for bar in BARS}
    ever = {peer for _, peer in barred}

    def first(name: str) -> Row:
        return next(r for r in ROWS if r.table is row.table and name in r.peers)

    return [
        name
        for name in row.peers
        if name == row.subject
        or (row.name, name) in barred
        or (name not in ever and first(name) is row)
    ]
