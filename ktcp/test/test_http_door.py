"""
Tests for L{ktcp.http.door}: each refused head whole, byte by byte, in pieces,
and with bytes after it.
"""

# Longer than other modules: most of it is tables of heads, by the rule that refuses them.

from __future__ import annotations

import tracemalloc

from twisted.trial.unittest import SynchronousTestCase

from ktcp.http.door import Door
from ktcp.http.errors import BadRequest
from ktcp.http.limits import Limits
from ktcp.http.message import RequestHead
from ktcp.test.wire import read, verdict

SMALL = Limits(head=512, target=64, headers=8)

# What an attacker wants to be taken for the next request.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


def head(
    *lines: bytes,
    method: bytes = b"GET",
    target: bytes = b"/",
    version: bytes = b"1.1",
    host: bytes = b"Host: a",
) -> bytes:
    """
    Write a head; an empty C{host} leaves the Host line out.
    """
    every = [b"%b %b HTTP/%b" % (method, target, version), *([host] if host else []), *lines]
    return b"\r\n".join([*every, b"", b""])


class DoorTestCase(SynchronousTestCase):
    """
    Verdicts that do not depend on how the bytes come in.
    """

    def assertRefused(self, data: bytes, status: int = 400, limits: Limits | None = None) -> None:
        """
        Refused before any request is seen, the same way however it comes in,
        with and without something after it.
        """
        for after in (b"", SMUGGLED):
            seen = verdict(data + after, limits)
            self.assertEqual(([], status), (seen.requests, seen.status), data + after)

    def assertAdmitted(self, data: bytes, limits: Limits | None = None) -> RequestHead:
        """
        Let in as one request, the same way however it comes in.
        """
        seen = verdict(data, limits)
        self.assertEqual((1, None), (len(seen.requests), seen.status), data)
        return seen.requests[0].head


