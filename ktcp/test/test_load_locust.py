"""
Locust against ktcp: a master and two workers, as on several machines.
"""

from __future__ import annotations

import csv
import socket
import sys
from importlib.util import find_spec
from pathlib import Path
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import TestCase

from ktcp import HTTPFactory, Response
from ktcp.echo import EchoFactory
from ktcp.test.peers import required
from ktcp.test.support import ROOT, Child, spawn, stopAfter

FILE = ROOT / "bench" / "locustfile.py"


class LocustTests(TestCase):
    """
    The file that people hand to Locust.
    """

    def setUp(self) -> None:
        """
        Need Locust and a checkout.
        """
        if not FILE.exists():
            raise SkipTest("needs bench/, which only a checkout has")
        if find_spec("locust") is None:
            required("needs locust (pip install locust)")

    def listen(self, factory: object) -> int:
        """
        Serve on a free port.
        """
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        stopAfter(self, port)
        number: int = port.getHost().port
        return number

    def locust(self, *arguments: object) -> Child:
        """
        Start a Locust.
        """
        command = [sys.executable, "-m", "locust", "-f", FILE, "--loglevel", "WARNING"]
        return spawn(self, [*command, *arguments])

    async def test_masterAndWorkers(self) -> None:
        """
        HTTP and echo users of two workers get what they ask for, each time.
        """
        http = self.listen(HTTPFactory(lambda request: Response(200, b"Hello World!")))
        echo = self.listen(EchoFactory())
        # Locust has no option for any free port; the kernel does not give this one to others soon.
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            control = probe.getsockname()[1]
        report = Path(self.mktemp()).absolute()
        master = self.locust(
            *("--headless", "--master", "--expect-workers", 2, "--expect-workers-max-wait", 60),
            *("--master-bind-host", "127.0.0.1", "--master-bind-port", control),
            # Workers that have few turns of the processors take a second to begin.
            *("--users", 4, "--spawn-rate", 4, "--run-time", "4s", "--stop-timeout", 2),
            *("--host", f"http://127.0.0.1:{http}", "--echo-address", f"127.0.0.1:{echo}"),
            *("--csv", report),
        )
        workers = [
            self.locust("--worker", "--master-host", "127.0.0.1", "--master-port", control)
            for _ in range(2)
        ]
        statuses = await gatherResults([each.ended for each in (master, *workers)])
        self.assertEqual(statuses, [0, 0, 0], master.output)
        rows = {
            row["Type"]: row
            for row in csv.DictReader(Path(f"{report}_stats.csv").read_text().splitlines())
        }
        for kind in ("GET", "echo"):
            self.assertEqual(rows[kind]["Failure Count"], "0")
            self.assertTrue(int(rows[kind]["Request Count"]) > 0)
