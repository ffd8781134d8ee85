"""
The corpus of bad and odd requests, and what is made of it at random, through
the framing alone and through the whole protocol.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ktcp import HTTPFactory, Request, Response
from ktcp.http.chunks import ChunkedBody
from ktcp.http.door import Door
from ktcp.test.corpus import CASES, GET, LIMITS, Case
from ktcp.test.fuzz_http import Disagreement, Fuzzer, fuzz
from ktcp.test.wire import verdict, waysOf
from ktcp.testing import MemoryConnection, parseResponses

# What an attacker wants to be taken for the next request.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


class CorpusTests(SynchronousTestCase):
    """
    Each case, however it comes in, with a door that remembers and one that
    does not.
    """

    def test_enough(self) -> None:
        """
        There are at least 300 cases, each with a name of its own and a source.
        """
        self.assertGreaterEqual(len(CASES), 300)
        self.assertEqual(len(CASES), len({case.name for case in CASES}))
        self.assertEqual([], [case.name for case in CASES if not case.source])

    def test_framing(self) -> None:
        """
        The verdict on each is the right one.
        """
        for case in CASES:
            with self.subTest(case=case.name):
                seen = verdict(case.data, LIMITS)
                answered = sum(request.complete for request in seen.requests)
                self.assertEqual((case.answered, case.status), (answered, seen.status))

    def test_nothingBehind(self) -> None:
        """
        What comes after a refused request does not change the verdict, and is
        no request.
        """
        for case in CASES:
            if case.status is not None and not case.atEnd:
                with self.subTest(case=case.name):
                    seen = verdict(case.data + SMUGGLED, LIMITS)
                    answered = sum(request.complete for request in seen.requests)
                    self.assertEqual((case.answered, case.status), (answered, seen.status))


class ServedTests(SynchronousTestCase):
    """
    Each case over a connection in memory, to a handler that reads the body.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.targets: list[bytes] = []

    async def handler(self, request: Request) -> Response:
        await request.body.read()
        self.targets.append(request.target)
        return Response(200)

    def factory(self, remember: bool) -> HTTPFactory:
        factory = HTTPFactory(self.handler, limits=LIMITS, reactor=self.clock)
        factory.door = Door(LIMITS, remember)
        return factory

    def test_protocol(self) -> None:
        """
        Each is answered once, with the right status, and the connection lives
        on or ends as it must; no timer is left.
        """
        for remember in (True, False):
            factory = self.factory(remember)
            for case in CASES:
                for parts in waysOf(case.data):
                    with self.subTest(case=case.name, parts=parts, remember=remember):
                        self.serve(case, MemoryConnection(factory), parts)
        self.assertNotIn(b"/smuggled", self.targets)

    def serve(self, case: Case, connection: MemoryConnection, parts: list[bytes]) -> None:
        for part in parts:
            connection.send(part)
        ends = case.status is not None and not case.atEnd
        expected = [200] * case.answered + ([case.status] if ends else [])
        self.assertEqual(expected, self.statuses(connection))
        if case.status is None and case.keeps:
            self.assertFalse(connection.closed)
            connection.send(GET)
            expected.append(200)
        elif not case.atEnd:
            self.assertTrue(connection.transport.finished or connection.closed)
            connection.send(SMUGGLED)
        connection.finish()
        if case.atEnd:
            expected.append(400)
        self.assertEqual(expected, self.statuses(connection))
        self.assertTrue(connection.closed)
        self.assertEqual([], self.clock.getDelayedCalls())

    def statuses(self, connection: MemoryConnection) -> list[int]:
        responses = parseResponses(connection.received, closed=connection.closed)
        self.assertTrue(all(response.complete for response in responses))
        return [response.status for response in responses]


class FuzzTests(SynchronousTestCase):
    """
    Inputs at random; C{python -m ktcp.test.fuzz_http} runs more of them.
    """

    def test_short(self) -> None:
        """
        No exception, no second answer, no difference between the ways.
        """
        fuzz(1500, seed=9112)

    def test_sameSeed(self) -> None:
        """
        A seed makes the same inputs again, so that a finding can be looked at.
        """
        one, other, third = Fuzzer(1), Fuzzer(1), Fuzzer(2)
        made = [one.make() for _ in range(20)]
        self.assertEqual(made, [other.make() for _ in range(20)])
        self.assertNotEqual(made, [third.make() for _ in range(20)])

    def test_finds(self) -> None:
        """
        A server whose verdict depends on how the bytes came, here because h11
        is given those of the next request too, is found out.
        """
        self.patch(ChunkedBody, "admit", lambda body, buffer, start: len(buffer))
        error = self.assertRaises(Disagreement, fuzz, 3000, 9112)
        self.assertIn("seed 9112", str(error))
