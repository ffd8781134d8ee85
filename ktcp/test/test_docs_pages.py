"""
Tests for the pages of tutorial and how-tos: each is followed to the letter.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase, TestCase

from ktcp.test.documents import DOCS, follow

PAGES = sorted([*DOCS.glob("tutorial/*.rst"), *DOCS.glob("howto/*.rst")])

class PageTests(TestCase):
    """
    Each page, as its reader follows it.
    """

    timeout = 180


def followed(page: Path) -> Callable[[PageTests], Coroutine[Any, Any, None]]:
    async def test(self: PageTests) -> None:
        await follow(self, page)
    return test


for page in PAGES:
    name = f"test_{page.parent.name}_{page.stem}".replace("-", "_")
    setattr(PageTests, name, followed(page))
