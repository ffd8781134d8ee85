# -*- test-case-name: ktcp.test.test_peers -*-
"""
The programs of this machine that tests let ktcp talk to.
"""

from __future__ import annotations

import os
from shutil import which
from typing import NoReturn
from unittest import SkipTest


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
