"""
Tests for L{ktcp.http.listing}.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ktcp.http import listing
from ktcp.http.listing import (
    ROWS,
    Listed,
    Order,
    asHTML,
    asJSON,
    inOrder,
    orderOf,
    scan,
    sizeOf,
    slices,
)

ENTRIES = [
    (b"b", False, 10, 3.0),
    (b"A", False, 30, 2.0),
    (b"c", False, 20, 1.0),
    (b"z", True, 0, 9.0),
    (b"y", True, 0, 8.0),
]


class OrderTests(SynchronousTestCase):
    """
    How a page is sorted.
    """

    def test_query(self) -> None:
        """
        What is not understood is by name.
        """
        for query, order in (
            (b"", Order("name", False)),
            (b"sort=size&order=desc", Order("size", True)),
            (b"sort=time", Order("time", False)),
            (b"sort=x&order=y", Order("name", False)),
            (b"\xff", Order("name", False)),
            (b"&".join([b"a=b"] * 100), Order("name", False)),
        ):
            self.assertEqual(orderOf(query), order)

    def test_inOrder(self) -> None:
        """
        Directories first; case does not matter to names.
        """
        self.patch(listing, "RUN", 2)
        for order, names in (
            (Order("name"), b"yzAbc"),
            (Order("name", True), b"zycbA"),
            (Order("size"), b"yzbcA"),
            (Order("size", True), b"zyAcb"),
            (Order("time"), b"yzcAb"),
            (Order("time", True), b"zybAc"),
        ):
            self.assertEqual(b"".join(each[0] for each in inOrder(ENTRIES, order)), names)


class RenderTests(SynchronousTestCase):
    """
    What is on the page.
    """

    def html(self, path: bytes, *entries: Listed, order: Order = Order()) -> str:  # noqa: B008  # it cannot change
        return "".join(asHTML(path, list(entries), order))

    def test_escaped(self) -> None:
        """
        A name is text, whatever is in it, and its link leads to it.
        """
        page = self.html(b"/<b>/", (b"<script>\"'&", False, 1, 0.0))
        self.assertNotIn("<script", page)
        self.assertNotIn("<b>", page)
        self.assertIn('<a href="./%3Cscript%3E%22%27%26">', page)
        self.assertIn("&lt;script&gt;&quot;&#x27;&amp;</a>", page)

    def test_links(self) -> None:
        """
        Colons, question marks, percent signs and broken UTF-8 stay in the link.
        """
        page = self.html(b"/", (b"javascript:x", False, 1, 0.0), (b"a?b%\xff", True, 0, 0.0))
        self.assertIn('href="./javascript%3Ax"', page)
        self.assertIn('href="./a%3Fb%25%FF/">a?b%\ufffd/</a>', page)

    def test_parent(self) -> None:
        """
        All but the root lead up.
        """
        self.assertNotIn("../", self.html(b"/"))
        self.assertIn('<a href="../">', self.html(b"/a/"))

    def test_headings(self) -> None:
        """
        A heading sorts by its column, and the one in force turns round.
        """
        page = self.html(b"/", order=Order("size", False))
        self.assertIn(
            '<th scope="col" aria-sort="ascending"><a href="?sort=size&amp;order=desc">', page
        )
        self.assertIn('<th scope="col"><a href="?sort=name&amp;order=asc">', page)
        page = self.html(b"/", order=Order("size", True))
        self.assertIn('aria-sort="descending"><a href="?sort=size&amp;order=asc">', page)

    def test_row(self) -> None:
        """
        Sizes are for people, times for both.
        """
        page = self.html(b"/", (b"a", False, 1536, 784111777.0))
        self.assertIn("<td>1.5 KiB</td>", page)
        self.assertIn('<time datetime="1994-11-06T08:49:37Z">1994-11-06 08:49</time>', page)
        # Beyond what a date can say.
        self.assertIn("1970-01-01", self.html(b"/", (b"a", False, 1, 1e18)))

    def test_sizes(self) -> None:
        """
        Powers of 1024.
        """
        for size, text in (
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (150 * 1024, "150 KiB"),
            (5 * 1024**3, "5.0 GiB"),
            (5000 * 1024**4, "5000 TiB"),
        ):
            self.assertEqual(sizeOf(size), text)

    def test_json(self) -> None:
        """
        Programs get the same, exactly.
        """
        page = json.loads("".join(asJSON(b"/a/", ENTRIES[2:4], Order())))
        self.assertEqual(page["path"], "/a/")
        self.assertTrue(page["complete"])
        self.assertEqual(
            page["entries"],
            [
                {
                    "name": "z",
                    "href": "./z/",
                    "type": "directory",
                    "size": None,
                    "modified": "1970-01-01T00:00:09Z",
                },
                {
                    "name": "c",
                    "href": "./c",
                    "type": "file",
                    "size": 20,
                    "modified": "1970-01-01T00:00:01Z",
                },
            ],
        )
        self.assertEqual(json.loads("".join(asJSON(b"/", [], Order())))["entries"], [])

    def test_cut(self) -> None:
        """
        A directory that is too large is cut, and the page says so.
        """
        self.patch(listing, "MOST", 2)
        self.assertIn("There are more", self.html(b"/", *ENTRIES[:2]))
        self.assertFalse(json.loads("".join(asJSON(b"/", ENTRIES[:2], Order())))["complete"])

    def test_slices(self) -> None:
        """
        A long page comes in slices.
        """
        rendered = list(slices("é" for _ in range(ROWS + 1)))
        self.assertEqual([len(each) for each in rendered], [2 * ROWS, 2])


class ScanTests(SynchronousTestCase):
    """
    What is in a directory.
    """

    def scan(self, hidden: bool = False) -> list[bytes]:
        folder = Path(self.mktemp())
        (folder / "d").mkdir(parents=True)
        (folder / "a").write_bytes(b"abc")
        (folder / ".h").touch()
        (folder / "in").symlink_to("a")
        (folder / "out").symlink_to("/etc/passwd")
        os.mkfifo(folder / "fifo")
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            found = scan(
                descriptor, hidden, lambda name: os.stat(folder / "a") if name == b"in" else None
            )
        finally:
            os.close(descriptor)
        self.assertIn((b"a", False, 3), [each[:3] for each in found])
        self.assertIn((b"d", True, 0), [each[:3] for each in found])
        return sorted(each[0] for each in found)

    def test_served(self) -> None:
        """
        What would not be served is not listed.
        """
        self.assertEqual(self.scan(), [b"a", b"d", b"in"])
        self.assertEqual(self.scan(hidden=True), [b".h", b"a", b"d", b"in"])

    def test_most(self) -> None:
        """
        No more is read than a page has.
        """
        self.patch(listing, "MOST", 2)
        folder = Path(self.mktemp())
        folder.mkdir()
        for name in "abc":
            (folder / name).touch()
        descriptor = os.open(folder, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        self.assertEqual(len(scan(descriptor, False, lambda name: None)), 2)
