# -*- test-case-name: ktcp.test.test_twistd -*-
"""
twistd's own options, as far as it would stumble over them with a traceback, or
with a listener open and its pid file written.
"""

from __future__ import annotations

import errno
import os
import pwd
from collections.abc import Iterator, Mapping
from typing import Any


def complaint(options: Mapping[str, Any]) -> str | None:
    """
    Say what of twistd's options cannot be done.

    @param options: twistd's, or twist's, which has none of these.
    @return: One line that begins with the option; L{None} if all is well.
    """
    uid = options.get("uid")
    if uid is not None and uid != os.getuid():
        if os.geteuid() != 0:
            return f"--uid {uid}: only root can become somebody else; leave it out, or be root"
        try:
            pwd.getpwuid(uid)
        except KeyError:
            return f"--uid {uid}: nobody has this number here; give a user who is in /etc/passwd"
    for name, path in _files(options):
        reason = _whyNot(path)
        if reason is not None:
            return f"--{name} {path}: {reason}"
    return None


def _files(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """
    The files that twistd is about to write.
    """
    log = options.get("logfile")
    if not log and not options.get("nodaemon", True) and not options.get("syslog"):
        log = "twistd.log"
    if log and log != "-" and not options.get("logger"):
        yield "logfile", log
    # Its path is one within the chroot.
    if options.get("pidfile") and not options.get("chroot"):
        yield "pidfile", options["pidfile"]


def _whyNot(path: str) -> str | None:
    """
    Say why a file cannot be written.
    """
    folder = os.path.dirname(path) or "."
    if os.path.isdir(path):
        return os.strerror(errno.EISDIR)
    if not os.path.isdir(folder):
        return os.strerror(errno.ENOENT)
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        return f"{os.strerror(errno.EACCES)}; name one that this user may write"
    return None
