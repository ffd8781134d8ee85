"""
Tests for L{ktcp.http.static} and L{ktcp.http.variants}.
"""

# Longer than other modules: what is served is tried as a whole, from a request to its answer,
# over one folder of files.

from __future__ import annotations

import gc
import gzip
import json
import os
from email import message_from_bytes
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ktcp import HTTPFactory, StaticFiles
from ktcp.http import static, variants
from ktcp.http.accesslog import AccessLog
from ktcp.http.codings import compressed
from ktcp.http.compress import Compression
from ktcp.http.dates import formatDate
from ktcp.http.door import Door
from ktcp.http.filebody import FileShrank
from ktcp.http.limits import Limits
from ktcp.http.message import Request
from ktcp.http.variants import SMALL, typeOf
from ktcp.test.support import opened
from ktcp.test.test_http_codings import TEXT, decoded
from ktcp.testing import MemoryConnection, ReceivedResponse, parseResponses, request

# Seconds that a thread takes; so little that no file grows old in it.
HOP = 1e-6

LARGE = os.urandom(1000) * 600


class Pool:
    """
    A reactor's threads, but for the threads.
    """

    def callInThreadWithCallback(self, onResult: Any, call: Any, *arguments: Any) -> None:
        """
        Run at once.
        """
        onResult(True, call(*arguments))


class ThreadedClock(Clock):
    """
    A clock with threads.
    """

    def getThreadPool(self) -> Pool:
        """
        See C{IReactorThreads}.
        """
        return Pool()

    def callFromThread(self, call: Any, *arguments: Any) -> None:
        """
        See C{IReactorThreads}; later, as from a thread.
        """
        self.callLater(HOP, call, *arguments)


def left(folder: Path) -> list[str]:
    """
    What this process has open in a folder, but for what nobody refers to any more.
    """
    if openedIn(folder):
        gc.collect()
    return openedIn(folder)


def openedIn(folder: Path) -> list[str]:
    """
    What this process has open in a folder.
    """
    return [path for _, path in opened() if path.startswith(f"{folder}/")]


class StaticTestCase(SynchronousTestCase):
    """
    A directory that is served, with a secret beside it.
    """

    options: dict[str, Any] = {}

    def setUp(self) -> None:
        top = Path(self.mktemp()).absolute()
        self.root = top / "root"
        (self.root / "sub").mkdir(parents=True)
        (self.root / "sub" / "index.html").write_bytes(b"<p>index")
        (self.root / "bare").mkdir()
        (self.root / "bare" / "b").write_bytes(b"b")
        (self.root / "a.txt").write_bytes(b"0123456789" * 100)
        (self.root / "large.bin").write_bytes(LARGE)
        (self.root / ".hidden").write_bytes(b"secret")
        (top / "secret").write_bytes(b"secret")
        (self.root / "out").symlink_to("../secret")
        (self.root / "up").symlink_to("..")
        self.clock = ThreadedClock()
        self.files = self.serve()
        self.addCleanup(lambda: self.assertEqual(left(top), []))

    def serve(self, **options: Any) -> StaticFiles:
        self.files = StaticFiles(
            self.root, reactor=self.clock, seconds=self.clock.seconds, **{**self.options, **options}
        )
        self.factory = HTTPFactory(self.files, reactor=self.clock)
        return self.files

    def ask(
        self, target: str | bytes = b"/a.txt", method: bytes = b"GET", **headers: str
    ) -> ReceivedResponse:
        connection = MemoryConnection(self.factory)
        pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
        connection.send(request(target, method, pairs))
        for _ in range(100):
            self.clock.advance(HOP)
        self.raw = connection.received
        [response] = parseResponses(self.raw, [method], closed=connection.closed)
        connection.lose()
        return response


