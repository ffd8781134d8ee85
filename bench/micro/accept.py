"""
Connections per second that come, are answered and go: Twisted's accept loop
and ktcp's, without and with TCP_DEFER_ACCEPT, on the same reactor.
"""

from loopback import comeAndGo, compare

if __name__ == "__main__":
    compare(
        comeAndGo,
        {
            "tcp: reads and closes turns later": ("ktcp", "tcp:0:interface=127.0.0.1"),
            "ktcp: all in the turn that accepts": ("ktcp", "ktcp:0:interface=127.0.0.1"),
            "ktcp: and deferaccept=5": ("ktcp", "ktcp:0:interface=127.0.0.1:deferaccept=5"),
        },
        size=64,
        connections=20,
    )
