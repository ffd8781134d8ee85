"""
Echoes per second on Twisted's epoll reactor and on ktcp's, same transport.
"""

from loopback import compare, pingPong

if __name__ == "__main__":
    compare(
        pingPong,
        {
            "epoll: a log context per event": ("epoll", "ktcp:0:interface=127.0.0.1"),
            "ktcp: reads directly": ("ktcp", "ktcp:0:interface=127.0.0.1"),
        },
        size=64,
        connections=50,
    )