class GrammarTests(DoorTestCase):
    """
    What the door does not let in, and with which status it says so.
    """

    def test_goodHead(self) -> None:
        """
        A plain head is read as it was written, header names in lower case.
        """
        got = self.assertAdmitted(head(b"Accept: \t text/html, */* \t", target=b"/a?b=c"))
        self.assertEqual((b"GET", b"/a?b=c", b"1.1"), (got.method, got.target, got.httpVersion))
        self.assertEqual([(b"host", b"a"), (b"accept", b"text/html, */*")], list(got.headers))

    def test_bareLF(self) -> None:
        """
        A line that ends with LF alone is refused, wherever it is: another
        reader may see other lines there (RFC 9112, 2.2).
        """
        good = head(b"A: b", b"C: d")
        ends = [at for at in range(len(good)) if good.startswith(b"\r\n", at)]
        for at in ends[:-1]:
            with self.subTest(at=at):
                self.assertRefused(good[:at] + good[at + 1 :])
        self.assertRefused(good.replace(b"\r\n", b"\n"))
        self.assertRefused(b"\n" + good)
        self.assertRefused(b"\r\n\n" + good)

    def test_bareLFAtTheEnd(self) -> None:
        """
        A head whose empty line is a bare LF is refused as soon as it has come.
        """
        self.assertRefused(b"GET / HTTP/1.1\r\nHost: a\r\n\n")

    def test_bareCR(self) -> None:
        """
        A CR that no LF follows is refused, in each part of the head.
        """
        for bad in (
            b"GET / HTTP/1.1\rHost: a\r\n\r\n",
            b"GET /\r HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX\r: b\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
            b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"\r\n\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ):
            with self.subTest(bad=bad):
                self.assertRefused(bad)

    def test_obsoleteFolding(self) -> None:
        """
        A header continued on the next line is refused (RFC 9112, 5.2).
        """
        for fold in (b" ", b"\t"):
            self.assertRefused(head(b"A: b", fold + b"c"))
            self.assertRefused(head(b"Transfer-Encoding:", fold + b"chunked"))
            self.assertRefused(b"GET / HTTP/1.1\r\n" + fold + b"\r\nHost: a\r\n\r\n")

    def test_blankBeforeColon(self) -> None:
        """
        A header name is next to its colon (RFC 9112, 5.1).
        """
        for line in (
            b"A : b",
            b"A\t: b",
            b"Content-Length : 5",
            b"Transfer-Encoding : chunked",
            b" A: b",
        ):
            with self.subTest(line=line):
                self.assertRefused(head(line))

    def test_noHeaderLine(self) -> None:
        """
        A line without a name or a colon is no header.
        """
        for line in (b"A", b": b", b":", b"A b: c", b"A(b): c", b'"A": b', b"\xc3\xa4: b"):
            with self.subTest(line=line):
                self.assertRefused(head(line))

    def test_controls(self) -> None:
        """
        No control character but the tab is let in, in names, values or target.
        """
        for code in [*range(9), 11, 12, *range(14, 32), 127]:
            control = bytes([code])
            with self.subTest(control=control):
                self.assertRefused(head(b"A: b" + control + b"c"))
                self.assertRefused(head(b"A" + control + b": b"))
                self.assertRefused(head(target=b"/" + control))
                self.assertRefused(head(b"Transfer-Encoding:" + control + b"chunked"))
                self.assertRefused(control + head())

    def test_obsText(self) -> None:
        """
        Bytes above ASCII are let in in values (RFC 9110, 5.5), nowhere else.
        """
        got = self.assertAdmitted(head(b"A: \xc3\xa4\xff"))
        self.assertEqual(b"\xc3\xa4\xff", got.headers.get(b"a"))
        self.assertRefused(head(target=b"/\xc3\xa4"))
        self.assertRefused(head(method=b"G\xc3\x84T"))

    def test_requestLine(self) -> None:
        """
        A method, a target and a version, one space between: nothing else.
        """
        for line in (
            b"GET  / HTTP/1.1",
            b"GET /  HTTP/1.1",
            b"GET\t/ HTTP/1.1",
            b" GET / HTTP/1.1",
            b"GET / HTTP/1.1 ",
            b"GET / a HTTP/1.1",
            b"GET HTTP/1.1",
            b"GET / HTTP/1",
            b"GET / HTTP/1.10",
            b"GET / HTTP/11.1",
            b"GET / http/1.1",
            b"GET / HTTP /1.1",
            b"GET / HTTPS/1.1",
            b"G@T / HTTP/1.1",
            b"GET / ",
            b"GET",
            b": / HTTP/1.1",
        ):
            with self.subTest(line=line):
                self.assertRefused(line + b"\r\nHost: a\r\n\r\n")

    def test_methods(self) -> None:
        """
        Any token is a method, and its case is kept: the handler decides.
        """
        for method in (b"get", b"PATCH", b"M-SEARCH", b"!#$%&'*+-.^_`|~09"):
            self.assertEqual(method, self.assertAdmitted(head(method=method)).method)

    def test_http09(self) -> None:
        """
        A simple request of HTTP/0.9 is answered 400, by the time its client
        has closed its side.
        """
        self.assertRefused(b"GET /\r\n\r\n")
        seen = verdict(b"GET /\r\n")
        self.assertEqual(([], 400), seen)

    def test_versions(self) -> None:
        """
        A version not spoken here is answered 505.
        """
        for version in (b"0.9", b"1.2", b"1.9", b"2.0", b"3.0", b"9.9"):
            with self.subTest(version=version):
                self.assertRefused(head(version=version), 505)

    def test_http2Preface(self) -> None:
        """
        A client that begins with HTTP/2 hears 505 at once.
        """
        self.assertRefused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505)

    def test_otherProtocols(self) -> None:
        """
        What cannot be the beginning of a request is refused at its first byte,
        for there may never be a CRLF: TLS on a plain port, say.
        """
        for first in (b"\x16", b"\x00", b" ", b"\xff", b"@", b"(", b"\n"):
            with self.subTest(first=first):
                error = self.assertRaises(BadRequest, Door(Limits()).suspect, first)
                self.assertEqual(400, error.status)
                self.assertRefused(first + b"\x03\x01" * 300, 400, SMALL)
        self.assertRefused(b"\r\rG")

    def test_hostMissing(self) -> None:
        """
        HTTP/1.1 must name its host, HTTP/1.0 need not (RFC 9112, 3.2).
        """
        self.assertRefused(head(host=b""))
        self.assertRefused(head(host=b"", target=b"http://a/"))
        self.assertAdmitted(head(host=b"", version=b"1.0"))

    def test_hostRepeated(self) -> None:
        """
        Two hosts are refused, equal ones too, and in HTTP/1.0 too.
        """
        for version in (b"1.0", b"1.1"):
            self.assertRefused(head(b"Host: b", version=version))
            self.assertRefused(head(b"hOST: a", version=version))

    def test_hostInvalid(self) -> None:
        """
        A Host that is no host is refused.
        """
        for value in (
            b"a b",
            b"a/b",
            b"user@a",
            b"a:b",
            b"a:1:2",
            b"http://a",
            b"[::1",
            b"::1",
            b"[zz]",
            b"[v.x]",
            b"a%2",
            b"a%zz",
            b"a#",
            b"a?",
            b"a\\b",
            b"a<b>",
            b"\xc3\xa4",
            b"a, b",
        ):
            for version in (b"1.0", b"1.1"):
                with self.subTest(value=value):
                    self.assertRefused(head(host=b"Host: " + value, version=version))

    def test_hostValid(self) -> None:
        """
        Names, addresses, ports and the empty host are let in.
        """
        for value in (
            b"",
            b"a",
            b"A-b.example.",
            b"under_score",
            b"127.0.0.1:8081",
            b"[::1]",
            b"[::ffff:1.2.3.4]:80",
            b"[v1.x:y]",
            b"a:",
            b"%41",
        ):
            with self.subTest(value=value):
                self.assertAdmitted(head(host=b"Host: " + value))

    def test_targets(self) -> None:
        """
        A target is a path, an http URL, or C{*} for OPTIONS; it is handed over
        as it came.
        """
        for target in (
            b"/",
            b"//",
            b"/a/../b;c?d=e&f?/",
            b"/%00%zz",
            b"http://a",
            b"HTTPS://a:443/b?c",
            b"http://[::1]/",
            b"http://a?b",
        ):
            with self.subTest(target=target):
                self.assertEqual(target, self.assertAdmitted(head(target=target)).target)
        self.assertAdmitted(head(method=b"OPTIONS", target=b"*"))

    def test_targetsRefused(self) -> None:
        """
        What is in none of these forms is refused.
        """
        for target in (
            b"*",
            b"a",
            b"a:80",
            b"?a",
            b"#",
            b"/#",
            b"/a#b",
            b"**",
            b"http:/a",
            b"http://",
            b"http:///a",
            b"http://:80/",
            b"http://?a",
            b"http://u@a/",
            b"http://a b/",
            b"http://a/#b",
            b"http://a:b/",
            b"ftp://a/",
            b"file:///etc/passwd",
        ):
            with self.subTest(target=target):
                self.assertRefused(head(target=target))

    def test_connect(self) -> None:
        """
        ktcp is no proxy: CONNECT is answered 501.
        """
        self.assertRefused(head(method=b"CONNECT", target=b"a:443"), 501)
        self.assertRefused(head(method=b"CONNECT", target=b"/"), 501)

    def test_expect(self) -> None:
        """
        An expectation other than 100-continue cannot be met: 417.  A client of
        HTTP/1.0 has none.
        """
        for value in (b"", b"200-ok", b"100-continue, x", b"100-continue;a=b"):
            with self.subTest(value=value):
                self.assertRefused(head(b"Expect: " + value, b"Content-Length: 1"), 417)
                self.assertAdmitted(head(b"Expect: " + value, version=b"1.0"))
        self.assertRefused(head(b"Expect: 100-continue", b"Expect: x"), 417)


