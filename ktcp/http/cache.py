# -*- test-case-name: ktcp.test.test_http_cache -*-
"""
What is kept in memory of files and of answers, bounded in bytes: the least recently used goes.
Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class BoundedCache(Generic[T]):
    """
    Values with their sizes.

    @ivar size: Bytes in all.
    """

    def __init__(self, capacity: int, onDrop: Callable[[T], None] = lambda value: None) -> None:
        """
        @param capacity: Bytes in all, at most; 0 keeps nothing.
        @param onDrop: Called with each value that is dropped.
        """
        self._capacity = capacity
        self._onDrop = onDrop
        # Oldest use first: a dict remembers the order.
        self._entries: dict[Hashable, tuple[T, int]] = {}
        self.size = 0

    def get(self, key: Hashable) -> T | None:
        """
        Look a value up, which counts as a use.
        """
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        self._entries[key] = entry
        return entry[0]

    def put(self, key: Hashable, value: T, size: int) -> None:
        """
        Keep a value, in place of the one there was.

        @param size: Bytes; what is larger than the capacity is not kept.
        """
        self.drop(key)
        if size > self._capacity:
            return
        self._entries[key] = value, size
        self.size += size
        self._shrink()

    def resize(self, key: Hashable, size: int) -> None:
        """
        A value that is kept takes more or less than it did.
        """
        entry = self._entries.get(key)
        if entry is not None:
            self.size += size - entry[1]
            self._entries[key] = entry[0], size
            self._shrink()

    def _shrink(self) -> None:
        while self.size > self._capacity:
            self.drop(next(iter(self._entries)))

    def drop(self, key: Hashable) -> None:
        """
        Forget a value, if there is one.
        """
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size -= entry[1]
            self._onDrop(entry[0])

    def clear(self) -> None:
        """
        Forget all, without a word.
        """
        self._entries.clear()
        self.size = 0

    def __len__(self) -> int:
        return len(self._entries)
