"""
Tests for L{ktcp.http.chunks}, through a connection that hears it.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ktcp.http.errors import BadRequest
from ktcp.http.limits import Limits
from ktcp.test.test_http_connection import CHUNKED_HEAD, GET, connect
from ktcp.test.wire import read, verdict


class BrokenBodyTests(SynchronousTestCase):
    """
    Bodies whose framing is broken, or that two readers could end in two places.
    """

    def assertBroken(self, body: bytes, status: int = 400, limits: Limits | None = None) -> None:
        """
        The request is refused in its body, however it comes in and with
        whatever after it.
        """
        for after in (b"", b"\r\n", GET):
            seen = verdict(CHUNKED_HEAD + body + after, limits)
            self.assertEqual((1, status), (len(seen.requests), seen.status), body + after)

    def test_chunkSize(self) -> None:
        """
        A chunk's size is hexadecimal digits, at most 16, and CRLF.
        """
        for line in (
            b"",
            b"x",
            b"-1",
            b"+1",
            b"0x1",
            b"1_0",
            b" 1",
            b"1 1",
            b"1\n",
            b"1\r",
            b"1\x00",
            b"g",
            b"1" * 17,
            b"0" * 16 + b"1",
            b"1;a\nb",
            b"1:",
        ):
            with self.subTest(line=line):
                self.assertBroken(line + b"\r\na\r\n0\r\n\r\n")

    def test_chunkEndsWithBareLF(self) -> None:
        """
        A chunk's size ends with CRLF, not with LF.
        """
        self.assertBroken(b"1\na\r\n0\r\n\r\n")
        self.assertBroken(b"1;\na\r\n0\r\n\r\n")

    def test_chunkLongerThanItsSize(self) -> None:
        """
        What comes after a chunk's bytes is CRLF and nothing else.
        """
        for footer in (b"a\r\n", b"\n", b"\r", b"ab", b"\n\n", b"\r\r\n"):
            with self.subTest(footer=footer):
                self.assertBroken(b"1\r\na" + footer + b"0\r\n\r\n")

    def test_extensions(self) -> None:
        """
        Chunk extensions are read over (RFC 9112, 7.1.1).
        """
        for line in (b"1;", b"1;a", b"1;a=b;c", b'1;a="b;c"', b"00001;a=b"):
            seen = verdict(CHUNKED_HEAD + line + b"\r\nx\r\n0;a=b\r\n\r\n" + GET)
            self.assertEqual((2, None), (len(seen.requests), seen.status))
            self.assertEqual(b"x", seen.requests[0].body)

    def test_controlsInExtensions(self) -> None:
        """
        A bare CR or LF, NUL or another control in an extension, or a blank
        after the size, is refused; h11 alone would take them.
        """
        for code in [*range(9), 10, 11, 12, 13, *range(14, 32), 127]:
            control = bytes([code])
            with self.subTest(control=control):
                self.assertBroken(b"1;a" + control + b"b\r\nx\r\n0\r\n\r\n")
                self.assertBroken(b"1\r\nx\r\n0;" + control + b"\r\n\r\n")
        for line in (b"1 ", b"1\t", b"1 ;a", b"1\r"):
            self.assertBroken(line + b"\r\nx\r\n0\r\n\r\n")

    def test_brokenLineNeverEnds(self) -> None:
        """
        A client whose lines end with a bare LF is told at once: no CRLF may
        ever come.
        """
        for body in (b"5\nhello\n0\n\n", b"5;a\n", b"5\r\nhello\r\n0\n", b"0\r\nA: b\nC: d", b"x"):
            connection = connect(CHUNKED_HEAD + body)
            connection.nextRequest()
            if body.startswith(b"5\r"):
                self.assertEqual(b"hello", connection.nextBody())
            self.assertRaises(BadRequest, connection.nextBody)

    def test_extensionsTooLong(self) -> None:
        """
        Extensions are bounded at the byte, also when they come whole.
        """
        limits = Limits(head=512)
        fits = b";" + b"a" * 511
        seen = verdict(CHUNKED_HEAD + b"1" + fits + b"\r\nx\r\n0\r\n\r\n" + GET, limits)
        self.assertEqual((2, None), (len(seen.requests), seen.status))
        for line in (b"1" + fits + b"a", b"0" * 15 + b"1" + fits + b"a", b"1" + fits * 10):
            self.assertBroken(line + b"\r\nx\r\n0\r\n\r\n", 413, limits)
        self.assertBroken(b"1" + fits + b"\x00", 400, limits)
        self.assertBroken(b"1" + fits + b"a\x00", 413, limits)

    def test_extensionsAltogether(self) -> None:
        """
        Small chunks with extensions are bounded altogether (CVE-2023-39326);
        extensions in proportion to their chunks, such as signatures, are not.
        """
        limits = Limits(head=512)
        chunk = b"1;" + b"a" * 100 + b"\r\nx\r\n"
        seen = verdict(CHUNKED_HEAD + chunk * 5 + b"0\r\n\r\n" + GET, limits)
        self.assertEqual((2, None), (len(seen.requests), seen.status))
        self.assertBroken(chunk * 6 + b"0\r\n\r\n", 413, limits)
        signed = b"80;signature=" + b"a" * 64 + b"\r\n" + b"x" * 128 + b"\r\n"
        seen = read([CHUNKED_HEAD + signed * 100 + b"0\r\n\r\n"], limits)
        self.assertEqual((12800, None), (len(seen.requests[0].body), seen.status))

    def test_longTrailers(self) -> None:
        """
        Trailers are bounded as a head is, in bytes and in lines, also when they
        come whole.
        """
        limits = Limits(head=512, headers=8)
        seen = verdict(CHUNKED_HEAD + b"0\r\n" + b"A: b\r\n" * 8 + b"\r\n" + GET, limits)
        self.assertEqual((2, None), (len(seen.requests), seen.status))
        self.assertBroken(b"0\r\n" + b"A: b\r\n" * 9 + b"\r\n", 431, limits)
        self.assertBroken(b"0\r\nA: " + b"b" * 600 + b"\r\n\r\n", 431, limits)

    def test_bareLFInTrailers(self) -> None:
        """
        Trailers follow the grammar of a head: a bare LF, which would end them
        for one reader and not for another, is refused.
        """
        for trailers in (
            b"\n",
            b"A: b\n\n",
            b"A: b\n\r\n",
            b"A: b\r\n\n",
            b"A: b\nC: d\r\n\r\n",
            b"A: b\r\nC: d\n\r\n",
            b"A: b\r\n c\r\n\r\n",
            b"A: b\x00\r\n\r\n",
            b"A: b\x01\r\n\r\n",
            b"A: b\rC: d\r\n\r\n",
            b"A : b\r\n\r\n",
            b"A\r\n\r\n",
            b": b\r\n\r\n",
        ):
            with self.subTest(trailers=trailers):
                self.assertBroken(b"0\r\n" + trailers)
                self.assertBroken(b"1\r\n\n\r\n0\r\n" + trailers)

    def test_framingInTrailers(self) -> None:
        """
        Trailers do not frame (RFC 9110, 6.5.1).
        """
        for line in (b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Connection: close"):
            self.assertBroken(b"0\r\n" + line + b"\r\n\r\n")
        self.assertBroken(b"0\r\nContent-Length: 5\nContent-Length: 5\r\n\r\n")

    def test_stayBroken(self) -> None:
        """
        A broken body has no end: who asks again hears the same.
        """
        for body in (b"x\r\n", b"0\r\n\n" + GET):
            connection = connect(CHUNKED_HEAD + body)
            connection.nextRequest()
            for _ in range(3):
                self.assertRaises(BadRequest, connection.nextBody)
            self.assertTrue(connection.inBody)
