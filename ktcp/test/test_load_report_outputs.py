"""
Tests for where a result goes.
"""

from __future__ import annotations

import argparse
import io
import json
from contextlib import redirect_stderr
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load.report import outputs
from ktcp.load.result import Counts, Result
from ktcp.test.loadresults import exampleResult

RESULT = exampleResult(rate=100, seconds=2)


class OutputsTests(SynchronousTestCase):
    """
    The report, the files and the exit status are those that were asked for.
    """

    def setUp(self) -> None:
        """
        Have a folder for files.
        """
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def parse(self, *arguments: object) -> argparse.Namespace:
        """
        Read a command line.
        """
        parser = argparse.ArgumentParser(prog="test")
        outputs.addOutputOptions(parser)
        return parser.parse_args(list(map(str, arguments)))

    def refused(self, *arguments: object) -> str:
        """
        Give what is said of a bad command line: one line after the usage.
        """
        stream = io.StringIO()
        with redirect_stderr(stream):
            error = self.assertRaises(SystemExit, self.parse, *arguments)
        self.assertEqual(error.code, 2)
        return stream.getvalue().splitlines()[-1]

    def emit(self, result: Result, *arguments: object) -> tuple[int, str]:
        """
        Emit a result; give the exit status and what was printed.
        """
        out = io.StringIO()
        args = self.parse(*arguments)
        status = outputs.emit(outputs.ofResult(result, args.format), args, out)
        return status, out.getvalue()

    def test_defaults(self) -> None:
        """
        Without an option there is the report and no file.
        """
        self.assertEqual(
            vars(self.parse()),
            {
                "format": "text",
                "quiet": False,
                "json": None,
                "csv": None,
                "dat": None,
                "html": None,
                "png": None,
                "failIf": [],
            },
        )
        status, said = self.emit(RESULT)
        self.assertEqual(status, 0)
        self.assertIn("good answers a second", said)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_format(self) -> None:
        """
        htstress's report replaces ktcp-load's own.
        """
        _, said = self.emit(RESULT, "--format", "htstress")
        self.assertTrue(said.startswith("\nrequests:      200\n"), said)

    def test_quiet(self) -> None:
        """
        Quiet leaves the exit status and the files.
        """
        path = self.folder / "r.json"
        self.assertEqual(self.emit(RESULT, "--quiet", "--json", path), (0, ""))
        self.assertEqual(Result.fromJSON(path.read_text()), RESULT)

    def test_files(self) -> None:
        """
        Each file has its kind of content.
        """
        names = ("json", "csv", "dat", "html")
        arguments = [part for n in names for part in (f"--{n}", self.folder / f"a.{n}")]
        self.assertEqual(self.emit(RESULT, *arguments)[0], 0)
        read = {name: (self.folder / f"a.{name}").read_text() for name in names}
        self.assertEqual(json.loads(read["json"])["schema"], "ktcp-load/1")
        self.assertTrue(read["csv"].startswith("of,name,value\n"))
        self.assertTrue(read["dat"].startswith("# percentile us\n"))
        self.assertTrue(read["html"].startswith("<!DOCTYPE html>"))

    def test_impossibleFile(self) -> None:
        """
        A file that cannot be is refused before the run, not after it.
        """
        said = self.refused("--json", self.folder / "none" / "r.json")
        self.assertIn("argument --json: cannot write", said)
        self.assertIn("it is a directory", self.refused("--html", self.folder))

    def test_oneFileFails(self) -> None:
        """
        A file that fails after all keeps neither the report nor the others back.
        """
        good, bad = self.folder / "r.csv", self.folder / "gone" / "r.json"
        bad.parent.mkdir()
        args = self.parse("--json", bad, "--csv", good)
        bad.parent.rmdir()
        out, err = io.StringIO(), io.StringIO()
        with redirect_stderr(err):
            self.assertEqual(outputs.emit(outputs.ofResult(RESULT, args.format), args, out), 2)
        self.assertIn("good answers", out.getvalue())
        self.assertTrue(good.exists())
        self.assertIn("No such file", err.getvalue())

    def test_failIf(self) -> None:
        """
        A condition that is so ends with 1 and is named; one that is not changes nothing.
        """
        self.assertEqual(self.emit(RESULT, "--fail-if", "rate<50")[0], 0)
        status, said = self.emit(RESULT, "--fail-if", "rate<50", "--fail-if", "p50 > 1us")
        self.assertEqual(status, 1)
        self.assertTrue(said.endswith("FAILED: p50 > 1us is so\n"), said)

    def test_failIfCannotBeJudged(self) -> None:
        """
        A goal for latencies that nobody measured is not met.
        """
        result = replace(RESULT, histograms={})
        status, said = self.emit(result, "--fail-if", "p99>5ms")
        self.assertEqual(status, 1)
        self.assertIn("cannot be judged: the run has no latencies", said)

    def test_badCondition(self) -> None:
        """
        A condition that cannot be meant is one line, before the run.
        """
        self.assertIn("compares a time with", self.refused("--fail-if", "p99>5"))
        self.assertIn("for ktcp-load compare", self.refused("--fail-if", "rate<0.9*A"))

    def test_nothingGood(self) -> None:
        """
        A run without one good answer fails by itself.
        """
        result = replace(RESULT, counts=Counts(), errors={"refused": 5})
        status, said = self.emit(result)
        self.assertEqual(status, 1)
        self.assertIn("FAILED: not one good answer", said)

    def test_interrupted(self) -> None:
        """
        Ctrl-C gives the report and the status that shells know it by.
        """
        status, said = self.emit(replace(RESULT, interrupted=True))
        self.assertEqual(status, 130)
        self.assertIn("good answers a second", said)

    def test_pngWithoutMatplotlib(self) -> None:
        """
        Where matplotlib is missing, the option says how to get it.
        """
        with patch("importlib.util.find_spec", return_value=None):
            said = self.refused("--png", self.folder / "r.png")
        self.assertIn("pip install 'ktcp[plot]'", said)
