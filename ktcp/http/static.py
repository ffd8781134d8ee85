# -*- test-case-name: ktcp.test.test_http_static -*-
"""
Files over HTTP: a handler that serves what is below a directory.

Small files stay in memory, see L{ktcp.http.variants}, and so do the answers
made of them: a request that is asked again costs two look-ups.  The rooms it
puts together are L{ktcp.http.paths} (what may be seen), C{conditions},
C{ranges} and C{accept} (what the client wants), C{filebody} (large files) and
C{listing}.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from stat import S_ISDIR
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from ktcp.http.accept import prefersJSON
from ktcp.http.cache import BoundedCache
from ktcp.http.compress import SLICE, Compression, codedSlices, nothing
from ktcp.http.conditions import isPlain, precondition, rangeHolds
from ktcp.http.errorpages import errorResponse
from ktcp.http.errors import HTTPError
from ktcp.http.filebody import FileBody, OpenFile, Piece, Slice
from ktcp.http.headers import Headers
from ktcp.http.limits import MIB
from ktcp.http.listing import Listed, Order, asHTML, asJSON, orderOf, scan, slices
from ktcp.http.message import Request, Response, Standing
from ktcp.http.paths import NotHere, Root, namesOf, refusal
from ktcp.http.ranges import Span, Unsatisfiable, parseRange
from ktcp.http.targets import splitTarget
from ktcp.http.variants import Entry, Loader, Signature, Variant

# Methods that somebody has heard of (RFC 9110, 9; RFC 5789; RFC 4918): here
# they are not allowed, where any other is not implemented.
_KNOWN = frozenset(
    b"GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH "
    b"PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK".split()
)

# Answers that are kept, by the bytes of the request's head, and the longest of
# those: so many bytes in all, each with what it takes besides.  They hold no file
# that the cache does not hold, but of files up to _STANDING bytes what was sent,
# head and all.  Beyond that, putting head and file together is little beside
# sending them.
_ANSWERS = 8 * MIB
_ANSWER = 512
_LONGEST = 2048
_STANDING = 4096


_ALLOWED = Headers.of({"Allow": "GET, HEAD"})

_PAGE = [
    (b"Cache-Control", b"no-cache"),
    (b"Vary", b"Accept"),
    # Should a name ever get past the escaping, it runs nothing.
    (
        b"Content-Security-Policy",
        b"default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'",
    ),
    (b"X-Content-Type-Options", b"nosniff"),
]


class _Changed(Exception):
    """
    A file is not what it was when it was looked at.
    """


class StaticFiles:
    """
    Serves the files below a directory::

        HTTPFactory(StaticFiles("/srv/www"))

    GET and HEAD, index files, listings, ranges, conditional requests, and
    precompressed siblings (C{a.css.br}, C{.zst}, C{.gz}) or compression on the
    way out for who accepts them.
    Nothing outside of the directory is served, and neither hidden files,
    devices nor FIFOs.
    """

    def __init__(
        self,
        path: str | bytes | os.PathLike[str],
        *,
        index: Sequence[str] = ("index.html",),
        listing: bool = True,
        hidden: bool = False,
        followSymlinks: bool = False,
        cacheControl: str | bytes | None = None,
        charset: str | None = "utf-8",
        compress: Compression | bool = True,
        cacheBytes: int = 32 * MIB,
        cacheSeconds: float = 1.0,
        reactor: Any = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        @param path: The directory.
        @param index: Names that stand for their directory, best first.
        @param listing: Answer for a directory without any with a page of what
            is in it; otherwise 404.
        @param hidden: Serve files whose names begin with a dot, too.
        @param followSymlinks: Also those that lead out of the directory.
        @param cacheControl: The Cache-Control header of files (RFC 9111, 5.2).
        @param charset: That of text files; L{None} for not to say.
        @param compress: Compress files of types that shrink, for clients that
            take it: small ones once, others each time.
        @param cacheBytes: The memory for small files, in bytes, at most.
        @param cacheSeconds: For how long a file is not looked at again: a
            changed one is served changed after that, at the latest.
        @param reactor: Its threads read directories; if not given, the global
            one, which is imported when one is first needed.
        @param seconds: Tells the time for C{cacheSeconds}.
        @raise OSError: The path is no directory that can be looked at.
        @raise ValueError: C{cacheControl} is no header value.
        """
        control = None
        if cacheControl is not None:
            control = Headers.of({"Cache-Control": cacheControl}).get(b"cache-control")
        self._root = Root(os.fspath(path), hidden=hidden, followSymlinks=followSymlinks)
        self._index = [os.fsencode(name) for name in index]
        self._listing = listing
        self._hidden = hidden
        compression = Compression() if compress is True else compress or None
        self._loader = Loader(self._root, control, charset, compression)
        self._cacheSeconds = cacheSeconds
        self._cache: BoundedCache[Entry] = BoundedCache(cacheBytes, self._forget)
        self._answers: BoundedCache[tuple[Entry, Response]] = BoundedCache(_ANSWERS)
        self._seconds = seconds
        self._reactor = reactor

    @property
    def reactor(self) -> Any:
        """
        The reactor whose threads read directories.
        """
        if self._reactor is None:
            from twisted.internet import reactor

            self._reactor = reactor
        return self._reactor

    def __call__(self, request: Request) -> Response:
        """
        Answer a request; this is a handler.
        """
        kept = self._answers.get(request.head.raw)
        if kept is not None and kept[0].until > self._seconds():
            return kept[1]
        try:
            return self._answer(request)
        except HTTPError as error:
            return errorResponse(error, request.headers.get(b"accept"))
        except OSError as error:
            status = refusal(error)
            if not status:
                raise
            return errorResponse(HTTPError(status), request.headers.get(b"accept"))

    def _answer(self, request: Request) -> Response:
        if request.method not in (b"GET", b"HEAD"):
            raise HTTPError(405 if request.method in _KNOWN else 501, headers=_ALLOWED)
        path, query = splitTarget(request.target)
        names = namesOf(path)
        if names[-1]:
            answer = self._file(request, names)
            return _redirect(path, query) if answer is None else answer
        for index in self._index:
            try:
                answer = self._file(request, [*names[:-1], index])
            except HTTPError:
                continue
            except OSError as error:
                if refusal(error) != 404:
                    raise
                continue
            if answer is not None:
                return answer
        if not self._listing:
            raise NotHere()
        return self._list(request, names, query)

    # Files.

    def _file(self, request: Request, names: Sequence[bytes]) -> Response | None:
        """
        @return: L{None} if it is a directory.
        """
        for _ in range(3):
            entry = self._look(names)
            if entry is None:
                return None
            made = len(entry.made)
            try:
                answer = self._send(request, entry)
            except _Changed:
                entry.until = 0.0
                continue
            if len(entry.made) > made:
                self._cache.resize(tuple(names), entry.cost)
            return self._keep(request, names, entry, answer)
        # Somebody writes to it as fast as we look.
        raise HTTPError(503)

    def _look(self, names: Sequence[bytes]) -> Entry | None:
        """
        Find a file, by looking at it if that was long ago.

        @return: L{None} if it is a directory.
        """
        key = tuple(names)
        now = self._seconds()
        known = self._cache.get(key)
        if known is not None and known.until > now:
            return known
        try:
            descriptor, status = self._root.look(names)
            os.close(descriptor)
            if S_ISDIR(status.st_mode):
                self._cache.drop(key)
                return None
            entry = self._loader.load(names, status, known)
        except (OSError, HTTPError):
            self._cache.drop(key)
            raise
        entry.until = now + self._cacheSeconds
        if entry is not known:
            self._cache.put(key, entry, entry.cost)
        return entry

    def _keep(
        self, request: Request, names: Sequence[bytes], entry: Entry, answer: Response
    ) -> Response:
        """
        Keep an answer, if it is for every request with such a head.

        @return: What to answer with.
        """
        raw = request.head.raw
        if (
            answer.body.__class__ is not bytes
            or len(raw) > _LONGEST
            or not (isPlain(request.headers) or answer.status == 304)
            or self._cache.get(tuple(names)) is not entry
        ):
            return answer
        if len(answer.body) <= _STANDING:
            answer = Standing(answer, entry, self._seconds)
        self._answers.put(raw, (entry, answer), _cost(raw, answer))
        return answer

    def _forget(self, entry: Entry) -> None:
        """
        The cache has no room for an entry, so no answer may hold it either.
        """
        self._answers.clear()

    def _send(self, request: Request, entry: Entry) -> Response:
        """
        @raise _Changed: It has to be looked at again.
        """
        headers = request.headers
        isHead = request.method == b"HEAD"
        # A range is of the file itself: a client that resumes could not tell
        # parts of two codings apart.  HEAD has none (RFC 9110, 14.2).
        wanted = None if isHead else headers.get(b"range")
        variant = entry.plain
        if wanted is None:
            variant = entry.choose(headers.get(b"accept-encoding"))
        status = precondition(headers, variant.etag, variant.modified)
        if status == 304:
            return variant.unchanged
        if status is not None:
            raise HTTPError(status)
        if wanted is not None and rangeHolds(headers, variant.etag, variant.modified, time.time()):
            try:
                spans = parseRange(wanted, variant.size)
            except Unsatisfiable:
                total = b"bytes */%d" % variant.size
                raise HTTPError(416, headers={"Content-Range": total}) from None
            if spans is not None:
                return self._partial(variant, spans)
        if variant.whole is not None:
            return variant.whole
        if variant.toBeCoded is not None:
            # How long that is takes compressing it to tell, so HEAD does not.
            body = nothing() if isHead else self._compressed(variant, variant.toBeCoded)
            return Response(200, body, variant.headers)
        if isHead:
            length = (b"Content-Length", b"%d" % variant.size)
            return Response(200, b"", [*variant.headers, length])
        return Response(200, self._body(variant, [Slice(0, variant.size)]), variant.headers)

    def _partial(self, variant: Variant, spans: Sequence[Span]) -> Response:
        """
        Answer with some of a file (RFC 9110, 15.3.7).
        """
        if len(spans) == 1:
            [span] = spans
            headers = [*variant.headers, (b"Content-Range", span.of(variant.size))]
            pieces: list[Piece] = [Slice(span.start, span.stop - span.start)]
        else:
            # Nobody who could write into the file knows it beforehand.
            boundary = os.urandom(15).hex().encode()
            contentType = b"multipart/byteranges; boundary=" + boundary
            headers = [(b"Content-Type", contentType), *variant.headers[1:]]
            pieces = list(_parts(variant, spans, boundary))
        return Response(206, self._body(variant, pieces), headers)

    def _body(self, variant: Variant, pieces: Sequence[Piece]) -> bytes | FileBody:
        content = variant.content
        if content is not None:
            return b"".join(
                piece if isinstance(piece, bytes) else content[piece.offset :][: piece.size]
                for piece in pieces
            )
        return FileBody(self._open(variant), pieces, self.reactor)

    def _compressed(self, variant: Variant, coding: bytes) -> AsyncIterator[bytes]:
        slices = self._open(variant).slices(variant.size, SLICE)
        return codedSlices(coding, slices, self._inThread)

    def _open(self, variant: Variant) -> OpenFile:
        """
        @raise _Changed: It is not what it was.
        """
        try:
            descriptor, status = self._root.open(variant.names)
        except (OSError, HTTPError):
            raise _Changed() from None
        file = OpenFile(descriptor)
        if Signature.of(status) != variant.signature:
            raise _Changed()
        return file

    # Directories.

    def _list(self, request: Request, names: Sequence[bytes], query: bytes) -> Response:
        """
        Answer with a page of what is in a directory.
        """
        descriptor, _ = self._root.open(names)
        file = OpenFile(descriptor)
        wantsJSON = prefersJSON(request.headers.get(b"accept"))
        contentType = b"application/json" if wantsJSON else b"text/html; charset=utf-8"
        headers = [(b"Content-Type", contentType), *_PAGE]
        path = b"/" + b"/".join(names)
        page = self._page(file, names, path, orderOf(query[1:]), asJSON if wantsJSON else asHTML)
        return Response(200, page, headers)

    async def _page(
        self,
        file: OpenFile,
        names: Sequence[bytes],
        path: bytes,
        order: Order,
        render: Callable[[bytes, list[Listed], Order], Iterator[str]],
    ) -> AsyncIterator[bytes]:
        """
        Read and render a directory in threads, slice by slice.
        """
        rendered = slices(render(path, await self._inThread(self._scan, file, names), order))
        while chunk := await self._inThread(next, rendered, b""):
            yield chunk

    def _scan(self, file: OpenFile, names: Sequence[bytes]) -> list[Listed]:
        """
        Read a directory and close it: in the thread, as the one who waits may
        leave before it is done.
        """

        def resolve(name: bytes) -> os.stat_result | None:
            try:
                descriptor, status = self._root.look([*names[:-1], name])
            except HTTPError:
                return None
            os.close(descriptor)
            return status

        try:
            return scan(file.descriptor, self._hidden, resolve)
        finally:
            file.close()

    def _inThread(self, call: Callable[..., Any], *arguments: object) -> Deferred[Any]:
        return deferToThreadPool(self.reactor, self.reactor.getThreadPool(), call, *arguments)


def _cost(raw: bytes, answer: Response) -> int:
    """
    @return: Bytes that keeping an answer takes, roughly.
    """
    sent = len(answer.body) if isinstance(answer, Standing) else 0
    return _ANSWER + len(raw) + sent


def _redirect(path: bytes, query: bytes) -> Response:
    """
    Send the client to the directory's own URL, so that links in it work.
    """
    # Browsers read a backslash as a slash, and two of these as another host.
    place = path.replace(b"\\", b"%5C") + b"/" + query
    text = b"301 Moved Permanently\n"
    return Response(301, text, [(b"Content-Type", b"text/plain"), (b"Location", place)])


def _parts(variant: Variant, spans: Sequence[Span], boundary: bytes) -> Iterator[Piece]:
    """
    Make a multipart/byteranges body (RFC 9110, 14.6).
    """
    contentType = variant.headers[0][1]
    for index, span in enumerate(spans):
        yield b"%b--%b\r\nContent-Type: %b\r\nContent-Range: %b\r\n\r\n" % (
            b"\r\n" if index else b"",
            boundary,
            contentType,
            span.of(variant.size),
        )
        yield Slice(span.start, span.stop - span.start)
    yield b"\r\n--%b--\r\n" % boundary
