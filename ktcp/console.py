# -*- test-case-name: ktcp.test.test_console -*-
"""
How a command of ours leaves its user: by Ctrl-C, and when nobody reads on.

Light, because it is what a console script imports before anything else.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NoReturn

# What a shell says of a program that SIGINT, or SIGPIPE, has ended.
INTERRUPTED = 128 + signal.SIGINT
NOBODY_READS = 128 + signal.SIGPIPE


def script(run: Callable[[Sequence[str]], int]) -> NoReturn:
    """
    Be a console script.

    @param run: From the arguments to the exit status.
    """
    try:
        try:
            status: object = run(sys.argv[1:])
        except SystemExit as ended:
            # argparse's way to refuse, and to end --help.
            status = ended.code
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = INTERRUPTED
    except BrokenPipeError:
        status = nobodyReads()
    sys.exit(status)  # type: ignore[arg-type]  # a SystemExit has what exit() takes


def show(text: str) -> None:
    """
    Print what was asked for, such as C{--help}, to who may not read on.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        sys.exit(nobodyReads())


def nobodyReads() -> int:
    """
    Leave C{stdout} such that Python, which flushes it once more, has nothing
    to complain of.

    @return: The exit status.
    """
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    return NOBODY_READS


def endOnInterrupt() -> bool:
    """
    Have Ctrl-C end the process there and then, without a word, where Python
    would raise C{KeyboardInterrupt}: in the midst of imports nobody catches it,
    or, worse, a callback does.

    @return: Whether that is so now; it is not where somebody else has taken the
        signal, nor in another thread than the main one.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return False
    with suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        return True
    return False


@contextmanager
def loading() -> Iterator[None]:
    """
    The same, for as long as modules are imported.
    """
    changed = endOnInterrupt()
    try:
        yield
    finally:
        if changed:
            signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def noticing(*signals: signal.Signals) -> Iterator[list[signal.Signals]]:
    """
    Let signals do nothing but be noticed.

    @return: Gets those that came.
    """
    noticed: list[signal.Signals] = []
    before = {
        each: signal.signal(each, lambda number, _: noticed.append(signal.Signals(number)))
        for each in signals
    }
    try:
        yield noticed
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
