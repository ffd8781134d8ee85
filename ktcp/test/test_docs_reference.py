"""
Tests for the reference pages: they have what the code has, and speak of nothing else.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from textwrap import indent
from typing import Any
from unittest import SkipTest

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.scripts.twistd import ServerOptions
from twisted.trial.unittest import SynchronousTestCase

import ktcp
from ktcp.admin.facts import inventory, parametersOf
from ktcp.admin.live import Live
from ktcp.admin.metrics import GAUGES, metricName
from ktcp.counters import Layout
from ktcp.endpoint.parser import optionChecks
from ktcp.endpoint.sockets import SocketOptions
from ktcp.http.limits import KIB, MIB, PARAMETERS, Limits
from ktcp.load.__main__ import main as loadMain
from ktcp.load.report import outputs
from ktcp.options import SERVICE
from ktcp.test.test_admin_routes import Bench
from ktcp.testing import MemoryConnection, parseResponses, request
from ktcp.trace.__main__ import run as ktcpMain
from ktcp.trace.commands.connections import asJSON as connectionAsJSON
from ktcp.trace.commands.queues import asJSON as queuesAsJSON
from ktcp.trace.errors import EXIT_UNAVAILABLE
from ktcp.trace.kernel.diagmessages import Entry
from ktcp.trace.kernel.queues import Bounds, Sample

CHECKOUT = Path(ktcp.__file__).parent.parent
DOCS = CHECKOUT / "docs"

OPTION = re.compile(r"(?<![\w-])--[A-Za-z](?:[\w.-]*\w)?")

UNITS = {"": 1, "s": 1, "bytes": 1, "KiB": KIB, "MiB": MIB}

# What the pages say of options that are not ours.
FOREIGN = {
    *("--NAME", "--NAME-port", "--no-NAME"),
    # Of the protocol that a how-to adds.
    *("--daytime", "--daytime-port", "--no-daytime", "--daytime-format"),
    # Of bench/locustfile.py.
    "--expect-body",
    # Of certbot.
    "--deploy-hook",
}


class ReferenceTests(SynchronousTestCase):
    """
    What is generated.
    """

    def setUp(self) -> None:
        """
        Make the generators importable, as Sphinx has them, for this test only.
        """
        if not DOCS.exists():
            raise SkipTest("needs ktcp's checkout: docs/ is not installed")
        self.patch(sys, "path", [str(DOCS), *sys.path])

    def generated(self, name: str) -> Any:
        """
        A module of docs/generated.
        """
        module = import_module(f"generated.{name}")
        self.addCleanup(sys.modules.pop, module.__name__, None)
        return module


class CommandTests(ReferenceTests):
    """
    Options of the command lines.
    """

    def entries(self, command: str) -> set[str]:
        """
        The options that have an entry on the page of a command.
        """
        commands = self.generated("commands")
        text = "\n".join(commands.rendered(commands.everyCommand()[command]))
        found = re.findall(r"^\.\. option:: (.+)", text, re.M)
        return {name.split()[0] for line in found for name in line.split(", ")}

    def helpOf(self, command: str) -> str:
        """
        What C{--help} prints.
        """
        name, *words = command.split()
        printed = StringIO()
        with redirect_stdout(printed):
            run = ktcpMain if name == "ktcp" else loadMain
            self.assertRaises(SystemExit, run, [*words, "--help"])
        return printed.getvalue()

    def test_help(self) -> None:
        """
        Every option that C{--help} of a command or subcommand has an entry, and no other.
        """
        everyCommand = self.generated("commands").everyCommand()
        parsed = [name for name in everyCommand if name.split()[0] in ("ktcp", "ktcp-load")]
        self.assertGreater(len(parsed), 10)
        for name in parsed:
            text = self.helpOf(name)
            shown = set(re.findall(r"^  (?:-\w[^-\n]*)?(--[\w.-]+)", text, re.M))
            own = {each for each in everyCommand[name].options if each.startswith("--")}
            self.assertTrue(shown <= own, f"{name}: {shown - own}")
            self.assertEqual(own - set(OPTION.findall(text)), set(), name)
        below = {name for name in parsed if " " in name}
        shown = set().union(*(everyCommand[name].options for name in below)) - {"--help", "-h"}
        self.assertEqual(shown - self.entries("ktcp") - self.entries("ktcp-load"), set())

    def test_twistd(self) -> None:
        """
        So has every option that C{twistd ktcp} takes with ktcp's own protocols.
        """
        from ktcp.discovery import discover
        from ktcp.options import RESERVED, optionsFor

        own = [
            each
            for each in discover(RESERVED).plugins
            if each.name in ("http", "echo", "discard", "chargen")
        ]
        taken = {f"--{name.rstrip('=')}" for name in optionsFor(own)().longOpt}
        self.assertEqual(self.entries("twistd ktcp"), taken)

    def test_endpoint(self) -> None:
        """
        So has every option of a C{ktcp:} string, and each is a field of L{SocketOptions}.
        """
        fields = {field.name for field in dataclasses.fields(SocketOptions)}
        self.assertEqual(set(optionChecks()), fields)
        named = {name.split("=")[0] for name in self.entries("ktcp:")}
        self.assertEqual(named, {*fields, "port", "interface"})

    def test_limits(self) -> None:
        """
        The tables of limits, the one that is generated and that of connections, have each in
        the order of the options: its keyword, and its default in the option's unit.
        """
        text = "\n".join(self.generated("fields").limits())
        text += (DOCS / "reference" / "limits.rst").read_text()
        rows = re.findall(
            r"^   \* - :option:`--(limit-[a-z-]+) <.*>`\n     - (?:``(\w+)``|\\ )\n     - (.*)$",
            text,
            re.M,
        )
        bounds = [each for each in (*PARAMETERS, *SERVICE) if each.name.startswith("limit-")]
        keywords = [field.name for field in dataclasses.fields(Limits)]
        self.assertEqual([name for name, _, _ in rows], [each.name for each in bounds])
        self.assertEqual(
            [keyword for _, keyword, _ in rows], [*keywords, "connections", "clientConnections", ""]
        )
        for parameter, (name, _, default) in zip(bounds, rows, strict=True):
            number, _, unit = default.partition(" ")
            value = float(number.replace(",", "")) * UNITS[unit]
            self.assertEqual(value, parameter.default, name)

    def test_metrics(self) -> None:
        """
        Each metric has its name, type, labels and help.
        """
        metrics = {each.name: each for each in self.generated("metrics").everyMetric()}
        families = Layout(["http"]).families
        self.assertEqual(set(metrics), {*GAUGES, *map(metricName, families)})
        queue = metrics["ktcp_accept_queue"]
        self.assertEqual(
            (queue.kind, set(queue.labels)), ("gauge", {"protocol", "address", "port"})
        )
        for family in families:
            metric = metrics[metricName(family)]
            self.assertEqual(metric.help, family.meaning)
            self.assertEqual(set(metric.labels) - {"le"}, set(family.labels))


class StrangerTests(ReferenceTests):
    """
    No page names an option that is not there.
    """

    def pages(self) -> Iterator[tuple[str, str]]:
        """
        Everything that users read; what is no prose is indented, as blocks of code are.
        """
        for suffix in ("rst", "md", "py", "service", "yaml"):
            for path in DOCS.rglob(f"*.{suffix}"):
                if "_build" not in path.parts and "generated" not in path.parts:
                    text = path.read_text()
                    name = str(path.relative_to(CHECKOUT))
                    yield name, text if suffix == "rst" else indent(text, " ")
        yield "README.md", indent((CHECKOUT / "README.md").read_text(), " ")

    def test_commandLines(self) -> None:
        """
        Each command line of ours, in a block or within a sentence, has options that the
        command takes.
        """
        everyCommand = self.generated("commands").everyCommand()
        wrong = []
        seen = 0
        for page, text in self.pages():
            if page == "docs/howto/mistakes.rst":
                # Its lines are what the commands say, and name what they do not take;
                # test_docs_mistakes holds them.
                continue
            for command, words in invocations(text, everyCommand):
                seen += 1
                known = everyCommand[command].options | FOREIGN
                wrong += [f"{page}: {command} {word}" for word in words if word not in known]
        self.assertEqual(wrong, [])
        self.assertGreater(seen, 50)

    def test_literals(self) -> None:
        """
        Each option that stands by itself in a sentence is one of ours, or of twistd's own.
        """
        everyCommand = self.generated("commands").everyCommand()
        twistd = {f"--{name.rstrip('=')}" for name in ServerOptions().longOpt}
        known = set().union(FOREIGN, twistd, *(each.options for each in everyCommand.values()))
        wrong = [
            f"{page}: {word}"
            for page, text in self.pages()
            for word in re.findall(rf"``?({OPTION.pattern})[ =`]", text)
            if word not in known
        ]
        self.assertEqual(wrong, [])


def invocations(text: str, commands: Any) -> Iterator[tuple[str, list[str]]]:
    """
    The command lines of ktcp in a text, each with its options.
    """
    joined = re.sub(r"\\\n\s*", " ", text)
    literals = re.findall(r"``?([^`<\n]+)`", joined)
    blocks = [line for line in joined.splitlines() if line[:1].isspace() and "`" not in line]
    for line in [*literals, *blocks]:
        try:
            words = shlex.split(line.strip(" `"))
        except ValueError:
            words = line.split()
        for at, word in enumerate(words):
            name = word.rpartition("/")[2].strip("(")
            rest = words[at + 1 :]
            if name in ("twistd", "twist") and "ktcp" in rest:
                name, rest = "twistd ktcp", rest[rest.index("ktcp") + 1 :]
            while rest and f"{name} {rest[0]}" in commands:
                name, rest = f"{name} {rest[0]}", rest[1:]
            if name == "ktcp:":
                # What twistd ktcp says begins so, and so do endpoints, which have no dashes.
                break
            if name in commands and (" " in name or (rest[:1] and rest[0].startswith("-"))):
                yield name, list(optionsIn(rest))
                break


def optionsIn(words: list[str]) -> Iterator[str]:
    """
    The options of one command line, up to where another program begins.
    """
    for word in words:
        if word in ("--", "|", "&&", "&", ";", ">", ">>", "2>", "(", "#"):
            return
        if re.match(r"--?[A-Za-z]", word):
            yield word.partition("=")[0].rstrip(",.;:)`")


class JSONTests(ReferenceTests):
    """
    What is JSON, and is not made of a class that the page could be made of.
    """

    def assertTold(self, page: str, title: str, data: Any) -> None:
        """
        A section of a page names every field of some JSON, and no field that is not there.
        """
        text = (DOCS / "reference" / f"{page}.rst").read_text()
        heading = rf"^{re.escape(title)}\n-+\n"
        section = re.search(rf"{heading}(.*?)(?=^\S[^\n]*\n[-~]+\n|\Z)", text, re.M | re.S)
        assert section is not None, title
        terms = re.findall(r"^(``.+) : ", section[1], re.M)
        named = {name for term in terms for name in re.findall(r"``(\w+)``", term)}
        self.assertEqual(named - set(keysOf(data)), set())
        self.assertEqual(set(keysOf(data)) - set(re.findall(r"``(\w+)``", section[1])), set())

    def get(self, target: str, bench: Bench) -> Any:
        """
        A page of the admin plane.
        """
        connection = MemoryConnection(bench.factory)
        connection.send(request(target))
        [response] = parseResponses(connection.received, closed=False)
        self.assertEqual(response.status, 200)
        return json.loads(response.body)

    def test_paths(self) -> None:
        """
        The admin plane's page has every path that is answered, and the plane answers each.
        """
        text = (DOCS / "reference" / "admin.rst").read_text()
        table = text[: text.index("A request without the token")]
        paths = set(re.findall(r"``(/[\w.]*)``", table))
        bench = Bench(Clock())
        for path in paths:
            connection = MemoryConnection(bench.factory)
            connection.send(request(path))
            self.assertNotIn(b" 404 ", connection.received[:20])
            connection.lose()
        source = Path(import_module("ktcp.admin.routes").__file__ or "").read_text()
        added = re.findall(r'router\.add\("(/\w*)"', source)
        self.assertEqual(set(added) - paths, set())

    def test_workers(self) -> None:
        """
        C{/workers}.
        """
        bench = Bench(Clock())
        bench.others[1] = bench.counters.snapshot()
        self.assertTold("admin", "/workers", self.get("/workers", bench))

    def test_events(self) -> None:
        """
        C{/events}: what is not in C{/workers}.
        """
        bench = Bench(Clock())
        told = {**Live(bench.facts, bench.factory.reactor).look(), "errors": 0}
        for name in self.get("/workers", bench):
            del told[name]
        self.assertTold("admin", "/events", told)

    def test_parameters(self) -> None:
        """
        C{/parameters}.
        """
        from ktcp.options import optionsFor

        self.assertTold("admin", "/parameters", {"parameters": parametersOf(optionsFor([])())[:1]})

    def test_queues(self) -> None:
        """
        C{/queues}, of a listener; what the kernel counts has its own names.
        """
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        bench = Bench(Clock())
        bench.addresses = [("http", IPv4Address("TCP", *server.getsockname()))]
        told = self.get("/queues", bench)
        if "unavailable" in told:
            self.skipTest(told["unavailable"])
        self.assertIn("ListenOverflows", told["kernel"])
        self.assertTold(
            "admin", "/queues", {**told, "synReceived": 0, "kernel": 0, "unavailable": ""}
        )

    def test_connections(self) -> None:
        """
        C{/connections}, of a connection of HTTP that is one of the kernel's, too.
        """
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        client = socket.create_connection(server.getsockname())
        self.addCleanup(client.close)
        http = MemoryConnection(ktcp.HTTPFactory(reactor=Clock())).protocol
        http.transport.socket = client
        rows = inventory([("http", http, 0.0)], 1)
        self.assertTold("admin", "/connections", {"connections": rows, "truncated": False})

    def test_ktcpQueues(self) -> None:
        """
        C{ktcp queues --json}.
        """
        sample = Sample((), 0, {}, Bounds(1, 2, 3))
        self.assertTold("json", "ktcp queues --json", json.loads(queuesAsJSON(sample, sample)))

    def test_ktcpConnections(self) -> None:
        """
        C{ktcp connections --json}.
        """
        entry = Entry(2, "LISTEN", ("", 1), ("", 0), 0, 0, 0, 0, 0, 0, b"")
        self.assertTold("json", "ktcp connections --json", connectionAsJSON(entry))


class StatusTests(ReferenceTests):
    """
    Exit statuses.
    """

    def test_constants(self) -> None:
        """
        Those that have a name in the code are on the page.
        """
        text = (DOCS / "reference" / "exit-statuses.rst").read_text()
        told = set(map(int, re.findall(r"^   \* - (\d+)$", text, re.M)))
        named = {outputs.OK, outputs.FAILED, outputs.USAGE, EXIT_UNAVAILABLE}
        self.assertEqual(told, named | {130, 141})


def keysOf(data: Any) -> Iterator[str]:
    """
    The names of all fields of some JSON.
    """
    if isinstance(data, dict):
        for key, value in data.items():
            yield key
            yield from keysOf(value)
    elif isinstance(data, list):
        for each in data:
            yield from keysOf(each)
