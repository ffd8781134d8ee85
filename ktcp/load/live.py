# -*- test-case-name: ktcp.test.test_load_live -*-
"""
How far a run is, while it runs: a panel on a terminal, plain lines elsewhere.

The engine tells about four times a second; the panel is drawn twice a second at most,
by the process that waits for those that measure.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from ktcp.load.report.words import some, timeText
from ktcp.load.result import Progress

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

# A panel takes rich about 2 ms to draw: at this pace it is under half a percent of
# a core, whichever core that is.
PANEL_SECONDS = 0.5

# A log is read afterwards: a line a second, and not more than twenty in all.
LINE_SECONDS = 1.0
LINE_SHARE = 0.05

# Rates in the panel's little curve.
CURVE = 40
_BLOCKS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"

Tell = Callable[[Progress], None]


def figuresText(progress: Progress) -> str:
    """
    The figures of a moment, on one line.
    """
    parts = [f"{progress.rate:,.0f}/s"]
    if progress.p99 is not None:
        parts.append(f"p99 {timeText(progress.p99)}")
    parts += [f"{progress.requests:,} good", some(progress.errors, "error")]
    return ", ".join(parts)


def curve(rates: deque[float]) -> str:
    """
    A curve of block characters, from nothing to the highest.
    """
    highest = max(rates, default=0.0)
    if not highest:
        return ""
    return "".join(_BLOCKS[min(int(8 * rate / highest), 7)] for rate in rates)


class Lines:
    """
    Progress as plain lines.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._next = clock() + LINE_SECONDS
        self._share = LINE_SHARE

    def tell(self, progress: Progress) -> None:
        """
        Write a line if it is time for one.
        """
        now = self._clock()
        if now < self._next or progress.elapsed < 0 or progress.share < self._share:
            return
        self._next = now + LINE_SECONDS
        self._share = progress.share + LINE_SHARE
        self._stream.write(
            f"ktcp-load: {100 * progress.share:3.0f}%, {progress.elapsed:.0f} s,"
            f" {figuresText(progress)}\n"
        )
        self._stream.flush()


class Panel:
    """
    Progress as a panel that stays in its place.
    """

    def __init__(self, live: Live, clock: Callable[[], float] = time.monotonic) -> None:
        self._live = live
        self._clock = clock
        self._next = clock()
        self._rates: deque[float] = deque(maxlen=CURVE)

    def tell(self, progress: Progress) -> None:
        """
        Draw it again if it is time.
        """
        now = self._clock()
        if now < self._next:
            return
        self._next = now + PANEL_SECONDS
        if progress.elapsed >= 0:
            self._rates.append(progress.rate)
        self._live.update(self.drawn(progress), refresh=True)

    def drawn(self, progress: Progress) -> RenderableType:
        """
        The panel of a moment.
        """
        from rich.panel import Panel as Frame
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        warming = progress.elapsed < 0
        state = "warming up" if warming else f"{progress.elapsed:.0f} s"
        # Not a Group: there a bar, which ends no line, runs into what follows.
        rows = Table.grid(expand=True)
        rows.add_row(ProgressBar(total=1.0, completed=progress.share, pulse=False))
        rows.add_row(Text(figuresText(progress), style="bold red" if progress.errors else "bold"))
        rows.add_row(Text(curve(self._rates), style="cyan", no_wrap=True))
        return Frame(rows, title=f"ktcp-load, {state}", title_align="left")


def _silent(progress: Progress) -> None:
    """
    Say nothing.
    """


@contextmanager
def display(stream: TextIO, quiet: bool = False) -> Iterator[Tell]:
    """
    Show progress on a stream until the block ends.

    @param quiet: Show nothing.
    @return: What to call with each L{Progress}.
    """
    if quiet:
        yield _silent
        return
    if not stream.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        yield Lines(stream).tell
        return
    try:
        from rich.console import Console
        from rich.live import Live
    except ImportError:
        # `pip install ktcp[load]` brings it; a run does not need it.
        yield Lines(stream).tell
        return
    # rich itself heeds NO_COLOR.  No thread of its own: it would wake up while others measure.
    # Transient: the report follows, and says all of it.
    with Live(console=Console(file=stream), auto_refresh=False, transient=True) as live:
        yield Panel(live).tell
