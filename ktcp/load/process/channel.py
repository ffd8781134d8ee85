# -*- test-case-name: ktcp.test.test_load_process_channel -*-
"""
What the processes of a run say to one another, and the pipes they say it through.

Pickles: both ends are this package, in the same interpreter, on the same machine.
"""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ktcp.load.job import Share

LENGTH = struct.Struct("!I")
START = struct.Struct("!q")


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


def framed(message: object) -> bytes:
    """
    A message as it goes through a pipe: its length, and itself.
    """
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(data)) + data


class Messages:
    """
    Bytes from a pipe in, messages out.
    """

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> Iterator[Any]:
        """
        Give the messages that are whole.
        """
        self._data += data
        while len(self._data) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._data)
            end = LENGTH.size + length
            if len(self._data) < end:
                return
            message, self._data = self._data[LENGTH.size : end], self._data[end:]
            yield pickle.loads(message)


class Channel:
    """
    The pipes to the parent.
    """

    def __init__(self, inward: int, outward: int) -> None:
        self.inward = inward
        self._outward = outward

    def say(self, message: object) -> None:
        """
        Tell the parent something.
        """
        data = framed(message)
        while data:
            data = data[os.write(self._outward, data) :]

    def share(self) -> Share:
        """
        Read what to do.

        @raise EOFError: The parent is gone.
        """
        messages = Messages()
        while data := os.read(self.inward, 1 << 16):
            # Nothing is sent behind it before this process says that it is ready.
            for share in messages.feed(data):
                assert isinstance(share, Share)
                return share
        raise EOFError("there is nobody to say what to do")

    def start(self) -> int | None:
        """
        Wait to be told when the measured part begins; C{None}: never.
        """
        data = os.read(self.inward, START.size)
        return int(START.unpack(data)[0]) if data else None
