"""
Tests for the documentation: each page of tutorial and how-tos is followed to the
letter, and what follows them is itself tested.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase, TestCase

from ktcp.test.documents import DOCS, Block, Command, blocks, commands, pattern
from ktcp.test.reader import follow
from ktcp.test.support import ROOT

PAGES = sorted([*DOCS.glob("tutorial/*.rst"), *DOCS.glob("howto/*.rst")])

# How many blocks of which pages are not run, each with its reason above it.  Whoever
# writes another one says so here, and how it is checked instead.
NOT_RUN = {
    "howto/completion": 2,
    "howto/kubernetes": 4,
    "howto/monitor": 2,
    "howto/several-machines": 2,
    "howto/stopping": 5,
    "howto/systemd": 2,
    "howto/tls": 1,
    "howto/trace": 1,
}


class PageTests(TestCase):
    """
    Each page, as its reader follows it; see L{ktcp.test.reader}.
    """

    timeout = 240


def following(page: Path) -> Callable[[PageTests], Coroutine[Any, Any, None]]:
    """
    Make the test of a page.
    """

    async def test(self: PageTests) -> None:
        await follow(self, page)

    return test


for page in PAGES:
    name = f"test_{page.parent.name}_{page.stem}".replace("-", "_")
    setattr(PageTests, name, following(page))


class DocumentationTests(SynchronousTestCase):
    """
    What is said of pages as a whole.
    """

    def setUp(self) -> None:
        """
        @raise SkipTest: ktcp was installed without its documentation.
        """
        if not PAGES:
            raise SkipTest("needs ktcp's checkout: docs/ is not installed")

    def test_notRun(self) -> None:
        """
        The blocks that no test runs are those that L{NOT_RUN} knows, and each says why.
        """
        found = [
            (f"{page.parent.name}/{page.stem}", block.marks["not run"])
            for page in PAGES
            for block in blocks(page)
            if "not run" in block.marks
        ]
        for page, reason in found:
            self.assertTrue(reason, page)
        self.assertEqual(Counter(page for page, _ in found), NOT_RUN)

    def test_readme(self) -> None:
        """
        What the README shows is on the tutorial's first page, and so has been followed.
        """
        readme = (ROOT / "README.md").read_text()
        [program] = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
        self.assertEqual(program, (DOCS / "examples" / "hello.py").read_text())
        shown = re.findall(r"(?m)^    \$ .*\n(?:(?:    .*)?\n)*", readme)
        self.assertTrue(shown)
        tutorial = [
            command
            for block in blocks(DOCS / "tutorial" / "first-steps.rst")
            if block.kind == "console"
            for command in commands(block.text)
        ]
        for text in shown:
            for command in commands(re.sub("(?m)^    ", "", text.rstrip())):
                self.assertIn(command, tutorial)

    def test_podHasTime(self) -> None:
        """
        Kubernetes waits for longer than a pod lets others hear, and connections end.
        """
        text = (DOCS / "examples" / "kubernetes" / "ktcp.yaml").read_text()

        def number(before: str) -> int:
            [found] = re.findall(rf"{before}(\d+)", text)
            return int(found)

        sleep, drain = number(r'\[sleep, "'), number("--drain-timeout=")
        self.assertGreaterEqual(number("terminationGracePeriodSeconds: "), sleep + drain + 5)


class BlocksTests(SynchronousTestCase):
    """
    How a page is read.
    """

    def read(self, text: str) -> list[Block]:
        """
        Take a page apart.
        """
        page = Path(self.mktemp())
        page.write_text(text)
        return list(blocks(page))

    def test_block(self) -> None:
        """
        A block has its kind, its caption, and its text without the indentation.
        """
        text = "One\n\n.. code-block:: python\n   :caption: a.py\n\n   if 1:\n       2\n\nTwo\n"
        self.assertEqual(self.read(text), [Block(3, "python", "if 1:\n    2\n", "a.py", {})])

    def test_literal(self) -> None:
        """
        What a double colon begins is a block, too, so that it cannot slip by.
        """
        self.assertEqual(self.read("So::\n\n    a\n"), [Block(1, "literal", "a\n", "", {})])

    def test_marks(self) -> None:
        """
        Comments above a block are its marks, and of no other block.
        """
        text = (
            ".. figures vary\n\n.. not run: it takes\n   long\n\n"
            ".. code-block:: console\n\n   $ a\n\n"
            ".. terminal: x\n\nA paragraph.\n\n.. code-block:: console\n\n   $ b\n"
        )
        first, second = self.read(text)
        self.assertEqual(first.marks, {"figures vary": "", "not run": "it takes long"})
        self.assertEqual(second.marks, {})

    def test_included(self) -> None:
        """
        A file that is included is a block, from where the page shows it.
        """
        Path(self.mktemp()).parent.mkdir(parents=True, exist_ok=True)
        page = Path(self.mktemp())
        page.with_name("a.py").write_text('"""Doc."""\n\nimport os\n')
        page.write_text(
            ".. literalinclude:: a.py\n"
            "   :language: python\n   :start-at: import\n   :caption: b.py\n"
        )
        self.assertEqual(list(blocks(page)), [Block(1, "python", "import os\n", "b.py", {})])

    def test_commands(self) -> None:
        """
        Commands are parted from each other, from their output, and from their next lines.
        """
        self.assertEqual(
            list(commands("$ a \\\n    b\nout\n\n# for c; do\n>   d\n> done\n$ e\n")),
            [
                Command("a \\\n    b", "out\n"),
                Command("for c; do\n  d\ndone", ""),
                Command("e", ""),
            ],
        )

    def test_goesOn(self) -> None:
        """
        Output may come before any command: of what goes on in that terminal.
        """
        self.assertEqual(list(commands("more\n$ a\n")), [Command("", "more\n"), Command("a", "")])


class PatternTests(SynchronousTestCase):
    """
    What may be printed where a page shows something.
    """

    def fits(self, expected: str, printed: str, figures: bool = False) -> bool:
        """
        Whether it may.
        """
        return re.fullmatch(pattern(expected, figures), printed) is not None

    def test_exact(self) -> None:
        """
        What does not vary is to be the same, to the last blank and digit.
        """
        self.assertTrue(self.fits("a (1)\n", "a (1)\n"))
        for other in ("a (2)\n", "a  (1)\n", "a (1)\nb\n", ""):
            self.assertFalse(self.fits("a (1)\n", other), other)

    def test_dots(self) -> None:
        """
        Dots are anything on a line, or any lines.
        """
        self.assertTrue(self.fits("a ... c\n", "a b b c\n"))
        self.assertFalse(self.fits("a ... c\n", "a\nc\n"))
        self.assertTrue(self.fits("a\n...\nd\n", "a\nb\nc\nd\n"))
        self.assertTrue(self.fits("a\n...\nd\n", "a\nd\n"))
        self.assertFalse(self.fits("a\n...\nd\n", "a\nb\n"))

    def test_times(self) -> None:
        """
        Dates, times and process ids fit others of their kind, and nothing else.
        """
        for one, other in (
            ("Sat, 01 Nov 2025 12:00:00 GMT", "Sun, 02 Nov 2025 12:00:01 GMT"),
            ("22/Nov/2026:12:34:56 +0000", "23/Dec/2026:01:02:03 +0100"),
            ("2026-11-22T12:34:56Z", "2026-11-23T01:02:03Z"),
            ("2026-11-22T12:34:56+0000", "2026-11-23T01:02:03+0100"),
            ("03:20:41.860437068", "13:21:42.960437068"),
            ("(pid 4177)", "(pid 12)"),
        ):
            self.assertTrue(self.fits(one, other), one)
            self.assertFalse(self.fits(one, "soon"), one)

    def test_figures(self) -> None:
        """
        Figures fit others, with their units and columns, only where the page says so;
        those in words stay.
        """
        one, other = (
            "   rate  9,115 good (1.5 s), p99  805 us\n",
            "rate 21 good (12 s), p99 1.27 ms\n",
        )
        self.assertTrue(self.fits(one, other, figures=True))
        self.assertFalse(self.fits(one, other))
        self.assertFalse(self.fits(one, other.replace("p99", "p90"), figures=True))
        self.assertFalse(self.fits(one, other.replace("good", "bad"), figures=True))
