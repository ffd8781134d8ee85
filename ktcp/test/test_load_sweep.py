"""
Tests for L{ktcp.load.sweep}.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load.report import outputs
from ktcp.load.result import Plan, Result
from ktcp.load.sweep import measure, outputOf, sweepOption
from ktcp.test.test_load_search import Server


class SweepTests(SynchronousTestCase):
    """
    Tests for sweeps, of a server that is made up.
    """

    def sweep(
        self, server: Server, values: str, repeats: int, plan: Plan, *arguments: str
    ) -> tuple[int, str]:
        """
        Make a sweep.

        @param arguments: What is to become of it.
        @return: The exit status and what was printed.
        """
        parser = argparse.ArgumentParser(prog="test")
        outputs.addOutputOptions(parser)
        sweep, out = sweepOption(values), io.StringIO()
        points = measure(server.run, plan, sweep, repeats)
        status = outputs.emit(outputOf(sweep, points), parser.parse_args(arguments), out)
        return status, out.getvalue()

    def test_sweep(self) -> None:
        """
        A sweep goes over all values again and again, and each file has a line for each.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        names = ("json", "csv", "dat", "html", "png")
        files = [part for n in names for part in (f"--{n}", str(folder / f"s.{n}"))]
        server = Server(1000)
        status, out = self.sweep(server, "c=1,100,10", 2, Plan(processes=4), *files)
        self.assertEqual(status, 0)
        self.assertEqual([plan.connections for plan in server.plans], [1, 100, 10] * 2)
        self.assertEqual([plan.processes for plan in server.plans], [1, 4, 4] * 2)
        heading = out.splitlines()[0]
        self.assertTrue(heading.endswith(", swept over c, 2 runs each"))
        # Of the first value nothing: it would be taken for that of all.
        self.assertNotIn("connection,", heading)
        made = json.loads((folder / "s.json").read_text())
        self.assertEqual(made["schema"], "ktcp-load-sweep/1")
        self.assertEqual([point["value"] for point in made["points"]], [1, 100, 10])
        Result.fromJSON(json.dumps(made["points"][0]["results"][1]))
        csv = (folder / "s.csv").read_text().splitlines()
        self.assertEqual(csv[0].split(",")[:3], ["c", "rate", "rateLow"])
        self.assertEqual(csv[1].split(",")[:2], ["1", "1000.0"])
        self.assertEqual((folder / "s.dat").read_text().splitlines()[1].split()[:2], ["1", "1000"])
        self.assertIn('<polygon class="band', (folder / "s.html").read_text())
        self.assertEqual((folder / "s.png").read_bytes()[:4], b"\x89PNG")

    def test_sweepOfRates(self) -> None:
        """
        Rates are swept too, and a condition is judged at each of them.
        """
        server = Server(1000)
        status, out = self.sweep(server, "rate=500,2000", 1, Plan(), "--fail-if", "p99>10ms")
        self.assertEqual(status, 1)
        self.assertEqual([plan.rate for plan in server.plans], [500, 2000])
        self.assertEqual(out.count("FAILED"), 1)
        self.assertIn("open loop (constant arrivals)", out.splitlines()[0])

    def test_sweepInterrupted(self) -> None:
        """
        Ctrl-C ends a sweep with what was measured so far.
        """
        server = Server(1000)
        server.stopAfter = 2
        status, out = self.sweep(server, "c=1,2,3", 3, Plan())
        self.assertEqual((status, len(server.plans)), (130, 2))
        self.assertIn("swept over c, 1 run each", out)
        # A single run has no interval.
        self.assertEqual(out.splitlines()[4].split()[:3], ["1", "1,000", "-"])

    def test_dead(self) -> None:
        """
        A sweep in which nothing was answered says so and fails, like a run.
        """
        status, out = self.sweep(Server(0), "c=1,2", 1, Plan())
        self.assertEqual(status, 1)
        self.assertIn("not one good answer", out)
