# -*- test-case-name: ktcp.test.test_http_corpus -*-
"""
Requests that a server must refuse, that it might read in two ways, or that it
must take though they look odd: each with where it is from and what becomes of
it.  L{LIMITS} are those that the sizes in here are about.
"""

# Longer than other modules: a table, of which only all of it says what is covered.

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ktcp.http.limits import Limits

LIMITS = Limits(head=1024, target=256, headers=16)


class Case(NamedTuple):
    """
    A stream of bytes and its verdict.

    @ivar source: What asks for the verdict, or where the bytes were dangerous.
    @ivar answered: Requests in it that are complete and good, before the fault.
    @ivar status: What it is refused with at last; L{None}: it is not.
    @ivar keeps: Not refused, the connection lives on.
    @ivar atEnd: It is refused when the client closes its side, not before:
        more could make it good.
    """

    name: str
    source: str
    data: bytes
    answered: int
    status: int | None
    keeps: bool = True
    atEnd: bool = False


_Rows = Iterable[tuple[str, str, bytes]]


def _good(rows: _Rows, answered: int = 1, keeps: bool = True) -> list[Case]:
    return [Case(*row, answered, None, keeps) for row in rows]


def _bad(rows: _Rows, status: int = 400, answered: int = 0) -> list[Case]:
    return [Case(*row, answered, status, keeps=False) for row in rows]


def _cut(rows: _Rows, answered: int = 0) -> list[Case]:
    return [Case(*row, answered, 400, keeps=False, atEnd=True) for row in rows]


def _head(*lines: bytes, start: bytes = b"GET / HTTP/1.1", host: bytes = b"Host: a") -> bytes:
    return b"\r\n".join([start, *([host] if host else []), *lines, b"", b""])


def _post(*lines: bytes, body: bytes = b"", version: bytes = b"1.1") -> bytes:
    return _head(*lines, start=b"POST / HTTP/" + version) + body


GET = _head()
_CODED = b"Transfer-Encoding: chunked"
_END = b"0\r\n\r\n"


def _chunked(body: bytes) -> bytes:
    return _post(_CODED, body=body)


# Request lines.

