# -*- test-case-name: ktcp.test.test_http_variants -*-
"""
A file as it can be sent: its metadata, its bytes if they are few, its
precompressed siblings, and what it is compressed to.
"""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from stat import S_ISREG
from typing import NamedTuple

from ktcp.http.accept import bestCoding
from ktcp.http.codings import CHEAPEST, SMALLEST, compressed
from ktcp.http.compress import VARY, Compression, forbidsTransform
from ktcp.http.dates import formatDate
from ktcp.http.errors import HTTPError
from ktcp.http.headers import Headers
from ktcp.http.message import Response
from ktcp.http.paths import Root

# Content codings of files that lie beside the one asked for, dearest first.
CODINGS = ((b"br", b".br"), (b"zstd", b".zst"), (b"gzip", b".gz"))

# Files up to this many bytes are kept in memory with their metadata; from here
# on, sendfile(2) costs less than copying.
SMALL = 128 * 1024

# What is kept of a file besides its bytes, roughly.
OVERHEAD = 4096

# The table has these for the coding they are in, not as types.
_PACKED = {
    ".gz": "application/gzip",
    ".bz2": "application/x-bzip2",
    ".xz": "application/x-xz",
    ".zst": "application/zstd",
    ".br": "application/octet-stream",
}
_TEXTUAL = frozenset(("application/javascript", "application/xml", "image/svg+xml"))


@lru_cache(maxsize=1024)
def typeOf(suffix: str, charset: str | None) -> str:
    """
    @param suffix: As of C{os.path.splitext}.
    @param charset: What textual types name.
    @return: A value for Content-Type, from the system's table.
    """
    if not mimetypes.inited:
        mimetypes.init()
    suffix = suffix.lower()
    kind = _PACKED.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")
    if charset is not None and (kind.startswith("text/") or kind in _TEXTUAL):
        return f"{kind}; charset={charset}"
    return kind


class Signature(NamedTuple):
    """
    What changes when a file does.
    """

    device: int
    inode: int
    size: int
    modifiedNs: int
    changedNs: int

    @classmethod
    def of(cls, status: os.stat_result) -> Signature:
        """
        Read it off what stat(2) says.
        """
        return cls(
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
        )


class Variant:
    """
    One file, and how it is answered with.

    @ivar names: Where it is below the root.
    @ivar content: Its bytes, where they are kept.
    @ivar etag: A strong entity tag.
    @ivar modified: Whole seconds since the epoch.
    @ivar headers: Of an answer with all of it.
    @ivar unchanged: The answer 304.
    @ivar whole: The answer with all of it, if its bytes are kept.
    @ivar toBeCoded: The coding that its bytes are sent in, though they are not
        in it here.
    """

    __slots__ = (
        "content",
        "etag",
        "headers",
        "modified",
        "names",
        "signature",
        "size",
        "toBeCoded",
        "unchanged",
        "whole",
    )

    def __init__(
        self,
        names: Sequence[bytes],
        signature: Signature,
        content: bytes | None,
        contentType: str,
        extra: Sequence[tuple[bytes, bytes]],
        coding: bytes | None,
    ) -> None:
        self.names = names
        self.signature = signature
        self.content = content
        self.size = signature.size if content is None else len(content)
        self.toBeCoded: bytes | None = None
        self.modified = signature.modifiedNs // 10**9
        tag = b"%x-%x-%x" % (signature.modifiedNs, signature.size, signature.inode)
        self.etag = b'"%b%b"' % (tag, b"" if coding is None else b"-" + coding)
        validators = [(b"ETag", self.etag), (b"Last-Modified", formatDate(self.modified)), *extra]
        self.headers = [
            (b"Content-Type", contentType.encode()),
            *([] if coding is None else [(b"Content-Encoding", coding)]),
            (b"Accept-Ranges", b"bytes"),
            *validators,
        ]
        self.unchanged = Response(304, b"", validators)
        self.whole = None if content is None else Response(200, content, self.headers)


