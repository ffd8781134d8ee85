"""
Tests for L{ktcp.plugin}, and for the plugins of ktcp itself.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from twisted.plugin import IPlugin
from twisted.plugins import ktcp_plugin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ktcp.interfaces import Context, IProtocolPlugin
from ktcp.plugin import ProtocolPlugin

made: list[tuple[Mapping[str, object], Context]] = []


def make(parameters: Mapping[str, object], context: Context) -> str:
    """
    Stand for the maker of a factory.
    """
    made.append((parameters, context))
    return "a factory"


class ProtocolPluginTests(SynchronousTestCase):
    """
    A plugin as data.
    """

    def test_interfaces(self) -> None:
        """
        It is what Twisted and ktcp look for; ktcp's own are too.
        """
        for plugin in (
            ProtocolPlugin("x", "X", "x.y"),
            ktcp_plugin.http,
            ktcp_plugin.echo,
            ktcp_plugin.discard,
            ktcp_plugin.chargen,
        ):
            verifyObject(IPlugin, plugin)
            verifyObject(IProtocolPlugin, plugin)

    def test_makeFactory(self) -> None:
        """
        The maker is found by its name, and given what the plugin was given.
        """
        self.addCleanup(made.clear)
        context = Context(reactor=object())
        plugin = ProtocolPlugin("x", "X", f"{__name__}.make")
        self.assertEqual(plugin.makeFactory({"x-size": 1}, context), "a factory")
        self.assertEqual(made, [({"x-size": 1}, context)])

    def test_offUnlessAskedFor(self) -> None:
        """
        Of ktcp's own, two are served by default, at the ports of the kernel modules.
        """
        self.assertEqual(
            [
                getattr(ktcp_plugin, name).defaultPort
                for name in ("http", "echo", "discard", "chargen")
            ],
            [8081, 12345, None, None],
        )

    def test_light(self) -> None:
        """
        A plugin does not import its protocol before it is asked to serve it.
        """
        ProtocolPlugin("x", "X", "ktcp.test.nothere.make")
        self.assertNotIn("ktcp.test.nothere", sys.modules)
