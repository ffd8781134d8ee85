"""
Tests for L{ktcp.http.forwarded}: what is believed, and what it changes.
"""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ktcp import HTTPFactory, Request, Response
from ktcp.endpoint.proxy import Trust
from ktcp.http.accesslog import AccessLog
from ktcp.http.forwarded import Forwarding, Hop, addressOf
from ktcp.http.headers import Headers
from ktcp.test.support import STEADY
from ktcp.testing import MemoryConnection

PROXIES = Trust([ip_network("10.0.0.0/8")])

# Anything a client may put into a header.
NOISE = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60)
ADDRESSES = st.ip_addresses(network="192.0.2.0/24") | st.ip_addresses(network="2001:db8::/32")


def read(kind: str, *pairs: tuple[str, str]) -> Hop:
    """
    Read headers that came from a trusted proxy.
    """
    made = [(name.encode(), value.encode("latin-1")) for name, value in pairs]
    return Forwarding(PROXIES, kind).read(Headers(made))


class XForwardedTests(SynchronousTestCase):
    """
    C{X-Forwarded-For}, C{-Proto} and C{-Host}.
    """

    def test_client(self) -> None:
        """
        The client is the first from the right who is no trusted proxy.
        """
        for value, client in (
            ("192.0.2.1", "192.0.2.1"),
            ("203.0.113.9, 192.0.2.1", "192.0.2.1"),
            ("203.0.113.9, 192.0.2.1, 10.0.0.2,10.0.0.1", "192.0.2.1"),
            ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("192.0.2.1:4711", "192.0.2.1"),
            ("2001:DB8::1", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            # Nobody knows who that was: the nearest that is known.
            ("192.0.2.1, unknown, 10.0.0.1", "10.0.0.1"),
            ("192.0.2.1, unknown", None),
            (" , ", None),
        ):
            self.assertEqual(read("x-forwarded", ("x-forwarded-for", value)).client, client, value)

    def test_lines(self) -> None:
        """
        Several lines are one list.
        """
        hop = read(
            "x-forwarded", ("x-forwarded-for", "192.0.2.9"), ("x-forwarded-for", "192.0.2.1")
        )
        self.assertEqual(hop.client, "192.0.2.1")

    def test_schemeAndHost(self) -> None:
        """
        They are the client's hop's, or the only ones there are.
        """
        for clients, scheme, expected in (
            ("192.0.2.1", "https", b"https"),
            ("192.0.2.1, 10.0.0.1", "https", b"https"),
            ("192.0.2.1, 10.0.0.1", "HTTPS, http", b"https"),
            ("192.0.2.9, 192.0.2.1", "https, http", b"http"),
            ("192.0.2.1", "gopher", None),
        ):
            pairs = [("x-forwarded-for", clients), ("x-forwarded-proto", scheme)]
            self.assertEqual(read("x-forwarded", *pairs).scheme, expected, (clients, scheme))
        for host, told in (("a.test:8080", b"a.test:8080"), ("a b", None), ("[::1", None)):
            self.assertEqual(read("x-forwarded", ("x-forwarded-host", host)).host, told)

    def test_otherKind(self) -> None:
        """
        What the proxies do not write is the client's, and is not read.
        """
        self.assertEqual(read("x-forwarded", ("forwarded", "for=192.0.2.1")), Hop())
        self.assertEqual(read("forwarded", ("x-forwarded-for", "192.0.2.1")), Hop())
        self.assertRaises(ValueError, Forwarding, PROXIES, "x-real-ip")

    @STEADY
    @given(NOISE, ADDRESSES, st.integers(0, 3))
    def test_forged(self, noise: str, address: object, proxies: int) -> None:
        """
        Whatever a client sends, it is whom the outermost proxy saw.
        """
        seen = [noise, str(address), *("10.0.0.1" for _ in range(proxies))]
        hop = read("x-forwarded", ("x-forwarded-for", ", ".join(seen)))
        self.assertEqual(hop.client, str(address))


class ForwardedTests(SynchronousTestCase):
    """
    C{Forwarded} (RFC 7239).
    """

    def test_examples(self) -> None:
        """
        The RFC's own examples are understood.
        """
        for value, expected in (
            ('For="[2001:db8:cafe::17]:4711"', Hop("2001:db8:cafe::17")),
            ("for=192.0.2.60;proto=http;by=203.0.113.43", Hop("192.0.2.60", b"http")),
            ("for=192.0.2.43, for=198.51.100.17", Hop("198.51.100.17")),
            ('for="_gazonk"', Hop()),
            ("for=192.0.2.43;host=a.test, for=10.0.0.1", Hop("192.0.2.43", None, b"a.test")),
            ('for=192.0.2.43, for="_mdn", for=10.0.0.1', Hop("10.0.0.1")),
        ):
            self.assertEqual(read("forwarded", ("forwarded", value)), expected, value)

    @STEADY
    @given(NOISE, ADDRESSES, st.integers(0, 3))
    def test_forged(self, noise: str, address: object, proxies: int) -> None:
        """
        Whatever a client sends, an open quote too, it is whom the outermost proxy saw.
        """
        seen = [noise, f'for="[{address}]"', *("for=10.0.0.1" for _ in range(proxies))]
        self.assertEqual(read("forwarded", ("forwarded", ", ".join(seen))).client, str(address))

    @STEADY
    @given(NOISE)
    def test_noise(self, noise: str) -> None:
        """
        Nothing raises, and what is told is an address, a scheme and a host.
        """
        for kind, name in (("forwarded", "forwarded"), ("x-forwarded", "x-forwarded-for")):
            hop = read(kind, (name, noise))
            if hop.client is not None:
                self.assertEqual(addressOf(hop.client.encode()), hop.client)
            self.assertIn(hop.scheme, (None, b"http", b"https"))


class RequestTests(SynchronousTestCase):
    """
    What a handler sees, and the access log.
    """

    HEADERS = (
        "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: front.test\r\n"
    )

    def ask(self, peer: object, trusted: bool = True, target: str = "/") -> tuple[object, ...]:
        """
        Send a request from a peer.

        @return: Its client, scheme and host, and whom the access log names.
        """
        seen: list[Request] = []
        path, clock = Path(self.mktemp()), Clock()

        def handler(request: Request) -> Response:
            seen.append(request)
            return Response()

        log = AccessLog(str(path), reactor=clock)
        factory = HTTPFactory(
            handler,
            accessLog=log,
            forwarding=Forwarding(PROXIES) if trusted else None,
            reactor=clock,
        )
        connection = MemoryConnection(factory, peer=peer)
        connection.send(f"GET {target} HTTP/1.1\r\nHost: back.test\r\n{self.HEADERS}\r\n".encode())
        log.close()
        [each] = seen
        return each.client, each.scheme, each.host, path.read_text().split()[0]

    def test_trusted(self) -> None:
        """
        What a trusted proxy says is the client, the scheme and the host; so it is over a
        UNIX socket, which only those can write to whom its file's owner trusts.
        """
        expected = ("192.0.2.1", b"https", b"front.test", "192.0.2.1")
        for peer in (IPv4Address("TCP", "10.0.0.1", 1), UNIXAddress(b"/socket")):
            self.assertEqual(self.ask(peer), expected)

    def test_notTrusted(self) -> None:
        """
        From anybody else the headers are only headers; and from all, where no proxy is
        named.
        """
        stranger, proxy = "203.0.113.1", "10.0.0.1"
        for host, trusted in ((stranger, True), (stranger, False), (proxy, False)):
            expected = (host, b"http", b"back.test", host)
            self.assertEqual(self.ask(IPv4Address("TCP", host, 1), trusted), expected)

    def test_absolute(self) -> None:
        """
        An absolute target's host goes before Host.
        """
        peer = IPv4Address("TCP", "203.0.113.1", 1)
        for target in ("http://a.test", "http://a.test?b", "http://a.test/b"):
            self.assertEqual(self.ask(peer, target=target)[2], b"a.test")
