"""
Tests for L{ktcp.http.codings}, read back by the libraries' own decoders.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import zstandard
from twisted.trial.unittest import SynchronousTestCase

from ktcp.http import codings
from ktcp.http.codings import CHEAPEST, SMALLEST, coders, compressed

TEXT = b"".join(b"%d bottles of beer on the wall\n" % n for n in range(20_000))


def _reader(coding: bytes) -> Callable[[bytes], bytes]:
    """
    @return: Takes bytes of a stream, gives what can be read by now.
    """
    if coding == b"gzip":
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress
    reader: Any
    if coding == b"zstd":
        reader = zstandard.ZstdDecompressor().decompressobj()
        decompress: Callable[[bytes], bytes] = reader.decompress
        return decompress
    reader = brotli.Decompressor()

    def read(data: bytes) -> bytes:
        # It may keep some until it is asked again.
        found = [reader.process(data)]
        while found[-1]:
            found.append(reader.process(b""))
        return b"".join(found)

    return read


def decoded(coding: bytes | None, data: bytes) -> bytes:
    """
    Read what was sent in a coding.
    """
    return data if coding is None else _reader(coding)(data)


class CoderTests(SynchronousTestCase):
    """
    Every coding.
    """

    def test_all(self) -> None:
        """
        With the libraries there are three, in two orders.
        """
        self.assertEqual(set(coders), {b"gzip", b"br", b"zstd"})
        self.assertEqual(SMALLEST, (b"br", b"zstd", b"gzip"))
        self.assertEqual(CHEAPEST, (b"zstd", b"br", b"gzip"))

    def test_withoutLibraries(self) -> None:
        """
        Without them there is gzip.
        """
        self.patch(sys, "modules", {**sys.modules, "brotli": None, "zstandard": None})
        self.assertEqual(list(codings._available()), [b"gzip"])

    def test_whole(self) -> None:
        """
        Any body reads back, and text is a lot shorter; the bytes are the same
        each time, so that a tag can stand for them.
        """
        for coding in coders:
            for body in (b"", b"a", TEXT, os.urandom(100_000)):
                self.assertEqual(decoded(coding, compressed(coding, body)), body)
            self.assertLess(len(compressed(coding, TEXT)), len(TEXT) / 4)
            self.assertEqual(compressed(coding, TEXT), compressed(coding, TEXT))

    def test_flush(self) -> None:
        """
        After a flush all can be read, before the end has come.
        """
        for coding, make in coders.items():
            coder, read = make(), _reader(coding)
            for piece in (b"first", b"", b"second" * 10_000):
                self.assertEqual(read(coder.compress(piece) + coder.flush()), piece)
            self.assertEqual(read(coder.finish()), b"")
