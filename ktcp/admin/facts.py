# -*- test-case-name: ktcp.test.test_admin_routes -*-
"""
What is to be known of a running ktcp, as what JSON can say.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred

from ktcp import __version__
from ktcp.counters import Snapshot
from ktcp.interfaces import IDescribed
from ktcp.trace.errors import Unavailable
from ktcp.trace.kernel.diag import Diag, listenQueues, tcpInfo
from ktcp.trace.kernel.queues import takeSample

JSON = Mapping[str, Any]

# Connections that are told of, at most: a row has some 300 bytes, and a worker's are to
# fit into a report (ktcp.workers.reports.LONGEST).
LISTED = 500


@dataclass
class Facts:
    """
    Where the answers come from.

    @ivar snapshot: The counters, of all processes.
    @ivar workers: The same of each worker, by its number; none: one process serves.
    @ivar listeners: Each protocol with the address that it is served at.
    @ivar connections: Fires with L{inventory}'s lists, of each process.
    @ivar parameters: See L{parametersOf}.
    @ivar isReady: New connections are welcome: false from the moment a drain begins.
    """

    snapshot: Callable[[], Snapshot]
    workers: Callable[[], Mapping[int, Snapshot]]
    listeners: Callable[[], Iterable[tuple[str, Any]]]
    connections: Callable[[int], Deferred[list[list[JSON]]]]
    parameters: Sequence[JSON]
    isReady: Callable[[], bool]
    started: float = field(default_factory=time.monotonic)
    _diag: Diag | None = None

    def uptime(self) -> float:
        """
        Seconds since the start.
        """
        return time.monotonic() - self.started

    def ports(self) -> list[tuple[str, Any]]:
        """
        The listeners on TCP.
        """
        return [
            (name, address)
            for name, address in self.listeners()
            if isinstance(address, (IPv4Address, IPv6Address))
        ]

    def acceptQueues(self) -> list[JSON]:
        """
        How many connections wait on each listening socket, and how many may: with workers
        each has a socket of its own.  Cheap: the kernel looks up listeners by their port.
        """
        queues: list[JSON] = []
        with suppress(Unavailable, OSError):
            diag = self._opened()
            for name, address in self.ports():
                for each in listenQueues(address.port, diag, halfOpen=False).listeners:
                    queues.append(
                        {
                            "protocol": name,
                            "address": each.address,
                            "port": each.port,
                            "waiting": each.waiting,
                            "limit": each.limit,
                            "drops": each.drops,
                        }
                    )
        return queues

    def queues(self) -> JSON:
        """
        The same, with how many are half-open and what the kernel has counted.
        """
        found: dict[str, Any] = {"listeners": self.acceptQueues(), "synReceived": {}}
        try:
            diag = self._opened()
            for _, address in self.ports():
                sample = takeSample(address.port, diag)
                found["synReceived"][str(address.port)] = sample.synReceived
                found["kernel"] = sample.counters
                found["bounds"] = sample.bounds._asdict()
        except Unavailable as error:
            found["unavailable"] = str(error)
        return found

    def _opened(self) -> Diag:
        if self._diag is None:
            self._diag = Diag()
        return self._diag

    async def listConnections(self, most: int = LISTED) -> JSON:
        """
        The connections that there are.
        """
        lists = await self.connections(most + 1)
        found = [row for rows in lists for row in rows]
        return {"connections": found[:most], "truncated": len(found) > most}

    def describe(self) -> JSON:
        """
        What this is.
        """
        return {
            "version": __version__,
            "pid": os.getpid(),
            "uptimeSeconds": round(self.uptime(), 3),
            "ready": self.isReady(),
        }


def summaryOf(snapshot: Snapshot) -> dict[str, Any]:
    """
    A few numbers of a snapshot.
    """
    return {
        "requests": snapshot.value("requests"),
        "bytesIn": snapshot.value("bytes_in"),
        "bytesOut": snapshot.value("bytes_out"),
        "accepted": snapshot.value("accepted"),
        "connections": snapshot.value("accepted") - snapshot.value("closed"),
        "restarts": snapshot.value("worker_restarts"),
    }


def parametersOf(options: Any) -> list[JSON]:
    """
    Every option, with its value and whether it was given.  Secrets are in files, and only
    the names of those are options.
    """
    return [
        {
            "name": each.name,
            "value": options[each.name],
            "origin": "command line" if each.name in options.given else "default",
            "description": each.description,
        }
        for group in options.groups
        for each in group.parameters
    ]


def inventory(connections: Iterable[tuple[str, Any, float]], most: int) -> list[JSON]:
    """
    Describe connections of this process.

    @param connections: Each with its protocol's name and when it began
        (C{time.monotonic}).
    @param most: How many, at most.
    """
    rows: list[JSON] = []
    now = time.monotonic()
    for name, protocol, began in connections:
        if len(rows) >= most:
            break
        transport = getattr(protocol, "transport", None)
        if transport is not None and getattr(transport, "connected", True):
            rows.append(_row(name, protocol, transport, now - began))
    return rows


def _row(name: str, protocol: Any, transport: Any, age: float) -> JSON:
    peer = transport.getPeer()
    row: dict[str, Any] = {
        "protocol": name,
        "peer": f"{peer.host}:{peer.port}" if hasattr(peer, "port") else str(peer),
        "ageSeconds": round(age, 3),
        "state": "open",
        "pid": os.getpid(),
    }
    if IDescribed.providedBy(protocol):
        row.update(protocol.describe())
    handle = getattr(transport, "socket", None) or getattr(transport, "getHandle", lambda: None)()
    if isinstance(handle, socket.socket):
        # It may have ended in this moment.
        with suppress(OSError):
            row.update(_kernelRow(tcpInfo(handle)))
    return row


def _kernelRow(info: Mapping[str, int]) -> JSON:
    names = {
        "bytesIn": "bytes_received",
        "bytesOut": "bytes_acked",
        "rttUs": "rtt",
        "cwnd": "snd_cwnd",
        "retransmits": "total_retrans",
        "unacked": "unacked",
    }
    return {ours: info[theirs] for ours, theirs in names.items() if theirs in info}
