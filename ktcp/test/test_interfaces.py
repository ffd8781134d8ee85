"""
Tests for L{ktcp.interfaces}.
"""

from __future__ import annotations

from dataclasses import FrozenInstanceError

from twisted.trial.unittest import SynchronousTestCase

from ktcp.interfaces import Context, IProtocolPlugin


class InterfaceTests(SynchronousTestCase):
    """
    What others build on.
    """

    def test_pluginNames(self) -> None:
        """
        A plugin written today fits: nothing is asked for that was not before.
        """
        self.assertEqual(
            sorted(IProtocolPlugin),
            ["defaultPort", "description", "makeFactory", "name", "parameters"],
        )

    def test_contextIsFixed(self) -> None:
        """
        One protocol cannot change what the next one gets.
        """
        context = Context(reactor=None)
        self.assertRaises(FrozenInstanceError, setattr, context, "reactor", 1)
