# -*- test-case-name: ktcp.test.test_supervisor -*-
"""
What the service tells the process that supervises it: systemd's sd_notify(3),
which is a datagram to the socket that C{$NOTIFY_SOCKET} names.  Where there is
none, nothing is told.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from twisted.internet.task import LoopingCall


class Supervisor:
    """
    The other end of C{$NOTIFY_SOCKET}.
    """

    def __init__(self, environment: Mapping[str, str], reactor: Any) -> None:
        """
        @param environment: The process's: C{NOTIFY_SOCKET}, and C{WATCHDOG_USEC}
            with C{WATCHDOG_PID} (sd_watchdog_enabled(3)).
        """
        # In the abstract namespace a name begins with NUL, which no variable holds.
        self._address = environment.get("NOTIFY_SOCKET", "").replace("@", "\0", 1)
        if self._address[:1] not in ("/", "\0"):
            # Also vsock:, which is for who runs a virtual machine.
            self._address = ""
        self._interval = 0.0
        usec = environment.get("WATCHDOG_USEC", "")
        if usec.isdigit() and environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid()):
            # Twice as often as must be, as sd_watchdog_enabled(3) says.
            self._interval = int(usec) / 2e6
        self._patting = LoopingCall(self._tell, "WATCHDOG=1")
        self._patting.clock = reactor

    @property
    def isThere(self) -> bool:
        """
        Whether anybody is told anything.
        """
        return bool(self._address)

    def ready(self, status: str) -> None:
        """
        The service serves, for the first time or after a reload.
        """
        self._tell(f"READY=1\nSTATUS={status}\nMAINPID={os.getpid()}")
        if self._address and self._interval and not self._patting.running:
            self._patting.start(self._interval)

    def reloading(self) -> None:
        """
        It has begun to reload.
        """
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={now}\nSTATUS=reloading")

    def stopping(self, seconds: float) -> None:
        """
        It has begun to stop, and will take no more than so many seconds.
        """
        self._tell(
            f"STOPPING=1\nSTATUS=waiting for connections to end\n"
            f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}"
        )

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        # One that is gone, or does not read, is no reason to stop.
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sending,
        ):
            sending.setblocking(False)
            sending.sendto(message.encode(), self._address)
