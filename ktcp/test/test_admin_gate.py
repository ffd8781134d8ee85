"""
Tests for L{ktcp.admin.gate}.
"""

from __future__ import annotations

from base64 import b64encode

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ktcp import HTTPFactory, Response
from ktcp.admin.gate import Gate
from ktcp.testing import MemoryConnection, ReceivedResponse, parseResponses, request

TOKEN = b"0123456789abcdef"


class GateTests(SynchronousTestCase):
    """
    Who gets an answer.
    """

    def ask(
        self, target: str = "/metrics", token: bytes | None = None, **headers: str
    ) -> ReceivedResponse:
        gate = Gate(lambda request: Response(200), token)
        connection = MemoryConnection(HTTPFactory(gate, reactor=Clock()))
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.send(request(target, headers=given))
        [response] = parseResponses(connection.received, closed=False)
        connection.lose()
        return response

    def test_local(self) -> None:
        """
        Who asks by an address or as localhost is answered.
        """
        for host in ("127.0.0.1:8082", "localhost", "localhost:1", "[::1]:8082", "10.1.2.3"):
            self.assertEqual(self.ask(Host=host).status, 200, host)

    def test_rebinding(self) -> None:
        """
        A name that a stranger's DNS may give for this machine is refused.
        """
        for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8082"):
            response = self.ask(Host=host)
            self.assertEqual(response.status, 421, host)
            self.assertEqual(self.ask("/healthz", Host=host).status, 200)

    def test_crossSite(self) -> None:
        """
        A page of another site gets nothing; a link from it may be followed.
        """
        for site, mode, status in [
            ("cross-site", "no-cors", 403),
            ("same-site", "cors", 403),
            ("cross-site", "navigate", 200),
            ("same-origin", "cors", 200),
            ("none", "navigate", 200),
        ]:
            response = self.ask(Host="localhost", Sec_Fetch_Site=site, Sec_Fetch_Mode=mode)
            self.assertEqual(response.status, status, (site, mode))

    def test_token(self) -> None:
        """
        With a token, only who knows it is answered, under any name; health is free.
        """
        basic = b64encode(b"anybody:" + TOKEN).decode()
        for given, status in [
            (f"Bearer {TOKEN.decode()}", 200),
            (f"bearer {TOKEN.decode()}", 200),
            (f"Basic {basic}", 200),
            ("Bearer wrong", 401),
            ("Bearer", 401),
            ("Basic !", 401),
            (TOKEN.decode(), 401),
        ]:
            response = self.ask(token=TOKEN, Host="ops.example", Authorization=given)
            self.assertEqual(response.status, status, given)
        response = self.ask(token=TOKEN)
        self.assertEqual(response.status, 401)
        self.assertIn(b"Basic", response.headers.get("WWW-Authenticate"))
        for path in ("/healthz", "/readyz"):
            self.assertEqual(self.ask(path, token=TOKEN).status, 200)
