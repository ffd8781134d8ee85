# -*- test-case-name: ktcp.test.test_http_codings -*-
"""
Content codings (RFC 9110, 8.4.1) that this Python can make: gzip by its own
zlib, C{br} and C{zstd} where the libraries are installed (C{ktcp[compress]}).
Pure, and each call may run in a thread: the libraries release the interpreter.

Levels were chosen on this package's own source, for 64 KiB: gzip 5 is as small
as 6 (0.305 of it) in less time, 9 takes three times as long for 0.300; br 5
gives 0.293 in gzip's time, 9 takes seven times as long; zstd 3 gives 0.325 in
a fifth of it.  Windows of 256 KiB bound what a slow client costs: some 300 KiB
for gzip, 1 to 2 MiB for the others.  (RFC 9659 allows zstd 8 MiB.)
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, Protocol

_WINDOW_BITS = 18


class Coder(Protocol):
    """
    Compresses one body.
    """

    def compress(self, data: bytes) -> bytes:
        """
        @return: What can be sent by now; often nothing.
        """

    def flush(self) -> bytes:
        """
        @return: What is missing for the client to read all of it so far.
        """

    def finish(self) -> bytes:
        """
        @return: The end.
        """


class _Gzip:
    def __init__(self) -> None:
        # 16 more than the window: a gzip header (zlib.h), in which zlib writes
        # no time, so that the same bytes are made each time.
        self._zlib = zlib.compressobj(5, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        self.compress = self._zlib.compress
        self.finish = self._zlib.flush

    def flush(self) -> bytes:
        return self._zlib.flush(zlib.Z_SYNC_FLUSH)


class _Brotli:
    def __init__(self, library: Any) -> None:
        compressor = library.Compressor(quality=5, lgwin=_WINDOW_BITS)
        self.compress: Callable[[bytes], bytes] = compressor.process
        self.flush: Callable[[], bytes] = compressor.flush
        self.finish: Callable[[], bytes] = compressor.finish


class _Zstd:
    def __init__(self, library: Any) -> None:
        parameters = library.ZstdCompressionParameters.from_level(3, window_log=_WINDOW_BITS)
        compressor = library.ZstdCompressor(compression_params=parameters).compressobj()
        self._flush: Callable[[int], bytes] = compressor.flush
        self._block: int = library.COMPRESSOBJ_FLUSH_BLOCK
        self.compress: Callable[[bytes], bytes] = compressor.compress
        self.finish: Callable[[], bytes] = compressor.flush

    def flush(self) -> bytes:
        return self._flush(self._block)


def _available() -> dict[bytes, Callable[[], Coder]]:
    """
    @return: What makes a coder, for each coding that there is.
    """
    found: dict[bytes, Callable[[], Coder]] = {b"gzip": _Gzip}
    for coding, name, made in ((b"br", "brotli", _Brotli), (b"zstd", "zstandard", _Zstd)):
        try:
            library = import_module(name)
        except ImportError:
            continue
        found[coding] = partial(made, library)
    return found


coders = _available()

# Of the answers that are as welcome to the client: what is made once is to be
# small, what is made for each client is to be cheap.
SMALLEST = tuple(coding for coding in (b"br", b"zstd", b"gzip") if coding in coders)
CHEAPEST = tuple(coding for coding in (b"zstd", b"br", b"gzip") if coding in coders)


def compressed(coding: bytes, data: bytes) -> bytes:
    """
    Compress a whole body.
    """
    coder = coders[coding]()
    return coder.compress(data) + coder.finish()
