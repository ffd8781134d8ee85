# -*- test-case-name: ktcp.test.test_options -*-
"""
What C{twistd ktcp --help} says beside the options, and what zsh may offer for
their values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.python import usage

from ktcp.commandline import Section

DESCRIPTION = (
    "Serve HTTP/1.1, an echo and other protocols. With no option at all: HTTP on port 8081 "
    "and the echo on port 12345, both of 127.0.0.1. twistd's own options stand before the "
    "word ktcp: -n stays in the foreground, and twistd --help has the others."
)

SECTIONS = (
    Section(
        "Examples",
        (
            ("twistd -n ktcp --port 8080 --no-echo", "HTTP alone, in the foreground"),
            (
                "twistd -n ktcp --root public --interface 0.0.0.0 --workers auto",
                "the files of a folder, to everybody, on all processors",
            ),
            (
                "twistd ktcp --no-http --echo unix:/run/echo.sock",
                "an echo at a UNIX socket, as a daemon",
            ),
        ),
    ),
    Section(
        "Exit status",
        (
            ("0", "it was stopped, by SIGTERM or SIGINT, and everything has ended"),
            ("1", "it did not start; one line says why, and nothing is left"),
        ),
    ),
    Section(
        "See also",
        (
            ("ktcp-load --help", "the load generator"),
            ("ktcp --help", "what the kernel does for a connection"),
        ),
    ),
)

ENDPOINTS = (
    "An ENDPOINT is one of Twisted's endpoint strings: tcp:8080:interface=0.0.0.0, "
    "ssl:8443:privateKey=server.pem, unix:/run/ktcp.sock, systemd:domain=INET:index=0, "
    "haproxy:tcp:8080.  A colon within a value is written \\:, as in interface=\\:\\:1.  An "
    "ENDPOINT stands in for the port of its protocol.  Port 0 is any free port; the log says "
    "which."
)

# How the endpoint strings that are most asked for begin.
BEGINNINGS = ("tcp:", "tcp6:", "ktcp:", "ssl:", "unix:", "systemd:", "haproxy:")


class _Beginnings(usage.Completer):
    """
    For zsh: words that something else follows, so that it puts no blank there.
    """

    # Twisted's own completers differ in this alone; it has no other name.
    def _shellCode(self, optName: str, shellType: str) -> str:
        words = " ".join(each.replace(":", "\\:") for each in BEGINNINGS)
        return f"{self._repeatFlag}:{self._description(optName)}:{{compadd -S '' -- {words}}}"


# What a shell may offer for a value, by what --help calls it; for others, nothing.
COMPLETERS: Mapping[str, Callable[[], usage.Completer]] = {
    "ENDPOINT": _Beginnings,
    "DIRECTORY": usage.CompleteDirs,
    "PATH": usage.CompleteFiles,
    "FILE": usage.CompleteFiles,
}
