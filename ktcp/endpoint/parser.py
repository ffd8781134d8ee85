# -*- test-case-name: ktcp.test.test_endpoint_parser -*-
"""
C{ktcp:} endpoint strings.

twistd makes the parser to print its help, so what it leads to is imported
when a string is parsed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IStreamServerEndpointStringParser
from twisted.plugin import IPlugin
from zope.interface import implementer

from ktcp.parameters import integerBetween

if TYPE_CHECKING:
    from ktcp.endpoint.server import KTCPServerEndpoint


@implementer(IPlugin, IStreamServerEndpointStringParser)
class KTCPServerParser:
    r"""
    The parser of C{ktcp:PORT:interface=ADDRESS:OPTION=VALUE:...}.

    The options are the fields of
    L{SocketOptions<ktcp.endpoint.sockets.SocketOptions>}.
    """

    prefix = "ktcp"

    def parseStreamServer(self, reactor: Any, *args: Any, **kwargs: Any) -> KTCPServerEndpoint:
        """
        Make the endpoint that the string describes.

        @raise ValueError: It describes none; one line that says why.
        """
        try:
            return _parse(reactor, *args, **kwargs)
        except ValueError as e:
            raise ValueError(f"ktcp: {e}") from None


def _parse(reactor: Any, *args: str, **kwargs: str) -> KTCPServerEndpoint:
    """
    See L{KTCPServerParser.parseStreamServer}.
    """
    from ktcp.endpoint.server import KTCPServerEndpoint
    from ktcp.endpoint.sockets import SocketOptions

    if len(args) + ("port" in kwargs) != 1:
        raise ValueError("give one port, such as ktcp:8080")
    texts = dict(kwargs)
    port = _convert("port", args[0] if args else texts.pop("port"), integerBetween(0, 65535))
    interface = texts.pop("interface", "")
    checks = optionChecks()
    if unknown := sorted(texts.keys() - checks.keys()):
        raise ValueError(
            f"unknown option {unknown[0]}={texts[unknown[0]]} "
            f"(there are interface, {', '.join(checks)})"
        )
    values: Mapping[str, Any] = {
        name: _convert(name, text, checks[name]) for name, text in texts.items()
    }
    return KTCPServerEndpoint(reactor, port, interface, SocketOptions(**values))


def optionChecks() -> dict[str, Callable[[str], object]]:
    """
    How the text of each option is read, by its name: to a value, or C{ValueError}.
    """
    from ktcp.endpoint.sockets import LARGEST

    flags = ("reuseport", "nodelay", "cork", "quickack", "v6only")
    return {
        **{
            name: integerBetween(int(name == "backlog"), largest)
            for name, largest in LARGEST.items()
        },
        **dict.fromkeys(flags, _yesOrNo),
        "keepalive": _keepAlive,
    }


def _convert(name: str, text: str, check: Callable[[str], Any]) -> Any:
    """
    Read a value and blame the option for a bad one.
    """
    try:
        return check(text)
    except ValueError as e:
        raise ValueError(f"{name} must be {e}, not {text!r}") from None


def _yesOrNo(text: str) -> bool:
    """
    Read a flag.
    """
    if text not in ("yes", "no"):
        raise ValueError("yes or no")
    return text == "yes"


def _keepAlive(text: str) -> object:
    """
    Read C{IDLE,INTERVAL,COUNT}, or C{no}.
    """
    from ktcp.endpoint.sockets import LARGEST_KEEPALIVE, KeepAlive

    if text == "no":
        return None
    try:
        parts = [
            integerBetween(1, largest)(part)
            for part, largest in zip(text.split(","), LARGEST_KEEPALIVE.values(), strict=True)
        ]
    except ValueError:
        raise ValueError(
            "IDLE,INTERVAL,COUNT in seconds, seconds and probes, such as 60,10,6, or no"
        ) from None
    return KeepAlive(*parts)
