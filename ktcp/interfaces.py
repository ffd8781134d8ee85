# -*- test-case-name: ktcp.test.test_interfaces -*-
"""
What ktcp asks of a protocol that it serves, and what it hands to it.

A protocol is added to C{twistd ktcp} by a package that drops one file into
C{twisted/plugins/}; ktcp's own protocols come in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory
from zope.interface import Attribute, Interface

from ktcp.counters import Counters
from ktcp.privileges import User


@dataclass(frozen=True)
class Context:
    """
    What a protocol plugin may use of the process it is served in.

    @ivar reactor: The reactor that runs the service; never import another.
    @ivar counters: Where the process counts, for a protocol that has something to add.
    @ivar reopening: Called, each, when files that may have been moved away are
        to be opened again, such as logs; a plugin appends its own.
    @ivar user: Who will serve, where that is not who starts; such files are to
        be opened with L{ktcp.privileges.acting} as that user.
    @ivar proxies: Networks of proxies that are trusted (C{--proxy-trust}).
    @ivar proxyHeaders: Which headers they write (C{--proxy-headers}).
    """

    reactor: Any
    reopening: list[Callable[[], None]] = field(default_factory=list, compare=False)
    counters: Counters | None = field(default=None, compare=False)
    user: User | None = None
    proxies: Sequence[IPv4Network | IPv6Network] = ()
    proxyHeaders: str = "x-forwarded"


class IRefusingFactory(Interface):
    """
    A factory that can tell a client that there is no room for its connection.
    Those of other factories are closed without a word.
    """

    def buildRefusal(addr: IAddress) -> IProtocol | None:
        """
        Make what C{buildProtocol} would, for a connection over the limit.

        @param addr: Of the client.
        @return: A protocol that says so and closes within seconds, whatever its
            client does; L{None}: the connection is to be closed.
        """


class IDescribed(Interface):
    """
    A protocol that can say where it stands, to C{/connections} of the admin plane.
    """

    def describe() -> Mapping[str, object]:
        """
        What JSON can say: C{state}, one word, and what else there is to say.
        """


class IDrainable(Interface):
    """
    A protocol that can end by itself; others are closed as they stand when the
    service stops, with what they have written.
    """

    def drain() -> None:
        """
        Close as soon as nothing is under way: at once if that is now, else when
        what has been asked for is answered.  The service waits for it, but no
        longer than C{--drain-timeout}.
        """


class IProtocolPlugin(Interface):
    """
    A protocol that C{twistd ktcp} can serve.

    For a plugin called NAME the command line gets C{--NAME ENDPOINT}
    (repeatable), C{--NAME-port N}, C{--no-NAME} and an option for each of its
    own parameters.  A plugin object is made whenever any twistd prints its
    help, so it stays light: it imports its protocol in L{makeFactory}, not
    before.  L{ktcp.plugin.ProtocolPlugin} does all this for a plugin that can
    name its factory maker as a string.
    """

    name = Attribute(
        """
        C{str}: the stem of the options; lower-case letters, digits and
        hyphens, beginning with a letter.  The first plugin to claim a name
        has it (in the order of their modules' names, ktcp's own first).
        """
    )

    description = Attribute("C{str}: one line for C{--help}.")

    defaultPort = Attribute(
        """
        C{int} from 0 to 65535: the TCP port served when the user says
        nothing; L{None}: off until asked for, the right choice for a
        distribution that is only installed beside others.
        """
    )

    parameters = Attribute(
        """
        A sequence of L{ktcp.parameters.Parameter}: the protocol's own, named
        NAME-SOMETHING (only ktcp's own protocols have shorter names).
        """
    )

    def makeFactory(parameters: Mapping[str, object], context: Context) -> IProtocolFactory:
        """
        Make the factory that serves all of the protocol's listeners.

        @param parameters: A mapping with the checked value of each of the
            plugin's parameters by its name.
        @param context: A L{Context}.
        @return: A L{twisted.internet.interfaces.IProtocolFactory}.
        @raise ValueError: The values are each right but do not go together;
            the message is shown as one line and nothing is served.
        """
