"""
Tests for what the explanations in the documentation name in the code.
"""

from __future__ import annotations

import re
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

import ktcp

PACKAGE = Path(ktcp.__file__).parent
CHECKOUT = PACKAGE.parent
PAGES = CHECKOUT / "docs" / "explain"

_FILE = re.compile(r"``((?:ktcp|twisted|docs|bench)/[-\w./]+)``")
_MEMBER = re.compile(r"``([A-Z]\w+\.\w+)``")


class NamesTests(SynchronousTestCase):
    """
    A module that moves takes its mention along.
    """

    def named(self, what: re.Pattern[str]) -> list[tuple[str, str]]:
        """
        @return: Each page with a name that is on it.
        """
        if not PAGES.exists():
            raise SkipTest("needs ktcp's checkout: docs/ is not installed")
        pages = {path.name: path.read_text() for path in sorted(PAGES.glob("*.rst"))}
        found = [(page, match[1]) for page, text in pages.items() for match in what.finditer(text)]
        self.assertNotEqual([], found)
        return found

    def test_files(self) -> None:
        """
        Each file and folder that a page names is there.
        """
        missing = [each for each in self.named(_FILE) if not (CHECKOUT / each[1]).exists()]
        self.assertEqual([], missing)

    def test_members(self) -> None:
        """
        Each method and attribute that a page names is its class's.
        """
        classes: dict[str, str] = {}
        for path in PACKAGE.rglob("*.py"):
            for part in re.split(r"^class ", path.read_text(), flags=re.MULTILINE)[1:]:
                name = re.split(r"\W", part, maxsplit=1)[0]
                classes[name] = classes.get(name, "") + part

        def has(name: str) -> bool:
            owner, member = name.split(".")
            own = rf"\bdef {member}\(|^    {member}\b|\bself\.{member}\b"
            return re.search(own, classes.get(owner, ""), re.MULTILINE) is not None

        self.assertEqual([], [each for each in self.named(_MEMBER) if not has(each[1])])

    def test_rooms(self) -> None:
        """
        Each room in the picture of the house is a module or a package.
        """
        if not PAGES.exists():
            raise SkipTest("needs ktcp's checkout: docs/ is not installed")
        picture = (PAGES / "architecture.svg").read_text()
        labels = re.findall(r'<text class="name"[^>]*>([^<]*)', picture)
        rooms = " ".join(labels).replace("&#160;", " ").split()
        others = ["twistd", "ktcp", "Linux"]
        missing = [
            each
            for each in rooms
            if each not in others
            and not (PACKAGE / each if each.endswith("/") else PACKAGE / f"{each}.py").exists()
        ]
        self.assertIn("service", rooms)
        self.assertEqual([], missing)