class Entry:
    """
    A file with its siblings.

    @ivar plain: The file itself.
    @ivar coded: Its siblings, by their coding, dearest first.
    @ivar made: What it was compressed to here, by coding; itself, where that is
        no shorter.
    @ivar until: When it is to be looked at again; on the clock of its owner.
    """

    __slots__ = ("_codings", "_make", "coded", "made", "plain", "until")

    def __init__(
        self,
        plain: Variant,
        coded: dict[bytes, Variant],
        codings: Sequence[bytes],
        make: Callable[[Variant, bytes], Variant],
    ) -> None:
        """
        @param codings: That it may be compressed to, dearest first.
        @param make: Compresses it.
        """
        self.plain = plain
        self.coded = coded
        self.made: dict[bytes, Variant] = {}
        # Between equals, what lies ready goes first.
        self._codings = [*coded, *(each for each in codings if each not in coded)]
        self._make = make
        self.until = 0.0

    def choose(self, acceptEncoding: bytes | None) -> Variant:
        """
        @return: The variant that the client likes best.
        """
        coding = bestCoding(acceptEncoding, self._codings) if self._codings else None
        if coding is None:
            return self.plain
        variant = self.coded.get(coding) or self.made.get(coding)
        if variant is None:
            self.made[coding] = variant = self._make(self.plain, coding)
        return variant

    @property
    def signatures(self) -> list[Signature]:
        """
        Of all that it consists of.
        """
        return [self.plain.signature, *(each.signature for each in self.coded.values())]

    @property
    def cost(self) -> int:
        """
        Bytes that it takes, roughly.
        """
        variants = {self.plain, *self.coded.values(), *self.made.values()}
        return sum(OVERHEAD + len(each.content or b"") for each in variants)


class Loader:
    """
    Makes an L{Entry} of a file.
    """

    def __init__(
        self,
        root: Root,
        cacheControl: bytes | None,
        charset: str | None,
        compression: Compression | None,
    ) -> None:
        self._root = root
        self._charset = charset
        self._extra = [] if cacheControl is None else [(b"Cache-Control", cacheControl)]
        isFixed = forbidsTransform(Headers(self._extra))
        self._compression = None if isFixed else compression

    def load(self, names: Sequence[bytes], status: os.stat_result, known: Entry | None) -> Entry:
        """
        @param status: Of the file itself, which is a regular one.
        @param known: What it was made to before; given back if nothing changed.
        @raise OSError: A file that is there cannot be read.
        """
        siblings = dict(self._siblings(names, status))
        found = [Signature.of(status), *(Signature.of(each) for each in siblings.values())]
        if known is not None and known.signatures == found and list(known.coded) == list(siblings):
            return known
        codings = self._codingsOf(names[-1], status.st_size)
        extra = [VARY, *self._extra] if siblings or codings else self._extra
        plain = self._variant(names, names[-1], extra, None)
        coded = {}
        for coding, suffix in CODINGS:
            if coding in siblings:
                place = [*names[:-1], names[-1] + suffix]
                coded[coding] = self._variant(place, names[-1], extra, coding)
        return Entry(plain, coded, codings, self._compress)

    def _codingsOf(self, name: bytes, size: int) -> Sequence[bytes]:
        """
        @return: What a file may be compressed to.
        """
        settings = self._compression
        if settings is None or not settings.minimum <= size <= settings.largest:
            return ()
        if not settings.takes(self._typeOf(name).encode()):
            return ()
        return SMALLEST if size <= SMALL else CHEAPEST

    def _compress(self, plain: Variant, coding: bytes) -> Variant:
        """
        Compress what is kept, which takes 5 ms at the longest, once; what is
        not will be compressed as it is sent.
        """
        content = plain.content
        if content is not None:
            content = compressed(coding, content)
            if len(content) >= plain.size:
                return plain
        # Type, coding and validators are its own.
        contentType, *rest = plain.headers
        extra = [pair for pair in rest if pair[0] in (b"Vary", b"Cache-Control")]
        variant = Variant(
            plain.names, plain.signature, content, contentType[1].decode(), extra, coding
        )
        if content is None:
            variant.toBeCoded = coding
        return variant

    def _siblings(
        self, names: Sequence[bytes], status: os.stat_result
    ) -> list[tuple[bytes, os.stat_result]]:
        """
        Find the siblings that are no older than the file: one that is has been
        forgotten when the file was changed.
        """
        found = []
        for coding, suffix in CODINGS:
            try:
                descriptor, sibling = self._root.look([*names[:-1], names[-1] + suffix])
            except (OSError, HTTPError):
                continue
            os.close(descriptor)
            if S_ISREG(sibling.st_mode) and sibling.st_mtime_ns >= status.st_mtime_ns:
                found.append((coding, sibling))
        return found

    def _variant(
        self,
        names: Sequence[bytes],
        name: bytes,
        extra: Sequence[tuple[bytes, bytes]],
        coding: bytes | None,
    ) -> Variant:
        descriptor, status = self._root.open(names)
        try:
            content = None
            if status.st_size <= SMALL:
                content = os.pread(descriptor, status.st_size + 1, 0)
                if len(content) != status.st_size:
                    # It is being written to; the next look finds what became of it.
                    content = None
        finally:
            os.close(descriptor)
        contentType = self._typeOf(name)
        return Variant(names, Signature.of(status), content, contentType, extra, coding)

    def _typeOf(self, name: bytes) -> str:
        return typeOf(os.path.splitext(os.fsdecode(name))[1], self._charset)
