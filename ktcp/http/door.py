# -*- test-case-name: ktcp.test.test_http_door -*-
"""
The door: what a request head must look like before anyone believes it.

h11 decides framing and keep-alive, yet it takes more than a server should: bare
LF, obs-fold, control characters, any C{HTTP/d.d}, any Host, Transfer-Encoding
together with Content-Length.  A sender and a proxy before us may read such a
head in two ways, and that is how requests are smuggled (RFC 9112, 11.2).  So a
head is first held against the grammar, by one pass of a regular expression,
and h11 then hears the lines that decide something.

Each regular expression stands under the rule of the RFC it comes from.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TypeVar

import h11

from ktcp.counters import HEADS_READ, Counters, methodRow
from ktcp.http.errors import BadRequest
from ktcp.http.headers import Headers, isHost
from ktcp.http.limits import Limits
from ktcp.http.message import Framing, RequestHead, kindOf

# token = 1*tchar (RFC 9110, 5.6.2)
_TOKEN = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+"

# request-line = method SP request-target SP HTTP-version (RFC 9112, 3).  Of the
# target only this much: visible ASCII (RFC 3986, 2), as h11 says too.
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e]+) HTTP/([0-9]\.[0-9])")

# field-line = field-name ":" OWS field-value OWS (RFC 9112, 5), without obs-fold
# (5.2) and without blanks before the colon (5.1), both of which a server must
# refuse.  field-vchar = VCHAR / obs-text (RFC 9110, 5.5): no controls.
_FIELD_LINE = re.compile(_TOKEN + rb":[\t\x20-\x7e\x80-\xff]*")
FIELD_LINES = re.compile(rb"(?:" + _FIELD_LINE.pattern + rb"\r\n)*")

# absolute-form = absolute-URI (RFC 9112, 3.2.2) of the schemes a server can be
# asked for; an http URI with an empty host is invalid (RFC 9110, 4.2.1).
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#@:][^/?#@]*)(?:[/?][^#]*)?")

# A request line begins with its method; or the CR of an empty line has come, its
# LF not yet.  TLS on a plain port, and most other protocols, end here.
_BEGINNING = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]|\r?\Z")

# The lines h11 hears: whether there is a body and how long, and whether the
# connection lives on.
DECIDING = frozenset((b"connection", b"content-length", b"expect", b"transfer-encoding"))

_Pair = tuple[bytes, bytes]
_Entry = TypeVar("_Entry")


class Memory(dict[bytes, _Entry]):
    """
    What was made of bytes, kept from the second time on that they come: bytes
    that never come again (a URL, a cookie) cost a look into a set, and push
    nothing out.  The oldest goes when it is full.
    """

    def __init__(self, entries: int, longest: int) -> None:
        """
        @param entries: How many are kept; of four times as many it is known
            that they came once.
        @param longest: Bytes; longer ones are not kept.
        """
        super().__init__()
        self._entries = entries
        self._longest = longest
        self._once: set[int] = set()

    def keep(self, data: bytes, made: _Entry) -> None:
        """
        Remember, if this is worth it.
        """
        if len(data) > self._longest:
            return
        # A clash of hashes keeps something a little early.
        key = hash(data)
        if key not in self._once:
            if len(self._once) >= 4 * self._entries:
                self._once.clear()
            self._once.add(key)
            return
        if len(self) >= self._entries:
            del self[next(iter(self))]
        self[data] = made


class Door:
    """
    Reads request heads, and remembers what it has read: a client that keeps its
    connection sends the same head again and again, or one that differs in its
    target, or in its cookie.  So there are memories of whole heads, of what
    follows the request line, and of single lines.
    """

    # With what was made of them some 5 MiB of what browsers send, and some 40
    # of the worst that strangers can (99 short headers in each head).
    _HEADS = (1024, 2048)
    _LINES = (4096, 256)

    def __init__(
        self, limits: Limits, remember: bool = True, counters: Counters | None = None
    ) -> None:
        """
        @param remember: Off, each head is read anew; for measuring what the
            memory is worth, and for holding the two ways equal.
        """
        self.limits = limits
        self._counters = counters
        heads, lines = (self._HEADS, self._LINES) if remember else ((0, -1), (0, -1))
        self._heads: Memory[RequestHead] = Memory(*heads)
        self._blocks: Memory[tuple[bytes, Headers, Framing]] = Memory(*heads)
        self._lines: Memory[tuple[_Pair, bool]] = Memory(*lines)

    def admit(self, head: bytes) -> RequestHead:
        """
        Read a complete head.

        @param head: From the request line to the empty line, both included.
        @raise BadRequest: Refused; C{status} says with what.
        """
        return self._heads.get(head) or self._read(head)

    def known(self, data: bytes) -> RequestHead | None:
        """
        @return: What these bytes are, if they are a head that is remembered.
        """
        # Whatever else they are, a body perhaps, is not worth hashing.
        return self._heads.get(data) if data.endswith(b"\r\n\r\n") else None

    def suspect(self, partial: bytes) -> None:
        """
        Look at the beginning of a head whose end has not come yet, so that the
        verdict does not wait for an end that never comes.

        @raise BadRequest: No continuation makes this a good head.
        """
        if not _BEGINNING.match(partial):
            raise BadRequest("The request line does not begin with a method.")
        # As far as a byte-by-byte reader would have read before it gave up.
        seen = partial[: self.limits.head + 1]
        if hasBareLF(seen):
            raise BadRequest("A line of the head ends with a bare LF.")
        if len(partial) > self.limits.head:
            raise self._tooLong(seen)

    def _read(self, head: bytes) -> RequestHead:
        if len(head) > self.limits.head:
            self.suspect(head)
        try:
            made = self._understand(head)
        except BadRequest:
            # With two faults in it, a head that came byte by byte was refused
            # for the first; the same is said when it came whole.
            self.suspect(head)
            raise
        self._heads.keep(head, made)
        if self._counters is not None:
            self._counters.add(HEADS_READ)
        return made

    def _understand(self, head: bytes) -> RequestHead:
        limits = self.limits
        line, _, block = head.partition(b"\r\n")
        match = _REQUEST_LINE.fullmatch(line)
        if match is None:
            raise BadRequest("The request line is not 'method target HTTP/1.1'.")
        method, target, version = match.groups()
        # RFC 9110, 2.5 would have HTTP/1.2 read as 1.1; nobody has defined it, so
        # whoever sends it is not to be understood.
        if version != b"1.1" and version != b"1.0":
            raise BadRequest("Only HTTP/1.0 and HTTP/1.1 are spoken here.", 505)
        if len(target) > limits.target:
            raise BadRequest(f"The target may have {limits.target} bytes at most.", 414)
        known = self._blocks.get(block)
        if known is None or known[0] != version:
            headers, framing = self._readBlock(version, block)
            self._blocks.keep(block, (version, headers, framing))
        else:
            _, headers, framing = known
        _checkTarget(method, target)
        kind = kindOf(method, version, framing.keepAlive)
        row = methodRow(method)
        return RequestHead(head, kind, method, target, version, headers, framing, row)

    def _readBlock(self, version: bytes, block: bytes) -> tuple[Headers, Framing]:
        """
        Read the header lines, with the empty line that ends them.
        """
        lines = block.split(b"\r\n")[:-2]
        if len(lines) > self.limits.headers:
            # A malformed line among them comes first, as it does byte by byte.
            for line in lines:
                self._readLine(line)
            raise BadRequest(f"A head may have {self.limits.headers} header lines at most.", 431)
        pairs = []
        special = []
        for line in lines:
            pair, isSpecial = self._lines.get(line) or self._readLine(line)
            pairs.append(pair)
            if isSpecial:
                special.append(pair)
        _checkHost(special, version)
        deciding = [pair for pair in special if pair[0] != b"host"]
        return Headers(pairs), _meaning(version, _framing(deciding, version))

    def _readLine(self, line: bytes) -> tuple[_Pair, bool]:
        """
        @return: The header, its name in lower case and no blanks around its
            value; and whether it is one that the door has to look at.
        """
        if not _FIELD_LINE.fullmatch(line):
            raise BadRequest("A header line is malformed.")
        name, _, value = line.partition(b":")
        name = name.lower()
        made = (name, value.strip(b" \t")), name in DECIDING or name == b"host"
        self._lines.keep(line, made)
        return made

    def _tooLong(self, seen: bytes) -> BadRequest:
        target = seen.partition(b"\r\n")[0].partition(b" ")[2].partition(b" ")[0]
        if len(target) > self.limits.target:
            return BadRequest(f"The target may have {self.limits.target} bytes at most.", 414)
        return BadRequest(f"A head may have {self.limits.head} bytes at most.", 431)


def hasBareLF(lines: bytes) -> bool:
    """
    RFC 9112, 2.2 lets a recipient take a bare LF and ktcp does not: with it, two
    readers see two heads.  Counting is some 20 times faster than a regular
    expression, which a client that sends byte by byte would have run over the
    whole head for each byte.
    """
    return lines.count(b"\n") != lines.count(b"\r\n")


def _checkHost(pairs: list[_Pair], version: bytes) -> None:
    """
    Exactly one Host, and a valid one (RFC 9112, 3.2); HTTP/1.0 may have none.
    """
    hosts = [value for name, value in pairs if name == b"host"]
    if len(hosts) > 1:
        raise BadRequest("There is more than one Host header.")
    if not hosts:
        if version == b"1.1":
            raise BadRequest("The Host header is missing.")
    elif not isHost(hosts[0]):
        raise BadRequest("The Host header is not a host.")


def _checkTarget(method: bytes, target: bytes) -> None:
    """
    One of the four forms, where its method allows it (RFC 9112, 3.2).
    """
    if method == b"CONNECT":
        raise BadRequest("ktcp is no proxy: CONNECT is not implemented.", 501)
    if target[0] == 47:  # A path, as nearly all are.
        if b"#" in target:
            raise BadRequest("A target has no fragment.")
    elif target == b"*":
        if method != b"OPTIONS":
            raise BadRequest("The target * goes with OPTIONS only.")
    else:
        match = _ABSOLUTE.fullmatch(target)
        if match is None or not isHost(match[1]):
            raise BadRequest("The target is neither a path nor an http URL.")


def _framing(deciding: list[_Pair], version: bytes) -> bytes:
    """
    Let no head through that says two things about where its body ends
    (RFC 9112, 6.1 and 6.3).

    @return: The deciding lines, for h11.
    """
    if not deciding:
        return b""
    names = [name for name, _ in deciding]
    if b"transfer-encoding" in names:
        if version == b"1.0":
            raise BadRequest("HTTP/1.0 has no Transfer-Encoding.")
        if b"content-length" in names:
            raise BadRequest("Transfer-Encoding and Content-Length exclude each other.")
    if names.count(b"content-length") > 1:
        raise BadRequest("There is more than one Content-Length header.")
    for name, value in deciding:
        if name == b"content-length" and not value.isdigit():
            raise BadRequest("Content-Length is not a number.")
        if name == b"expect" and version == b"1.1" and value.lower() != b"100-continue":
            raise BadRequest("The only expectation met here is 100-continue.", 417)
    return b"".join(b"%b: %b\r\n" % pair for pair in deciding)


def briefHead(method: bytes, version: bytes, framing: bytes) -> bytes:
    """
    @return: The shortest head that h11 treats as it would the full one.
    """
    return b"%b / HTTP/%b\r\nHost: a\r\n%b\r\n" % (method, version, framing)


def _meaning(version: bytes, lines: bytes) -> Framing:
    # The memory is bounded in bytes too: no client has reason to say more.
    if len(lines) <= 256:
        return _consult(version, lines)
    # The function itself, past its memory.
    return _consult.__wrapped__(version, lines)


# Clients say few different things about framing: nothing, a length, chunked.
@lru_cache(maxsize=1024)
def _consult(version: bytes, lines: bytes) -> Framing:
    """
    Ask h11 what the deciding lines mean.

    @raise BadRequest: h11 would refuse the request.
    """
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(briefHead(b"GET", version, lines))
    try:
        request = connection.next_event()
        waits = connection.they_are_waiting_for_100_continue
        hasBody = connection.next_event() is h11.NEED_DATA
    except h11.RemoteProtocolError as error:
        raise BadRequest(
            "The headers that frame the body are not understood.", error.error_status_hint
        ) from error
    assert isinstance(request, h11.Request)
    headers = Headers(request.headers)
    # What h11 lets us do after an answer is what it would do itself.
    connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
    connection.send(h11.EndOfMessage())
    keepAlive = connection.our_state is h11.DONE
    if version == b"1.0":
        # h11 knows no persistent HTTP/1.0; a client asks for it by name
        # (RFC 9112, 9.3 and appendix C.2.2), as ab -k does.
        said = headers.get(b"connection") or b""
        tokens = {token.strip().lower() for token in said.split(b",")}
        keepAlive = b"keep-alive" in tokens and b"close" not in tokens
    chunked = b"transfer-encoding" in headers
    length = None if chunked else int(headers.get(b"content-length") or b"0")
    return Framing(lines, keepAlive, hasBody, length, waits and hasBody)
