"""
Tests for L{ktcp.discovery}.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ktcp.discovery import Discovery, discover

IMPORTS = """
from ktcp.parameters import Parameter
from ktcp.plugin import ProtocolPlugin as P
from zope.interface import implementer
from twisted.plugin import IPlugin
from ktcp.interfaces import IProtocolPlugin
"""


class DiscoverTests(SynchronousTestCase):
    """
    Plugins in a package of the test's own.
    """

    def discover(self, **modules: str) -> Discovery:
        """
        Write modules into a package, and look for plugins in it.
        """
        name = f"ktcptest{id(self)}"
        folder = Path(self.mktemp())
        package = folder / name
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        for module, text in modules.items():
            (package / f"{module}.py").write_text(text)
        self.patch(sys, "path", [str(folder.resolve()), *sys.path])
        self.addCleanup(self.forget, name)
        importlib.invalidate_caches()
        found = discover(frozenset({"help", "port"}), importlib.import_module(name))
        return Discovery(found.plugins, [line.replace(f"{name}.", "") for line in found.complaints])

    def forget(self, name: str) -> None:
        """
        Forget a package.
        """
        for module in [each for each in sys.modules if each.partition(".")[0] == name]:
            del sys.modules[module]

    def complaint(self, plugin: str) -> str:
        """
        What is said about a plugin that does not fit, beside one that does.
        """
        found = self.discover(
            bad=f"{IMPORTS}bad = {plugin}", good=f"{IMPORTS}x = P('good', 'G', 'g')"
        )
        self.assertEqual([each.name for each in found.plugins], ["good"])
        (line,) = found.complaints
        self.assertTrue(line.startswith("plugin bad.bad: "), line)
        self.assertTrue(line.endswith("; it is not served"), line)
        return line[len("plugin bad.bad: ") : -len("; it is not served")]

    def test_order(self) -> None:
        """
        ktcp's own come first, as they stand in its file; then by module name.
        """
        found = self.discover(
            a=f"{IMPORTS}x = P('a', 'A', 'x')",
            ktcp_plugin=f"{IMPORTS}z = P('z', 'Z', 'x')\ny = P('y', 'Y', 'x')",
            b=f"{IMPORTS}x = P('b', 'B', 'x')",
        )
        self.assertEqual([each.name for each in found.plugins], ["z", "y", "a", "b"])
        self.assertEqual(found.complaints, [])

    def test_doesNotLoad(self) -> None:
        """
        A module that fails is named in one line, with the reason; the others serve.
        """
        found = self.discover(bad="import ktcp.nothere", good=f"{IMPORTS}x = P('good', 'G', 'g')")
        self.flushLoggedErrors(ModuleNotFoundError)  # Twisted's own traceback.
        self.assertEqual([each.name for each in found.plugins], ["good"])
        self.assertEqual(
            found.complaints,
            [
                "plugin module bad does not load (ModuleNotFoundError: No module named "
                "'ktcp.nothere'); what it offers is not served"
            ],
        )

    def test_exits(self) -> None:
        """
        A module that ends the process does not.
        """
        found = self.discover(bad="raise SystemExit(3)")
        self.flushLoggedErrors(SystemExit)
        self.assertEqual(
            found.complaints,
            ["plugin module bad does not load (SystemExit: 3); what it offers is not served"],
        )

    def test_oneName(self) -> None:
        """
        Of two plugins with one name the first in order has it.
        """
        found = self.discover(
            a=f"{IMPORTS}x = P('same', 'A', 'x')", b=f"{IMPORTS}y = P('same', 'B', 'x')"
        )
        self.assertEqual([each.description for each in found.plugins], ["A"])
        self.assertEqual(found.complaints, ["plugin b.y: --same belongs to a.x; it is not served"])

    def test_names(self) -> None:
        """
        A name is one that makes an option, and that nobody has.
        """
        for name in ("Bad", "b d", "", "-b", "b-", "1", 3, None):
            self.assertEqual(
                self.complaint(f"P({name!r}, 'B', 'x')"),
                f"its name is {name!r}; it must be lower-case letters, digits and hyphens",
            )
            self.forget(f"ktcptest{id(self)}")
        self.assertEqual(self.complaint("P('port', 'B', 'x')"), "--port belongs to ktcp itself")

    def test_ports(self) -> None:
        """
        A default port is one.
        """
        for port in (70000, -1, "80", True):
            self.assertEqual(
                self.complaint(f"P('b', 'B', 'x', {port!r})"),
                f"its default port is {port!r}; it must be from 0 to 65535, or None",
            )
            self.forget(f"ktcptest{id(self)}")

    def test_description(self) -> None:
        """
        A description is text.
        """
        self.assertIn("its description is None", self.complaint("P('b', None, 'x')"))

    def test_parameters(self) -> None:
        """
        Parameters are named for their protocol, each for itself.
        """
        for parameters, line in (
            ("[Parameter('backlog', '')]", "its parameter 'backlog' must be named b-SOMETHING"),
            ("[Parameter('b-X', '')]", "its parameter 'b-X' must be named b-SOMETHING"),
            ("[Parameter('b-port', '')]", "--b-port belongs to bad.bad"),
            ("[3]", "3 is not a ktcp.parameters.Parameter"),
            ("None", "its parameters are not a sequence"),
        ):
            self.assertEqual(self.complaint(f"P('b', 'B', 'x', 1, {parameters})"), line)
            self.forget(f"ktcptest{id(self)}")

    def test_ownParameters(self) -> None:
        """
        ktcp's own protocols may name theirs as they like, but not twice.
        """
        plugins = "P('b', 'B', 'x', 1, [Parameter('root', '')])"
        found = self.discover(
            ktcp_plugin=f"{IMPORTS}x = {plugins}",
            other=f"{IMPORTS}y = P('root', 'R', 'x')",
        )
        self.assertEqual([each.name for each in found.plugins], ["b"])
        self.assertEqual(
            found.complaints, ["plugin other.y: --root belongs to ktcp_plugin.x; it is not served"]
        )

    def test_incomplete(self) -> None:
        """
        What says it is a plugin, and is not, is told what it lacks.
        """
        self.assertEqual(
            self.complaint("implementer(IPlugin, IProtocolPlugin)(type('B', (), {'name': 'b'}))()"),
            "it has no defaultPort, description, makeFactory, parameters",
        )

    def test_others(self) -> None:
        """
        Twisted's other plugins are none of ktcp's business.
        """
        found = self.discover(other=f"{IMPORTS}x = implementer(IPlugin)(type('X', (), {{}}))()")
        self.assertEqual(found, Discovery([], []))
