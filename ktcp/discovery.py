# -*- test-case-name: ktcp.test.test_discovery -*-
"""
Which protocols there are to serve: the plugins that Twisted finds, checked.

A plugin comes from anybody.  One that does not load, or does not fit, costs
one line of complaint and itself; the others are served.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import ModuleType
from typing import NamedTuple

import twisted.plugins
from twisted.plugin import CachedDropin, getCache
from twisted.python.modules import getModule

from ktcp.interfaces import IProtocolPlugin
from ktcp.parameters import Parameter
from ktcp.refusal import oneLine

# The module of ktcp's own plugins, which come first.
OWN = "ktcp_plugin"

# What importing somebody's module may raise: sys.exit() has been seen in them.
LOAD_ERRORS = (Exception, SystemExit)

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class Discovery(NamedTuple):
    """
    What was found.

    @ivar plugins: The protocols, in the order of C{--help}.
    @ivar complaints: One line for each thing that is not served, and why.
    """

    plugins: list[IProtocolPlugin]
    complaints: list[str]


def discover(
    reserved: frozenset[str] = frozenset(), package: ModuleType = twisted.plugins
) -> Discovery:
    """
    Find the protocol plugins below a package.

    L{getCache} is asked rather than C{getPlugins}, which is a loop over it:
    that loop keeps to itself where a plugin is from, and logs the traceback
    of one that fails where a line will do.

    @param reserved: Names of options that no plugin may claim.
    """
    found = Discovery([], [])
    owners = dict.fromkeys(reserved, "ktcp itself")
    cache = getCache(package)
    found.complaints.extend(_unloadable(package, cache))
    for key in sorted(cache, key=lambda key: (key != OWN, key)):
        for name, plugin in _pluginsOf(cache[key], found.complaints):
            where = f"{cache[key].moduleName}.{name}"
            try:
                options = _check(plugin, isOwn=key == OWN)
                _claim(options, where, owners)
            except ValueError as error:
                found.complaints.append(f"plugin {where}: {error}; it is not served")
            else:
                found.plugins.append(plugin)
    return found


def _unloadable(package: ModuleType, cache: dict[str, CachedDropin]) -> Iterator[str]:
    """
    Say which modules of a plugin package are missing from its cache, and why.
    """
    # getCache has put the traceback into the log, but names neither module
    # nor reason there in a line of its own; loading once more tells us.
    for module in getModule(package.__name__).iterModules():
        if module.name.rpartition(".")[2] not in cache:
            try:
                module.load()
            except LOAD_ERRORS as error:
                yield (
                    f"plugin module {module.name} does not load ({oneLine(error)}); "
                    "what it offers is not served"
                )


def _pluginsOf(
    dropin: CachedDropin, complaints: list[str]
) -> Iterator[tuple[str, IProtocolPlugin]]:
    """
    Load the protocol plugins of a module, and no other plugin.
    """
    for cached in dropin.plugins:
        try:
            plugin = IProtocolPlugin(cached, None)
        except LOAD_ERRORS as error:
            where = f"{dropin.moduleName}.{cached.name}"
            complaints.append(f"plugin {where} does not load ({oneLine(error)}); it is not served")
        else:
            if plugin is not None:
                yield cached.name, plugin


def _check(plugin: IProtocolPlugin, isOwn: bool) -> list[str]:
    """
    Check that a plugin is what L{IProtocolPlugin} says.

    @param isOwn: It is ktcp's, whose parameters may have names of their own.
    @return: The names of the options it adds.
    @raise ValueError: It is not, and how.
    """
    missing = [name for name in IProtocolPlugin if not hasattr(plugin, name)]
    if missing:
        raise ValueError(f"it has no {', '.join(sorted(missing))}")
    name, port = plugin.name, plugin.defaultPort
    if not (isinstance(name, str) and NAME.fullmatch(name)):
        raise ValueError(f"its name is {name!r}; it must be lower-case letters, digits and hyphens")
    if not isinstance(plugin.description, str):
        raise ValueError(f"its description is {plugin.description!r}; it must be one line of text")
    if not (port is None or (type(port) is int and 0 <= port <= 65535)):
        raise ValueError(f"its default port is {port!r}; it must be from 0 to 65535, or None")
    return [
        name,
        f"{name}-port",
        f"{name}-tls-port",
        f"no-{name}",
        *_checkParameters(plugin, isOwn),
    ]


def _checkParameters(plugin: IProtocolPlugin, isOwn: bool) -> Iterator[str]:
    """
    Check a plugin's own parameters, and name them.

    @raise ValueError: One of them is not what it must be.
    """
    try:
        parameters = list(plugin.parameters)
    except TypeError:
        raise ValueError("its parameters are not a sequence") from None
    for parameter in parameters:
        if not isinstance(parameter, Parameter):
            raise ValueError(f"{parameter!r} is not a ktcp.parameters.Parameter")
        name = parameter.name
        if not (NAME.fullmatch(name) and (isOwn or name.startswith(f"{plugin.name}-"))):
            raise ValueError(f"its parameter {name!r} must be named {plugin.name}-SOMETHING")
        yield name


def _claim(options: list[str], where: str, owners: dict[str, str]) -> None:
    """
    Give options to a plugin, all or none of them.

    @raise ValueError: One is taken, by its elder or by the plugin itself.
    """
    for index, option in enumerate(options):
        owner = where if option in options[:index] else owners.get(option)
        if owner is not None:
            raise ValueError(f"--{option} belongs to {owner}")
    owners.update(dict.fromkeys(options, where))
