# -*- test-case-name: bench.macro.test_compare -*-
"""
How each server is started: one table for HTTP, one for echo.

All of them give the same answers: C{Hello World!} to a GET of any target, and
to a POST its own bytes.  Each runs as its manual says for production on one
core, with access logs off, room for 4096 waiting connections, and idle
connections kept longer than any row takes.
"""

from __future__ import annotations

import os
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
        f"PYTHONPATH={place.checkout}:{place.macro}/apps",
        f"{place.bin}/twistd",
        *("--nodaemon", "--pidfile=", "--logger=unlogged.observer", *options, "web"),
        *("--listen", f"{endpoint}:{place.port}:interface=127.0.0.1", "--path", str(place.folder)),
    ]


def nginx(place: Place) -> list[str]:
    """
    Make the command of nginx, which reads C{nginx.conf} in the folder.
    """
    return ["nginx", "-e", "stderr", "-p", str(place.folder), "-c", "nginx.conf"]


def _nginx(location: str, ssl: str = "", server: str = "") -> Callable[[Place], None]:
    """
    Make a function that writes nginx's configuration.

    @param ssl: Follows the port in C{listen}.
    @param server: More directives beside C{location}.
    """

    def write(place: Place) -> None:
        text = (place.macro / "apps" / "nginx.conf.in").read_text()
        for name, value in {
            "PORT": str(place.port),
            "SSL": ssl,
            "SERVER": server,
            "LOCATION": location,
        }.items():
            text = text.replace(f"@{name}@", value)
        (place.folder / "nginx.conf").write_text(text)

    return write


def _indexFile(place: Place) -> None:
    (place.folder / "index.html").write_text("Hello World!")


KIBIBYTE = bytes(range(256)) * 4

# The files that the table FILES serves, by name; the time of each is MODIFIED.
SIZES = {"1k.bin": 1, "64k.bin": 64, "10m.bin": 10 * 1024}
MODIFIED = 1_700_000_000


def _files(place: Place) -> None:
    """
    Lay the files, in a folder of their own: the server may keep others beside it.
    """
    root = place.folder / "root"
    root.mkdir()
    # Started by root, nginx reads them as another user.
    place.folder.chmod(0o755)
    for name, kibibytes in SIZES.items():
        (root / name).write_bytes(KIBIBYTE * kibibytes)
        os.utime(root / name, (MODIFIED, MODIFIED))


def _nginxWithFiles(place: Place) -> None:
    _files(place)
    # As fast as nginx serves files: its descriptors are kept open, and the kernel sends them.
    _nginx("open_file_cache max=1000 inactive=1h; sendfile on; tcp_nopush on; root root;")(place)


_HELLO = 'return 200 "Hello World!";'


def _certificate(place: Place) -> None:
    """
    Lay a certificate and its key: ECDSA on P-256, as today's authorities give out.
    """
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-subj", "/CN=localhost", "-days", "2"),
            *("-out", str(place.folder / "cert.pem"), "-keyout", str(place.folder / "key.pem")),
        ],
        check=True,
        capture_output=True,
    )


def _nginxOverTLS(place: Place) -> None:
    _certificate(place)
    directives = "ssl_certificate cert.pem; ssl_certificate_key key.pem; ssl_protocols TLSv1.3;"
    _nginx(_HELLO, " ssl", directives)(place)


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
        "ktcp observed",
        ktcp(
            *("--no-echo", "--http-port", "{port}", "--access-log", "access.log"),
            *("--access-log-format", "json", "--admin", "unix:admin.sock"),
        ),
        of("twisted", "h11", "prometheus-client"),
    ),
    Peer(
        "ktcp unobserved",
        lambda place: ["env", f"PYTHONPATH={place.checkout}", *python("ktcp_embedded.py")(place)],
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
        nginx,
        said("nginx", "-v"),
        _nginx(_HELLO),
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


FILES = _table(
    Peer(
        "ktcp",
        lambda place: ktcp(
            *("--no-echo", "--http-port", "{port}", "--root", str(place.folder / "root"))
        )(place),
        _ktcpVersion,
        _files,
    ),
    Peer("nginx", nginx, said("nginx", "-v"), _nginxWithFiles),
    Peer(
        "twisted.web File",
        lambda place: twistdWeb("tcp")(replace(place, folder=place.folder / "root")),
        of("twisted"),
        _files,
    ),
)


TLS = _table(
    Peer(
        "ktcp",
        ktcp(
            *("--no-http", "--no-echo", "--bench-tls-port", "{port}"),
            *("--tls-cert", "cert.pem", "--tls-key", "key.pem"),
        ),
        _ktcpVersion,
        _certificate,
    ),
    # The same service on Twisted's TLS.
    Peer(
        "ktcp on ssl:",
        ktcp(
            *("--no-http", "--no-echo", "--bench"),
            "ssl:{port}:interface=127.0.0.1:privateKey=key.pem:certKey=cert.pem",
        ),
        _ktcpVersion,
        _certificate,
    ),
    Peer("nginx", nginx, said("nginx", "-v"), _nginxOverTLS),
)


TABLES = {"http": HTTP, "echo": ECHO, "files": FILES, "tls": TLS}


def moved(peer: Peer, name: str, checkout: Path) -> Peer:
    """
    Make a peer of another name that runs the ktcp of another checkout.
    """
    return replace(
        peer, name=name, command=lambda place: peer.command(replace(place, checkout=checkout))
    )
