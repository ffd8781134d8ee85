# -*- test-case-name: ktcp.test.test_trace_recording_lab -*-
"""
Network namespaces: which network the calling thread is in (network_namespaces(7)).

The lab that is made of them is L{ktcp.trace.recording.lab}.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ktcp.trace.errors import Unavailable

# Where ip-netns(8) keeps those that have a name.
NAMESPACES = Path("/run/netns")
# linux/sched.h
CLONE_NEWNET = 0x40000000


def unshareNetwork() -> None:
    """
    Move the calling thread into a new network namespace (unshare(2)).

    @raise OSError: The kernel refuses.
    """
    _call("unshare", CLONE_NEWNET)


def enterNetwork(descriptor: int) -> None:
    """
    Move the calling thread into the network namespace of a descriptor (setns(2)).

    @raise OSError: The kernel refuses.
    """
    _call("setns", descriptor, CLONE_NEWNET)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """
    Have this thread in a network namespace: what sockets it opens stay there.

    @param namespace: Its name, or empty for where we are.
    @raise Unavailable: The kernel refuses.
    """
    if not namespace:
        yield
        return
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        there = os.open(NAMESPACES / namespace, os.O_RDONLY)
        try:
            enterNetwork(there)
        except OSError as error:
            raise unavailable(str(error.strerror)) from None
        finally:
            os.close(there)
        try:
            yield
        finally:
            enterNetwork(here)
    finally:
        os.close(here)


def unavailable(reason: str) -> Unavailable:
    """
    Say that there can be no namespaces.
    """
    missing = f"the right to make network namespaces ({reason})"
    remedy = "run it as root or with CAP_SYS_ADMIN, or use --lab lo"
    return Unavailable(missing, "ktcp trace --lab veth", remedy)


def _call(name: str, *arguments: int) -> None:
    """
    Call a function of the C library: Python has these two since 3.12.
    """
    # Here, because it is slow to import and few need it.
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
