# -*- test-case-name: ktcp.test.test_plugin -*-
"""
A protocol plugin as plain data.  L{ktcp.discovery} finds those there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from twisted.internet.interfaces import IProtocolFactory
from twisted.plugin import IPlugin
from twisted.python.reflect import namedAny
from zope.interface import implementer

from ktcp.interfaces import Context, IProtocolPlugin
from ktcp.parameters import Parameter


@implementer(IPlugin, IProtocolPlugin)
@dataclass(frozen=True)
class ProtocolPlugin:
    """
    An L{IProtocolPlugin} that names its factory maker and imports it late.

    @ivar name: See L{IProtocolPlugin.name}, as for all that follow but C{maker}.
    @ivar description: One line for C{--help}.
    @ivar maker: The dotted name of a callable that takes the checked
        parameters and a L{Context} and returns a factory.
    @ivar defaultPort: Served when the user says nothing; L{None}: off until asked for.
    @ivar parameters: The protocol's own options.
    """

    name: str
    description: str
    maker: str
    defaultPort: int | None = None
    parameters: Sequence[Parameter] = ()

    def makeFactory(self, parameters: Mapping[str, object], context: Context) -> IProtocolFactory:
        """
        Import the maker and call it.  See L{IProtocolPlugin.makeFactory}.
        """
        factory: IProtocolFactory = namedAny(self.maker)(parameters, context)
        return factory
