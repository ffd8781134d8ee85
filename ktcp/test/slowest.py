"""
Which tests take longest: C{python -m ktcp.test.slowest} runs all of them one
after the other, as C{trial} does, and lists the ten that took most.  What else
it is given, trial gets: C{python -m ktcp.test.slowest ktcp.test.test_clients}.

Of each it tells the seconds by the clock, those of the processor in this process,
and those in processes that it had started and that have ended.  A busy machine
makes the first grow, and the others little.
"""

from __future__ import annotations

import os
import sys
from time import monotonic

from twisted.scripts import trial
from twisted.trial.reporter import TreeReporter

SHOWN = 10

Times = tuple[float, float, float]


def now() -> Times:
    """
    The clock, and what this process and its children have used.
    """
    used = os.times()
    return monotonic(), used.user + used.system, used.children_user + used.children_system


class Options(trial.Options):
    """
    Those of trial, which takes reporters from plugins only.
    """

    def _loadReporterByName(self, name: str) -> type[TreeReporter]:
        return Stopwatch


class Stopwatch(TreeReporter):
    """
    Reports as trial does by default, and then what took longest.
    """

    def __init__(self, *arguments: object, **keywords: object) -> None:
        super().__init__(*arguments, **keywords)
        self._taken: list[tuple[Times, str]] = []
        self._began = now()

    def startTest(self, test: object) -> None:
        """
        Begin.
        """
        super().startTest(test)
        self._began = now()

    def stopTest(self, test: object) -> None:
        """
        Keep what it took.
        """
        clock, own, children = (end - begin for begin, end in zip(self._began, now(), strict=True))
        self._taken.append(((clock, own, children), test.id()))
        super().stopTest(test)

    def done(self) -> None:
        """
        Tell.
        """
        super().done()
        self._writeln("\nseconds    cpu  children")
        for (clock, own, children), name in sorted(self._taken, reverse=True)[:SHOWN]:
            self._writeln(f"{clock:7.2f} {own:6.2f} {children:9.2f}  {name}")


def main() -> None:
    """
    Run trial with this reporter.
    """
    sys.argv[1:] = sys.argv[1:] or ["ktcp"]
    trial.Options = Options  # type: ignore[misc]  # run() makes them by this name
    trial.run()


if __name__ == "__main__":
    main()
