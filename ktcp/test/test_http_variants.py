"""
Tests for L{ktcp.http.variants}: of what a file has, which is sent, and what is kept of it.
"""

from __future__ import annotations

import gzip
import os
from typing import Any

from ktcp import HTTPFactory
from ktcp.http import static, variants
from ktcp.http.accesslog import AccessLog
from ktcp.http.codings import compressed
from ktcp.http.compress import Compression
from ktcp.http.door import Door
from ktcp.http.filebody import FileShrank
from ktcp.http.limits import Limits
from ktcp.http.message import Request
from ktcp.http.variants import SMALL
from ktcp.test.folder import HOP, StaticTestCase
from ktcp.test.test_http_codings import TEXT, decoded
from ktcp.testing import MemoryConnection, parseResponses, request


class CodingTests(StaticTestCase):
    """
    Files that lie beside in another coding.
    """

    def setUp(self) -> None:
        super().setUp()
        self.packed = gzip.compress(b"0123456789" * 100)
        (self.root / "a.txt.gz").write_bytes(self.packed)
        (self.root / "a.txt.br").write_bytes(b"brotli")

    def test_chosen(self) -> None:
        """
        The client's favourite is sent, as what it is.
        """
        response = self.ask(accept_encoding="gzip")
        self.assertEqual(response.body, self.packed)
        self.assertEqual(response.headers.get("content-encoding"), b"gzip")
        self.assertEqual(response.headers.get("content-type"), b"text/plain; charset=utf-8")
        self.assertEqual(response.headers.get("vary"), b"Accept-Encoding")
        self.assertEqual(self.ask(accept_encoding="gzip, br").body, b"brotli")
        self.assertEqual(self.ask(accept_encoding="gzip, br;q=0.5").body, self.packed)

    def test_plain(self) -> None:
        """
        Who asks for none gets none, and caches hear that it could be otherwise.
        """
        response = self.ask()
        self.assertEqual(response.body, b"0123456789" * 100)
        self.assertNotIn("content-encoding", response.headers)
        self.assertEqual(response.headers.get("vary"), b"Accept-Encoding")

    def test_tags(self) -> None:
        """
        Each coding has a tag of its own.
        """
        tags = {
            self.ask(accept_encoding=each).headers.get("etag")
            for each in ("gzip", "br", "identity")
        }
        self.assertEqual(len(tags), 3)
        etag = self.ask(accept_encoding="gzip").headers.get("etag").decode()
        self.assertEqual(self.ask(accept_encoding="gzip", if_none_match=etag).status, 304)
        self.assertEqual(self.ask(accept_encoding="br", if_none_match=etag).status, 200)

    def test_range(self) -> None:
        """
        A part is of the file itself.
        """
        response = self.ask(accept_encoding="gzip", range="bytes=0-3")
        self.assertEqual(response.body, b"0123")
        self.assertNotIn("content-encoding", response.headers)

    def test_stale(self) -> None:
        """
        A sibling older than its file is of another day.
        """
        os.utime(self.root / "a.txt.gz", (1, 1))
        self.assertNotIn("content-encoding", self.ask(accept_encoding="gzip").headers)

    def test_itself(self) -> None:
        """
        Asked for by name it is a packed file.
        """
        response = self.ask("/a.txt.gz", accept_encoding="gzip")
        self.assertEqual(response.headers.get("content-type"), b"application/gzip")
        self.assertNotIn("content-encoding", response.headers)


