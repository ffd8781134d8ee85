# -*- test-case-name: ktcp.test.test_peers -*-
"""
The programs of this machine that tests let ktcp talk to, and what they need of
its kernel.
"""

from __future__ import annotations

import os
from shutil import which
from typing import NoReturn
from unittest import SkipTest

from ktcp.trace.commands.doctor import PROBES
from ktcp.trace.errors import Unavailable


def peer(program: str, package: str) -> str:
    """
    Find a program of this machine that a test lets ktcp talk to.

    @param package: The Debian package that brings it.
    @return: Its path.
    @raise SkipTest: It is missing.
    @raise AssertionError: It is missing where C{KTCP_REQUIRE_PEERS} says that
        it must not be, as in CI: there a skip would pass for a test.
    """
    path = which(program)
    if path is not None:
        return path
    required(f"needs {program} (Debian package {package})")


def required(reason: str) -> NoReturn:
    """
    Skip a test for what is missing, or fail it where nothing must be.
    """
    raise AssertionError(reason) if os.environ.get("KTCP_REQUIRE_PEERS") else SkipTest(reason)


def kernel(need: str) -> None:
    """
    Go on only where the kernel lets this process do something.

    @param need: A key of L{PROBES}, as C{ktcp doctor} prints it: C{"tracefs"}.
    @raise SkipTest: It does not.
    @raise AssertionError: It does not where C{KTCP_REQUIRE_KERNEL} says that it
        must, as in CI.
    """
    try:
        PROBES[need]()
    except Unavailable as error:
        if os.environ.get("KTCP_REQUIRE_KERNEL"):
            raise AssertionError(str(error)) from error
        raise SkipTest(str(error)) from error
