"""
Tests for L{ktcp.privileges}, as root where that is what it takes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from subprocess import run
from tempfile import mkdtemp

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.python.filepath import FilePath
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from ktcp.privileges import User, acting, userOf
from ktcp.test.support import BIN, ROOT, Child, Client, portOf, spawn

NEEDS_ROOT = None if os.geteuid() == 0 else "needs root"

# Nobody, by number: no account has to be there.
NOBODY = 65534


class UserTests(SynchronousTestCase):
    """
    Who it is that twistd's options mean.
    """

    def test_root(self) -> None:
        """
        A user, with the group of the account if none is named; or a group.
        """
        self.patch(os, "geteuid", lambda: 0)
        self.assertEqual(userOf({"uid": 1, "gid": 2}), User(1, 2))
        self.assertEqual(userOf({"uid": 0, "gid": None}), User(0, 0))
        self.assertEqual(userOf({"uid": None, "gid": 2}), User(0, 2))

    def test_nobodyElse(self) -> None:
        """
        Without these options, as with twist, which has none, nothing changes;
        who is not root cannot change, as twistd will say.
        """
        self.patch(os, "geteuid", lambda: 0)
        for options in ({}, {"uid": None, "gid": None}):
            self.assertIsNone(userOf(options))
        self.patch(os, "geteuid", lambda: 1000)
        self.assertIsNone(userOf({"uid": 1, "gid": 2}))

    def test_actingAsOneself(self) -> None:
        """
        Where nothing changes, who one is stays, too.
        """
        before = os.geteuid(), os.getegid(), os.getgroups()
        with acting(None):
            self.assertEqual((os.geteuid(), os.getegid(), os.getgroups()), before)


class ActingTests(SynchronousTestCase):
    """
    Being somebody else for a while.
    """

    skip = NEEDS_ROOT

    def test_acting(self) -> None:
        """
        What is made meanwhile is theirs, and what they may not have is not had;
        afterwards it is as before, whatever happened.
        """
        before = os.geteuid(), os.getegid(), os.getgroups()
        folder = Path(mkdtemp())
        self.addCleanup(FilePath(str(folder)).remove)
        folder.chmod(0o755)
        with self.assertRaises(PermissionError), acting(User(NOBODY, NOBODY)):
            (folder / "log").touch()
        self.assertEqual((os.geteuid(), os.getegid(), os.getgroups()), before)
        folder.chmod(0o777)
        with acting(User(NOBODY, NOBODY)):
            (folder / "log").touch()
        status = (folder / "log").stat()
        self.assertEqual((status.st_uid, status.st_gid), (NOBODY, NOBODY))

    def test_nameless(self) -> None:
        """
        A number that no account has will do.
        """
        with acting(User(4_000_000_000, 4_000_000_001)):
            self.assertEqual(os.getgroups(), [4_000_000_001])
        self.assertEqual(os.geteuid(), 0)


def mayRun() -> bool:
    """
    Whether nobody in particular can run this Python, with this ktcp.
    """
    code = (
        "import os; os.setgid(%d); os.setuid(%d); os.execv(%r, [%r, '-c', 'import ktcp.service'])"
    )
    code %= (NOBODY, NOBODY, sys.executable, sys.executable)
    done = run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    return done.returncode == 0


class ServiceTests(TestCase):
    """
    C{twistd --uid --gid ktcp}, with a log that is rotated.
    """

    skip = NEEDS_ROOT
    timeout = 60

    async def serve(self, *arguments: object) -> tuple[Child, int, Path]:
        # Not below trial's folder, which may be where only root may go.
        folder = Path(mkdtemp(dir="/tmp"))
        self.addCleanup(FilePath(str(folder)).remove)
        folder.chmod(0o777)
        command = [BIN / "twistd", "-n", "--pidfile=", f"--uid={NOBODY}", f"--gid={NOBODY}"]
        command += ["ktcp", "--no-echo", "--port=0", f"--access-log={folder / 'log'}", *arguments]
        child = spawn(self, command)
        return child, portOf(await child.said("protocol=http")), folder

    async def ask(self, port: int) -> None:
        """
        Have something to log.
        """
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        client = await connectProtocol(endpoint, Client())
        self.addCleanup(client.drop)
        client.transport.write(b"GET / HTTP/1.0\r\n\r\n")
        await client.closed
        self.assertTrue(client.received.startswith(b"HTTP/1.1 200 OK\r\n"))

    async def rotate(self, reloaded: str | None, *arguments: object) -> None:
        """
        Move the log away between two requests.

        @param reloaded: What the service's log says when SIGHUP is done.
        """
        child, port, folder = await self.serve(*arguments)
        await self.ask(port)
        (folder / "log").rename(folder / "log.1")
        child.signal("HUP")
        if reloaded is not None:
            await child.said(reloaded)
        await self.ask(port)
        child.signal("TERM")
        self.assertEqual(await child.ended, 0)
        for name in ("log", "log.1"):
            status = (folder / name).stat()
            self.assertEqual((status.st_uid, status.st_gid), (NOBODY, NOBODY), name)
        lines = [(folder / name).read_bytes().count(b"\n") for name in ("log.1", "log")]
        self.assertEqual(sum(lines), 2, lines)

    async def test_rotated(self) -> None:
        """
        The log is theirs from its first line, so that SIGHUP opens a new one.
        """
        await self.rotate(None)

    async def test_rotatedByWorkers(self) -> None:
        """
        Workers, who are somebody else from their start, write to it too.
        """
        if not mayRun():
            raise SkipTest(f"needs a Python that everybody may run, not {sys.executable}")
        await self.rotate("the workers are replaced", "--workers=1")

    async def test_refused(self) -> None:
        """
        A log that they may not write is refused when ktcp starts, not at the
        first rotation.
        """
        folder = Path(mkdtemp(dir="/tmp"))
        self.addCleanup(FilePath(str(folder)).remove)
        command = [BIN / "twistd", "-n", "--pidfile=", f"--uid={NOBODY}", f"--gid={NOBODY}"]
        child = spawn(self, [*command, "ktcp", "--port=0", f"--access-log={folder / 'log'}"])
        self.assertEqual(await child.ended, 1)
        self.assertIn("log: Permission denied", child.errors()[-1])
