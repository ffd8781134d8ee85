"""
What ktcp plugs into Twisted.

twistd may import this file just to print its help, and a failure here only
costs the subcommand a line in the log: nothing below loads h11, TLS or a reactor.
"""

from twisted.application.reactors import Reactor
from twisted.application.service import ServiceMaker

from ktcp.endpoint.parser import KTCPServerParser
from ktcp.http import limits
from ktcp.parameters import Parameter, directory, fileName, headerValue, oneOf
from ktcp.plugin import ProtocolPlugin

ktcp = ServiceMaker(
    "ktcp",
    "ktcp.service",
    "An HTTP/1.1 server, an echo server and more, on fast sockets.",
    "ktcp",
)

http = ProtocolPlugin(
    "http",
    "HTTP/1.1 (RFC 9110, 9112)",
    "ktcp.http.factory.makeHTTP",
    defaultPort=8081,
    parameters=(
        Parameter(
            "root",
            "Serve the files below this directory, rather than a greeting.",
            None,
            directory,
            "DIRECTORY",
        ),
        Parameter(
            "index",
            "Names that stand for their directory, the best first; index.html if none is given.",
            (),
            fileName,
            "NAME",
            repeatable=True,
        ),
        Parameter("no-listing", "Answer 404 for a directory without an index.", False, None),
        Parameter("hidden", "Serve files whose names begin with a dot, too.", False, None),
        Parameter(
            "follow-symlinks",
            "Follow symbolic links out of the directory, too.",
            False,
            None,
        ),
        Parameter(
            "cache-control",
            "The Cache-Control header of files, such as max-age=3600.",
            None,
            str,
        ),
        Parameter("no-compress", "Send files as they are, or as they lie packed.", False, None),
        Parameter(
            "diagnostics",
            "Serve /echo, /delay/SECONDS, /status/CODE, /bytes/N, /stream/N, /headers and /fib/N, "
            "too, to try clients with.",
            False,
            None,
        ),
        Parameter(
            "access-log",
            "Write a line for each answer at the end of this file; - is stdout.",
            None,
            str,
            "PATH",
        ),
        Parameter(
            "access-log-format",
            "How: combined, as Apache and nginx do, or json, an object for each line.",
            "combined",
            oneOf("combined", "json"),
            "FORMAT",
        ),
        Parameter("server-header", "The Server header of answers.", "ktcp", headerValue, "TEXT"),
        Parameter("no-server-header", "Send no Server header.", False, None),
        *limits.PARAMETERS,
    ),
)
echo = ProtocolPlugin(
    "echo",
    "Echo: every byte back (RFC 862)",
    "ktcp.echo.makeEcho",
    defaultPort=12345,
)
discard = ProtocolPlugin(
    "discard", "Discard: every byte dropped (RFC 863)", "ktcp.echo.makeDiscard"
)
chargen = ProtocolPlugin(
    "chargen",
    "Character generator: text without end (RFC 864)",
    "ktcp.echo.makeChargen",
)

endpoint = KTCPServerParser()
reactor = Reactor(
    "ktcp",
    "ktcp.reactor",
    "epoll(7) with a cheaper way for readable descriptors; Linux.",
)
