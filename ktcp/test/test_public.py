"""
Tests for the public names: which there are, and that each says what it is.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Attribute
from zope.interface.interface import InterfaceClass, Method

import ktcp

PAGE = Path(ktcp.__file__).parent.parent / "docs" / "reference" / "api.rst"

# What is promised, by the module that it is imported from.
PUBLIC = {
    "ktcp": (
        *("HTTPFactory", "Request", "Response", "Headers", "HTTPError", "Limits"),
        *("Router", "StaticFiles"),
        *("EchoFactory", "DiscardFactory", "ChargenFactory"),
    ),
    "ktcp.http.flow": ("RequestBody",),
    "ktcp.http.accesslog": ("AccessLog",),
    "ktcp.http.compress": ("Compression",),
    "ktcp.http.forwarded": ("Forwarding",),
    "ktcp.endpoint.proxy": ("Trust",),
    "ktcp.counters": ("Counters", "Snapshot", "Histogram"),
    "ktcp.endpoint.server": ("KTCPServerEndpoint",),
    "ktcp.endpoint.sockets": ("SocketOptions", "KeepAlive", "openListener"),
    "ktcp.reactor": ("KTCPReactor", "install"),
    "ktcp.plugin": ("ProtocolPlugin",),
    "ktcp.interfaces": (
        *("IProtocolPlugin", "Context", "IDescribed", "IDrainable", "IRefusingFactory"),
    ),
    "ktcp.parameters": (
        *("Parameter", "integerBetween", "port", "seconds", "pause", "oneOf", "headerValue"),
        *("interface", "network", "directory", "path", "fileName"),
    ),
    "ktcp.testing": (
        *("MemoryConnection", "MemoryTransport", "request", "parseResponses"),
        *("ReceivedResponse", "PEER", "HOST"),
    ),
    "ktcp.load.engine": ("run", "Job", "CannotRun"),
    "ktcp.load.targets": ("Target", "TLS", "targetOfURL", "targetOfAddress", "BadTarget"),
    "ktcp.load.job": ("Checks",),
    "ktcp.load.result": ("Result", "Plan", "Counts", "Histogram", "NotAResult"),
    "ktcp.trace.model": ("Trace", "loads", "dumps", "BadTrace"),
    "ktcp.trace.report.page": ("render",),
    "ktcp.trace.kernel.diag": ("tcpInfo", "listenQueues", "ListenQueues", "Listener", "Diag"),
    "ktcp.trace.errors": ("TraceError", "Refused", "Unavailable"),
}


def publicValues() -> Iterator[tuple[str, Any]]:
    """
    Each public name with what it stands for.
    """
    for module, names in PUBLIC.items():
        for name in names:
            yield f"{module}.{name}", getattr(import_module(module), name)


def documentable() -> Iterator[tuple[str, Any]]:
    """
    Of those the classes, interfaces and functions, and the public methods of ours among them.
    """
    for name, value in publicValues():
        if isinstance(value, InterfaceClass):
            yield name, value
            for member in value.names():
                yield f"{name}.{member}", value[member]
        elif isinstance(value, type):
            yield name, value
            for member, defined in vars(value).items():
                method = getattr(defined, "__func__", defined)
                isMethod = inspect.isfunction(method) or isinstance(method, property)
                isOurs = getattr(method, "__module__", value.__module__) == value.__module__
                if isMethod and isOurs and not member.startswith("_"):
                    yield f"{name}.{member}", method
        elif inspect.isroutine(value):
            yield name, value


def parametersOf(value: Any) -> list[str]:
    """
    What a class or function takes, C{self} left out.
    """
    if isinstance(value, Method):
        return list(value.positional)
    if isinstance(value, (InterfaceClass, Attribute, property)):
        return []
    try:
        names = list(inspect.signature(value).parameters)
    except ValueError:
        # An exception that takes what Exception does.
        return []
    return [name for name in names if name not in ("self", "cls")]


def docstringOf(value: Any) -> str:
    """
    A docstring; of a class with that of its C{__init__}, which tells what it takes.
    """
    made = vars(value).get("__init__") if isinstance(value, type) else None
    return f"{inspect.getdoc(value) or ''}\n{getattr(made, '__doc__', None) or ''}"


class PublicTests(SynchronousTestCase):
    """
    What users may lean on.
    """

    def test_page(self) -> None:
        """
        The page of the reference names these, and no others.
        """
        if not PAGE.exists():
            raise SkipTest("needs ktcp's checkout: docs/ is not installed")
        found = re.findall(r"^\.\. public:: (\S+)\n\n((?:   .*\n)+)", PAGE.read_text(), re.M)
        self.assertEqual({module: tuple(names.split()) for module, names in found}, PUBLIC)

    def test_all(self) -> None:
        """
        Where a module says what it offers, that is the same.
        """
        for module, names in PUBLIC.items():
            said = getattr(import_module(module), "__all__", names)
            self.assertEqual(sorted({*said} - {"__version__"}), sorted(names), module)

    def test_documented(self) -> None:
        """
        Each says what it is.
        """
        bare = [name for name, value in documentable() if not (value.__doc__ or "").strip()]
        self.assertEqual(bare, [])

    def test_parameters(self) -> None:
        """
        A docstring tells of every parameter, unless there is one only, which its first
        sentence tells of, or another docstring does; and of none that there is not.
        """
        wrong = []
        for name, value in documentable():
            said = docstringOf(value)
            taken = parametersOf(value)
            told = re.findall(r"@(?:param|ivar) (\w+):", said)
            if len(taken) > 1 and "See L{" not in said:
                wrong += [f"{name} says nothing of {each}" for each in taken if each not in told]
            named = re.findall(r"@param (\w+):", said)
            wrong += [f"{name} takes no {each}" for each in named if each not in taken]
        self.assertEqual(wrong, [])
