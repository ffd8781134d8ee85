"""
Does what we would upload work where it is installed?

Builds the sdist, and the wheel from the sdist, and lets C{check-manifest} and
C{twine} judge them.  Installs each in an empty venv and serves from there, in a
folder outside this checkout, as a user would; then with the daytime example
installed beside ktcp.  From the wheel it also runs the other commands, and
tests.  An assertion that fails is what was found.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from socket import SHUT_WR, create_connection
from tempfile import TemporaryDirectory
from threading import Timer
from zipfile import ZipFile

CHECKOUT = Path(__file__).parent.parent
PLUGIN = "twisted/plugins/ktcp_plugin.py"
# The tests are in the wheel, as Twisted's are: they tell whether ktcp works on the machine where
# it is.  These need only hypothesis beside it; with C{ktcp[test]} the rest runs there too, but for
# the tests of documentation and benchmarks, which skip without a checkout.
TESTS = [
    f"ktcp.test.test_{name}"
    for name in ("init", "plugin", "options", "echo", "http_protocol", "endpoint_server", "process")
]
LISTENING = re.compile(r"ktcp: listening protocol=(\S+) transport=tcp address=\S+ port=(\d+)")
SECONDS_TO_START = 60

STAYS_LIGHT = """
import sys, ktcp
loaded = {"h11", "OpenSSL", "twisted.internet.reactor"} & set(sys.modules)
assert not loaded, loaded
"""
VERSION = "import ktcp, importlib.metadata as of; print(ktcp.__version__, of.version('ktcp'))"
DESCRIPTION = "import importlib.metadata as of; print(of.metadata('ktcp').get_payload())"
TWISTED_IS_WHOLE = """
from importlib.metadata import files
missing = [str(path) for path in files("twisted") if not path.locate().exists()]
assert not missing, missing
"""


class Environment:
    """
    An empty venv, and an empty folder to work in.
    """

    def __init__(self, place: Path) -> None:
        venv.create(place / "venv", with_pip=True)
        self.bin = place / "venv" / "bin"
        self.folder = place / "elsewhere"
        self.folder.mkdir()

    def run(self, program: str, *arguments: str) -> str:
        """
        Run one of the venv's programs to its end.

        @return: What it wrote to stdout.
        @raise AssertionError: It failed; its stderr is shown, and its stdout told.
        """
        command = [str(self.bin / program), *arguments]
        done = subprocess.run(
            command, cwd=self.folder, stdout=subprocess.PIPE, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, f"{command}: status {done.returncode}\n{done.stdout}"
        return done.stdout

    @contextmanager
    def serving(self, protocols: set[str], *options: str) -> Iterator[dict[str, int]]:
        """
        Run C{twistd -n ktcp} with C{options}; it must end with status 0 on SIGTERM.

        @return: A context of the port of each of C{protocols}, once all listen.
        """
        command = [str(self.bin / "twistd"), "-n", "ktcp", *options]
        server = subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert server.stdout is not None
        # Reading blocks: a server that never says where it listens is killed, which ends its log.
        watchdog = Timer(SECONDS_TO_START, server.kill)
        watchdog.start()
        try:
            yield listeners(server.stdout, protocols)
        finally:
            watchdog.cancel()
            server.terminate()
            rest = server.communicate(timeout=30)[0]
        assert server.returncode == 0, f"status {server.returncode} on SIGTERM:\n{rest}"


def listeners(log: Iterable[str], protocols: set[str]) -> dict[str, int]:
    """
    Read a starting server's log until it has said where C{protocols} listen.
    """
    ports: dict[str, int] = {}
    seen = []
    for line in log:
        seen.append(line)
        if (found := LISTENING.search(line)) is not None:
            ports[found[1]] = int(found[2])
        if ports.keys() == protocols:
            return ports
    raise AssertionError(f"only {ports} of {protocols} listen:\n{''.join(seen)}")


def exchange(port: int, data: bytes) -> bytes:
    """
    Send C{data} and FIN, and give back all that comes until the server's FIN.
    """
    with create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def build(place: Path) -> tuple[Path, Path]:
    """
    Build the wheel and the sdist; the wheel is built from what the sdist holds.
    """
    python = [sys.executable, "-m"]
    subprocess.run([*python, "check_manifest", CHECKOUT], check=True)
    subprocess.run([*python, "build", "--quiet", "--outdir", place, CHECKOUT], check=True)
    (wheel,), (sdist,) = place.glob("*.whl"), place.glob("*.tar.gz")
    subprocess.run([*python, "twine", "check", "--strict", wheel, sdist], check=True)
    return wheel, sdist


def checkContents(wheel: Path) -> None:
    """
    The wheel holds the package, the plugin, and nothing else of Twisted's folder.
    """
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = {
        str(path.relative_to(CHECKOUT))
        for path in (CHECKOUT / "ktcp").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    # Symmetric: neither a file forgotten nor one too many.
    assert names == package | {PLUGIN}, names ^ (package | {PLUGIN})


def checkMetadata(environment: Environment, version: str) -> None:
    """
    There is one version, and no link of the description leads to a file that is not there.
    """
    assert environment.run("python", "-c", VERSION).split() == [version, version]
    text = environment.run("python", "-c", DESCRIPTION)
    assert "Hello World!" in text
    assert not (links := re.findall(r"\]\((?!https?:).*?\)", text)), links


def checkCommands(environment: Environment, wheel: Path, version: str) -> None:
    """
    C{ktcp} runs, and C{ktcp-load} with what it draws with; tests run from where ktcp is.
    """
    environment.run("pip", "install", "--quiet", f"{wheel}[load]", "hypothesis")
    environment.run("python", "-m", "twisted.trial", *TESTS)
    for program in ("ktcp", "ktcp-load"):
        assert environment.run(program, "--version") == f"{program} {version}\n"
        assert environment.run(program, "--help").startswith("usage: ")


def checkServes(environment: Environment) -> None:
    """
    ktcp as installed is found, is light to import, serves, and stops.
    """
    assert re.search(r"^\s+ktcp\s", environment.run("twistd", "--help"), re.MULTILINE)
    environment.run("python", "-c", STAYS_LIGHT)
    with environment.serving({"http", "echo"}, "--port", "0", "--echo-port", "0") as ports:
        client = HTTPConnection("127.0.0.1", ports["http"], timeout=10)
        client.request("GET", "/")
        response = client.getresponse()
        assert (response.status, response.read()) == (200, b"Hello World!")
        client.close()
        data = bytes(range(256)) * 256
        assert exchange(ports["echo"], data) == data


def checkExample(environment: Environment, place: Path) -> None:
    """
    A protocol that another distribution brings is served like ktcp's own.
    """
    # A copy: a build leaves its folders beside the source.
    shutil.copytree(CHECKOUT / "docs" / "examples" / "daytime", place)
    environment.run("pip", "install", "--quiet", str(place))
    assert "--daytime" in environment.run("twistd", "ktcp", "--help")
    options = ["--no-http", "--no-echo", "--daytime", "tcp:0:interface=127.0.0.1"]
    with environment.serving({"daytime"}, *options, "--daytime-format", "%Y") as ports:
        assert re.fullmatch(rb"\d{4}\r\n", exchange(ports["daytime"], b""))
    environment.run("pip", "uninstall", "--quiet", "--yes", "daytime")


def checkUninstall(environment: Environment) -> None:
    """
    ktcp goes, and takes nothing of Twisted's with it.
    """
    environment.run("pip", "uninstall", "--quiet", "--yes", "ktcp")
    environment.run("python", "-c", TWISTED_IS_WHOLE)
    assert "ktcp" not in environment.run("twistd", "--help")


def main() -> None:
    """
    Check the wheel in full, then that the sdist installs to the same.
    """
    with TemporaryDirectory(prefix="ktcp-dist-") as name:
        place = Path(name)
        wheel, sdist = build(place / "dist")
        checkContents(wheel)
        version = wheel.name.split("-")[1]
        for distribution in (wheel, sdist):
            folder = place / distribution.name.replace(".", "-")
            folder.mkdir()
            environment = Environment(folder)
            environment.run("pip", "install", "--quiet", str(distribution))
            checkMetadata(environment, version)
            checkServes(environment)
            if distribution is wheel:
                checkCommands(environment, wheel, version)
            checkExample(environment, folder / "daytime")
            checkUninstall(environment)
            print(f"{distribution.name}: installs, serves and uninstalls")


if __name__ == "__main__":
    main()