class SmugglingTests(DoorTestCase):
    """
    Heads that two readers frame in two ways (RFC 9112, 11.2).
    """

    def test_transferEncodingAndContentLength(self) -> None:
        """
        A request has one way to tell where it ends (CL.TE, TE.CL).
        """
        length, coding = b"Content-Length: 5", b"Transfer-Encoding: chunked"
        self.assertRefused(head(length, coding))
        self.assertRefused(head(coding, length))
        self.assertRefused(head(coding, b"Content-Length: 0"))
        self.assertRefused(head(b"cONTENT-lENGTH: 5", b"tRANSFER-eNCODING: identity"))

    def test_transferEncodingIn10(self) -> None:
        """
        HTTP/1.0 knows no Transfer-Encoding (RFC 9112, 6.1).
        """
        self.assertRefused(head(b"Transfer-Encoding: chunked", version=b"1.0"))

    def test_transferEncodingUnknown(self) -> None:
        """
        A coding other than chunked, however it is dressed up, is answered 501
        (TE.TE).
        """
        for value in (
            b"gzip",
            b"identity",
            b"gzip, chunked",
            b"chunked, gzip",
            b"chunked, chunked",
            b"chunked,",
            b",chunked",
            b"xchunked",
            b"chunked;a=b",
            b'"chunked"',
            b"chunked\xa0",
            b"",
        ):
            with self.subTest(value=value):
                self.assertRefused(head(b"Transfer-Encoding: " + value), 501)

    def test_transferEncodingRepeated(self) -> None:
        """
        Two Transfer-Encoding lines are refused, equal ones too.
        """
        line = b"Transfer-Encoding: chunked"
        self.assertRefused(head(line, line), 501)
        self.assertRefused(head(line, b"Transfer-Encoding: identity"), 501)
        self.assertRefused(head(b"Transfer-Encoding: x", line), 501)

    def test_contentLengthRepeated(self) -> None:
        """
        Two lengths are refused, equal ones too (CL.CL).
        """
        self.assertRefused(head(b"Content-Length: 5", b"Content-Length: 5"))
        self.assertRefused(head(b"Content-Length: 5", b"Content-Length: 6"))
        self.assertRefused(head(b"Content-Length: 5, 5"))

    def test_contentLengthNoNumber(self) -> None:
        """
        A length is digits and nothing else.
        """
        for value in (
            b"",
            b"+5",
            b"-5",
            b"-0",
            b"5 5",
            b"0x5",
            b"5,",
            b"5;",
            b"5.0",
            b"1e1",
            b"1_0",
            b"five",
            b"\xb2",
            b"\xd9\xa5",
            b"9" * 21,
            b"9" * 5000,
        ):
            with self.subTest(value=value[:30]):
                self.assertRefused(head(b"Content-Length: " + value))
                self.assertRefused(head(b"Content-Length: " + value, version=b"1.0"))

    def test_chunkedInAnyCase(self) -> None:
        """
        C{Chunked} is chunked: codings are case-insensitive (RFC 9112, 7).
        """
        seen = verdict(head(b"Transfer-Encoding: ChUnKeD") + b"1\r\na\r\n0\r\n\r\n")
        self.assertEqual((b"a", None), (seen.requests[0].body, seen.status))

    def test_absoluteTargetKeepsHost(self) -> None:
        """
        An absolute target that names another host is handed over as it came,
        beside the Host header: the handler sees both.
        """
        got = self.assertAdmitted(head(target=b"http://b/"))
        self.assertEqual((b"http://b/", b"a"), (got.target, got.headers.get("host")))


