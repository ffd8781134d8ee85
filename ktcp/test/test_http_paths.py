"""
Tests for L{ktcp.http.paths}: a root with a secret beside it.
"""

from __future__ import annotations

import os
from errno import EACCES, EIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ktcp.http.errors import HTTPError
from ktcp.http.paths import NotHere, Root, namesOf, refusal
from ktcp.http.targets import splitTarget
from ktcp.test.support import opened


class NamesTests(SynchronousTestCase):
    """
    From a target to names.
    """

    def test_names(self) -> None:
        """
        Names are decoded once; a backslash is a character.
        """
        for target, names, query in (
            (b"/", [b""], b""),
            (b"/a/b", [b"a", b"b"], b""),
            (b"/a/", [b"a", b""], b""),
            (b"/a%20b?c=/d?", [b"a b"], b"?c=/d?"),
            (b"/%252e%252e/a", [b"%2e%2e", b"a"], b""),
            (b"/..%5c..%5ca", [b"..\\..\\a"], b""),
            (b"/...", [b"..."], b""),
            (b"http://host/a", [b"a"], b""),
            (b"http://host", [b""], b""),
            (b"http://host?x", [b""], b"?x"),
        ):
            path, found = splitTarget(target)
            self.assertEqual((namesOf(path), found), (names, query), target)

    def test_refused(self) -> None:
        """
        What could be more than names is refused.
        """
        for target in (
            b"/..",
            b"/../a",
            b"/a/../b",
            b"/./a",
            b"/a/.",
            b"/%2e%2e/a",
            b"/.%2E/a",
            b"/a%2fb",
            b"/%2Fetc/passwd",
            b"/a%00",
            b"//a",
            b"/a//b",
            b"//",
        ):
            self.assertRaises(NotHere, namesOf, splitTarget(target)[0])
        for target in (b"/%", b"/%2", b"/%zz"):
            self.assertEqual(400, self.assertRaises(HTTPError, namesOf, target).status)


class RootTests(SynchronousTestCase):
    """
    What may be seen.
    """

    def setUp(self) -> None:
        top = Path(self.mktemp()).absolute()
        self.inside = top / "root"
        (self.inside / "d").mkdir(parents=True)
        (self.inside / "a").write_bytes(b"public")
        (self.inside / "d" / "b").write_bytes(b"public")
        (self.inside / ".hidden").mkdir()
        (self.inside / ".hidden" / "c").write_bytes(b"hidden")
        # Its path begins as the root's does.
        (top / "root2").mkdir()
        for place in (top, top / "root2"):
            (place / "secret").write_bytes(b"secret")
        for name, target in (
            ("within", "d/b"),
            ("dir", "d"),
            ("out", "../secret"),
            ("beside", "../root2/secret"),
            ("absolute", str(top / "secret")),
            ("up", ".."),
            ("proc", "/proc/self/environ"),
            ("device", "/dev/zero"),
            ("veil", ".hidden/c"),
            ("loop", "loop"),
        ):
            (self.inside / name).symlink_to(target)
        os.mkfifo(self.inside / "fifo")

    def open(self, *names: bytes, hidden: bool = False, followSymlinks: bool = False) -> bytes:
        before = opened()
        root = Root(str(self.inside), hidden=hidden, followSymlinks=followSymlinks)
        try:
            descriptor, status = root.open(names)
            try:
                data = os.read(descriptor, 100)
            finally:
                os.close(descriptor)
            self.assertEqual(status.st_size, len(data))
            return data
        finally:
            self.assertEqual(opened() - before, set())

    def test_inside(self) -> None:
        """
        Files, and links that stay.
        """
        for names in ([b"a"], [b"d", b"b"], [b"within"], [b"dir", b"b"]):
            self.assertEqual(self.open(*names), b"public")

    def test_outside(self) -> None:
        """
        No way leads out, by the root's own links or a caller's carelessness.
        """
        for names in (
            [b"out"],
            [b"beside"],
            [b"absolute"],
            [b"up", b"secret"],
            [b"up", b"root2", b"secret"],
            [b"proc"],
            [b"/etc/passwd"],
            [b"d/../../secret"],
        ):
            self.assertRaises(NotHere, self.open, *names)

    def test_followSymlinks(self) -> None:
        """
        Unless the operator wants it.
        """
        self.assertEqual(self.open(b"out", followSymlinks=True), b"secret")

    def test_noFiles(self) -> None:
        """
        A FIFO blocks nobody and a device is not touched.
        """
        for name in (b"fifo", b"device"):
            for followSymlinks in (False, True):
                self.assertRaises(NotHere, self.open, name, followSymlinks=followSymlinks)
        error = self.assertRaises(OSError, self.open, b"loop")
        self.assertEqual(refusal(error), 404)
        error = self.assertRaises(OSError, self.open, b"a", b"")
        self.assertEqual(refusal(error), 404)
        self.assertEqual(refusal(self.assertRaises(OSError, self.open, b"x" * 300)), 404)

    def test_hidden(self) -> None:
        """
        Hidden files are shown on demand only, through links too.
        """
        for names in ([b".hidden", b"c"], [b"veil"]):
            self.assertRaises(NotHere, self.open, *names)
            self.assertEqual(self.open(*names, hidden=True), b"hidden")

    def test_root(self) -> None:
        """
        A root must be a directory; it may be a link, or C{/}.
        """
        for name in ("a", "nothere"):
            self.assertRaises(OSError, Root, self.inside / name, hidden=False, followSymlinks=False)
        linked = Root(str(self.inside / "dir"), hidden=False, followSymlinks=False)
        os.close(linked.look([b"b"])[0])
        top = Root("/", hidden=False, followSymlinks=False)
        os.close(top.look([b"etc", b"passwd"])[0])

    def test_refusal(self) -> None:
        """
        What may not be read is forbidden; a failing disk is the server's fault.
        """
        self.assertEqual(refusal(OSError(EACCES, "")), 403)
        self.assertEqual(refusal(OSError(EIO, "")), 0)
