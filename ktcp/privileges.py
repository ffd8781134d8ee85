# -*- test-case-name: ktcp.test.test_privileges -*-
"""
Who serves, where root starts: twistd's C{--uid} and C{--gid} are taken on when
the listeners are open, and before anything is served.

What is opened before that and again later, as a log is, has to be opened as
that user from the start: otherwise it belongs to root, and nobody can open it
again.  To open it as root and give it away would let whoever may write to its
folder have any file, by a symbolic link.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple


class User(NamedTuple):
    """
    Who serves.
    """

    uid: int
    gid: int


def userOf(options: Mapping[str, Any]) -> User | None:
    """
    Read twistd's own options.

    @return: L{None} if the process stays who it is.
    """
    uid: int | None = options.get("uid")
    gid: int | None = options.get("gid")
    if os.geteuid() != 0 or (uid is None and gid is None):
        return None
    if gid is None:
        # As twistd does.
        gid = pwd.getpwuid(uid or 0).pw_gid
    return User(uid or 0, gid)


@contextmanager
def acting(user: User | None) -> Iterator[None]:
    """
    Be another user for a while, as far as the kernel asks who may do what.
    """
    if user is None:
        yield
        return
    before = os.getegid(), os.getgroups()
    try:
        os.setgroups(_groupsOf(user))
        os.setegid(user.gid)
        os.seteuid(user.uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(before[0])
        os.setgroups(before[1])


def _groupsOf(user: User) -> list[int]:
    try:
        name = pwd.getpwuid(user.uid).pw_name
    except KeyError:  # A number without a name.
        return [user.gid]
    return os.getgrouplist(name, user.gid)
