"""
Tests for L{ktcp.http.static}.
"""

from __future__ import annotations

import json
import os
from email import message_from_bytes
from typing import Any

from ktcp import StaticFiles
from ktcp.http.dates import formatDate
from ktcp.http.variants import SMALL, typeOf
from ktcp.test.folder import HOP, LARGE, StaticTestCase, openedIn
from ktcp.testing import MemoryConnection, parseResponses, request


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
