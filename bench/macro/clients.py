# -*- test-case-name: bench.macro.test_compare -*-
"""
The clients: each looks at the answer first, then times it.

What a client's C{measure} gives back is in L{bench.macro.samples}.
"""

from __future__ import annotations

import math
import re
import selectors
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Event
from typing import Protocol

from bench.macro.answers import (
    PATIENCE_SECONDS,
    WrongAnswer,
    conversation,
    readAnswer,
)
from bench.macro.peers import CHECKOUT, MACRO
from bench.macro.processes import (
    ALL_CORES,
    CLIENT_CORES,
    ClientRun,
    Server,
    runClient,
)
from bench.macro.samples import Sample, parseAb, parseEchoload, parseResult, parseWrk, withCost
from ktcp.load.result import Result

# wrk looks whether to stop only every 100 ms, and for the first time after 600.
SHORTEST_WRK_SECONDS = 0.6


class Client(Protocol):
    """
    A way of asking a server for something and of timing the answers.
    """

    @property
    def tool(self) -> str:
        """
        What drives the server, for the report.
        """

    def check(self, server: Server) -> None:
        """
        Ask a few times and look at all of the answer.

        @raise WrongAnswer: It is not what is to be timed.
        """

    def measure(self, server: Server, seconds: float) -> Sample:
        """
        Load the server for about so long.
        """


@dataclass(frozen=True)
class Wrk:
    """
    wrk, one thread, with keep-alive.

    @ivar request: The bytes to send; C{{n}} in them is another number each time
        if the script is C{varied}.
    @ivar pipelined: How many of them at a time.
    @ivar share: The server may use all cores, and so may wrk.
    @ivar status: What every answer is to have.
    @ivar tls: Ask over TLS.
    """

    request: bytes
    body: bytes = b"Hello World!"
    connections: int = 20
    pipelined: int = 1
    script: str = "fixed"
    share: bool = False
    status: int = 200
    tls: bool = False

    @property
    def tool(self) -> str:
        return f"wrk -t1 -c{self.connections} -s lua/{self.script}.lua"

    def check(self, server: Server) -> None:
        # Two rounds' worth on one connection: it must have been kept.
        asked = [self.request.replace(b"{n}", b"%09d" % n) for n in range(2 * self.pipelined)]
        with conversation(server, b"".join(asked), self.tls) as stream:
            for _ in asked:
                readAnswer(stream, self.body, self.status)

    def measure(self, server: Server, seconds: float) -> Sample:
        seconds = max(seconds, SHORTEST_WRK_SECONDS)
        with NamedTemporaryFile() as file:
            file.write(self.request * self.pipelined)
            file.flush()
            run = runClient(
                server,
                [
                    *("wrk", "-t1", f"-c{self.connections}", f"-d{math.ceil(seconds) + 1}"),
                    *("-s", str(MACRO / "lua" / f"{self.script}.lua")),
                    f"{'https' if self.tls else 'http'}://127.0.0.1:{server.port}/",
                ],
                seconds,
                interrupt=True,
                cores=ALL_CORES if self.share else CLIENT_CORES,
                environment={"LUA_PATH": f"{MACRO}/lua/?.lua;;", "REQUEST": file.name},
            )
        return withCost(parseWrk(run.output), run)


@dataclass(frozen=True)
class WatchedWrk(Wrk):
    """
    The same, while somebody looks at the dashboard and Prometheus scrapes each
    second, where there is an admin plane at C{admin.sock} in the server's folder.
    """

    @property
    def tool(self) -> str:
        return f"{super().tool}, admin plane watched"

    def measure(self, server: Server, seconds: float) -> Sample:
        with _watching(f"/proc/{server.pid}/cwd/admin.sock"):
            return super().measure(server, seconds)


@contextmanager
def _watching(path: str) -> Iterator[None]:
    if not Path(path).exists():
        yield
        return

    def ask(target: str) -> socket.socket:
        asking = socket.socket(socket.AF_UNIX)
        asking.settimeout(PATIENCE_SECONDS)
        asking.connect(path)
        head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        asking.sendall(head.encode())
        return asking

    def scrape() -> None:
        while True:
            with ask("/metrics") as metrics, metrics.makefile("rb") as stream:
                if b" 200 " not in stream.readline() or b"ktcp_requests" not in stream.read():
                    raise WrongAnswer("no metrics")
            if over.wait(1.0):
                return

    over = Event()
    with ThreadPoolExecutor(1) as threads, ask("/events"):
        scraping = threads.submit(scrape)
        try:
            yield
        finally:
            over.set()
        scraping.result()