_LINES_GOOD = [
    ("the shortest", "RFC 9112, 3", b"GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    ("HEAD", "RFC 9110, 9.3.2", _head(start=b"HEAD / HTTP/1.1")),
    ("DELETE", "RFC 9110, 9.3.5", _head(start=b"DELETE /a HTTP/1.1")),
    ("OPTIONS of a path", "RFC 9110, 9.3.7", _head(start=b"OPTIONS /a HTTP/1.1")),
    ("TRACE", "RFC 9110, 9.3.8", _head(start=b"TRACE / HTTP/1.1")),
    ("PATCH without a body", "RFC 5789, 2", _head(start=b"PATCH /a HTTP/1.1")),
    ("method in lower case", "RFC 9110, 9.1", _head(start=b"get / HTTP/1.1")),
    ("method with a hyphen", "llhttp: method.md, M-SEARCH", _head(start=b"M-SEARCH / HTTP/1.1")),
    ("method of every tchar", "RFC 9110, 5.6.2", _head(start=b"!#$%&'*+-.^_`|~9z / HTTP/1.1")),
    ("method of WebDAV", "llhttp: method.md, PROPFIND", _head(start=b"PROPFIND /a HTTP/1.1")),
    ("one empty line before", "RFC 9112, 2.2", b"\r\n" + GET),
    ("empty lines before", "RFC 9112, 2.2", b"\r\n\r\n\r\n" + GET),
]

_LINES_BAD = [
    ("no target", "llhttp: invalid.md", b"GET HTTP/1.1"),
    ("no method", "RFC 9112, 3", b" / HTTP/1.1"),
    ("no version", "RFC 1945, 4.1: HTTP/0.9", b"GET /"),
    ("nothing after the target", "RFC 9112, 3", b"GET / "),
    ("a method alone", "RFC 9112, 3", b"GET"),
    ("two blanks after the method", "CVE-2016-8743 (httpd)", b"GET  / HTTP/1.1"),
    ("two blanks before the version", "CVE-2016-8743 (httpd)", b"GET /  HTTP/1.1"),
    ("tab after the method", "CVE-2016-8743 (httpd)", b"GET\t/ HTTP/1.1"),
    ("tab before the version", "CVE-2016-8743 (httpd)", b"GET /\tHTTP/1.1"),
    ("form feed as a blank", "RFC 9112, 3 names it as lenient", b"GET\x0c/ HTTP/1.1"),
    ("vertical tab as a blank", "RFC 9112, 3 names it as lenient", b"GET\x0b/ HTTP/1.1"),
    ("bare CR as a blank", "RFC 9112, 3 names it as lenient", b"GET\r/ HTTP/1.1"),
    ("blank before the method", "RFC 9112, 3", b" GET / HTTP/1.1"),
    ("tab before the method", "RFC 9112, 3", b"\tGET / HTTP/1.1"),
    ("blank at the end", "RFC 9112, 3", b"GET / HTTP/1.1 "),
    ("blank within the target", "RFC 9112, 3.2", b"GET /a b HTTP/1.1"),
    ("a request in the target", "PortSwigger: line injection", b"GET / HTTP/1.1 GET /a HTTP/1.1"),
    ("method with a colon", "RFC 9110, 5.6.2", b"GET: / HTTP/1.1"),
    ("method in quotes", "RFC 9110, 5.6.2", b'"GET" / HTTP/1.1'),
    ("method with a slash", "RFC 9110, 5.6.2", b"GE/T / HTTP/1.1"),
    ("method with an at", "h11: test_io.py", b"G@T / HTTP/1.1"),
    ("method with NUL", "RFC 9110, 5.6.2", b"G\x00T / HTTP/1.1"),
    ("method with a control", "RFC 9110, 5.6.2", b"G\x01T / HTTP/1.1"),
    ("method with DEL", "RFC 9110, 5.6.2", b"GET\x7f / HTTP/1.1"),
    ("method with obs-text", "RFC 9110, 5.6.2", b"G\xc3\x84T / HTTP/1.1"),
    ("method in braces", "RFC 9110, 5.6.2", b"{GET} / HTTP/1.1"),
    ("version in lower case", "RFC 9112, 2.3", b"GET / http/1.1"),
    ("another protocol", "llhttp: invalid.md, ICE", b"GET / ICE/1.0"),
    ("RTSP", "llhttp: method.md", b"DESCRIBE / RTSP/1.0"),
    ("HTTPS as protocol", "RFC 9112, 2.3", b"GET / HTTPS/1.1"),
    ("no slash in the version", "llhttp: invalid.md", b"GET / HTTP1.1"),
    ("blank in the version", "RFC 9112, 2.3", b"GET / HTTP/ 1.1"),
    ("version without a minor", "RFC 9112, 2.3", b"GET / HTTP/1"),
    ("version with an empty minor", "RFC 9112, 2.3", b"GET / HTTP/1."),
    ("minor of two digits", "RFC 9112, 2.3", b"GET / HTTP/1.10"),
    ("major of two digits", "llhttp: invalid.md, 01.1", b"GET / HTTP/01.1"),
    ("version with a comma", "RFC 9112, 2.3", b"GET / HTTP/1,1"),
    ("version of letters", "httparse: tests, HTTP/x.x", b"GET / HTTP/x.x"),
    ("negative version", "RFC 9112, 2.3", b"GET / HTTP/-1.1"),
    ("version with a sign", "CVE-2023-47627 (aiohttp)", b"GET / HTTP/+1.1"),
    ("version in Arabic digits", "CVE-2023-47627 (aiohttp)", b"GET / HTTP/\xd9\xa1.\xd9\xa1"),
    ("an answer", "RFC 9112, 2.1", b"HTTP/1.1 200 OK"),
    ("a header first", "RFC 9112, 2.2", b"Host: a"),
]

_OTHER_BAD = [
    ("TLS", "RFC 8446, 5.1", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xab" * 64),
    ("NUL first", "h11: test_io.py", b"\x00" + GET),
    ("a byte order mark first", "RFC 9112, 2.2", b"\xef\xbb\xbf" + GET),
    ("bare LF before", "RFC 9112, 2.2", b"\n" + GET),
    ("bare LF after an empty line", "RFC 9112, 2.2", b"\r\n\n" + GET),
    ("bare CR before", "RFC 9112, 2.2", b"\r" + GET),
    ("CR CR LF before", "RFC 9112, 2.2", b"\r\r\n" + GET),
    ("SSH", "RFC 4253, 4.2", b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    ("SMTP", "cross-protocol requests", b"EHLO a\r\n\r\n"),
    (
        "PROXY protocol",
        "haproxy: proxy-protocol.txt",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + GET,
    ),
    ("PROXY protocol 2", "haproxy: proxy-protocol.txt", b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"),
    ("HTTP/0.9", "RFC 1945, 4.1", b"GET /\r\n\r\n"),
    ("a request line alone", "RFC 9112, 3.2: no Host", b"GET / HTTP/1.1\r\n\r\n"),
]

_VERSIONS_BAD = [
    (f"HTTP/{version}", "RFC 9110, 15.6.6", _head(start=b"GET / HTTP/" + version.encode()))
    for version in ("0.0", "0.9", "1.2", "1.9", "2.0", "2.1", "3.0", "9.9")
] + [
    ("preface of HTTP/2", "RFC 9113, 3.4", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("preface of HTTP/2 with Host", "RFC 9113, 3.4", _head(start=b"PRI * HTTP/2.0")),
]

# Targets.

_TARGETS_GOOD = [
    ("//", "RFC 3986, 3.3", b"//"),
    ("dots", "RFC 9112, 3.2: handed over as it came", b"/a/../../b/./c"),
    ("coded dots", "CVE-2021-41773 (httpd): the handler's to judge", b"/%2e%2e/%2E%2E/etc/passwd"),
    ("coded NUL", "RFC 3986, 7.3: the handler's to judge", b"/a%00b"),
    ("a broken percent", "WHATWG URL: browsers send it", b"/100%"),
    ("pipes and braces", "WHATWG URL: browsers send them", b'/a|b{c}^`"<>\\?[]'),
    ("a semicolon", "RFC 3986, 3.3", b"/a;b=c"),
    ("query", "RFC 3986, 3.4", b"/a?b=c&d=e/f?g"),
    ("empty query", "RFC 3986, 3.4", b"/?"),
    ("a URL in the query", "llhttp: uri.md", b"/?u=http://b:80/"),
    ("a colon in the path", "RFC 3986, 3.3", b"/a:b@c"),
    ("an http URL", "RFC 9112, 3.2.2", b"http://a/b"),
    ("an http URL without a path", "RFC 9112, 3.2.2", b"http://a"),
    ("an http URL with a query only", "RFC 9112, 3.2.2", b"http://a?b"),
    ("an http URL with a port", "RFC 9112, 3.2.2", b"http://a:8081/"),
    ("an https URL", "RFC 9112, 3.2.2", b"https://a/"),
    ("scheme in upper case", "RFC 3986, 3.1", b"HTTP://a/"),
    ("an http URL of IPv6", "llhttp: uri.md", b"http://[::1]:80/"),
    ("an http URL of another host", "RFC 9112, 3.2.2: it wins over Host", b"http://b/"),
    ("the longest", "ktcp: limits.target", b"/" + b"a" * 255),
]

_TARGETS_BAD = [
    ("* for GET", "RFC 9112, 3.2.4", b"*"),
    ("no path", "RFC 9112, 3.2", b"a"),
    ("a query alone", "RFC 9112, 3.2", b"?a"),
    ("a fragment", "RFC 9112, 3.2", b"/a#b"),
    ("an empty fragment", "RFC 9112, 3.2", b"/#"),
    ("a fragment alone", "RFC 9112, 3.2", b"#"),
    ("a fragment in a URL", "RFC 9110, 4.2.5", b"http://a/#b"),
    ("authority for GET", "RFC 9112, 3.2.3", b"a:443"),
    ("dots alone", "llhttp: uri.md", b".."),
    ("**", "RFC 9112, 3.2.4", b"**"),
    ("*/", "RFC 9112, 3.2.4", b"*/"),
    ("a backslash", "PortSwigger: routing by target", b"\\a"),
    ("an at", "PortSwigger: routing by target", b"@b/"),
    ("a colon", "PortSwigger: routing by target", b":80/"),
    ("URL without a host", "RFC 9110, 4.2.1", b"http:///a"),
    ("URL without anything", "RFC 9110, 4.2.1", b"http://"),
    ("URL with one slash", "RFC 9112, 3.2.2", b"http:/a"),
    ("URL with a port only", "RFC 9110, 4.2.1", b"http://:80/"),
    ("URL with a query only", "RFC 9110, 4.2.1", b"http://?a"),
    ("URL with a user", "RFC 9110, 4.2.4", b"http://u@a/"),
    ("URL with a user and a password", "RFC 9110, 4.2.4", b"http://u:p@a/"),
    ("URL with letters in the port", "RFC 3986, 3.2.3", b"http://a:b/"),
    ("URL with two ports", "RFC 3986, 3.2.3", b"http://a:1:2/"),
    ("URL with an open bracket", "RFC 3986, 3.2.2", b"http://[::1/"),
    ("URL with a bad address", "RFC 3986, 3.2.2", b"http://[1:2]/"),
    ("URL with a backslash", "PortSwigger: routing by target", b"http://a\\b/"),
    ("ftp", "RFC 9112, 3.2.2: no proxy", b"ftp://a/"),
    ("file", "RFC 9112, 3.2.2: no proxy", b"file:///etc/passwd"),
    ("ws", "RFC 6455, 4.1", b"ws://a/"),
    ("no scheme", "RFC 9112, 3.2.2", b"://a/"),
    ("with NUL", "RFC 3986, 2", b"/a\x00b"),
    ("with a control", "RFC 3986, 2", b"/a\x01b"),
    ("with ESC", "RFC 3986, 2", b"/\x1b[31m"),
    ("with DEL", "RFC 3986, 2", b"/a\x7fb"),
    ("with a tab", "RFC 3986, 2", b"/a\tb"),
    ("with a bare CR", "RFC 9112, 2.2", b"/a\rb"),
    ("with a bare LF", "RFC 9112, 2.2", b"/a\nb"),
    ("with UTF-8", "RFC 3986, 2; httparse takes it", b"/\xc3\xa4"),
    ("with Latin-1", "RFC 3986, 2", b"/\xe4"),
]

# Header lines.

_FIELDS_GOOD = [
    ("no value", "RFC 9110, 5.5", b"A:"),
    ("a blank value", "RFC 9110, 5.5", b"A: \t "),
    ("no blank after the colon", "RFC 9112, 5", b"A:b"),
    ("blanks around", "RFC 9112, 5.1", b"A: \t b \t "),
    ("tab within", "RFC 9110, 5.5", b"A: b\tc"),
    ("obs-text", "RFC 9110, 5.5", b"A: \xc3\xa4\xff\x80"),
    ("colons in the value", "RFC 9110, 5.5", b"A: b:c: d"),
    ("a name of every tchar", "RFC 9110, 5.6.2", b"!#$%&'*+-.^_`|~9z: b"),
    ("a name of one digit", "RFC 9110, 5.6.2", b"1: b"),
    ("an underscore in the name", "RFC 9110, 5.1: another header", b"Content_Length: 5"),
    ("quotes that do not close", "RFC 9110, 5.6.4: of no meaning here", b'A: "b'),
    ("twice the same", "RFC 9110, 5.3", b"A: b\r\nA: c"),
    ("Upgrade nobody follows", "RFC 9110, 7.8", b"Connection: upgrade\r\nUpgrade: h2c"),
    ("TE", "RFC 9110, 10.1.4", b"TE: trailers\r\nConnection: TE"),
    ("Trailer without chunks", "RFC 9110, 6.6.2", b"Trailer: X"),
    ("Keep-Alive", "RFC 9112, C.2.2", b"Keep-Alive: timeout=5, max=1000"),
    ("as many as may be", "ktcp: limits.headers", b"\r\n".join([b"A: b"] * 15)),
    ("a prefix of a name that frames", "RFC 9112, 6", b"X-Transfer-Encoding: chunked"),
    ("a suffix of a name that frames", "RFC 9112, 6", b"Content-Length-X: 5"),
]

_FIELDS_BAD = [
    ("blank before the colon", "RFC 9112, 5.1", b"A : b"),
    ("tab before the colon", "RFC 9112, 5.1", b"A\t: b"),
    ("blank before the length's colon", "CVE-2021-22959 (llhttp)", b"Content-Length : 5"),
    ("blank before the coding's colon", "CVE-2019-16276 (Go)", b"Transfer-Encoding : chunked"),
    ("blank before the name", "RFC 9112, 5.2: obs-fold", b" A: b"),
    ("blank before the length", "CVE-2024-27982 (node.js)", b" Content-Length: 5"),
    ("tab before the coding", "PortSwigger: HTTP Desync Attacks", b"\tTransfer-Encoding: chunked"),
    ("folded", "RFC 9112, 5.2", b"A: b\r\n c"),
    ("folded by a tab", "RFC 9112, 5.2", b"A: b\r\n\tc"),
    ("folded into nothing", "RFC 9112, 5.2", b"A: b\r\n \r\nC: d"),
    ("folded coding", "CVE-2022-32215 (llhttp)", b"Transfer-Encoding:\r\n chunked"),
    ("folded length", "RFC 9112, 5.2", b"Content-Length:\r\n 5"),
    ("folded Host", "PortSwigger: Host header attacks", b"A: b\r\n Host: b"),
    ("no colon", "llhttp: invalid.md", b"A"),
    ("no colon, but blanks", "llhttp: invalid.md", b"A b c"),
    ("no name", "llhttp: invalid.md", b": b"),
    ("a colon alone", "llhttp: invalid.md", b":"),
    ("blank in the name", "RFC 9110, 5.1", b"A b: c"),
    ("parentheses in the name", "RFC 9110, 5.6.2", b"A(b): c"),
    ("quotes in the name", "RFC 9110, 5.6.2", b'"A": b'),
    ("slash in the name", "RFC 9110, 5.6.2", b"A/b: c"),
    ("brackets in the name", "RFC 9110, 5.6.2", b"[A]: b"),
    ("comma in the name", "RFC 9110, 5.6.2", b"A,B: c"),
    ("semicolon in the name", "RFC 9110, 5.6.2", b"A;B: c"),
    ("equals in the name", "RFC 9110, 5.6.2", b"A=B: c"),
    ("UTF-8 in the name", "RFC 9110, 5.6.2", b"\xc3\xa4: b"),
    ("NUL in the name", "CVE-2023-47627 (aiohttp)", b"A\x00: b"),
    ("control in the name", "RFC 9110, 5.6.2", b"A\x01B: c"),
    ("DEL in the name", "RFC 9110, 5.6.2", b"A\x7f: b"),
    (
        "vertical tab before the coding",
        "CVE-2019-16786 (waitress)",
        b"Transfer-Encoding:\x0bchunked",
    ),
    ("NUL in the value", "RFC 9110, 5.5", b"A: b\x00c"),
    ("control in the value", "RFC 9110, 5.5", b"A: b\x01c"),
    ("backspace in the value", "RFC 9110, 5.5", b"A: b\x08c"),
    ("vertical tab in the value", "RFC 9110, 5.5", b"A: b\x0bc"),
    ("form feed in the value", "RFC 9110, 5.5", b"A: b\x0cc"),
    ("ESC in the value", "RFC 9110, 5.5", b"A: \x1b[2J"),
    ("unit separator in the value", "RFC 9110, 5.5", b"A: b\x1fc"),
    ("DEL in the value", "RFC 9110, 5.5", b"A: b\x7fc"),
    ("bare CR in the value", "CVE-2023-30589 (llhttp)", b"A: b\rc"),
    ("bare CR and a header", "CVE-2023-30589 (llhttp)", b"A: b\rContent-Length: 5"),
    ("CR CR LF", "RFC 9112, 2.2", b"A: b\r\r\nC: d"),
    ("bare CR in the name", "RFC 9112, 2.2", b"A\r: b"),
    ("bare LF as the end", "CVE-2019-16785 (waitress)", b"A: b\nC: d"),
    ("bare LF and a coding", "CVE-2019-16785 (waitress)", b"A: b\nTransfer-Encoding: chunked"),
    ("LF CR", "RFC 9112, 2.2", b"A: b\n\rC: d"),
    ("LF LF", "RFC 9112, 2.2", b"A: b\n\nGET /smuggled HTTP/1.1"),
    ("NEL, which some take for a line's end", "RFC 9112, 2.2", b"A\x85B: c"),
]

# The place of the bad line must not matter.
_PLACES_BAD = [
    ("bare LF after the request line", "RFC 9112, 2.2", b"GET / HTTP/1.1\nHost: a\r\n\r\n"),
    ("bare CR after the request line", "RFC 9112, 2.2", b"GET / HTTP/1.1\rHost: a\r\n\r\n"),
    ("bare LF in every line", "RFC 9112, 2.2", b"GET / HTTP/1.1\nHost: a\n\n"),
    ("bare LF in the empty line", "RFC 9112, 2.2", b"GET / HTTP/1.1\r\nHost: a\r\n\n"),
    ("bare LF before the empty line", "RFC 9112, 2.2", b"GET / HTTP/1.1\r\nHost: a\n\r\n"),
    ("bare CR before the empty line", "RFC 9112, 2.2", b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"),
    ("blank first header", "RFC 9112, 2.2", b"GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n"),
    ("folded first header", "RFC 9112, 2.2", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    ("folded request line", "RFC 9112, 2.2", b"GET /\r\n HTTP/1.1\r\nHost: a\r\n\r\n"),
]

# Host.

_HOSTS_GOOD = [
    (value.decode() or "empty", "RFC 9110, 7.2; RFC 3986, 3.2.2", value)
    for value in (
        b"",
        b"a.example",
        b"A-1.Example.",
        b"under_score",
        b"127.0.0.1",
        b"127.0.0.1:8081",
        b"a:",
        b"a:080",
        b"[::1]",
        b"[::1]:80",
        b"[2001:db8::192.0.2.1]",
        b"[v1.a:b]",
        b"%61",
        b"a!$&'()*+,;=b",
        b"999.999.999.999",
    )
]

_HOSTS_BAD = [
    ("blank within", "RFC 3986, 3.2.2", b"a b"),
    ("two of them", "RFC 9112, 3.2", b"a, b"),
    ("a path", "PortSwigger: Host header attacks", b"a/b"),
    ("a query", "PortSwigger: Host header attacks", b"a?b"),
    ("a fragment", "PortSwigger: Host header attacks", b"a#b"),
    ("a user", "PortSwigger: Host header attacks", b"u@a"),
    ("a URL", "PortSwigger: Host header attacks", b"http://a"),
    ("letters in the port", "PortSwigger: Host header attacks", b"a:b"),
    ("two ports", "RFC 3986, 3.2.3", b"a:1:2"),
    ("negative port", "RFC 3986, 3.2.3", b"a:-1"),
    ("IPv6 without brackets", "RFC 3986, 3.2.2", b"::1"),
    ("open bracket", "RFC 3986, 3.2.2", b"[::1"),
    ("closing bracket", "RFC 3986, 3.2.2", b"::1]"),
    ("nothing in brackets", "RFC 3986, 3.2.2", b"[]"),
    ("a name in brackets", "RFC 3986, 3.2.2", b"[a.example]"),
    ("IPv4 in brackets", "RFC 3986, 3.2.2", b"[127.0.0.1]"),
    ("too few groups", "RFC 3986, 3.2.2", b"[1:2:3]"),
    ("too many groups", "RFC 3986, 3.2.2", b"[1:2:3:4:5:6:7:8:9]"),
    ("two ellipses", "RFC 3986, 3.2.2", b"[1::2::3]"),
    ("a group of five digits", "RFC 3986, 3.2.2", b"[12345::]"),
    ("a zone", "RFC 9844 obsoletes RFC 6874", b"[fe80::1%25eth0]"),
    ("after the bracket", "RFC 3986, 3.2.2", b"[::1]a"),
    ("a broken percent", "RFC 3986, 2.1", b"a%4"),
    ("percent and no digits", "RFC 3986, 2.1", b"a%zz"),
    ("backslash", "PortSwigger: Host header attacks", b"a\\b"),
    ("angle brackets", "PortSwigger: Host header attacks", b"<script>"),
    ("quotes", "PortSwigger: Host header attacks", b'"a"'),
    ("UTF-8", "RFC 3986, 3.2.2", b"\xc3\xa4"),
    ("tab within", "RFC 3986, 3.2.2", b"a\tb"),
]

_HOST_LINES_BAD = [
    ("no Host", "RFC 9112, 3.2", _head(host=b"")),
    ("no Host beside a URL", "RFC 9112, 3.2", _head(start=b"GET http://a/ HTTP/1.1", host=b"")),
    ("two Hosts", "RFC 9112, 3.2", _head(b"Host: b")),
    ("the same Host twice", "RFC 9112, 3.2", _head(b"Host: a")),
    ("two Hosts in two cases", "RFC 9112, 3.2", _head(b"hOsT: a")),
    ("two Hosts in HTTP/1.0", "RFC 9112, 3.2", _head(b"Host: b", start=b"GET / HTTP/1.0")),
    ("a bad Host in HTTP/1.0", "RFC 9112, 3.2", _head(start=b"GET / HTTP/1.0", host=b"Host: a b")),
    (
        "a bad Host beside a URL",
        "RFC 9112, 3.2",
        _head(start=b"GET http://a/ HTTP/1.1", host=b"Host: /"),
    ),
    ("an empty Host and another", "RFC 9112, 3.2", _head(b"Host: a", host=b"Host:")),
]

# Content-Length.

_LENGTHS_GOOD = [
    ("no body", "RFC 9110, 8.6", _post(b"Content-Length: 0")),
    ("five bytes", "RFC 9110, 8.6", _post(b"Content-Length: 5", body=b"hello")),
    ("leading zeros", "RFC 9110, 8.6: 1*DIGIT", _post(b"Content-Length: 0005", body=b"hello")),
    ("no blank", "RFC 9112, 5", _post(b"Content-Length:5", body=b"hello")),
    ("blanks around", "RFC 9112, 5.1", _post(b"Content-Length: \t5 \t", body=b"hello")),
    ("in capitals", "RFC 9110, 5.1", _post(b"CONTENT-LENGTH: 5", body=b"hello")),
    ("a body of GET", "RFC 9110, 9.3.1", _head(b"Content-Length: 5") + b"hello"),
    (
        "a body of HEAD",
        "RFC 9110, 9.3.2",
        _head(b"Content-Length: 5", start=b"HEAD / HTTP/1.1") + b"hello",
    ),
    ("CRLF as the body", "RFC 9112, 6.3", _post(b"Content-Length: 4", body=b"\r\n\r\n")),
    (
        "a request as the body",
        "CL.0, PortSwigger: Browser-Powered Desync",
        _post(b"Content-Length: %d" % len(GET), body=GET),
    ),
    ("NULs as the body", "kecho: strlen", _post(b"Content-Length: 5", body=b"\x00" * 5)),
    ("chunks as the body", "CL.TE, RFC 9112, 11.2", _post(b"Content-Length: 5", body=_END)),
]

_LENGTHS_BAD = [
    ("empty", "CVE-2023-47627 (aiohttp)", b""),
    ("a plus", "CVE-2021-32715 (hyper)", b"+5"),
    ("a minus", "RFC 9110, 8.6", b"-5"),
    ("minus zero", "RFC 9110, 8.6", b"-0"),
    ("hexadecimal", "CVE-2022-24761 (waitress)", b"0x5"),
    ("hexadecimal digits", "RFC 9110, 8.6", b"5a"),
    ("octal", "RFC 9110, 8.6", b"0o5"),
    ("underscore", "CVE-2022-24761 (waitress)", b"1_0"),
    ("decimal point", "RFC 9110, 8.6", b"5.0"),
    ("exponent", "RFC 9110, 8.6", b"1e1"),
    ("blank within", "llhttp: content-length.md", b"4 2"),
    ("tab within", "llhttp: content-length.md", b"4\t2"),
    ("a list of the same", "RFC 9112, 6.3: may be taken", b"5, 5"),
    ("a list of two", "RFC 9112, 6.3", b"5, 6"),
    ("a comma after", "RFC 9112, 6.3", b"5,"),
    ("a comma before", "RFC 9112, 6.3", b",5"),
    ("a semicolon", "RFC 9110, 8.6", b"5;"),
    ("letters", "llhttp: content-length.md", b"five"),
    ("quotes", "RFC 9110, 8.6", b'"5"'),
    ("Arabic digits", "CVE-2023-47627 (aiohttp)", b"\xd9\xa5"),
    ("superscript", "str.isdigit() takes it", b"\xb2"),
    ("beyond 64 bits by far", "llhttp: content-length.md, overflow", b"9" * 21),
    ("hundreds of digits", "CVE-2020-10735 (int of long text)", b"9" * 600),
    ("NUL after", "RFC 9110, 5.5", b"5\x00"),
    ("vertical tab before", "CVE-2022-24801 (twisted)", b"\x0b5"),
    ("no-break space", "str.strip() takes it", b"\xa05"),
]

_LENGTH_LINES_BAD = [
    (
        "twice the same",
        "CVE-2019-16792 (waitress)",
        _post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
    ),
    (
        "twice, differing",
        "CVE-2020-10108 (twisted)",
        _post(b"Content-Length: 5", b"Content-Length: 0", body=b"hello"),
    ),
    (
        "twice, the first 0",
        "CVE-2020-10108 (twisted)",
        _post(b"Content-Length: 0", b"Content-Length: 5", body=b"hello"),
    ),
    (
        "twice in two cases",
        "RFC 9112, 6.3",
        _post(b"content-length: 5", b"CONTENT-LENGTH: 6", body=b"hello!"),
    ),
    ("thrice", "RFC 9112, 6.3", _post(*[b"Content-Length: 0"] * 3)),
    ("twice in HTTP/1.0", "RFC 9112, 6.3", _post(*[b"Content-Length: 0"] * 2, version=b"1.0")),
]

# Transfer-Encoding.

_CODINGS_GOOD = [
    ("chunked", "RFC 9112, 7.1", _chunked(b"5\r\nhello\r\n" + _END)),
    ("in mixed case", "RFC 9112, 7", _post(b"tRANSFER-eNCODING: ChUnKeD", body=_END)),
    ("no blank", "RFC 9112, 5", _post(b"Transfer-Encoding:chunked", body=_END)),
    ("blanks around", "RFC 9112, 5.1", _post(b"Transfer-Encoding: \tchunked\t ", body=_END)),
    ("chunked GET", "RFC 9110, 9.3.1", _head(_CODED) + b"1\r\na\r\n" + _END),
    (
        "a request as a chunk",
        "TE.CL, RFC 9112, 11.2",
        _chunked(b"%x\r\n%b\r\n" % (len(GET), GET) + _END),
    ),
]

# 501 wherever it is known not to be a single chunked.
_CODINGS_BAD = [
    ("identity", "RFC 9112, 7: withdrawn", b"identity"),
    ("gzip", "RFC 9112, 6.1", b"gzip"),
    ("gzip, chunked", "RFC 9112, 6.1", b"gzip, chunked"),
    ("chunked, gzip", "RFC 9112, 6.3", b"chunked, gzip"),
    ("chunked, identity", "llhttp: transfer-encoding.md", b"chunked, identity"),
    ("identity, chunked", "CVE-2024-1135 (gunicorn)", b"identity, chunked"),
    ("chunked twice", "RFC 9112, 7.1", b"chunked, chunked"),
    ("a comma after", "CVE-2019-16786 (waitress)", b"chunked,"),
    ("a comma before", "CVE-2019-16786 (waitress)", b",chunked"),
    ("xchunked", "PortSwigger: HTTP Desync Attacks", b"xchunked"),
    ("chunkedx", "llhttp: transfer-encoding.md", b"chunkedx"),
    ("chunke", "llhttp: transfer-encoding.md", b"chunke"),
    ("two words", "llhttp: transfer-encoding.md", b"chunked x"),
    ("a semicolon", "RFC 9112, 7", b"chunked;"),
    ("a parameter", "RFC 9112, 7", b"chunked;a=b"),
    ("quotes", "PortSwigger: HTTP Desync Attacks", b'"chunked"'),
    ("single quotes", "PortSwigger: HTTP Desync Attacks", b"'chunked'"),
    ("empty", "RFC 9112, 6.1", b""),
    ("cow", "PortSwigger: HTTP Desync Attacks", b"cow"),
    ("no-break space", "PortSwigger: HTTP Desync Attacks", b"chunked\xa0"),
    ("Kelvin sign", "str.lower() takes it", b"chun\xe2\x84\xaaed"),
    ("deflate", "RFC 9112, 7.2", b"deflate"),
]

_CODING_LINES_BAD = [
    (
        "with a length",
        "CVE-2020-10109 (twisted); RFC 9112, 6.1",
        _post(b"Content-Length: 5", _CODED, body=_END),
    ),
    (
        "before a length",
        "CVE-2020-10109 (twisted); RFC 9112, 6.1",
        _post(_CODED, b"Content-Length: 5", body=_END),
    ),
    (
        "with a length of 0",
        "0.CL, PortSwigger: HTTP/1.1 Must Die",
        _post(b"Content-Length: 0", _CODED, body=_END),
    ),
    ("with a bad length", "RFC 9112, 6.3", _post(b"Content-Length: x", _CODED, body=_END)),
    (
        "unknown, with a length",
        "CVE-2005-2088 (httpd)",
        _post(b"Content-Length: 5", b"Transfer-Encoding: x", body=b"hello"),
    ),
    ("in HTTP/1.0", "RFC 9112, 6.1", _post(_CODED, version=b"1.0", body=_END)),
    (
        "in HTTP/1.0, kept",
        "RFC 9112, 6.1",
        _post(_CODED, b"Connection: keep-alive", version=b"1.0", body=_END),
    ),
    ("unknown in HTTP/1.0", "RFC 9112, 6.1", _post(b"Transfer-Encoding: x", version=b"1.0")),
]

_CODING_LINES_501 = [
    ("twice chunked", "CVE-2021-21299 (hyper)", _post(_CODED, _CODED, body=_END)),
    (
        "chunked and identity",
        "llhttp: transfer-encoding.md",
        _post(_CODED, b"Transfer-Encoding: identity", body=_END),
    ),
    (
        "identity and chunked",
        "TE.TE, PortSwigger: HTTP Desync Attacks",
        _post(b"Transfer-Encoding: identity", _CODED, body=_END),
    ),
    (
        "x and chunked, in two cases",
        "TE.TE, PortSwigger: HTTP Desync Attacks",
        _post(b"transfer-encoding: x", _CODED, body=_END),
    ),
]

# Chunks.

_CHUNKS_GOOD = [
    ("none", "RFC 9112, 7.1", _END),
    ("two", "RFC 9112, 7.1", b"5\r\nhello\r\n6\r\n world\r\n" + _END),
    ("size in capitals", "RFC 9112, 7.1", b"A\r\n0123456789\r\n" + _END),
    ("leading zeros", "RFC 9112, 7.1", b"0005\r\nhello\r\n" + _END),
    ("sixteen digits", "ktcp: sizes of 64 bits", b"0000000000000005\r\nhello\r\n" + _END),
    ("many zeros at the end", "llhttp: transfer-encoding.md, 000", b"1\r\na\r\n000\r\n\r\n"),
    ("CRLF as data", "RFC 9112, 7.1", b"4\r\n\r\n\r\n\r\n" + _END),
    ("a last chunk as data", "RFC 9112, 7.1", b"5\r\n0\r\n\r\n\r\n" + _END),
    ("an extension", "RFC 9112, 7.1.1", b"5;a=b\r\nhello\r\n" + _END),
    ("an extension without a value", "llhttp: transfer-encoding.md", b"5;a\r\nhello\r\n" + _END),
    ("extensions", "RFC 9112, 7.1.1", b'5;a=b;c="d;e";f\r\nhello\r\n0;g\r\n\r\n'),
    ("blanks in an extension", "RFC 9112, 7.1.1: BWS", b"5; a = b\r\nhello\r\n" + _END),
    ("obs-text in an extension", "RFC 9110, 5.6.4", b'5;a="\xc3\xa4"\r\nhello\r\n' + _END),
    ("no name of an extension", "h11 takes it, of no meaning", b"5;\r\nhello\r\n" + _END),
    (
        "as long an extension as may be",
        "ktcp: limits.head",
        b"5;" + b"a" * 1023 + b"\r\nhello\r\n" + _END,
    ),
    ("a trailer", "RFC 9112, 7.1.2", b"0\r\nA: b\r\n\r\n"),
    ("trailers", "RFC 9112, 7.1.2", b"1\r\na\r\n0\r\nA: b\r\nA:c\r\nVary: *\r\n\r\n"),
    ("as many trailers as may be", "ktcp: limits.headers", b"0\r\n" + b"A: b\r\n" * 16 + b"\r\n"),
]

_CHUNKS_BAD = [
    ("no size", "RFC 9112, 7.1", b"\r\na\r\n" + _END),
    ("no size but an extension", "RFC 9112, 7.1", b";a\r\na\r\n" + _END),
    ("a letter", "httparse: parse_chunk_size", b"g\r\na\r\n" + _END),
    ("a letter after a digit", "httparse: parse_chunk_size", b"1g\r\na\r\n" + _END),
    ("0x", "CVE-2022-24801 (twisted)", b"0x1\r\na\r\n" + _END),
    ("a plus", "CVE-2022-24801 (twisted)", b"+1\r\na\r\n" + _END),
    ("a minus", "CVE-2013-2028 (nginx)", b"-1\r\na\r\n" + _END),
    ("minus zero", "CVE-2022-24801 (twisted)", b"-0\r\n\r\n"),
    ("underscore", "CVE-2022-24761 (waitress)", b"1_0\r\n" + b"a" * 16 + b"\r\n" + _END),
    ("blank before", "CVE-2022-24801 (twisted)", b" 1\r\na\r\n" + _END),
    ("tab before", "CVE-2022-24801 (twisted)", b"\t1\r\na\r\n" + _END),
    ("blank after", "h11 takes it; RFC 9112, 7.1", b"1 \r\na\r\n" + _END),
    ("tab after", "h11 takes it; RFC 9112, 7.1", b"1\t\r\na\r\n" + _END),
    ("blank before the semicolon", "RFC 9112, 7.1.1: BWS, refused here", b"1 ;a\r\na\r\n" + _END),
    ("blank after the last size", "RFC 9112, 7.1", b"0 \r\n\r\n"),
    ("two sizes", "RFC 9112, 7.1", b"1 1\r\na\r\n" + _END),
    ("a comma", "RFC 9112, 7.1", b"1,1\r\na\r\n" + _END),
    ("a decimal point", "RFC 9112, 7.1", b"1.0\r\na\r\n" + _END),
    ("Arabic digits", "CVE-2023-47627 (aiohttp)", b"\xd9\xa1\r\na\r\n" + _END),
    ("seventeen digits", "CVE-2021-32714 (hyper)", b"10000000000000001\r\na\r\n" + _END),
    ("twenty digits", "h11 takes them; CVE-2021-32714 (hyper)", b"f" * 20 + b"\r\na\r\n" + _END),
    ("zeros that do not end", "httparse: parse_chunk_size", b"0" * 400 + b"1\r\na\r\n" + _END),
    ("bare LF after the size", "CVE-2025-22871 (Go)", b"1\na\r\n" + _END),
    ("bare LF after the last size", "CVE-2025-22871 (Go)", b"0\n\r\n"),
    ("bare LF everywhere", "CVE-2025-22871 (Go)", b"1\na\n0\n\n"),
    ("bare LF in an extension", "CVE-2021-22960 (llhttp)", b"1;a\nb\r\na\r\n" + _END),
    ("bare LF ends an extension", "PortSwigger: chunk extensions, TERM.EXT", b"1;\na\r\n" + _END),
    ("bare CR in an extension", "h11 takes it; EXT.TERM", b"1;a\rb\r\na\r\n" + _END),
    ("bare CR after the size", "RFC 9112, 2.2", b"1\ra\r\n" + _END),
    ("CR CR LF after the size", "RFC 9112, 2.2", b"1\r\r\na\r\n" + _END),
    ("NUL after the size", "RFC 9112, 7.1", b"1\x00\r\na\r\n" + _END),
    ("NUL in an extension", "h11 takes it; RFC 9112, 7.1.1", b"1;a\x00\r\na\r\n" + _END),
    ("control in an extension", "h11 takes it; RFC 9112, 7.1.1", b"1;a\x01b\r\na\r\n" + _END),
    ("vertical tab in an extension", "h11 takes it; RFC 9112, 7.1.1", b"1;\x0b\r\na\r\n" + _END),
    ("ESC in an extension", "h11 takes it; RFC 9112, 7.1.1", b"1;\x1b[2J\r\na\r\n" + _END),
    ("DEL in an extension", "h11 takes it; RFC 9112, 7.1.1", b"1;a\x7f\r\na\r\n" + _END),
    ("control in the last extension", "h11 takes it; RFC 9112, 7.1.1", b"0;\x02\r\n\r\n"),
    ("longer than its size", "RFC 9112, 7.1", b"1\r\nab\r\n" + _END),
    ("longer by a CRLF", "CVE-2025-43859 (h11)", b"1\r\na\r\n\r\n" + _END),
    ("shorter than its size", "RFC 9112, 7.1", b"3\r\na\r\n" + _END),
    ("any two bytes after it", "CVE-2025-43859 (h11)", b"1\r\naXX" + _END),
    ("bare LF after it", "CVE-2025-43859 (h11)", b"1\r\na\n" + _END),
    ("bare CR after it", "CVE-2025-43859 (h11)", b"1\r\na\r" + _END),
    ("LF LF after it", "CVE-2025-43859 (h11)", b"1\r\na\n\n" + _END),
    ("LF CR after it", "CVE-2025-43859 (h11)", b"1\r\na\n\r" + _END),
    ("nothing after it", "CVE-2025-43859 (h11)", b"1\r\na" + _END),
    ("a request in place of it", "RFC 9112, 11.2", GET),
    ("trailer without a colon", "RFC 9112, 7.1.2", b"0\r\nA\r\n\r\n"),
    ("trailer without a name", "RFC 9112, 7.1.2", b"0\r\n: b\r\n\r\n"),
    ("trailer with a blank before its colon", "RFC 9112, 5.1", b"0\r\nA : b\r\n\r\n"),
    ("folded trailer", "RFC 9112, 5.2; h11 takes it", b"0\r\nA: b\r\n c\r\n\r\n"),
    ("trailer that begins with a blank", "RFC 9112, 5.2", b"0\r\n A: b\r\n\r\n"),
    ("trailer with NUL", "RFC 9110, 5.5", b"0\r\nA: b\x00\r\n\r\n"),
    ("trailer with a control", "RFC 9110, 5.5", b"0\r\nA: b\x01\r\n\r\n"),
    ("trailer with a bare CR", "RFC 9112, 2.2", b"0\r\nA: b\rC: d\r\n\r\n"),
    ("bare LF as the empty line", "RFC 9112, 2.2; h11 takes it", b"0\r\n\n"),
    ("bare LF after a trailer", "RFC 9112, 2.2; h11 takes it", b"0\r\nA: b\n\r\n"),
    ("bare LF between trailers", "RFC 9112, 2.2; h11 takes it", b"0\r\nA: b\nC: d\r\n\r\n"),
    ("LF LF after a trailer", "RFC 9112, 2.2; h11 takes it", b"0\r\nA: b\n\n"),
    ("bare CR as the empty line", "RFC 9112, 2.2", b"0\r\n\r" + GET),
    ("no empty line", "RFC 9112, 7.1", b"0\r\n" + GET),
    ("a length as trailer", "RFC 9110, 6.5.1", b"0\r\nContent-Length: 5\r\n\r\n"),
    ("a coding as trailer", "RFC 9110, 6.5.1", b"0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("a coding as trailer, in capitals", "RFC 9110, 6.5.1", b"0\r\nTRANSFER-ENCODING: x\r\n\r\n"),
    ("Connection as trailer", "RFC 9110, 6.5.1", b"0\r\nConnection: close\r\n\r\n"),
    ("Expect as trailer", "RFC 9110, 6.5.1", b"0\r\nExpect: 100-continue\r\n\r\n"),
]

_CHUNKS_413 = [
    (
        "extension too long by one",
        "CVE-2024-22019 (node.js)",
        b"5;" + b"a" * 1024 + b"\r\nhello\r\n" + _END,
    ),
    ("extension that does not end", "CVE-2024-22019 (node.js)", b"5;" + b"a" * 3000),
    ("extensions of the last chunk", "CVE-2024-22019 (node.js)", b"0;" + b"a" * 2000 + b"\r\n\r\n"),
    (
        "small chunks, long extensions",
        "CVE-2023-39326 (Go)",
        (b"1;" + b"a" * 99 + b"\r\nx\r\n") * 12 + _END,
    ),
]

_CHUNKS_431 = [
    ("one trailer too many", "ktcp: limits.headers", b"0\r\n" + b"A: b\r\n" * 17 + b"\r\n"),
    ("a trailer too long", "ktcp: limits.head", b"0\r\nA: " + b"b" * 1100 + b"\r\n\r\n"),
    ("trailers that do not end", "ktcp: limits.head", b"0\r\n" + b"A: b\r\n" * 300),
]

# Expectations.

_EXPECT_GOOD = [
    (
        "100-continue",
        "RFC 9110, 10.1.1",
        _post(b"Expect: 100-continue", b"Content-Length: 5", body=b"hello"),
    ),
    (
        "in capitals",
        "RFC 9110, 10.1.1",
        _post(b"EXPECT: 100-CONTINUE", b"Content-Length: 5", body=b"hello"),
    ),
    ("and chunks", "RFC 9110, 10.1.1", _post(b"Expect: 100-continue", _CODED, body=_END)),
    ("without a body", "RFC 9110, 10.1.1", _head(b"Expect: 100-continue")),
]

_EXPECT_BAD = [
    ("another", "RFC 9110, 10.1.1", _post(b"Expect: 200-ok", b"Content-Length: 5", body=b"hello")),
    (
        "an empty one",
        "PortSwigger: HTTP/1.1 Must Die, Expect",
        _post(b"Expect:", b"Content-Length: 0"),
    ),
    (
        "obfuscated",
        "PortSwigger: HTTP/1.1 Must Die, Expect",
        _post(b"Expect: y 100-continue", b"Content-Length: 0"),
    ),
    ("a list", "RFC 9110, 10.1.1", _post(b"Expect: 100-continue, x", b"Content-Length: 0")),
    (
        "with a parameter",
        "RFC 9110, 10.1.1",
        _post(b"Expect: 100-continue;q=1", b"Content-Length: 0"),
    ),
    (
        "one good, one bad",
        "RFC 9110, 10.1.1",
        _post(b"Expect: 100-continue", b"Expect: x", b"Content-Length: 0"),
    ),
]

# Sizes, at the byte.

_BARE = len(_head(b"A: "))

_SIZES_GOOD = [
    ("the longest head", "ktcp: limits.head", _head(b"A: " + b"b" * (1024 - _BARE))),
    ("the longest head of lines", "ktcp: limits.headers", _head(*[b"A: " + b"b" * 50] * 15)),
]

_SIZES_431 = [
    ("a head too long by one", "RFC 6585, 5", _head(b"A: " + b"b" * (1025 - _BARE))),
    ("a head too long by far", "RFC 6585, 5", _head(b"A: " + b"b" * 3000)),
    (
        "a head that does not end",
        "CVE-2018-12121 (node.js)",
        b"GET / HTTP/1.1\r\nA: " + b"b" * 2000,
    ),
    ("a name too long", "RFC 6585, 5", _head(b"a" * 1100 + b": b")),
    ("a method too long", "RFC 9112, 3", b"G" * 1100 + b" / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("one line too many", "RFC 6585, 5", _head(*[b"A: b"] * 16)),
    ("empty values too many", "RFC 6585, 5: line by line", _head(*[b"A:"] * 100)),
]

_SIZES_414 = [
    ("too long by one", "RFC 9110, 15.5.15", _head(start=b"GET /" + b"a" * 256 + b" HTTP/1.1")),
    (
        "too long for any head",
        "RFC 9110, 15.5.15",
        _head(start=b"GET /" + b"a" * 2000 + b" HTTP/1.1"),
    ),
    ("that does not end", "RFC 9110, 15.5.15", b"GET /" + b"a" * 2000),
    (
        "a URL too long",
        "RFC 9110, 15.5.15",
        _head(start=b"GET http://a/" + b"a" * 256 + b" HTTP/1.1"),
    ),
]

# What becomes of the connection.

_IN_10 = b"GET / HTTP/1.0"

_KEPT = [
    ("by a client of 1.0", "RFC 9112, C.2.2", _head(b"Connection: keep-alive", start=_IN_10)),
    (
        "by a client of 1.0, in capitals",
        "RFC 9112, C.2.2",
        _head(b"Connection: KEEP-ALIVE", start=_IN_10),
    ),
    ("by name in 1.1", "RFC 9112, 9.3", _head(b"Connection: keep-alive")),
    ("unknown option", "RFC 9110, 7.6.1", _head(b"Connection: closed")),
    ("empty Connection", "RFC 9110, 7.6.1", _head(b"Connection:")),
    ("Proxy-Connection", "RFC 9112, C.2.2", _head(b"Proxy-Connection: close")),
]

_CLOSED = [
    ("by close", "RFC 9112, 9.6", _head(b"Connection: close")),
    ("by close in capitals", "RFC 9112, 9.6", _head(b"CONNECTION: CLOSE")),
    ("by close in a list", "RFC 9112, 9.3", _head(b"Connection: keep-alive, close")),
    (
        "by close in two lines",
        "RFC 9112, 9.3",
        _head(b"Connection: close", b"Connection: keep-alive"),
    ),
    ("by 1.0", "RFC 9112, 9.3", _head(start=_IN_10)),
    ("by 1.0 without Host", "RFC 9112, 3.2", b"GET / HTTP/1.0\r\n\r\n"),
    (
        "by 1.0 that says close too",
        "RFC 9112, 9.3",
        _head(b"Connection: keep-alive, close", start=_IN_10),
    ),
    ("by khttpd's misspelling", "khttpd: KeepAlive", _head(b"Connection: KeepAlive", start=_IN_10)),
    (
        "by 1.0 after a body",
        "RFC 9112, 9.3",
        _post(b"Content-Length: 5", version=b"1.0", body=b"hello"),
    ),
    ("by close after chunks", "RFC 9112, 9.6", _post(_CODED, b"Connection: close", body=_END)),
    ("by 1.0 that expects", "RFC 9110, 10.1.1: ignored", _head(b"Expect: x", start=_IN_10)),
]

# More than one request.

_PIPELINED = [
    ("two", "RFC 9112, 9.3.2", GET + GET),
    ("with an empty line between", "RFC 9112, 2.2", GET + b"\r\n" + GET),
    (
        "an empty line after a body",
        "RFC 9112, 2.2",
        _post(b"Content-Length: 1", body=b"a\r\n") + GET,
    ),
    ("after chunks", "CVE-2024-41671 (twisted)", _chunked(b"1\r\na\r\n" + _END) + GET),
    ("after trailers", "RFC 9112, 7.1.2", _chunked(b"0\r\nA: b\r\n\r\n") + GET),
    ("two of chunks", "CVE-2023-46137 (twisted)", _chunked(_END) * 2),
    (
        "a strange method by a body too long",
        "RFC 9112, 6.3",
        _post(b"Content-Length: 1", body=b"ax") + GET,
    ),
]

_SECOND_BAD = [
    ("garbage", "RFC 9112, 2.2", GET + b"@@@\r\n\r\n"),
    ("a body of no length", "RFC 9112, 6.3", _post(body=b"(hello)\r\n\r\n")),
    ("a body too long", "RFC 9112, 6.3", _post(b"Content-Length: 5", body=b"hello\x00") + GET),
    ("more after the last chunk", "RFC 9112, 7.1", _chunked(_END + b"(") + GET),
    ("two lengths", "RFC 9112, 6.3", GET + _LENGTH_LINES_BAD[0][2]),
    ("a broken chunk", "RFC 9112, 7.1", GET + _chunked(b"x\r\n")),
    ("bare LF", "RFC 9112, 2.2", GET + b"GET / HTTP/1.1\nHost: a\n\n"),
    ("bare LF between", "RFC 9112, 2.2", GET + b"\n" + GET),
    (
        "chunks behind a length of 0",
        "CL.TE, RFC 9112, 11.2",
        _post(b"Content-Length: 0", body=b"{}\r\n\r\n"),
    ),
]

# The client closes its side too early.

_CUT = [
    ("a method", "RFC 9112, 8", b"GE"),
    ("a request line", "RFC 9112, 8", b"GET / HTTP/1.1"),
    ("a request line with its end", "RFC 9112, 8", b"GET / HTTP/1.1\r\n"),
    ("a simple request with its end", "RFC 1945, 4.1: HTTP/0.9", b"GET /\r\n"),
    ("a CR", "RFC 9112, 8", b"\r"),
    ("a header", "RFC 9112, 8", b"GET / HTTP/1.1\r\nHost: a"),
    ("a head but its empty line", "RFC 9112, 8", b"GET / HTTP/1.1\r\nHost: a\r\n"),
    ("a head but its last byte", "RFC 9112, 8", GET[:-1]),
    ("no byte of a body", "RFC 9112, 8", _post(b"Content-Length: 5")),
    ("some bytes of a body", "RFC 9112, 8", _post(b"Content-Length: 5", body=b"hell")),
    ("a large body", "RFC 9112, 8", _post(b"Content-Length: 99999", body=b"a")),
    ("no chunk", "RFC 9112, 8", _chunked(b"")),
    ("a size", "RFC 9112, 8", _chunked(b"5")),
    ("a size and CR", "RFC 9112, 8", _chunked(b"5\r")),
    ("a size with its end", "RFC 9112, 8", _chunked(b"5\r\n")),
    ("an extension", "RFC 9112, 8", _chunked(b"5;a=")),
    ("some bytes of a chunk", "RFC 9112, 8", _chunked(b"5\r\nhell")),
    ("a chunk of 64 bits", "CVE-2013-2028 (nginx)", _chunked(b"ffffffffffffffff\r\na")),
    ("a chunk but its end", "RFC 9112, 8", _chunked(b"5\r\nhello")),
    ("a chunk and CR", "RFC 9112, 8", _chunked(b"5\r\nhello\r")),
    ("before the last chunk", "RFC 9112, 8", _chunked(b"5\r\nhello\r\n")),
    ("the last chunk but its empty line", "RFC 9112, 8", _chunked(b"0\r\n")),
    ("the last chunk and CR", "RFC 9112, 8", _chunked(b"0\r\n\r")),
    ("a trailer", "RFC 9112, 8", _chunked(b"0\r\nA: b")),
    ("trailers but their empty line", "RFC 9112, 8", _chunked(b"0\r\nA: b\r\n")),
]


def _named(group: str, cases: list[Case]) -> list[Case]:
    return [case._replace(name=f"{group}: {case.name}") for case in cases]


def _with(rows: _Rows, before: bytes, after: bytes) -> list[tuple[str, str, bytes]]:
    return [(name, source, before + data + after) for name, source, data in rows]


_GET_HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"
_REST = b"\r\nA: b\r\n\r\n"
_CHUNKED_HEAD = _chunked(b"")

CASES = [
    *_named("request line", _good(_LINES_GOOD)),
    *_named("request line", _bad(_with(_LINES_BAD, b"", b"\r\nHost: a\r\n\r\n"))),
    *_named("no request", _bad(_OTHER_BAD)),
    *_named("version", _bad(_VERSIONS_BAD, 505)),
    *_named("target", _good(_with(_TARGETS_GOOD, b"GET ", b" HTTP/1.1\r\nHost: a\r\n\r\n"))),
    *_named(
        "target", _good([("* for OPTIONS", "RFC 9112, 3.2.4", _head(start=b"OPTIONS * HTTP/1.1"))])
    ),
    *_named("target", _bad(_with(_TARGETS_BAD, b"GET ", b" HTTP/1.1\r\nHost: a\r\n\r\n"))),
    *_named(
        "target",
        _bad([("of CONNECT", "RFC 9110, 9.3.6", _head(start=b"CONNECT a:443 HTTP/1.1"))], 501),
    ),
    *_named("header", _good(_with(_FIELDS_GOOD, _GET_HEAD, b"\r\n\r\n"))),
    *_named("header", _bad(_with(_FIELDS_BAD, _GET_HEAD, b"\r\n\r\n"))),
    *_named("header in the middle", _bad(_with(_FIELDS_BAD[:8], _GET_HEAD, _REST))),
    *_named("header", _bad(_PLACES_BAD)),
    *_named("Host", _good(_with(_HOSTS_GOOD, b"GET / HTTP/1.1\r\nHost: ", b"\r\n\r\n"))),
    *_named("Host", _bad(_with(_HOSTS_BAD, b"GET / HTTP/1.1\r\nHost: ", b"\r\n\r\n"))),
    *_named("Host", _bad(_HOST_LINES_BAD)),
    *_named("length", _good(_LENGTHS_GOOD)),
    *_named("length", _bad(_with(_LENGTHS_BAD, _GET_HEAD + b"Content-Length: ", b"\r\n\r\nhello"))),
    *_named("length", _bad(_LENGTH_LINES_BAD)),
    *_named("coding", _good(_CODINGS_GOOD)),
    *_named(
        "coding",
        _bad(_with(_CODINGS_BAD, _GET_HEAD + b"Transfer-Encoding: ", b"\r\n\r\n" + _END), 501),
    ),
    *_named("coding", _bad(_CODING_LINES_BAD)),
    *_named("coding", _bad(_CODING_LINES_501, 501)),
    *_named("chunk", _good(_with(_CHUNKS_GOOD, _CHUNKED_HEAD, b""))),
    *_named("chunk", _bad(_with(_CHUNKS_BAD, _CHUNKED_HEAD, b""))),
    *_named("chunk", _bad(_with(_CHUNKS_413, _CHUNKED_HEAD, b""), 413)),
    *_named("chunk", _bad(_with(_CHUNKS_431, _CHUNKED_HEAD, b""), 431)),
    *_named("expectation", _good(_EXPECT_GOOD)),
    *_named("expectation", _bad(_EXPECT_BAD, 417)),
    *_named("size", _good(_SIZES_GOOD)),
    *_named("size", _bad(_SIZES_431, 431)),
    *_named("target", _bad(_SIZES_414, 414)),
    *_named("kept", _good(_KEPT)),
    *_named("closed", _good(_CLOSED, keeps=False)),
    *_named("pipelined", _good(_PIPELINED, answered=2)),
    *_named("second request", _bad(_SECOND_BAD, answered=1)),
    *_named("cut short", _cut(_CUT)),
    *_named("cut short", _cut([("the second request", "RFC 9112, 8", GET + GET[:-2])], answered=1)),
]
