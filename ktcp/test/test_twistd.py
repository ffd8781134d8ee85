"""
Tests for L{ktcp.twistd}.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ktcp.twistd import complaint


class ComplaintTests(SynchronousTestCase):
    """
    Options that twistd takes, and then stumbles over.
    """

    def setUp(self) -> None:
        """
        Be root, in a folder.
        """
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.be(0)

    def be(self, uid: int) -> None:
        """
        Be somebody.
        """
        for name in ("getuid", "geteuid"):
            self.patch(os, name, lambda: uid)

    def test_fine(self) -> None:
        """
        Nothing is said of what is right, nor of twist, which has none of this.
        """
        for options in (
            {},
            {"nodaemon": True, "logfile": None, "pidfile": str(self.folder / "x.pid")},
            {"nodaemon": True, "logfile": "-", "pidfile": ""},
            {"nodaemon": True, "logfile": str(self.folder / "x.log"), "uid": 0},
            {"pidfile": "/not/here", "chroot": str(self.folder)},
            {"logfile": "/not/here", "logger": print},
        ):
            self.assertIsNone(complaint(options))

    def test_user(self) -> None:
        """
        A number is to be a user's, and only root can become one.
        """
        numbers = {each.pw_uid for each in pwd.getpwall()}
        number = next(each for each in range(60000, 61000) if each not in numbers)
        self.assertEqual(
            complaint({"uid": number}),
            f"--uid {number}: nobody has this number here; give a user who is in /etc/passwd",
        )
        self.be(1000)
        self.assertEqual(
            complaint({"uid": 33}),
            "--uid 33: only root can become somebody else; leave it out, or be root",
        )
        self.assertIsNone(complaint({"uid": 1000}))

    def test_files(self) -> None:
        """
        A log and a pid file are to be written, in a folder that is there.
        """
        missing = str(self.folder / "none" / "x")
        for name in ("logfile", "pidfile"):
            self.assertEqual(
                complaint({name: missing}), f"--{name} {missing}: No such file or directory"
            )
            self.assertEqual(
                complaint({name: str(self.folder)}), f"--{name} {self.folder}: Is a directory"
            )

    def test_permission(self) -> None:
        """
        And by this user: a daemon's log has a name even if none is given.
        """
        self.patch(os, "access", lambda path, mode: False)
        line = "Permission denied; name one that this user may write"
        self.assertEqual(complaint({"nodaemon": False}), f"--logfile twistd.log: {line}")
        self.assertIsNone(complaint({"nodaemon": False, "syslog": True}))
        path = str(self.folder / "x.pid")
        self.assertEqual(complaint({"pidfile": path}), f"--pidfile {path}: {line}")