class SizeTests(DoorTestCase):
    """
    The bounds hold at the byte, and however the bytes come in.
    """

    def test_target(self) -> None:
        """
        A target of the limit passes, one byte more is answered 414.
        """
        self.assertAdmitted(head(target=b"/" * 64), SMALL)
        self.assertRefused(head(target=b"/" * 65), 414, SMALL)

    def test_targetBeyondTheHead(self) -> None:
        """
        A target that would not fit in any head is 414 too, before it ends.
        """
        self.assertRefused(head(target=b"/" * 5000), 414, SMALL)
        self.assertEqual(414, read([b"GET /" + b"a" * 600], SMALL).status)

    def test_head(self) -> None:
        """
        A head of the limit passes, one byte more is answered 431.
        """
        bare = len(head(b"A: "))
        self.assertAdmitted(head(b"A: " + b"b" * (512 - bare)), SMALL)
        self.assertRefused(head(b"A: " + b"b" * (513 - bare)), 431, SMALL)
        self.assertRefused(head(b"A: " + b"b" * 5000), 431, SMALL)

    def test_longestTargetInATooLongHead(self) -> None:
        """
        Where the target is within its limit, it is the head that is too large.
        """
        self.assertRefused(head(b"A: " + b"b" * 600, target=b"/" * 64), 431, SMALL)

    def test_unendedHead(self) -> None:
        """
        A head that never ends is refused once it is larger than it may be.
        """
        door = Door(SMALL)
        door.suspect(b"G" * 512)
        error = self.assertRaises(BadRequest, door.suspect, b"G" * 513)
        self.assertEqual(431, error.status)

    def test_headerCount(self) -> None:
        """
        As many header lines as the limit pass, one more is answered 431.
        """
        self.assertAdmitted(head(*[b"A: b"] * 7), SMALL)
        self.assertRefused(head(*[b"A: b"] * 8), 431, SMALL)

    def test_firstFaultDecides(self) -> None:
        """
        With two faults in one head, the answer does not depend on how many
        bytes came at once.
        """
        big = b"A: " + b"b" * 600
        self.assertRefused(head(b"A: b\nC: d", big), 400, SMALL)
        self.assertRefused(head(big, b"A: b\nC: d"), 431, SMALL)
        self.assertRefused(head(b"A: b\nC: d", version=b"2.0"), 400)
        self.assertRefused(head(b"A: b\nC: d", target=b"/" * 65), 400, SMALL)
        for size in range(500, 530):
            line = b"A: " + b"b" * (size - len(head(b"A: ")))
            data = head(line + b"\n" + line)
            self.assertEqual([], verdict(data, SMALL).requests)

    def test_longURL(self) -> None:
        """
        khttpd cut URLs at 128 bytes: one of 8 KiB arrives whole.
        """
        target = b"/" + b"u" * (8 * 1024 - 1)
        self.assertEqual(target, self.assertAdmitted(head(target=target)).target)


