# -*- test-case-name: ktcp.test.test_options -*-
"""
The command line of C{twistd ktcp}, from text to a checked mapping.

The options are those of the service and, for each protocol NAME that
L{ktcp.discovery} finds, C{--NAME ENDPOINT}, C{--NAME-port PORT}, C{--no-NAME}
and the protocol's own.  All are L{Parameter}s, so there is one way to check a
value, to complain of it and to explain it.  Nothing is opened here.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from getopt import GetoptError
from typing import Any, ClassVar, NamedTuple, NoReturn

from twisted.python import usage

from ktcp import __version__, commandline, console, edge, manual, parameters
from ktcp.discovery import discover
from ktcp.endpoint.admission import CLIENT_CONNECTIONS, CONNECTIONS
from ktcp.endpoint.buffers import CEILING
from ktcp.endpoint.sockets import SocketOptions
from ktcp.interfaces import IProtocolPlugin
from ktcp.logs import FORMATS
from ktcp.parameters import Parameter
from ktcp.refusal import Refusal, shown

SERVICE = (
    Parameter(
        "interface",
        "The address that ports are opened on.  0.0.0.0 is every IPv4 address, :: every address "
        "of both kinds.",
        "127.0.0.1",
        parameters.interface,
        "ADDRESS",
    ),
    Parameter(
        "backlog",
        "How many connections wait to be accepted on each port.  The kernel clamps it to "
        "net.core.somaxconn (listen(2)), so a large number is harmless.",
        SocketOptions.backlog,
        parameters.backlog,
        "COUNT",
    ),
    Parameter(
        "workers",
        "How many processes serve, each with an accept queue of its own; auto is one for each "
        "processor that ktcp may run on.  Without this, the one process serves.",
        None,
        parameters.workers,
        "COUNT",
    ),
    Parameter(
        "bound",
        "Bind each worker to a processor, in turn.  Otherwise the scheduler may move it.",
        False,
        None,
    ),
    Parameter(
        "log-format",
        "How twistd writes the service's log: text, or json for an object a line.",
        "text",
        parameters.oneOf(*FORMATS),
        "FORMAT",
    ),
    Parameter(
        "limit-connections",
        "Count of connections in all, of each worker; more are sent away, by HTTP with 503.",
        CONNECTIONS,
        parameters.integerBetween(1, 2**31 - 1),
        "COUNT",
    ),
    Parameter(
        "limit-client-connections",
        "Count of connections from one address, for IPv6 from one /64.",
        CLIENT_CONNECTIONS,
        parameters.integerBetween(1, 2**31 - 1),
        "COUNT",
    ),
    Parameter(
        "admin-port",
        "The TCP port on 127.0.0.1 for metrics, health and the dashboard; 8082 is what the "
        "documentation takes.",
        None,
        parameters.port,
        "PORT",
    ),
    Parameter(
        "admin",
        "Where to serve those as well or instead, such as unix:/run/ktcp-admin.sock.",
        (),
        str,
        "ENDPOINT",
        repeatable=True,
    ),
    Parameter(
        "admin-token-file",
        "A file whose first line who asks must know; needed where others than this machine "
        "reach the admin plane.",
        None,
        str,
        "FILE",
    ),
    Parameter(
        "limit-buffers",
        "Bytes that wait in memory in all, of each worker: of answers that clients do not read, "
        "and of requests that are not wanted yet.  Beyond, connections are reset, those first "
        "that have been stuck for longest.",
        CEILING,
        parameters.integerBetween(1, 2**50),
        "BYTES",
    ),
    Parameter(
        "drain-delay",
        "Seconds to serve on after SIGTERM, for who sends connections here to see that /readyz "
        "says no.",
        0.0,
        parameters.pause,
        "SECONDS",
    ),
    Parameter(
        "drain-timeout",
        "Seconds that connections have to end after that; then they are reset.",
        25.0,
        parameters.pause,
        "SECONDS",
    ),
)

# Second names, by the first.
ALIASES = {"http-port": "port", "http-tls-port": "tls-port"}

RESERVED = frozenset(
    [
        *(each.name for each in (*SERVICE, *edge.TLS, *edge.PROXY)),
        *ALIASES.values(),
        "help",
        "version",
    ]
)


class Group(NamedTuple):
    """
    Options that stand together in C{--help}.
    """

    title: str
    parameters: Sequence[Parameter]


class BaseOptions(usage.Options):
    """
    The options, for the protocols of a subclass: see L{optionsFor}.

    As a mapping: the checked value of each L{Parameter}, by its name.

    @cvar plugins: The protocols there are.
    @cvar groups: Every option, in the order of C{--help}.
    @ivar given: The names of the options on the command line.
    @ivar arguments: The command line.
    @ivar whenParsed: Called when they are right, before anything else is done.
    """

    plugins: ClassVar[Sequence[IProtocolPlugin]] = ()
    groups: ClassVar[Sequence[Group]] = ()

    def __init__(self) -> None:
        super().__init__()
        self.given: set[str] = set()
        self.arguments: Sequence[str] = ()
        self.whenParsed: Callable[[], None] | None = None
        for group in self.groups:
            for each in group.parameters:
                self[each.name] = list(_many(each.default)) if each.repeatable else each.default

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """
        Parse a command line.

        @raise Refusal: It does not parse, or makes no sense.
        """
        self.arguments = sys.argv[1:] if options is None else options
        try:
            super().parseOptions(self.arguments)
        except usage.UsageError as error:
            # getopt's own error knows which option it is about, where the
            # text that usage makes of it depends on the locale.
            if isinstance(error.__context__, GetoptError):
                raise Refusal(self._explain(error.__context__.opt)) from None
            raise Refusal(str(error)) from None
        if self.whenParsed is not None:
            self.whenParsed()

    def _explain(self, option: str) -> str:
        """
        Say what is wrong with an option that getopt does not take.
        """
        names = [long.rstrip("=") for long in self.longOpt]
        if f"{option}=" in self.longOpt:
            return f"--{option}: needs a value"
        if option in self.longOpt:
            return f"--{option}: takes no value"
        likely = [f"--{name}" for name in commandline.likely(option, names)]
        dashes = "-" if len(option) == 1 else "--"
        hint = commandline.didYouMean(likely) if likely else "see --help"
        return f"{dashes}{shown(option)}: no such option; {hint}"

    def parseArgs(self, *arguments: str) -> None:
        """
        Take no arguments.
        """
        if arguments:
            raise usage.UsageError(
                f"{shown(arguments[0])}: not an option; every option begins with --"
            )

    def postOptions(self) -> None:
        """
        Check that the options go together.
        """
        for plugin in self.plugins:
            own = [
                *(plugin.name, f"{plugin.name}-port", f"{plugin.name}-tls-port"),
                *(each.name for each in plugin.parameters),
            ]
            for name in own:
                if self[f"no-{plugin.name}"] and name in self.given:
                    raise usage.UsageError(
                        f"--no-{plugin.name}: contradicts --{called(name)}; give one of the two"
                    )
        if self["bound"] and self["workers"] is None:
            raise usage.UsageError("--bound: binds workers; give --workers too")
        if self["admin-token-file"] is not None and not self.hasPlane():
            raise usage.UsageError(
                "--admin-token-file: is about the admin plane; give --admin-port or --admin too"
            )
        over = [f"{plugin.name}-tls-port" for plugin in self.served()]
        wrong = edge.contradiction(self, [called(name) for name in over if self[name] is not None])
        if wrong is not None:
            raise usage.UsageError(wrong)
        if not self.served():
            asking = ", ".join(f"--{plugin.name}" for plugin in self.plugins)
            raise usage.UsageError(
                f"nothing to serve; give at least one of {asking or 'no protocols'}"
            )

    def hasPlane(self) -> bool:
        """
        Whether the admin plane is asked for.
        """
        return bool(self["admin"]) or self["admin-port"] is not None

    def served(self) -> list[IProtocolPlugin]:
        """
        The protocols to serve: not turned off, and with somewhere to listen.
        """
        return [
            plugin
            for plugin in self.plugins
            if not self[f"no-{plugin.name}"]
            and (
                self[plugin.name]
                or self[f"{plugin.name}-port"] is not None
                or self[f"{plugin.name}-tls-port"] is not None
            )
        ]

    def parametersOf(self, plugin: IProtocolPlugin) -> Mapping[str, object]:
        """
        The values of a protocol's own parameters.
        """
        return {each.name: self[each.name] for each in plugin.parameters}

    def opt_version(self) -> NoReturn:
        """
        Display the version of ktcp and exit.
        """
        console.show(f"ktcp {__version__}")
        sys.exit(0)

    def opt_help(self) -> NoReturn:
        """
        Display this help and exit.
        """
        console.show(str(self))
        sys.exit(0)

    def getUsage(self, width: int | None = None) -> str:
        """
        Explain every option, by group, and what there is to know besides.
        """
        width = width or commandline.width()
        groups = ["\n".join([f"{group.title}:", *_help(group, width)]) for group in self.groups]
        return "\n".join(
            [
                "",
                textwrap.fill(manual.DESCRIPTION, width),
                "",
                "\n\n".join([*groups, textwrap.fill(manual.ENDPOINTS, width)]),
                *commandline.sections(manual.SECTIONS, width),
            ]
        )


def Options() -> BaseOptions:
    """
    Make the options for the protocols that are installed, for a ServiceMaker.

    What is not served because it does not fit is said on C{stderr}.
    """
    found = discover(RESERVED)
    for complaint in found.complaints:
        print(f"ktcp: {complaint}", file=sys.stderr)
    return optionsFor(found.plugins)()


def optionsFor(plugins: Sequence[IProtocolPlugin]) -> type[BaseOptions]:
    """
    Make the class of options for some protocols.

    A class of its own, with a method for each option, because that is where
    C{usage} and its zsh completion look for them.
    """
    groups = [
        Group("Service", SERVICE),
        Group("TLS", edge.TLS),
        Group("Behind a proxy", edge.PROXY),
        *map(_groupFor, plugins),
    ]
    body: dict[str, Any] = {"plugins": plugins, "groups": groups}
    repeatable: list[str] = []
    actions: dict[str, usage.Completer] = {}
    for parameter in (each for group in groups for each in group.parameters):
        if parameter.repeatable:
            repeatable.append(parameter.name)
        for name in _namesOf(parameter):
            if parameter.check is not None:
                actions[name] = manual.COMPLETERS.get(parameter.metavar, usage.Completer)()
            body[f"opt_{name.replace('-', '_')}"] = _optionMethod(parameter, name)
    body["compData"] = usage.Completions(multiUse=repeatable, optActions=actions)
    return type("Options", (BaseOptions,), body)


def _groupFor(plugin: IProtocolPlugin) -> Group:
    """
    The options of a protocol.
    """
    name = plugin.name
    return Group(
        f"{name} - {plugin.description}",
        (
            Parameter(
                f"{name}-port",
                f"The TCP port for {name} on the interface; 0 is any free port.",
                plugin.defaultPort,
                parameters.port,
                "PORT",
            ),
            Parameter(
                f"{name}-tls-port",
                f"A TCP port for {name} over TLS, beside the others.",
                None,
                parameters.port,
                "PORT",
            ),
            Parameter(
                name,
                f"Where to serve {name} instead; may be given again for more places.",
                (),
                str,
                "ENDPOINT",
                repeatable=True,
            ),
            Parameter(f"no-{name}", f"Do not serve {name}.", False, None),
            *plugin.parameters,
        ),
    )


def _namesOf(parameter: Parameter) -> list[str]:
    """
    The names of an option, first the one in the mapping.
    """
    return list(dict.fromkeys((parameter.name, called(parameter.name))))


def _optionMethod(parameter: Parameter, name: str) -> Callable[..., None]:
    """
    Make the method that C{usage} calls for an option.

    @param name: The name that the user typed.
    """
    check = parameter.check

    def flag(self: BaseOptions) -> None:
        self.given.add(parameter.name)
        self[parameter.name] = True

    def valued(self: BaseOptions, text: str) -> None:
        assert check is not None
        try:
            value = check(text)
        except ValueError as error:
            raise usage.UsageError(f"--{name} {shown(text)}: must be {error}") from None
        if parameter.repeatable:
            # What is given replaces the default, then adds up.
            value = [*(self[parameter.name] if parameter.name in self.given else ()), value]
        self.given.add(parameter.name)
        self[parameter.name] = value

    method: Callable[..., None] = flag if check is None else valued
    method.__doc__ = parameter.description
    return method


def _help(group: Group, width: int) -> Iterator[str]:
    """
    Make the lines of C{--help} for a group.
    """
    column = " " * 28
    for parameter in group.parameters:
        names = ", ".join(f"--{name}" for name in reversed(_namesOf(parameter)))
        left = f"  {names}" if parameter.check is None else f"  {names} {parameter.metavar}"
        text = " ".join(f"{parameter.description} {_default(parameter)}".split())
        lines = textwrap.wrap(text, max(width - len(column), 20))
        if len(left) < len(column) - 1:
            yield left.ljust(len(column)) + lines.pop(0)
        else:
            yield left
        for line in lines:
            yield column + line


def _default(parameter: Parameter) -> str:
    """
    Say what holds when an option is not given.
    """
    if parameter.check is None:
        return "[default: off]"
    if parameter.repeatable:
        return f"[default: {', '.join(map(str, _many(parameter.default))) or 'none'}]"
    return f"[default: {'none' if parameter.default is None else parameter.default}]"


def _many(default: object) -> Sequence[object]:
    """
    The default of a repeatable parameter, which is a sequence or nothing.
    """
    return default if isinstance(default, (list, tuple)) else ()


def called(name: str) -> str:
    """
    The name of an option that its users know it by.
    """
    return ALIASES.get(name, name)