@dataclass(frozen=True)
class ApacheBench:
    """
    ab without keep-alive: HTTP/1.0, a connection for each request.
    """

    connections: int = 20

    @property
    def tool(self) -> str:
        return f"ab -c {self.connections}"

    def check(self, server: Server) -> None:
        with conversation(server, b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n") as stream:
            readAnswer(stream, b"Hello World!")
            if stream.read():
                raise WrongAnswer("there is more after the body")

    def measure(self, server: Server, seconds: float) -> Sample:
        whole = math.ceil(seconds)
        run = runClient(
            server,
            [
                # -t sets -n to 50000, so -n comes after it.
                *("ab", "-q", "-t", str(whole), "-n", "1000000", "-c", str(self.connections)),
                f"http://127.0.0.1:{server.port}/",
            ],
            whole,
        )
        return withCost(parseAb(run.output), run)


@dataclass(frozen=True)
class Echoload:
    """
    C{echoload.c}: it looks at every byte, so a check is a short run of it.

    @ivar bytes: The length of a message.
    @ivar reconnect: A new connection for every message.
    """

    bytes: int = 64
    connections: int = 50
    reconnect: bool = False

    @property
    def tool(self) -> str:
        return " ".join(["echoload", *self._options()])

    def _options(self) -> list[str]:
        options = ["-c", str(self.connections), "-s", str(self.bytes)]
        return [*options, "-1"] if self.reconnect else options

    def check(self, server: Server) -> None:
        sample = self.measure(server, 0.05)
        if sample.errors:
            raise WrongAnswer(str(sample.errors))

    def measure(self, server: Server, seconds: float) -> Sample:
        run = runClient(
            server,
            [
                *(str(MACRO / "build" / "echoload"), "-p", str(server.port), *self._options()),
                *("-d", str(seconds), "-w", "0"),
            ],
            seconds,
        )
        return withCost(parseEchoload(run.output), run)


@dataclass(frozen=True)
class KtcpLoad:
    """
    ktcp-load of this checkout, one process.

    @ivar mode: Its subcommand: C{http} or C{echo}.
    @ivar options: More of its options.
    """

    mode: str
    options: tuple[str, ...] = ()
    body: bytes = b"Hello World!"

    @property
    def tool(self) -> str:
        return " ".join(["ktcp-load", self.mode, *self.options])

    def check(self, server: Server) -> None:
        if self.mode == "http":
            with conversation(server, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") as stream:
                readAnswer(stream, self.body)

    def run(self, server: Server, seconds: float, *more: str) -> tuple[Result, ClientRun]:
        """
        Run it once.

        @raise ClientFailed: It ended without a result.
        """
        target = f"127.0.0.1:{server.port}"
        if self.mode == "http":
            # A wrong body is an error: it never counts as an answer.
            more = ("--expect-regex", f"^{re.escape(self.body.decode())}\\s*$", *more)
            target = f"http://{target}/"
        with NamedTemporaryFile(suffix=".json") as file:
            run = runClient(
                server,
                [
                    *(sys.executable, "-m", "ktcp.load", self.mode, target, *self.options),
                    *("--quiet", "--json", file.name, *more),
                ],
                seconds,
                environment={"PYTHONPATH": str(CHECKOUT)},
            )
            return Result.fromJSON(file.read()), run

    def measure(self, server: Server, seconds: float) -> Sample:
        result, run = self.run(server, seconds, "-d", f"{seconds:g}s")
        return parseResult(result, run)


@dataclass(frozen=True)
class IdleConnections:
    """
    Many connections that each made one request and then stay open.

    The figure is C{kibPerConnection}: how much the server's memory grew, over
    their number.  Nothing is timed.
    """

    connections: int
    request: bytes
    body: bytes = b"Hello World!"

    @property
    def tool(self) -> str:
        return "PSS from smaps_rollup"

    def check(self, server: Server) -> None:
        # What the server allocates once, at its first requests, is not a connection's.
        for _ in range(100):
            with conversation(server, self.request) as stream:
                readAnswer(stream, self.body)

    def measure(self, server: Server, seconds: float) -> Sample:
        before = server.pss()
        with ExitStack() as stack, selectors.EpollSelector() as closed:
            for number in range(self.connections):
                # From several clients: ktcp has a limit for one.
                connection = socket.create_connection(
                    ("127.0.0.1", server.port),
                    PATIENCE_SECONDS,
                    (f"127.0.0.{number % 32 + 1}", 0),
                )
                stack.enter_context(connection)
                connection.sendall(self.request)
                with connection.makefile("rb") as stream:
                    readAnswer(stream, self.body)
                closed.register(connection, selectors.EVENT_READ)
            grown = server.pss() - before
            # Readable means closed or reset here: every answer was read.
            lost = len(closed.select(0))
        figures = {"kibPerConnection": grown / 1024 / self.connections}
        return Sample(figures, {"connections that did not stay open": lost} if lost else {})
