"""
Tests for L{ktcp.load.options} and L{ktcp.load.targets}.
"""

from __future__ import annotations

import argparse
import contextlib
import io
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load.job import Job
from ktcp.load.options import BadOption, echoJob, echoParser, httpJob, httpParser
from ktcp.load.result import Plan

URL = "http://127.0.0.1:8081/a?b=c"


def http(*arguments: str) -> Job:
    """
    Read a command line of C{http}.
    """
    parser = argparse.ArgumentParser("ktcp-load http")
    httpParser(parser)
    return httpJob(parser.parse_args(arguments), arguments)


def echo(*arguments: str) -> Job:
    """
    Read a command line of C{echo}.
    """
    parser = argparse.ArgumentParser("ktcp-load echo")
    echoParser(parser)
    return echoJob(parser.parse_args(arguments), arguments)


class OptionsTests(SynchronousTestCase):
    """
    Tests for what command lines become.
    """

    def usage(self, make: object, *arguments: str) -> str:
        """
        Read a command line that argparse refuses.

        @return: What is said to the user.
        """
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            error = self.assertRaises(SystemExit, make, *arguments)
        self.assertEqual(error.code, 2)
        return said.getvalue().splitlines()[-1]

    def test_defaults(self) -> None:
        """
        A URL alone is GET on ten connections that are kept, for ten seconds.
        """
        job = http(URL)
        self.assertEqual(job.mode, "http")
        self.assertEqual(job.plan, Plan(size=len(job.requests[0])))
        expected = b"GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:8081\r\n\r\n"
        self.assertEqual(job.requests, (expected,))

    def test_htstress(self) -> None:
        """
        htstress's command line means the same here.
        """
        plan = http("-n", "200000", "-c", "20", "-t", "3", "--http1.0", URL).plan
        self.assertEqual((plan.requests, plan.connections, plan.processes), (200000, 20, 3))
        self.assertEqual((plan.seconds, plan.keepAlive), (None, False))

    def test_longNames(self) -> None:
        """
        wrk's long names and htstress's are known, and units of time and rate.
        """
        plan = http(
            *("--duration", "1m", "--connections", "5", "--threads", "2", "--timeout", "250ms"),
            *("--warmup", "2s", "--rate", "2.5k", "--arrivals", "poisson", URL),
        ).plan
        self.assertEqual((plan.seconds, plan.connections, plan.processes), (60.0, 5, 2))
        self.assertEqual((plan.timeout, plan.warmup, plan.rate), (0.25, 2.0, 2500.0))
        self.assertEqual(plan.arrivals, "poisson")

    def test_request(self) -> None:
        """
        Headers, a method and a body are in the request; a given Host replaces the URL's.
        """
        (request,) = http("-H", "Host: b", "-H", "X:  y", "--body", "abc", URL).requests
        expected = b"POST /a?b=c HTTP/1.1\r\nContent-Length: 3\r\nHost: b\r\nX: y\r\n\r\nabc"
        self.assertEqual(request, expected)
        (request,) = http("-m", "HEAD", "--close", URL).requests
        self.assertTrue(request.startswith(b"HEAD /a?b=c HTTP/1.1\r\n"), request)
        self.assertIn(b"\r\nConnection: close\r\n", request)
        (request,) = http("--http1.0", URL).requests
        self.assertTrue(request.startswith(b"GET /a?b=c HTTP/1.0\r\n"), request)

    def test_bodyFromFile(self) -> None:
        """
        C{@FILE} is the bytes of the file.
        """
        path = Path(self.mktemp())
        path.write_bytes(b"\x00\xff")
        self.assertTrue(http("--body", f"@{path}", URL).requests[0].endswith(b"\r\n\r\n\x00\xff"))
        self.assertRaises(BadOption, http, "--body", "@/does/not/exist", URL)

    def test_mix(self) -> None:
        """
        A file of requests holds one on a line; what is wrong in it is named with its line.
        """
        path = Path(self.mktemp())
        path.write_text("# a mix\nGET /one\n\nPOST /two a body\n")
        first, second = http("--requests", str(path), URL).requests
        self.assertTrue(first.startswith(b"GET /one HTTP/1.1\r\n"))
        self.assertTrue(second.startswith(b"POST /two HTTP/1.1\r\n") and second.endswith(b"a body"))
        path.write_text("GET /one\nnonsense\n")
        error = self.assertRaises(BadOption, http, "--requests", str(path), URL)
        self.assertIn(f"{path}:2: ", str(error))
        path.write_text("# nothing\n")
        self.assertRaises(BadOption, http, "--requests", str(path), URL)
        self.assertRaises(BadOption, http, "--requests", "/does/not/exist", URL)

    def test_checks(self) -> None:
        """
        What answers are to be is read.
        """
        checks = http(
            *("--expect-status", "200,404", "--expect-length", "0"),
            *("--expect-sha256", "A" * 64, "--expect-regex", "^a+$", URL),
        ).checks
        self.assertEqual(checks.statuses, {200, 404})
        self.assertEqual((checks.length, checks.sha256, checks.regex), (0, "a" * 64, b"^a+$"))

    def test_echo(self) -> None:
        """
        Echo's modes differ in size and connections; kecho's client test can be asked for.
        """
        job = echo("127.0.0.1:12345", "-n", "10000", "-c", "1", "-t", "4", "--close")
        self.assertEqual((job.mode, job.plan.size, job.plan.connections), ("echo", 64, 4))
        self.assertFalse(job.plan.keepAlive or job.peerCloses)
        self.assertEqual(echo("127.0.0.1:1", "--size", "16k").plan.size, 16384)
        job = echo("127.0.0.1:1", "--bulk")
        self.assertEqual((job.mode, job.plan.size), ("bulk", 1 << 20))

    def test_barrier(self) -> None:
        """
        kecho's benchmark is so many connections, in so many rounds.
        """
        plan = echo("127.0.0.1:1", "--barrier", "1000", "--rounds", "5").plan
        self.assertEqual((plan.connections, plan.rounds, plan.seconds), (1000, 5, None))
        self.assertEqual(echo("127.0.0.1:1", "--barrier", "10").plan.rounds, 10)

    def test_noConnectionIsIdle(self) -> None:
        """
        There are no more connections than requests.
        """
        self.assertEqual(http("-n", "3", "-c", "10", URL).plan.connections, 3)

    def test_badValues(self) -> None:
        """
        What is no number, time, rate, header, method or check is refused in one line that names it.
        """
        for option, value in (
            *(("-n", "0"), ("-n", "x"), ("-n", "-1"), ("-c", "0"), ("-t", "0"), ("-d", "0")),
            *(("-d", "5 s"), ("--timeout", "0"), ("--warmup", "-1"), ("--rate", "0")),
            *(("--rate", "fast"), ("--arrivals", "bursty"), ("--pipeline", "0"), ("-H", "nothing")),
            *(("-H", "A: b\r\nC: d"), ("-m", "GET /"), ("-m", "CONNECT"), ("--expect-status", "1")),
            *(("--expect-length", "-1"), ("--expect-sha256", "abc"), ("--expect-regex", "(")),
        ):
            self.assertIn("error: argument ", self.usage(http, f"{option}={value}", URL), option)
        for value in ("0", "x", "1T", "-5"):
            self.assertIn("--size", self.usage(echo, f"--size={value}", "127.0.0.1:1"))
        self.assertIn("--wrong", self.usage(http, "--wrong", URL))

    def test_contradictions(self) -> None:
        """
        Options that cannot be meant together are refused.
        """
        for arguments in (
            ("--close", "--pipeline", "2"),
            ("--rate", "5", "--pipeline", "2"),
            ("--arrivals", "poisson"),
            ("--insecure",),
            ("--cacert", "a.pem"),
            ("-n", "2", "-t", "3"),
            ("--body", "a", "-H", "Content-Length: 5"),
        ):
            self.assertRaises(BadOption, http, *arguments, URL)
        self.assertRaises(BadOption, http, "--cacert", "/does/not/exist", "https://127.0.0.1/")
        for arguments in (
            ("--rounds", "3"),
            ("--bulk", "--close"),
            ("--bulk", "--rate", "5"),
            ("--barrier", "5", "-n", "5"),
            ("--barrier", "5", "--size", "8"),
        ):
            self.assertRaises(BadOption, echo, "127.0.0.1:1", *arguments)
