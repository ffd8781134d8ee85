# -*- test-case-name: ktcp.test.test_trace_recording_lab -*-
"""
Where a workload runs: on loopback, or between two network namespaces that are
joined by a pair of virtual Ethernet devices.

The second is nobody else's: each frame on its devices is the workload's, and
there is ARP and a queueing discipline as on a real network.  IPv6 is off there,
whose neighbour discovery talks unasked.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ktcp.trace.errors import Unavailable
from ktcp.trace.kernel.namespaces import NAMESPACES, inside, unavailable

_OURS = re.compile(r"ktp-(\d+)-[sc]")


class Loopback:
    """
    This host, as it is.

    @ivar address: Of the server.
    @ivar devices: A pattern for the names of the devices.
    @ivar private: Whether those are the lab's own.
    @ivar wide: Scopes of L{ktcp.trace.analysis.events} in which to hear everybody.
    @ivar captures: Where to capture: a namespace (empty: here), an interface.
    """

    name = "lo"
    address = "127.0.0.1"
    devices = "lo"
    private = False
    wide: frozenset[str] = frozenset()
    captures: tuple[tuple[str, str], ...] = (("", "lo"),)

    def wrap(self, side: str, command: list[str]) -> list[str]:
        """
        A command so that it runs where C{client} or C{server} is.
        """
        return command

    def forget(self) -> None:
        """
        Make the two sides strangers again, that is, have them ask by ARP.
        """


class Attached(Loopback):
    """
    A server that runs already.  Its clients are strangers, and frames from
    elsewhere come in whatever task happens to run: so everybody is heard, and
    the rest left out later.
    """

    name = ""
    wide = frozenset({"device", "inet"})

    def __init__(self, interface: str) -> None:
        self.devices = interface
        self.captures = (("", interface),)


class Veth(Loopback):
    """
    Two namespaces; see L{veth}.
    """

    name = "veth"
    address = "192.0.2.1"
    devices = "ktp*"
    private = True
    wide = frozenset({"device"})

    def __init__(self) -> None:
        names = {"server": f"ktp-{os.getpid()}-s", "client": f"ktp-{os.getpid()}-c"}
        self.namespaces = names
        self.captures = ((names["server"], "ktp0"), (names["client"], "ktp1"))

    def wrap(self, side: str, command: list[str]) -> list[str]:
        """
        See L{Loopback.wrap}.
        """
        return ["ip", "netns", "exec", self.namespaces[side], *command]

    def forget(self) -> None:
        """
        See L{Loopback.forget}.
        """
        for namespace in self.namespaces.values():
            _ip("-n", namespace, "neigh", "flush", "all")


@contextmanager
def veth() -> Iterator[Veth]:
    """
    Set up the namespaces; they are gone when the context ends.

    @raise Unavailable: They cannot be made here.
    """
    made = Veth()
    server, client = made.namespaces["server"], made.namespaces["client"]
    try:
        _ip("netns", "add", server)
        _ip("netns", "add", client)
        # Before there is a device that could announce itself.
        for namespace in (server, client):
            with inside(namespace):
                _switchOffIPv6()
        _ip(*f"-n {server} link add ktp0 type veth peer name ktp1 netns {client}".split())
        for namespace, device, address in (
            (server, "ktp0", "192.0.2.1/24"),
            (client, "ktp1", "192.0.2.2/24"),
        ):
            _ip("-n", namespace, "addr", "add", address, "dev", device)
            _ip("-n", namespace, "link", "set", device, "up")
            _ip("-n", namespace, "link", "set", "lo", "up")
        yield made
    finally:
        for namespace in (server, client):
            _remove(namespace)


def sweep() -> list[str]:
    """
    Remove the namespaces of processes that are gone.

    @return: Their names.
    """
    if not NAMESPACES.is_dir():
        return []
    swept = []
    for entry in NAMESPACES.iterdir():
        match = _OURS.fullmatch(entry.name)
        if match and not Path("/proc", match[1]).exists():
            _remove(entry.name)
            swept.append(entry.name)
    return swept


def _switchOffIPv6() -> None:
    """
    No IPv6 on any device of this namespace to come.
    """
    for which in ("all", "default"):
        switch = Path(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6")
        if switch.exists():
            switch.write_text("1")


def _ip(*arguments: str) -> None:
    """
    Run C{ip}.

    @raise Unavailable: There is none, or it fails.
    """
    try:
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Unavailable("the program ip", "ktcp trace --lab veth", "install iproute2") from None
    if done.returncode:
        raise unavailable(done.stderr.strip().partition("\n")[0])


def _remove(namespace: str) -> None:
    """
    Remove a namespace, and with it the devices in it.
    """
    subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)
