# -*- test-case-name: bench.macro.test_compare -*-
"""
How each server is started: one table for HTTP, one for echo.

All of them give the same answers: C{Hello World!} to a GET of any target, and
to a POST its own bytes.  Each runs as its manual says for production on one
core, with access logs off, room for 4096 waiting connections, and idle
connections kept longer than any row takes.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

MACRO = Path(__file__).parent
CHECKOUT = MACRO.parent.parent


@dataclass(frozen=True)
class Place:
    """
    What a server is told of where it runs.

    @ivar port: The TCP port of 127.0.0.1 to listen on.
    @ivar folder: A folder of its own, empty.
    @ivar checkout: The ktcp to run.  Only ktcp's own commands look at it.
    @ivar bin: Where the interpreter and the peers' commands are.
    @ivar macro: This folder.
    """

    port: int | str
    folder: Path
    checkout: Path = CHECKOUT
    bin: Path = Path(sys.executable).parent
    macro: Path = MACRO


# What a report shows instead of this machine's paths.
ANYWHERE = Place("PORT", Path("FOLDER"), Path("."), Path(".venv-bench/bin"), Path("bench/macro"))

Command = Callable[[Place], list[str]]


@dataclass(frozen=True)
class Peer:
    """
    One server.

    @ivar command: From a L{Place} to what is run there.
    @ivar version: Says which version is installed.
    @ivar prepare: Lays files in the L{Place}'s folder first.
    """

    name: str
    command: Command
    version: Callable[[], str]
    prepare: Callable[[Place], None] = lambda place: None


def of(*distributions: str) -> Callable[[], str]:
    """
    Make a function that names the installed versions of Python distributions.
    """
    return lambda: ", ".join(f"{name} {version(name)}" for name in distributions)


def said(*command: str) -> Callable[[], str]:
    """
    Make a function that finds the version in what a command prints.
    """

    def find() -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        match = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
        return f"{command[0]} {match[0] if match else '?'}"

    return find


def python(*arguments: str) -> Command:
    """
    Make the command that runs one of C{apps/} with a port as its argument.
    """
    return lambda place: [
        f"{place.bin}/python",
        f"{place.macro}/apps/{arguments[0]}",
        str(place.port),
        *arguments[1:],
    ]


def module(name: str, *arguments: str) -> Command:
    """
    Make the command of a server that is a Python module, C{apps/} importable.

    C{{port}} in an argument becomes the port.
    """
    return lambda place: [
        "env",
        f"PYTHONPATH={place.macro}/apps",
        f"{place.bin}/python",
        "-m",
        name,
        *(argument.format(port=place.port) for argument in arguments),
    ]


def ktcp(*arguments: str) -> Command:
    """
    Make the command of C{twistd ktcp}, with the benchmarks' own plugin beside it.

    The service picks the reactor and the endpoint, so a checkout is measured
    with whichever of them it has.
    """
    return lambda place: [
        "env",
        f"PYTHONPATH={place.checkout}:{place.macro}/plugins",
        f"{place.bin}/twistd",
        "--nodaemon",
        "--pidfile=",
        "ktcp",
        *(argument.format(port=place.port) for argument in arguments),
    ]


def twistdWeb(endpoint: str, *options: str) -> Command:
    """
    Make the command of C{twistd web}, which serves a file, on an endpoint.
    """
    return lambda place: [
        "env",
        f"PYTHONPATH={place.checkout}",
        f"{place.bin}/twistd",
        *("--nodaemon", "--pidfile=", "--logfile=/dev/null", *options, "web"),
        *("--listen", f"{endpoint}:{place.port}:interface=127.0.0.1", "--path", str(place.folder)),
    ]


def _nginxFiles(place: Place) -> None:
    template = (place.macro / "apps" / "nginx.conf.in").read_text()
    (place.folder / "nginx.conf").write_text(template.replace("@PORT@", str(place.port)))


def _indexFile(place: Place) -> None:
    (place.folder / "index.html").write_text("Hello World!")


def _uvicorn(loop: str, http: str) -> Command:
    return module(
        "uvicorn",
        *("--host", "127.0.0.1", "--port", "{port}", "--backlog", "4096"),
        *("--loop", loop, "--http", http, "--lifespan", "off", "--ws", "none"),
        *("--no-access-log", "--log-level", "warning", "--timeout-keep-alive", "3600"),
        "asgi:app",
    )


_ktcpVersion = of("twisted", "h11")


def _table(*peers: Peer) -> dict[str, Peer]:
    return {peer.name: peer for peer in peers}


HTTP = _table(
    Peer("ktcp", ktcp("--no-http", "--no-echo", "--bench-port", "{port}"), _ktcpVersion),
    Peer("ktcp built-in", ktcp("--no-echo", "--http-port", "{port}"), _ktcpVersion),
    # With all that guards and watches, and with as little of it as there is: a
    # limit cannot be off, only so large that nothing comes near it.
    Peer(
        "ktcp guarded",
        ktcp("--no-echo", "--http-port", "{port}", "--access-log", "access.log"),
        _ktcpVersion,
    ),
    Peer(
        "ktcp unguarded",
        ktcp(
            *("--no-echo", "--http-port", "{port}", "--limit-requests", str(2**40)),
            *("--limit-connections", str(2**31 - 1), "--limit-client-connections", str(2**31 - 1)),
            *(
                f"--limit-{name}=31000000"
                for name in ("head-time", "idle", "body-grace", "handler-time", "stall")
            ),
        ),
        _ktcpVersion,
    ),
    Peer(
        "ktcp memo off",
        ktcp("--no-http", "--no-echo", "--bench-port", "{port}", "--bench-plain"),
        _ktcpVersion,
    ),
    *(
        Peer(
            f"ktcp {workers}",
            ktcp(
                *("--no-http", "--no-echo", "--bench-port", "{port}"),
                *("--bench-work", "15000", "--workers", workers.partition(" ")[0]),
            ),
            _ktcpVersion,
        )
        for workers in ("1 worker", "2 workers")
    ),
    Peer(
        "nginx",
        lambda place: ["nginx", "-e", "stderr", "-p", str(place.folder), "-c", "nginx.conf"],
        said("nginx", "-v"),
        _nginxFiles,
    ),
    Peer(
        "granian",
        module(
            "granian",
            *("--interface", "asginl", "--host", "127.0.0.1", "--port", "{port}"),
            *("--workers", "1", "--http", "1", "--loop", "uvloop", "--backlog", "4096"),
            *("--no-ws", "--no-access-log", "--log-level", "warning", "asgi:app"),
        ),
        of("granian", "uvloop"),
    ),
    Peer(
        "uvicorn httptools",
        _uvicorn("uvloop", "httptools"),
        of("uvicorn", "httptools", "uvloop"),
    ),
    Peer("uvicorn h11", _uvicorn("asyncio", "h11"), of("uvicorn", "h11")),
    Peer(
        "hypercorn",
        module(
            "hypercorn",
            *("--bind", "127.0.0.1:{port}", "--backlog", "4096", "--workers", "1"),
            *("--keep-alive", "3600", "--log-level", "warning", "asgi:app"),
        ),
        of("hypercorn", "h11"),
    ),
    Peer(
        "daphne",
        module(
            "daphne",
            *("-b", "127.0.0.1", "-p", "{port}", "-v", "0", "-t", "3600", "asgi:app"),
        ),
        of("daphne", "twisted"),
    ),
    Peer("twisted.web", python("twisted_web.py"), of("twisted")),
    Peer("web on tcp:", twistdWeb("tcp"), of("twisted"), _indexFile),
    Peer("web on ktcp:", twistdWeb("ktcp"), of("twisted"), _indexFile),
    Peer(
        "web on ktcp: and its reactor",
        twistdWeb("ktcp", "--reactor=ktcp"),
        of("twisted"),
        _indexFile,
    ),
    Peer("aiohttp", python("aiohttp_web.py"), of("aiohttp")),
    Peer(
        "http.server",
        module("http.server", "--bind", "127.0.0.1", "{port}"),
        lambda: "Python " + sys.version.split()[0],
        _indexFile,
    ),
)

ECHO = _table(
    Peer("ktcp", ktcp("--no-http", "--echo-port", "{port}"), _ktcpVersion),
    Peer(
        "C epoll",
        lambda place: [f"{place.macro}/build/echo", str(place.port)],
        said("gcc", "--version"),
    ),
    Peer("uvloop", python("echo_asyncio.py", "uvloop"), of("uvloop")),
    Peer("asyncio", python("echo_asyncio.py"), lambda: "Python " + sys.version.split()[0]),
    Peer("Twisted", python("echo_twisted.py"), of("twisted")),
)


def moved(peer: Peer, name: str, checkout: Path) -> Peer:
    """
    Make a peer of another name that runs the ktcp of another checkout.
    """
    return replace(
        peer, name=name, command=lambda place: peer.command(replace(place, checkout=checkout))
    )
