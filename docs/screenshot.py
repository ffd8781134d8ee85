"""
Draw the picture of a page for the docs: C{python docs/screenshot.py PAGE.html PICTURE.png}.
"""

import sys
from pathlib import Path

from twisted.internet.defer import ensureDeferred
from twisted.internet.task import react

from ktcp.test.browser import Browser


async def shoot(reactor: object, page: str, picture: str) -> None:
    """
    Open a page as a file, and keep what is seen.
    """
    browser = await Browser.start(reactor)
    try:
        shown = await browser.open(Path(page).absolute().as_uri(), width=900, height=1000)
        Path(picture).write_bytes(await shown.screenshot())
        if shown.problems:
            raise SystemExit(f"{page}: {shown.problems}")
    finally:
        await browser.close()


react(lambda reactor: ensureDeferred(shoot(reactor, *sys.argv[1:])))
