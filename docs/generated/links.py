"""
What pydoctor needs to link names that are not ours, with no inventory fetched: names are
looked up in what is installed, and the pages of Python and Twisted are named after them.
"""

from __future__ import annotations

import builtins
import inspect
import pkgutil
import sys
from functools import cache
from types import ModuleType

from pydoctor.model import System
from pydoctor.sphinx import SphinxInventory
from twisted.internet import interfaces
from zope.interface.interface import InterfaceClass

PYTHON = "https://docs.python.org/3/library"
TWISTED = "https://docs.twisted.org/en/stable/api"

# Builtin types have a page of their own, beside that of functions.
_TYPES = ("str", "bytes", "bytearray", "memoryview", "list", "tuple", "dict", "set", "frozenset")


@cache
def linkTo(name: str) -> str | None:
    """
    Where a name is documented, or L{None} where nobody knows it.
    """
    package = name.partition(".")[0]
    if hasattr(interfaces, name):
        # Twisted's are often named without their module.
        name = f"{interfaces.__name__}.{name}"
        package = "twisted"
    if hasattr(builtins, name):
        return f"{PYTHON}/{_builtinPage(name)}.html#{name}"
    if package not in sys.stdlib_module_names and package != "twisted":
        return None
    try:
        value = pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return None
    isModule = isinstance(value, ModuleType)
    module = name if isModule else name.rpartition(".")[0]
    if package != "twisted":
        return f"{PYTHON}/{module}.html" + ("" if isModule else f"#{name}")
    if isModule or isinstance(value, (type, InterfaceClass)):
        return f"{TWISTED}/{name}.html"
    return f"{TWISTED}/{module}.html#{name.rpartition('.')[2]}"


def _builtinPage(name: str) -> str:
    value = getattr(builtins, name)
    if inspect.isclass(value) and issubclass(value, BaseException):
        return "exceptions"
    if name in _TYPES:
        return "stdtypes"
    return "functions" if callable(value) else "constants"


class Elsewhere(SphinxInventory):
    """
    The inventory of all that is not ours.
    """

    def getLink(self, name: str) -> str | None:
        """
        See L{linkTo}.
        """
        return linkTo(name)


class KTCPSystem(System):
    """
    pydoctor's model of the code, linked by L{linkTo}.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.intersphinx = Elsewhere(logger=self.msg)
