# -*- test-case-name: bench.macro.test_attack -*-
"""
Bars, and whether they were met: what C{attack} and C{memory} print.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TextIO


@dataclass
class Verdicts:
    """
    Prints each bar as it is judged.

    @ivar missed: What was not met.
    """

    output: TextIO
    missed: list[str] = field(default_factory=list)

    def judge(self, bar: str, figure: str, met: bool) -> None:
        """
        @param bar: What is asked for.
        @param figure: What came of it.
        """
        if not met:
            self.missed.append(bar)
        print(f"{'met' if met else 'MISSED':6} {bar}: {figure}", file=self.output, flush=True)

    def note(self, text: str) -> None:
        """
        Say something that is no bar.
        """
        print(f"       {text}", file=self.output, flush=True)