class CompressTests(StaticTestCase):
    """
    Files that are compressed as they are asked for.
    """

    def setUp(self) -> None:
        super().setUp()
        (self.root / "page.html").write_bytes(TEXT[:3000])
        (self.root / "large.css").write_bytes(TEXT)
        (self.root / "noise.css").write_bytes(os.urandom(3000))
        (self.root / "picture.png").write_bytes(TEXT[:3000])
        self.assertGreater(len(TEXT), SMALL)

    def test_codings(self) -> None:
        """
        Small and large files come in the coding that the client likes best;
        between equals small ones in the shortest, large ones in the cheapest.
        """
        for target, content, best in (
            ("/page.html", TEXT[:3000], b"br"),
            ("/large.css", TEXT, b"zstd"),
        ):
            for accept, coding in (
                ("gzip", b"gzip"),
                ("br", b"br"),
                ("zstd", b"zstd"),
                ("gzip, deflate, br, zstd", best),
                ("identity", None),
                ("gzip;q=0", None),
            ):
                got = self.ask(target, accept_encoding=accept)
                self.assertEqual(got.headers.get("content-encoding"), coding)
                self.assertEqual(got.headers.get("vary"), b"Accept-Encoding")
                self.assertEqual(decoded(coding, got.body), content)
                self.assertTrue(got.complete)
                asked = self.ask(target, b"HEAD", accept_encoding=accept)
                self.assertEqual(
                    *[
                        # A second may pass between the two.
                        [field for field in each.headers if field[0] != b"date"]
                        for each in (asked, got)
                    ]
                )

    def test_tags(self) -> None:
        """
        Each coding has a tag of its own, by which it is not sent again.
        """
        for target in ("/page.html", "/large.css"):
            tags = {}
            for accept in ("gzip", "br", "identity"):
                tags[accept] = self.ask(target, accept_encoding=accept).headers.get("etag").decode()
            self.assertEqual(len(set(tags.values())), 3)
            for accept, tag in tags.items():
                got = self.ask(target, accept_encoding=accept, if_none_match=tag)
                self.assertEqual((got.status, got.headers.get("vary")), (304, b"Accept-Encoding"))
                other = tags["br" if accept == "gzip" else "gzip"]
                self.assertEqual(
                    self.ask(target, accept_encoding=accept, if_none_match=other).status, 200
                )

    def test_range(self) -> None:
        """
        A part is of the file itself; who holds parts of a coding gets it anew.
        """
        for target, content in (("/page.html", TEXT[:3000]), ("/large.css", TEXT)):
            got = self.ask(target, accept_encoding="gzip", range="bytes=5-14")
            self.assertEqual((got.status, got.body), (206, content[5:15]))
            self.assertNotIn("content-encoding", got.headers)
            tag = self.ask(target, accept_encoding="gzip").headers.get("etag").decode()
            got = self.ask(target, accept_encoding="gzip", range="bytes=5-", if_range=tag)
            self.assertEqual(got.status, 200)

    def test_leftAlone(self) -> None:
        """
        What does not shrink, is short, or may not be changed is sent as it is.
        """
        for target in ("/noise.css", "/picture.png", "/a.txt"):
            got = self.ask(target, accept_encoding="gzip")
            self.assertNotIn("content-encoding", got.headers)
        for options in ({"compress": False}, {"cacheControl": "no-transform"}):
            self.serve(**options)
            got = self.ask("/page.html", accept_encoding="gzip")
            self.assertNotIn("content-encoding", got.headers)
            self.assertNotIn("vary", got.headers)
        self.serve(compress=Compression(minimum=1, largest=1000))
        for target, coding in (("/a.txt", b"gzip"), ("/page.html", None)):
            got = self.ask(target, accept_encoding="gzip")
            self.assertEqual(got.headers.get("content-encoding"), coding)

    def test_siblings(self) -> None:
        """
        What lies ready goes before what would have to be made.
        """
        (self.root / "page.html.gz").write_bytes(b"packed")
        self.assertEqual(self.ask("/page.html", accept_encoding="gzip, br").body, b"packed")
        got = self.ask("/page.html", accept_encoding="gzip;q=0.5, br")
        self.assertEqual(decoded(b"br", got.body), TEXT[:3000])

    def test_once(self) -> None:
        """
        A small file is compressed once, until it changes; what that takes
        counts for the memory that files have.
        """
        made: list[bytes] = []

        def counting(coding: bytes, data: bytes) -> bytes:
            made.append(coding)
            return compressed(coding, data)

        self.patch(variants, "compressed", counting)
        self.ask("/page.html")
        before = self.files._cache.size
        for agent in "abc":
            self.ask("/page.html", accept_encoding="gzip", user_agent=agent)
        self.assertEqual(made, [b"gzip"])
        size = self.files._cache.size
        self.assertTrue(before < size < before + 3000 + variants.OVERHEAD)
        (self.root / "page.html").write_bytes(TEXT[3000:6000])
        self.clock.advance(1.1)
        got = self.ask("/page.html", accept_encoding="gzip")
        self.assertEqual(decoded(b"gzip", got.body), TEXT[3000:6000])

    def test_noRoom(self) -> None:
        """
        Where there is no memory for what was made, it is sent all the same.
        """
        self.serve(cacheBytes=variants.OVERHEAD + 3100)
        for _ in range(2):
            got = self.ask("/page.html", accept_encoding="gzip")
            self.assertEqual(decoded(b"gzip", got.body), TEXT[:3000])
        self.assertEqual((self.files._cache.size, self.files._answers.size), (0, 0))

    def test_shrinks(self) -> None:
        """
        A file that shrinks while it is compressed cuts the connection.
        """
        connection = MemoryConnection(self.factory)
        connection.send(request("/large.css", b"GET", [("Accept-Encoding", "gzip")]))
        self.clock.advance(HOP)
        os.truncate(self.root / "large.css", 100_000)
        for _ in range(100):
            self.clock.advance(HOP)
        [got] = parseResponses(connection.received, closed=connection.closed)
        self.assertEqual((got.complete, connection.closed), (False, True))
        self.assertEqual(len(self.flushLoggedErrors(FileShrank)), 1)

    def test_clientLeaves(self) -> None:
        """
        A client that leaves in the middle leaves nothing open.
        """
        connection = MemoryConnection(self.factory)
        connection.send(request("/large.css", b"GET", [("Accept-Encoding", "gzip")]))
        self.clock.advance(HOP)
        connection.lose()
        self.clock.advance(HOP)


