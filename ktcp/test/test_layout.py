"""
How long modules and functions are, and that each module says where its tests are.

A module that is longer has a comment that begins C{# Longer than other modules:},
and a function one with C{# Longer than other functions:}, and says why.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parents[2]

# Lines, the longest that is taken without a word.
MODULE = 500
FUNCTION = 60

_TESTS = re.compile(r"# -\*- test-case-name: (\S+) -\*-\n")


def modules() -> Iterator[tuple[str, str]]:
    """
    The modules of this checkout: the path of each, and what is in it.
    """
    for folder in ("ktcp", "bench"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def functionsOf(text: str) -> Iterator[tuple[str, str]]:
    """
    The functions of a module, methods and inner ones too: the name and the text of each.
    """
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, "\n".join(lines[node.lineno - 1 : node.end_lineno])


class LayoutTests(SynchronousTestCase):
    """
    What a reader may count on.
    """

    def test_modules(self) -> None:
        """
        A module is no longer than L{MODULE} lines, or argues why.
        """
        long = [
            f"{path} has {text.count(chr(10))} lines"
            for path, text in modules()
            if text.count("\n") > MODULE and "\n# Longer than other modules: " not in text
        ]
        self.assertEqual(long, [])

    def test_functions(self) -> None:
        """
        A function is no longer than L{FUNCTION} lines, or argues why.
        """
        long = [
            f"{path}: {name} has {body.count(chr(10)) + 1} lines"
            for path, text in modules()
            for name, body in functionsOf(text)
            if body.count("\n") >= FUNCTION and "# Longer than other functions: " not in body
        ]
        self.assertEqual(long, [])

    def test_tests(self) -> None:
        """
        The tests that the first line of a module names are there, so that
        C{trial --testmodule} finds them.
        """
        missing = [
            f"{path} names {name}"
            for path, text in modules()
            if (found := _TESTS.match(text))
            for name in found[1].split(",")
            if not (ROOT / f"{name.replace('.', '/')}.py").exists()
        ]
        self.assertEqual(missing, [])