class GetTests(StaticTestCase):
    """
    Whole files.
    """

    def test_small(self) -> None:
        """
        A file comes with its type and what is needed to ask again.
        """
        response = self.ask()
        self.assertEqual((response.status, response.body), (200, b"0123456789" * 100))
        self.assertEqual(response.headers.get("content-type"), b"text/plain; charset=utf-8")
        self.assertEqual(response.headers.get("accept-ranges"), b"bytes")
        modified = formatDate((self.root / "a.txt").stat().st_mtime)
        self.assertEqual(response.headers.get("last-modified"), modified)
        self.assertRegex(response.headers.get("etag") or b"", rb'\A"[0-9a-f-]+"\Z')
        self.assertNotIn("cache-control", response.headers)
        self.assertNotIn("vary", response.headers)

    def test_large(self) -> None:
        """
        So does one that is not kept in memory.
        """
        self.assertGreater(len(LARGE), SMALL)
        response = self.ask("/large.bin")
        self.assertEqual(response.status, 200)
        self.assertTrue(response.body == LARGE)
        self.assertEqual(response.headers.get("content-type"), b"application/octet-stream")

    def test_head(self) -> None:
        """
        HEAD has the head of GET, byte by byte, and opens nothing that stays so.
        """
        self.factory.renderer.date = lambda: b"Sun, 06 Nov 1994 08:49:37 GMT"
        for target in ("/a.txt", "/large.bin", "/sub/", "/nothere", "/sub"):
            self.ask(target)
            got = self.raw
            self.ask(target, b"HEAD")
            self.assertEqual(self.raw, got[: got.index(b"\r\n\r\n") + 4])

    def test_empty(self) -> None:
        """
        An empty file is a file.
        """
        (self.root / "empty").touch()
        response = self.ask("/empty")
        self.assertEqual((response.status, response.body), (200, b""))
        self.assertEqual(self.ask("/empty", range="bytes=0-").status, 416)
        self.assertEqual(self.ask("/empty", range="bytes=-1").status, 200)

    def test_index(self) -> None:
        """
        A directory with an index is its index; without its slash it redirects.
        """
        response = self.ask("/sub/?q")
        self.assertEqual((response.status, response.body), (200, b"<p>index"))
        self.assertEqual(response.headers.get("content-type"), b"text/html; charset=utf-8")
        response = self.ask("/sub?q=1")
        self.assertEqual(response.status, 301)
        self.assertEqual(response.headers.get("location"), b"/sub/?q=1")
        self.assertEqual(self.ask("/a.txt/").status, 404)

    def test_redirectStaysHere(self) -> None:
        """
        No directory's name makes a redirect to another host.
        """
        (self.root / "\\evil.example").mkdir()
        response = self.ask("/%5Cevil.example")
        self.assertEqual(response.headers.get("location"), b"/%5Cevil.example/")
        self.assertEqual(self.ask("//evil.example").status, 404)

    def test_methods(self) -> None:
        """
        Known methods are not allowed, unknown ones not implemented.
        """
        for method in (b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE"):
            response = self.ask(method=method)
            self.assertEqual((response.status, response.headers.get("allow")), (405, b"GET, HEAD"))
        for method in (b"get", b"BREW"):
            self.assertEqual(self.ask(method=method).status, 501)

    def test_errors(self) -> None:
        """
        Errors come in the type that the client likes best, with what they have
        to say in headers.
        """
        for target, method, given, status, name, value in (
            ("/nothere", b"GET", {}, 404, "vary", b"Accept"),
            ("/a.txt", b"PUT", {}, 405, "allow", b"GET, HEAD"),
            ("/a.txt", b"GET", {"range": "bytes=9999-"}, 416, "content-range", b"bytes */1000"),
            ("/a.txt", b"GET", {"if_match": '"other"'}, 412, "vary", b"Accept"),
        ):
            response = self.ask(target, method, accept="application/json", **given)
            self.assertEqual(json.loads(response.body)["status"], status)
            self.assertEqual(response.headers.get(name), value)

    def test_types(self) -> None:
        """
        Types are of the name's end; packed files are what they are packed in.
        """
        for suffix, kind in (
            (".HTML", "text/html; charset=utf-8"),
            (".css", "text/css; charset=utf-8"),
            (".json", "application/json"),
            (".svg", "image/svg+xml; charset=utf-8"),
            (".png", "image/png"),
            (".gz", "application/gzip"),
            ("", "application/octet-stream"),
            (".nothing", "application/octet-stream"),
        ):
            self.assertEqual(typeOf(suffix, "utf-8"), kind)
        self.assertEqual(typeOf(".html", None), "text/html")

    def test_cacheControl(self) -> None:
        """
        The operator says how long others may keep it, with a 304 too.
        """
        self.serve(cacheControl="max-age=60")
        response = self.ask()
        self.assertEqual(response.headers.get("cache-control"), b"max-age=60")
        response = self.ask(if_none_match=response.headers.get("etag").decode())
        self.assertEqual(response.headers.get("cache-control"), b"max-age=60")
        self.assertRaises(ValueError, self.serve, cacheControl="a\r\nb")

    def test_unreadable(self) -> None:
        """
        What the server may not read is forbidden.
        """
        if os.geteuid() == 0:
            # Root may read all; so let the kernel say it.
            def forbid(names: object) -> None:
                raise PermissionError(13, "no")

            self.patch(self.files._root, "look", forbid)
        else:
            (self.root / "a.txt").chmod(0)
        self.assertEqual(self.ask().status, 403)

    def test_rootMustBeADirectory(self) -> None:
        """
        Another root is refused at once.
        """
        self.assertRaises(NotADirectoryError, StaticFiles, self.root / "a.txt")
        self.assertRaises(FileNotFoundError, StaticFiles, self.root / "nothere")


class SafeTests(StaticTestCase):
    """
    Nothing that is not below the root gets out.
    """

    def test_traversal(self) -> None:
        """
        No disguise of C{..}, no link and no hidden name leaks the secret.
        """
        for target in (
            "/../secret",
            "/sub/../../secret",
            "/%2e%2e/secret",
            "/.%2e/secret",
            "/%2E%2E%2Fsecret",
            "/..%2fsecret",
            "/..%5csecret",
            "/..\\secret",
            "/%252e%252e/secret",
            "/%252e%252e%252fsecret",
            "/%c0%ae%c0%ae/secret",
            "/%uff0e%uff0e/secret",
            "/..;/secret",
            "/.../secret",
            "/./../secret",
            "//secret",
            "/sub/%00/../../secret",
            "/a.txt%00",
            "/%2fetc/passwd",
            "//etc/passwd",
            "/out",
            "/up/secret",
            "/up/",
            "/up",
            "/.hidden",
            "/%2ehidden",
            "/up/root/.hidden",
            "http://localhost/../secret",
            "http://localhost/out",
            "/" + "../" * 50 + "etc/passwd",
        ):
            response = self.ask(target)
            self.assertIn(response.status, (400, 404), target)
            self.assertNotIn(b"secret", response.body)

    def test_options(self) -> None:
        """
        Unless the operator says so.
        """
        self.serve(hidden=True, followSymlinks=True)
        for target in ("/.hidden", "/out", "/up/secret"):
            self.assertEqual(self.ask(target).body, b"secret")
        self.assertEqual(self.ask("/../secret").status, 404)

    def test_fifo(self) -> None:
        """
        A FIFO keeps nobody waiting.
        """
        os.mkfifo(self.root / "fifo")
        self.assertEqual(self.ask("/fifo").status, 404)


class ConditionalTests(StaticTestCase):
    """
    Ask again, or ask for a part.
    """

    def test_notModified(self) -> None:
        """
        What the client has is not sent again, large or small.
        """
        for target in ("/a.txt", "/large.bin"):
            etag = self.ask(target).headers.get("etag").decode()
            response = self.ask(target, if_none_match=etag)
            self.assertEqual((response.status, response.body), (304, b""))
            self.assertEqual(response.headers.get("etag"), etag.encode())
            self.assertNotIn("content-type", response.headers)
            self.assertEqual(self.ask(target, if_match='"other"').status, 412)

    def test_range(self) -> None:
        """
        A part comes with its place.
        """
        for target, content in (("/a.txt", b"0123456789" * 100), ("/large.bin", LARGE)):
            response = self.ask(target, range="bytes=5-14")
            self.assertEqual((response.status, response.body), (206, content[5:15]))
            expected = b"bytes 5-14/%d" % len(content)
            self.assertEqual(response.headers.get("content-range"), expected)
            response = self.ask(target, range="bytes=99999999-")
            self.assertEqual(response.status, 416)
            expected = b"bytes */%d" % len(content)
            self.assertEqual(response.headers.get("content-range"), expected)
            response = self.ask(target, b"HEAD", range="bytes=5-14")
            self.assertEqual(response.status, 200)

    def test_ranges(self) -> None:
        """
        Several parts come as one multipart, whose length is right.
        """
        for target, content in (("/a.txt", b"0123456789" * 100), ("/large.bin", LARGE)):
            response = self.ask(target, range="bytes=500-509,0-9")
            self.assertEqual(response.status, 206)
            self.assertNotIn("content-range", response.headers)
            self.assertIn(b"boundary=", response.headers.get("content-type"))
            head = b"Content-Type: " + (response.headers.get("content-type") or b"") + b"\r\n\r\n"
            parts: Any = message_from_bytes(head + response.body).get_payload()
            self.assertEqual(
                [part["Content-Range"] for part in parts],
                [f"bytes 500-509/{len(content)}", f"bytes 0-9/{len(content)}"],
            )
            if target == "/a.txt":
                self.assertEqual([part.get_payload() for part in parts], ["0123456789"] * 2)
            else:
                self.assertIn(b"\r\n\r\n" + content[500:510] + b"\r\n--", response.body)

    def test_ifRange(self) -> None:
        """
        A part of another file is of no use: the whole is sent.
        """
        etag = self.ask().headers.get("etag").decode()
        self.assertEqual(self.ask(range="bytes=0-1", if_range=etag).status, 206)
        self.assertEqual(self.ask(range="bytes=0-1", if_range='"other"').status, 200)
        self.assertEqual(self.ask(range="bytes=0-1", if_none_match=etag).status, 304)


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
        self.assertEqual(self.files._answers.size, sum(len(raw) + 1512 for raw in kept))

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


class TransferTests(StaticTestCase):
    """
    What happens on the way.
    """

    def test_shrinks(self) -> None:
        """
        A file that shrinks ends the connection before the length is reached.
        """
        connection = MemoryConnection(self.factory)
        connection.send(request("/large.bin"))
        os.truncate(self.root / "large.bin", 10)
        for _ in range(100):
            self.clock.advance(HOP)
        self.assertTrue(connection.closed)
        [response] = parseResponses(connection.received)
        self.assertFalse(response.complete)
        [failure] = self.flushLoggedErrors()
        self.assertEqual(failure.type.__name__, "FileShrank")

    def test_clientLeaves(self) -> None:
        """
        The file is closed when the client is gone; see C{setUp}.
        """
        connection = MemoryConnection(self.factory)
        connection.send(request("/large.bin"))
        self.assertEqual(openedIn(self.root), [str(self.root / "large.bin")])
        connection.lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_slowClient(self) -> None:
        """
        No more is read than the client takes.
        """
        connection = MemoryConnection(self.factory)
        connection.send(request("/large.bin"))
        connection.protocol.pauseProducing()
        before = len(connection.received)
        self.clock.advance(HOP)
        self.assertEqual(len(connection.received), before)
        connection.protocol.resumeProducing()
        for _ in range(100):
            self.clock.advance(HOP)
        [response] = parseResponses(connection.received)
        self.assertTrue(response.body == LARGE)

    def test_pipelined(self) -> None:
        """
        Answers come in order, large and small, on one connection.
        """
        connection = MemoryConnection(self.factory)
        targets = ["/large.bin", "/a.txt", "/bare/", "/large.bin", "/nothere"]
        connection.send(b"".join(map(request, targets)))
        for _ in range(100):
            self.clock.advance(HOP)
        responses = parseResponses(connection.received, closed=False)
        self.assertEqual([each.status for each in responses], [200, 200, 200, 200, 404])
        self.assertTrue(all(each.complete for each in responses))


class ListingTests(StaticTestCase):
    """
    A directory without an index.
    """

    def test_html(self) -> None:
        """
        A page of what is served, sorted as asked, that runs nothing.
        """
        response = self.ask("/?sort=size&order=desc")
        self.assertEqual(response.status, 200)
        self.assertTrue(response.complete)
        self.assertEqual(response.headers.get("content-type"), b"text/html; charset=utf-8")
        self.assertIn(b"default-src 'none'", response.headers.get("content-security-policy"))
        self.assertLess(response.body.index(b"large.bin"), response.body.index(b"a.txt"))
        for name in (b"hidden", b'"./out"', b'"./up/"'):
            self.assertNotIn(name, response.body)

    def test_json(self) -> None:
        """
        For programs as JSON.
        """
        response = self.ask("/bare/", accept="application/json")
        self.assertEqual(response.headers.get("content-type"), b"application/json")
        self.assertEqual(response.headers.get("vary"), b"Accept")
        page = json.loads(response.body)
        self.assertEqual([each["name"] for each in page["entries"]], ["b"])

    def test_head(self) -> None:
        """
        HEAD reads no directory.
        """
        response = self.ask("/bare/", b"HEAD")
        self.assertEqual((response.status, response.body), (200, b""))

    def test_off(self) -> None:
        """
        Without listings such a directory is not found; an index still is.
        """
        self.serve(listing=False)
        self.assertEqual(self.ask("/bare/").status, 404)
        self.assertEqual(self.ask("/sub/").status, 200)

    def test_clientLeaves(self) -> None:
        """
        A page that nobody waits for is given up; see C{setUp}.
        """
        connection = MemoryConnection(self.factory)
        connection.send(request("/bare/"))
        connection.lose()
        self.clock.advance(HOP)
        self.assertNotIn(b"</html>", connection.received)

    def test_large(self) -> None:
        """
        A large directory comes in slices, between which others are answered.
        """
        for index in range(600):
            (self.root / "bare" / f"{index}").touch()
        connection = MemoryConnection(self.factory)
        connection.send(request("/bare/"))
        sizes = set()
        for _ in range(10):
            self.clock.advance(HOP)
            sizes.add(len(connection.received))
        self.assertGreater(len(sizes), 3)
        [response] = parseResponses(connection.received, closed=False)
        self.assertEqual(response.body.count(b"<tr>"), 603)
