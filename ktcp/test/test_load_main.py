"""
Tests for L{ktcp.load.__main__}.
"""

from __future__ import annotations

import contextlib
import io

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load import __main__, engine
from ktcp.load.job import Job
from ktcp.load.team import CannotRun
from ktcp.test.loadresults import exampleResult


class MainTests(SynchronousTestCase):
    """
    Tests for L{__main__.main}.
    """

    def main(self, *arguments: str) -> tuple[int, str, str]:
        """
        Run a command line whose runs are made up.

        @return: The exit status, and what was printed to whom.
        """
        self.jobs: list[Job] = []

        def run(job: Job, progress: object = None) -> object:
            self.jobs.append(job)
            if job.target.host == "127.0.0.9":
                raise CannotRun("cannot reach 127.0.0.9")
            return exampleResult()

        self.patch(engine, "run", run)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = __main__.main(arguments)
        return status, out.getvalue(), err.getvalue()

    def test_runs(self) -> None:
        """
        A run ends with its report and status 0; the command line is in the result.
        """
        status, out, _ = self.main("http", "http://127.0.0.1:1/", "--format", "htstress")
        self.assertEqual(status, 0)
        self.assertIn("requests:", out)
        self.assertEqual(self.jobs[0].command[:2], ("ktcp-load", "http"))

    def test_oneLine(self) -> None:
        """
        What cannot be done is told in one line, with status 2.
        """
        for arguments in (
            ("http", "ftp://127.0.0.1/"),
            ("http", "http://127.0.0.9/"),
            ("http", "http://127.0.0.1/", "--insecure"),
            ("echo", "127.0.0.1"),
        ):
            status, out, err = self.main(*arguments)
            self.assertEqual((status, out), (2, ""))
            self.assertEqual(len(err.splitlines()), 1)
            self.assertTrue(err.startswith("ktcp-load: "), err)

    def test_insecureIsLoud(self) -> None:
        """
        That no certificate is looked at is said on standard error.
        """
        _, _, err = self.main("http", "https://127.0.0.1/", "--insecure")
        self.assertIn(__main__.INSECURE, err)
        _, _, err = self.main("http", "https://127.0.0.1/")
        self.assertNotIn("insecure", err)

    def test_missing(self) -> None:
        """
        Without the libraries of its extra, the command says how to get them.
        """
        self.patch(__main__, "find_spec", lambda name: None)
        status, _, err = self.main("http", "http://127.0.0.1/")
        self.assertEqual((status, err), (2, f"ktcp-load: {__main__.MISSING}\n"))