class FramingTests(SynchronousTestCase):
    """
    What the lines that decide framing mean.
    """

    def admit(self, *lines: bytes, version: bytes = b"1.1", method: bytes = b"GET") -> RequestHead:
        return Door(Limits()).admit(head(*lines, version=version, method=method))

    def test_keepAlive(self) -> None:
        """
        HTTP/1.1 lives on unless asked to close, HTTP/1.0 closes unless asked to
        live on; close wins (RFC 9112, 9.3).
        """
        for lines, in10, in11 in [
            ([], False, True),
            ([b"Connection: close"], False, False),
            ([b"Connection: keep-alive"], True, True),
            ([b"connection: Keep-Alive"], True, True),
            ([b"Connection: CLOSE"], False, False),
            ([b"Connection: keep-alive, close"], False, False),
            ([b"Connection: close, keep-alive"], False, False),
            ([b"Connection: close", b"Connection: keep-alive"], False, False),
            ([b"Connection: keep-alive", b"Connection: close"], False, False),
            ([b"Connection: keep-alive", b"Connection: te"], True, True),
            ([b"Connection: te ,\tkeep-alive"], True, True),
            ([b"Connection: ,, close ,"], False, False),
            ([b"Connection: closed"], False, True),
            ([b"Connection: upgrade", b"Upgrade: websocket"], False, True),
            ([b"Connection:"], False, True),
            ([b"Proxy-Connection: keep-alive"], False, True),
        ]:
            with self.subTest(lines=lines):
                got10 = self.admit(*lines, version=b"1.0").framing.keepAlive
                got11 = self.admit(*lines).framing.keepAlive
                self.assertEqual((in10, in11), (got10, got11))

    def test_misspeltKeepAlive(self) -> None:
        """
        khttpd looked for C{KeepAlive}; the token is C{keep-alive}, and nothing
        else keeps a connection of HTTP/1.0.
        """
        for token, kept in [(b"KeepAlive", False), (b"keep_alive", False), (b"Keep-Alive", True)]:
            framing = self.admit(b"Connection: " + token, version=b"1.0").framing
            self.assertEqual(kept, framing.keepAlive)

    def test_bodies(self) -> None:
        """
        A body follows where a length above 0 or chunked says so, whatever the
        method and the version.
        """
        for method in (b"GET", b"POST", b"HEAD", b"DELETE"):
            for lines, hasBody, length in [
                ([], False, 0),
                ([b"Content-Length: 0"], False, 0),
                ([b"Content-Length: 5"], True, 5),
                ([b"Content-Length: 005"], True, 5),
                ([b"Content-Length:5\t"], True, 5),
            ]:
                for version in (b"1.0", b"1.1"):
                    framing = self.admit(*lines, method=method, version=version).framing
                    self.assertEqual((hasBody, length), (framing.hasBody, framing.length))
            framing = self.admit(b"Transfer-Encoding: chunked", method=method).framing
            self.assertEqual((True, None), (framing.hasBody, framing.length))

    def test_expectsContinue(self) -> None:
        """
        Only a client of HTTP/1.1 that has a body to send waits for 100.
        """
        ask = b"Expect: 100-Continue"
        for lines, version, waits in [
            ([ask, b"Content-Length: 5"], b"1.1", True),
            ([ask, b"Transfer-Encoding: chunked"], b"1.1", True),
            ([ask, b"Content-Length: 0"], b"1.1", False),
            ([ask], b"1.1", False),
            ([ask, b"Content-Length: 5"], b"1.0", False),
            ([b"Content-Length: 5"], b"1.1", False),
        ]:
            with self.subTest(lines=lines, version=version):
                self.assertEqual(waits, self.admit(*lines, version=version).framing.expectsContinue)

    def test_manyDecidingLines(self) -> None:
        """
        A client that says much about the connection is understood all the same.
        """
        lines = [b"Connection: %s" % (b"x" * 100)] * 5 + [b"Connection: close"]
        self.assertFalse(self.admit(*lines).framing.keepAlive)


