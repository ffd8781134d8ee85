# -*- test-case-name: ktcp.test.test_load_team -*-
"""
What the processes of a run say to one another, and the pipes they say it through.

Pickles: both ends are this package, in the same interpreter, on the same machine.
"""

from __future__ import annotations

import os
import pickle
import struct
from dataclasses import dataclass
from typing import Any

from ktcp.load.job import Job

LENGTH = struct.Struct("!I")
START = struct.Struct("!q")


@dataclass(frozen=True)
class Share:
    """
    One process's part of a job.
    """

    job: Job
    index: int
    of: int


@dataclass(frozen=True)
class Ready:
    """
    A process waits to be told when to start.
    """


@dataclass(frozen=True)
class Done:
    """
    A process has ended its work.

    @ivar seconds: Of the measured part.
    """

    seconds: float
    interrupted: bool


@dataclass(frozen=True)
class Failed:
    """
    A process cannot do its work.  The text is one line for the user.
    """

    why: str


class Channel:
    """
    The pipes to the parent.
    """

    def __init__(self, inward: int, outward: int) -> None:
        self.inward = inward
        self._outward = outward

    def say(self, message: Any) -> None:
        """
        Tell the parent something.
        """
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        data = LENGTH.pack(len(data)) + data
        while data:
            data = data[os.write(self._outward, data) :]

    def share(self) -> Share:
        """
        Read what to do.
        """
        with open(self.inward, "rb", buffering=0, closefd=False) as file:
            (length,) = LENGTH.unpack(file.read(LENGTH.size))
            data = b""
            while len(data) < length:
                data += file.read(length - len(data))
        share: Share = pickle.loads(data)
        return share

    def start(self) -> int | None:
        """
        Wait to be told when the measured part begins; C{None}: never.
        """
        data = os.read(self.inward, START.size)
        return int(START.unpack(data)[0]) if data else None