class CacheTests(StaticTestCase):
    """
    What is in memory, and when it is looked at again.
    """

    def look(self) -> Any:
        """
        Count how often the root is looked at.
        """
        root, look = self.files._root, self.files._root.look
        self.looks = 0

        def counting(names: Any) -> Any:
            self.looks += 1
            return look(names)

        self.patch(root, "look", counting)

    def test_repeated(self) -> None:
        """
        Within the time a file is not looked at again; after it once.
        """
        self.look()
        self.ask()
        looked = self.looks
        for _ in range(3):
            self.ask()
            self.ask(user_agent="another")
        self.assertEqual(self.looks, looked)
        self.clock.advance(1.0)
        self.ask()
        self.assertGreater(self.looks, looked)
        looked = self.looks
        self.ask()
        self.assertEqual(self.looks, looked)

    def test_changed(self) -> None:
        """
        A changed file is served changed after the time, a removed one is gone,
        and so with one that comes.
        """
        self.ask()
        self.ask("/sub/")
        (self.root / "a.txt").write_bytes(b"new")
        (self.root / "sub" / "index.html").unlink()
        self.clock.advance(0.9)
        self.assertEqual(self.ask().body, b"0123456789" * 100)
        self.clock.advance(0.1)
        self.assertEqual(self.ask().body, b"new")
        self.assertIn(b"<h1>/sub/</h1>", self.ask("/sub/").body)
        (self.root / "sub" / "index.html").write_bytes(b"back")
        self.assertEqual(self.ask("/sub/").body, b"back")

    def test_largeChanged(self) -> None:
        """
        A large file is never announced as what it no longer is.
        """
        self.ask("/large.bin")
        (self.root / "large.bin").write_bytes(b"x" * (SMALL + 1))
        response = self.ask("/large.bin")
        self.assertTrue(response.complete)
        self.assertEqual(response.body, b"x" * (SMALL + 1))

    def test_bounded(self) -> None:
        """
        Memory holds as much as was said, and no answer holds more.
        """
        self.serve(cacheBytes=300_000)
        for index in range(20):
            (self.root / f"f{index}").write_bytes(b"x" * 100_000)
            self.assertEqual(len(self.ask(f"/f{index}").body), 100_000)
            self.assertLessEqual(self.files._cache.size, 300_000)
            kept = {id(entry) for (entry, _), _ in self.files._answers._entries.values()}
            self.assertLessEqual(len(kept), 3)
        self.serve(cacheBytes=0)
        self.assertEqual(len(self.ask("/f0").body), 100_000)
        self.assertEqual((self.files._cache.size, self.files._answers.size), (0, 0))

    def test_manyHeads(self) -> None:
        """
        Heads that never come again do not pile up.
        """
        self.patch(static, "_ANSWERS", 30_000)
        self.serve()
        for index in range(40):
            self.ask(user_agent=str(index))
        kept = self.files._answers._entries
        self.assertTrue(10 < len(kept) < 20, len(kept))
        # Each holds what was sent: a body of 1,000 bytes.
        self.assertEqual(self.files._answers.size, sum(map(len, kept)) + 1512 * len(kept))

    def test_sameObject(self) -> None:
        """
        The answer to a request that comes again is the very same.
        """
        head = Door(Limits()).admit(request("/a.txt"))
        asked: Any = Request(head, None, None)
        self.assertIs(self.files(asked), self.files(asked))

    def test_stands(self) -> None:
        """
        On one connection an answer is given again without a look at the file,
        until the cache's second is over: then a changed file is served changed.
        """
        connection = MemoryConnection(self.factory)
        asked = request("/a.txt")
        for _ in range(5):
            connection.send(asked)
        before = connection.received
        (self.root / "a.txt").write_bytes(b"changed")
        connection.send(asked)
        self.clock.advance(1.0)
        connection.send(asked)
        bodies = [each.body for each in parseResponses(connection.received, closed=False)]
        self.assertEqual(len(parseResponses(before, closed=False)), 5)
        self.assertEqual(bodies, [bodies[0]] * 6 + [b"changed"])

    def test_standsForItsHead(self) -> None:
        """
        What stands for one request is no answer to another on the connection,
        nor to one in the same packet.
        """
        connection = MemoryConnection(self.factory)
        one, other, head = request("/a.txt"), request("/nothere"), request("/a.txt", method="HEAD")
        for asked in [one, one, one, other, other, one + other, other, head, head, head, one, one]:
            connection.send(asked)
        methods = [b"GET"] * 8 + [b"HEAD"] * 3 + [b"GET"] * 2
        answers = parseResponses(connection.received, methods=methods, closed=False)
        statuses = [each.status for each in answers]
        self.assertEqual(statuses, [200] * 3 + [404] * 2 + [200, 404, 404] + [200] * 5)
        self.assertEqual([each.body for each in answers[8:11]], [b""] * 3)

    def test_standingIsLogged(self) -> None:
        """
        The access log has a line for each answer, also for one that stands.
        """
        path = self.root / "log"
        log = AccessLog(str(path), reactor=self.clock)
        self.addCleanup(log.close)
        factory = HTTPFactory(self.files, accessLog=log, reactor=self.clock)
        connection = MemoryConnection(factory)
        for _ in range(5):
            connection.send(request("/a.txt"))
        connection.lose()
        log.flush()
        self.assertEqual(len(path.read_bytes().splitlines()), 5)
