"""
Twisted's own reactor suites, run on a reactor of ours.

What Twisted says of every reactor it says in C{ReactorBuilder} classes; each
module makes test cases of those for a list of reactors.  Here the classes it
tests L{EPollReactor} with are made into test cases for another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase


def suites(
    reactor: Callable[[], Any], into: str, modules: list[str], skips: dict[str, str]
) -> dict[str, type]:
    """
    Make the test cases of some of Twisted's test modules for a reactor.

    @param reactor: Makes the reactor; usually its class.
    @param into: The name of the module that is to have the test cases.
    @param modules: Names of modules in C{twisted.internet.test}.
    @param skips: Reasons by the names of test methods that cannot hold.
    @return: Test cases by name.  Where Twisted came without its tests, or
        they need something that is not installed, they are skipped and say so.
    """
    made = {}
    for name in modules:
        try:
            module = import_module(f"twisted.internet.test.{name}")
        except ImportError as e:
            made[f"{name}_Tests"] = _missing(f"Twisted's {name} cannot be imported: {e}")
            continue
        for builder in _buildersForEPoll(module):
            attributes: dict[str, Any] = {
                method: _skipping(reason)
                for method, reason in skips.items()
                if hasattr(builder, method)
            }
            attributes |= {"reactorFactory": staticmethod(reactor), "__module__": into}
            title = f"{name}_{builder.__name__}"
            made[title] = type(title, (builder, SynchronousTestCase), attributes)
    for case in made.values():
        case.__module__ = into
    return made


def _buildersForEPoll(module: ModuleType) -> Iterator[type]:
    """
    Find the classes that a module makes test cases for EPollReactor of.
    """
    for name in dir(module):
        builder, found, _ = name.partition("_EPollReactorTests")
        if found:
            yield getattr(module, builder)


def _skipping(reason: str) -> Callable[[SynchronousTestCase], None]:
    """
    Make a test method that is skipped.
    """

    def test(self: SynchronousTestCase) -> None:
        """
        Skipped: see the reason.
        """
        raise SkipTest(reason)

    return test


def _missing(reason: str) -> type:
    """
    Make a test case that is skipped.
    """
    return type("Missing", (SynchronousTestCase,), {"test_suite": _skipping(reason)})