class MemoryTests(SynchronousTestCase):
    """
    The door remembers heads, and a client cannot tell.
    """

    def test_sameVerdict(self) -> None:
        """
        A door that remembers and one that does not say the same, also when
        asked again.
        """
        remembering, forgetting = Door(Limits()), Door(Limits(), remember=False)
        large = head(b"A: " + b"b" * 3000)
        good = [head(), head(b"Content-Length: 5"), head(version=b"1.0"), large]
        for data in good * 2:
            self.assertEqual(forgetting.admit(data), remembering.admit(data))
        for data in [head(host=b""), head(version=b"2.0"), head(b"Content-Length: x")] * 2:
            expected = self.assertRaises(BadRequest, forgetting.admit, data)
            got = self.assertRaises(BadRequest, remembering.admit, data)
            self.assertEqual(expected.args, got.args)

    def test_remembers(self) -> None:
        """
        A head that has come twice costs no reading any more, unless the memory
        is off.
        """
        for remember, check in ((True, self.assertIs), (False, self.assertIsNot)):
            door = Door(Limits(), remember)
            door.admit(head())
            check(door.admit(head()), door.admit(head()))

    def test_parts(self) -> None:
        """
        Heads that differ in their target share their headers, those that
        differ in a cookie the other lines.
        """
        door = Door(Limits())
        for _ in range(3):
            first = door.admit(head(b"A: b", target=b"/1"))
        second = door.admit(head(b"A: b", target=b"/2"))
        self.assertIs(first.headers, second.headers)
        third = door.admit(head(b"A: b", b"Cookie: c"))
        self.assertEqual(third.headers.getAll("a"), [b"b"])
        self.assertIs(list(third.headers)[1], list(first.headers)[1])

    def test_versionMatters(self) -> None:
        """
        The same lines mean something else in another version.
        """
        door = Door(Limits())
        for _ in range(3):
            self.assertTrue(door.admit(head()).framing.keepAlive)
            self.assertFalse(door.admit(head(version=b"1.0")).framing.keepAlive)

    def test_largeHeadsAreNotKept(self) -> None:
        """
        Heads over 2 KiB, such as those with large cookies, are read anew.
        """
        door = Door(Limits())
        large = head(b"Cookie: " + b"c" * 2048)
        self.assertIsNot(door.admit(large), door.admit(large))

    def test_uniqueHeadsPushNothingOut(self) -> None:
        """
        Heads that come once do not make the door forget one that comes again.
        """
        door = Door(Limits())
        kept = [door.admit(head()) for _ in range(2)][-1]
        for number in range(5000):
            door.admit(head(b"A: %d" % number, target=b"/%d" % number))
        self.assertIs(kept, door.admit(head()))

    def test_forgetsTheOldest(self) -> None:
        """
        Heads that do come again push out old ones, so that memory has a bound.
        """
        door = Door(Limits())
        kept = [door.admit(head()) for _ in range(2)][-1]
        for number in range(1024):
            for _ in range(2):
                door.admit(head(target=b"/%d" % number))
        self.assertIsNot(kept, door.admit(head()))

    def test_bounded(self) -> None:
        """
        Whatever strangers send, a door keeps less than 40 MiB; here an eighth
        of a door and an eighth of that, for tracing memory takes long.
        """
        for name in ("_HEADS", "_LINES"):
            entries, longest = getattr(Door, name)
            self.patch(Door, name, (entries // 8, longest))
        door = Door(Limits())
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for number in range(3 * Door._HEADS[0] // 2):
            lines = [b"%x:%011d" % (line, number) for line in range(99)]
            for _ in range(2):
                door.admit(head(*lines, target=b"/%04d" % number))
        kept = tracemalloc.get_traced_memory()[0]
        self.assertTrue(2 * 1024 * 1024 < kept < 40 * 1024 * 1024 / 8, kept)

    def test_refusalsAreNotKept(self) -> None:
        """
        A refused head does not push out a good one.
        """
        door = Door(Limits())
        first = [door.admit(head()) for _ in range(2)][-1]
        for number in range(1100):
            self.assertRaises(BadRequest, door.admit, head(target=b"%d" % number))
        self.assertIs(first, door.admit(head()))
