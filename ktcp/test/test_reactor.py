"""
Tests for L{ktcp.reactor}: first what Twisted asks of every reactor.
"""

from __future__ import annotations

from ktcp.reactor import KTCPReactor
from ktcp.test.twistedsuites import suites

globals().update(
    suites(
        KTCPReactor,
        __name__,
        [
            "test_core",
            "test_fdset",
            "test_process",
            "test_tcp",
            "test_threads",
            "test_time",
            "test_tls",
            "test_udp",
            "test_unix",
        ],
        {
            "test_lostFileDescriptor": "epoll forgets closed descriptors by itself",
            "test_changeUID": "run by root, it needs an interpreter that any user may run",
        },
    )
)
