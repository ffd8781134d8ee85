"""
The clients that people use, against a server as they start it.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.utils import getProcessOutputAndValue

from ktcp import Request, Response
from ktcp.test.clients import LARGE, ClientsTestCase, fill, sharedFolder
from ktcp.test.peers import peer
from ktcp.test.support import BIN, makePEM, spawn
from ktcp.test.test_http_codings import TEXT, decoded


class CurlTests(ClientsTestCase):
    """
    curl, the client every operator types.
    """

    async def test_methods(self) -> None:
        """
        GET greets, HEAD has no body, DELETE is not implemented.
        """
        self.use()
        out, _ = await self.curl("-i", f"{self.url}/")
        head, _, body = out.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertIn(b"\r\nServer: ktcp\r\n", head + b"\r\n")
        self.assertEqual(body, b"Hello World!")
        out, _ = await self.curl("-I", f"{self.url}/x")
        self.assertTrue(out.startswith(b"HTTP/1.1 200 OK\r\n") and out.endswith(b"\r\n\r\n"))
        out, _ = await self.curl("-i", "-X", "DELETE", f"{self.url}/")
        self.assertTrue(out.startswith(b"HTTP/1.1 501 Not Implemented\r\n"))

    async def test_connectionIsReused(self) -> None:
        """
        Several URLs take one connection; with HTTP/1.0 it closes.
        """
        self.use()
        out, err = await self.curl(f"{self.url}/a", f"{self.url}/b", f"{self.url}/c")
        self.assertEqual(out, b"Hello World!" * 3)
        self.assertEqual(len(re.findall(rb"Re-?using existing", err)), 2)
        out, err = await self.curl("--http1.0", f"{self.url}/")
        self.assertEqual(out, b"Hello World!")
        self.assertIn(b"Closing connection", err)

    async def test_uploadIsRefused(self) -> None:
        """
        A large upload is refused before it is sent: curl asks by C{Expect}.
        """
        self.use()
        upload = Path(self.mktemp())
        upload.write_bytes(b"x" * 5_000_000)
        out, _ = await self.curl("-T", upload, "-w", "%{http_code} %{size_upload}", self.url)
        self.assertTrue(out.endswith(b"501 0"), out)

    async def test_hugeUploadIsRefused(self) -> None:
        """
        2 GiB that a limit refuses: not one byte of them is sent.
        """

        async def take(request: Request) -> Response:
            return Response(200, await request.body.read())

        url = self.serve(take)
        upload = Path(self.mktemp())
        with upload.open("wb") as file:
            file.truncate(2 * 1024**3)
        out, err = await self.curl(
            "-T", upload, "-X", "POST", "-w", "%{http_code} %{size_upload}", url
        )
        self.assertTrue(out.endswith(b"413 0"), out)
        self.assertIn(b"> Expect: 100-continue", err)
        self.assertNotIn(b"< HTTP/1.1 100", err)

    async def test_continue(self) -> None:
        """
        A handler that reads gets the body, which curl sends once it is asked to.
        """
        self.use("--diagnostics")
        upload = Path(self.mktemp())
        upload.write_bytes(TEXT)
        out, err = await self.curl(
            "-H", "Expect: 100-continue", "--data-binary", f"@{upload}", f"{self.url}/echo"
        )
        self.assertIn(b"< HTTP/1.1 100 Continue", err)
        self.assertEqual(out, TEXT)

    async def test_chunkedUpload(self) -> None:
        """
        A body of unknown length comes back whole.
        """
        self.use("--diagnostics")
        curl = peer("curl", "curl")
        upload = Path(self.mktemp())
        upload.write_bytes(TEXT)
        out = await self.shell(
            f"cat {upload} | {curl} -sS --max-time 20 -T - -X POST {self.url}/echo"
        )
        self.assertEqual(out, TEXT)

    async def test_trailers(self) -> None:
        """
        curl shows the trailers of an answer, after its body.
        """

        async def chunks() -> AsyncIterator[bytes]:
            yield b"body\n"

        answer = Response(200, chunks(), {"Trailer": "X-Sum"}, trailers={"X-Sum": "42"})
        out, _ = await self.curl("-i", self.serve(lambda request: answer))
        head, _, rest = out.partition(b"\r\n\r\n")
        self.assertIn(b"\r\nTrailer: X-Sum", head)
        # curl writes trailers where headers go, as they come: after the body.
        self.assertEqual(rest, b"body\nX-Sum: 42\r\n")


class FilesTests(ClientsTestCase):
    """
    curl, and a directory.
    """

    def use(self, *options: str) -> None:
        """
        Ask for files that stay as they are.
        """
        super().use("--root", str(sharedFolder()), *options)

    async def start(self, *options: object) -> None:
        """
        Serve files that this test may change.
        """
        self.root = Path(self.mktemp()).absolute()
        self.root.mkdir()
        fill(self.root)
        await super().start("--root", self.root, *options)

    async def test_whole(self) -> None:
        """
        A large file compares equal, for HTTP/1.0 too.
        """
        self.use()
        for version in ("--http1.1", "--http1.0"):
            out, _ = await self.curl(version, f"{self.url}/large")
            self.assertTrue(out == LARGE)

    async def test_range(self) -> None:
        """
        One range is these bytes; two come as multipart.
        """
        self.use()
        out, _ = await self.curl("-r", "1000-1999", f"{self.url}/large")
        self.assertEqual(out, LARGE[1000:2000])
        out, err = await self.curl("-r", "0-9,5000-5009", f"{self.url}/large")
        self.assertIn(b"206 Partial Content", err)
        self.assertIn(b"\r\n\r\n" + LARGE[:10] + b"\r\n--", out)
        self.assertIn(b"\r\n\r\n" + LARGE[5000:5010] + b"\r\n--", out)

    async def test_everyCoding(self) -> None:
        """
        C{--compressed} unpacks what is compressed on the way, in each coding
        that this curl has; what it has not is read by the libraries.
        """
        await self.start()
        features = (await self.run_("curl", "curl", "--version"))[0].split()
        for content in (TEXT[:5000], TEXT):
            (self.root / "text.css").write_bytes(content)
            await self.settled("text.css", content)
            for coding, feature in (("gzip", b"libz"), ("br", b"brotli"), ("zstd", b"zstd")):
                wanted = ("-H", f"Accept-Encoding: {coding}", f"{self.url}/text.css")
                head, _ = await self.curl("-I", *wanted)
                self.assertIn(f"\r\nContent-Encoding: {coding}\r\n".encode(), head)
                out, _ = await self.curl(*wanted)
                self.assertEqual(decoded(coding.encode(), out), content)
                if feature in features:
                    out, _ = await self.curl("--compressed", *wanted)
                    self.assertEqual(out, content)
            out, err = await self.curl("--compressed", f"{self.url}/text.css")
            self.assertIn(b"< Content-Encoding: ", err)
            self.assertEqual(out, content)
            out, err = await self.curl("--compressed", "-r", "10-19", f"{self.url}/text.css")
            self.assertNotIn(b"< Content-Encoding: ", err)
            self.assertEqual(out, content[10:20])

    async def settled(self, name: str, content: bytes) -> None:
        """
        Ask until a changed file is served changed.
        """
        while (await self.curl(f"{self.url}/{name}"))[0] != content:
            pass

    async def test_resume(self) -> None:
        """
        C{curl -C -} goes on where it stopped.
        """
        self.use()
        part = Path(self.mktemp())
        part.write_bytes(LARGE[:1_234_567])
        await self.curl("-C", "-", "-o", part, f"{self.url}/large")
        self.assertTrue(part.read_bytes() == LARGE)

    async def test_notModified(self) -> None:
        """
        What curl has kept, by tag or by date, is not sent again.
        """
        self.use()
        kept, tag = Path(self.mktemp()), Path(self.mktemp())
        await self.curl("-R", "-o", kept, "--etag-save", tag, f"{self.url}/large")
        code = ("-w", "%{http_code}", "-o", os.devnull, f"{self.url}/large")
        self.assertEqual((await self.curl("--etag-compare", tag, *code))[0], b"304")
        self.assertEqual((await self.curl("-z", kept, *code))[0], b"304")

    async def test_head(self) -> None:
        """
        HEAD's head is GET's, but for the Date.
        """
        await self.start()
        (self.root / "text.css").write_bytes(TEXT)
        (self.root / "small.css").write_bytes(TEXT[:5000])
        for name in ("large", "page.html", "text.css", "small.css", "", "nothere"):
            for accept in ("identity", "gzip"):
                wanted = ("-H", f"Accept-Encoding: {accept}", f"{self.url}/{name}")
                head, _ = await self.curl("-I", *wanted)
                got, _ = await self.curl("-D", "-", "-o", os.devnull, *wanted)
                without = re.compile(rb"Date: [^\r]*")
                self.assertEqual(without.sub(b"", head), without.sub(b"", got))

    async def test_compressed(self) -> None:
        """
        C{--compressed} gets the packed sibling, unpacked.
        """
        self.use()
        out, _ = await self.curl("--compressed", f"{self.url}/page.html")
        self.assertEqual(out, b"<p>packed")

    async def test_traversal(self) -> None:
        """
        No disguise of a path that leads out, and no link that does, is found.
        """
        await self.start()
        secret = f"{self.root.name}-secret"
        (self.root.parent / secret).write_bytes(b"secret")
        (self.root / "link").symlink_to(self.root.parent / secret)
        (self.root / "parent").symlink_to("..")
        (self.root / "inner").symlink_to("page.html")
        (self.root / ".hidden").write_bytes(b"secret")
        ways = [
            f"/{way}/{secret}"
            for way in (
                "..",
                ".",
                "%2e%2e",
                "%2E.",
                "..%2f..",
                "%252e%252e",
                "..%5c",
                "..\\",
                "..%00",
                "..;",
                "%c0%ae%c0%ae",
                "%uff0e%uff0e",
                "parent",
                "page.html/..",
                "parent/..",
                "/..",
            )
        ]
        urls = [self.url + way for way in (*ways, "/link", "/.hidden", "/%2ehidden", "/parent/")]
        out, _ = await self.curl("--path-as-is", "-g", "-w", "%{http_code}\n", *urls)
        self.assertNotIn(b"secret", out)
        self.assertLessEqual(set(re.findall(rb"^[0-9]{3}$", out, re.M)), {b"400", b"404"})
        self.assertEqual(len(re.findall(rb"^[0-9]{3}$", out, re.M)), len(urls))
        self.assertEqual((await self.curl(f"{self.url}/inner"))[0], b"<p>page")

    async def test_mirror(self) -> None:
        """
        wget mirrors a tree of 2,000 files, whose names have what URLs have to
        escape, and C{diff -r} finds no difference.  Listings are read for their
        links, not kept; robots.txt is none of ours.  (A name with what looks
        like an escape is not among them: wget decodes those of files twice.)
        """
        await self.start()
        for number in range(2000):
            folder = self.root / f"a{number % 10} dir" / ("\u00fc%20b" if number % 3 else "q?#;&=")
            folder.mkdir(parents=True, exist_ok=True)
            name = f"{number} f\u00eft 100%+[x]'~:?#&;=,@!$.txt"
            (folder / name).write_bytes(b"%d\n" % number * (number % 50))
        mirror = Path(self.mktemp()).absolute()
        wget: list[object] = [
            "-q",
            "-r",
            "-l",
            "inf",
            "-nH",
            "-np",
            "-e",
            "robots=off",
            "--no-proxy",
        ]
        # Names as they are, whatever the terminal is said to show.
        wget += [
            "--no-proxy",
            "--restrict-file-names=nocontrol",
            "--reject-regex",
            r"[?]sort=",
            "-P",
            mirror,
        ]
        # The page of a directory is saved under this name, which nothing here has.
        wget += ["--default-page=.listing", "--reject=.listing*", f"{self.url}/"]
        await self.run_("wget", "wget", *wget)
        out, _ = await self.run_("diff", "diffutils", "-r", self.root, mirror)
        self.assertEqual(out, b"")
        self.assertEqual(sum(len(files) for _, _, files in os.walk(mirror)), 2003)

    async def test_listing(self) -> None:
        """
        A directory lists what is in it, unless that is off.
        """
        self.use()
        out, _ = await self.curl(f"{self.url}/?sort=size&order=desc")
        self.assertLess(out.index(b"./large"), out.index(b"./page.html"))

    async def test_noListing(self) -> None:
        """
        C{--no-listing}.
        """
        await self.start("--no-listing")
        self.assertEqual((await self.curl(self.url))[0], b"404 Not Found\n")

    async def test_tls(self) -> None:
        """
        Files go through TLS, not past it.
        """
        pem = Path(self.mktemp()).absolute()
        pem.write_bytes(makePEM())
        await self.start("--http", f"ssl:0:privateKey={pem}:interface=127.0.0.1")
        out, _ = await self.curl(
            "-k",
            "--resolve",
            f"localhost:{self.http}:127.0.0.1",
            f"https://localhost:{self.http}/large",
        )
        self.assertTrue(out == LARGE)

    async def test_missingRoot(self) -> None:
        """
        A root that is not there is one line.
        """
        server = spawn(self, [BIN / "twistd", "-n", "ktcp", "--root", "/no/such/place"])
        self.assertEqual(await server.ended, 1)
        self.assertIn(
            b"ktcp: --root /no/such/place: must be a directory that can be read\n",
            b"".join(server.output.values()),
        )


class EchoTests(ClientsTestCase):
    """
    nc, as the README has it.
    """

    async def test_binary(self) -> None:
        """
        NUL bytes come back, and the end of input ends it.
        """
        self.use()
        peer("nc", "netcat-openbsd")
        out = await self.shell(rf"printf 'a\0b\n' | nc -N 127.0.0.1 {self.echo}")
        self.assertEqual(out, b"a\0b\n")

    async def test_large(self) -> None:
        """
        A 100 MB file of random bytes compares equal.
        """
        self.use()
        peer("nc", "netcat-openbsd")
        path = self.mktemp()
        await self.shell(
            f"head -c 100000000 /dev/urandom > {path}; "
            f"nc -N 127.0.0.1 {self.echo} < {path} | cmp - {path}; rm {path}"
        )


class LoadTests(ClientsTestCase):
    """
    Load generators: not how fast it is, but that nothing fails.
    """

    async def test_ab(self) -> None:
        """
        ab -k speaks HTTP/1.0 and asks for persistence: every request has it.
        """
        self.use()
        out, _ = await self.run_(
            "ab", "apache2-utils", "-q", "-k", "-n", "20000", "-c", "50", f"{self.url}/"
        )
        self.assertRegex(out, rb"Complete requests: +20000\n")
        self.assertRegex(out, rb"Failed requests: +0\n")
        self.assertRegex(out, rb"Keep-Alive requests: +20000\n")
        self.assertNotIn(b"Non-2xx", out)

    async def test_abClosing(self) -> None:
        """
        A connection for each request loses none either.
        """
        self.use()
        out, _ = await self.run_(
            "ab", "apache2-utils", "-q", "-n", "5000", "-c", "50", f"{self.url}/"
        )
        self.assertRegex(out, rb"Complete requests: +5000\n")
        self.assertRegex(out, rb"Failed requests: +0\n")

    async def test_wrk(self) -> None:
        """
        wrk keeps 50 connections busy; no error, no other status.
        """
        self.use()
        out, _ = await self.run_("wrk", "wrk", "-t1", "-c50", "-d2s", f"{self.url}/")
        self.assertRegex(out, rb"[1-9][0-9]* requests in")
        self.assertNotIn(b"Socket errors", out)
        self.assertNotIn(b"Non-2xx", out)

    async def test_h2load(self) -> None:
        """
        h2load in HTTP/1.1.
        """
        self.use()
        out, _ = await self.run_(
            "h2load", "nghttp2-client", "--h1", "-n", "20000", "-c", "20", f"{self.url}/"
        )
        self.assertIn(b" 20000 succeeded, 0 failed, 0 errored, 0 timeout", out)
        self.assertIsNotNone(re.search(rb"20000 2xx, 0 3xx, 0 4xx, 0 5xx", out))

    async def test_stopUnderLoad(self) -> None:
        """
        SIGTERM under load ends the server with status 0.
        """
        await self.start()
        load = getProcessOutputAndValue(
            peer("wrk", "wrk"), ["-t1", "-c50", "-d1s", f"{self.url}/"], env=os.environ
        )
        pause: Deferred[None] = Deferred()
        reactor.callLater(0.5, pause.callback, None)
        await pause
        self.server.signal("TERM")
        status, _ = await gatherResults([self.server.ended, load])
        self.assertEqual(status, 0)
