# -*- test-case-name: ktcp.test.test_http_paths -*-
"""
From the target of a request to a file below a root, and to nothing else.

Two locks, each of which would do by itself against C{..} and its disguises:

  - names are taken from the target one by one, decoded once, and refused if
    they could mean more than a name;
  - what was opened is asked where it is.  The kernel opens the path as C{O_PATH},
    which touches no device and waits for no FIFO, and
    C{/proc/self/fd} tells its place after all symbolic links.  It is this very
    file that is then read, so exchanging a link between the check and the use
    gains nothing.  (openat2(2) with RESOLVE_BENEATH would check the same, but
    Python has no name for it.)
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from errno import EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, ENXIO
from stat import S_ISDIR, S_ISREG
from urllib.parse import unquote_to_bytes

from ktcp.http.errors import HTTPError
from ktcp.http.targets import STRAY_PERCENT

_ABSENT = frozenset((ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, EINVAL, ENXIO))

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class NotHere(HTTPError):
    """
    There is no such file, or none that may be seen: 404, which does not tell
    the two apart.
    """

    def __init__(self) -> None:
        super().__init__(404)


def namesOf(path: bytes) -> list[bytes]:
    """
    Take a path apart.

    A backslash is a character like others: to Linux it separates nothing.

    @param path: From L{splitTarget<ktcp.http.targets.splitTarget>}.
    @return: The names on the way from the root; the last is empty where the
        path ends in a slash.
    @raise HTTPError: It names nothing that could be here (404), or is no path
        (400).
    """
    if STRAY_PERCENT.search(path):
        raise HTTPError(400)
    names = [unquote_to_bytes(name) for name in path.split(b"/")[1:]]
    for name in names[:-1]:
        if not name:
            # Two slashes: a redirect to such a path would lead to another host.
            raise NotHere()
    for name in names:
        if name in (b".", b"..") or b"/" in name or b"\0" in name:
            raise NotHere()
    return names


class Root:
    """
    A directory, and what may be seen of what is below it.

    @ivar path: Where it is, after all symbolic links, when this was made.
    """

    def __init__(self, path: str | bytes, *, hidden: bool, followSymlinks: bool) -> None:
        """
        @param hidden: Show files whose names begin with a dot, too.
        @param followSymlinks: Also where they lead out of the root.
        @raise OSError: It is no directory, or there is no C{/proc}.
        """
        self.path = os.path.realpath(os.fsencode(path), strict=True)
        self._hidden = hidden
        self._followSymlinks = followSymlinks
        descriptor, status = self.look([])
        os.close(descriptor)
        if not S_ISDIR(status.st_mode):
            raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR), os.fsdecode(path))

    def look(self, names: Sequence[bytes]) -> tuple[int, os.stat_result]:
        """
        Find a file or directory without opening it.

        @return: A descriptor of the C{O_PATH} kind, which is the caller's to
            close, and what fstat(2) says.
        @raise NotHere: There is none that may be seen.
        @raise OSError: Looking failed.
        """
        if not self._hidden and any(name.startswith(b".") for name in names):
            raise NotHere()
        descriptor = os.open(os.path.join(self.path, *names), os.O_PATH | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not (S_ISREG(status.st_mode) or S_ISDIR(status.st_mode)):
                raise NotHere()
            if not (self._followSymlinks or self._holds(os.readlink(_place(descriptor)))):
                raise NotHere()
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor, status

    def _holds(self, path: bytes) -> bool:
        """
        Whether a path without symbolic links is below the root, and shown.
        """
        root = self.path.rstrip(b"/")
        if path != self.path and not path.startswith(root + b"/"):
            return False
        return self._hidden or b"/." not in path[len(root) :]

    def open(self, names: Sequence[bytes]) -> tuple[int, os.stat_result]:
        """
        Open a file or directory to be read.

        @return: A descriptor, which is the caller's to close, and what fstat(2)
            says.
        @raise NotHere: There is none that may be seen.
        @raise OSError: Opening failed.
        """
        descriptor, status = self.look(names)
        try:
            return os.open(_place(descriptor), _READ), status
        finally:
            os.close(descriptor)


def _place(descriptor: int) -> bytes:
    return b"/proc/self/fd/%d" % descriptor


def refusal(error: OSError) -> int:
    """
    @return: The status that an error of opening comes to; 0 for one that is
        the server's own and worth a line in its log.
    """
    if isinstance(error, PermissionError):
        return 403
    return 404 if error.errno in _ABSENT else 0
