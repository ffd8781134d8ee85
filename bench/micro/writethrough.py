"""
Echoes per second over Twisted's transport and over the one that sends at once.
"""

from loopback import compare, pingPong

if __name__ == "__main__":
    compare(
        pingPong,
        {
            "tcp: buffers, sends a turn later": ("epoll", "tcp:0:interface=127.0.0.1"),
            "ktcp: writes through": ("epoll", "ktcp:0:interface=127.0.0.1"),
        },
        size=64,
        connections=50,
    )
