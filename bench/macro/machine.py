# -*- test-case-name: bench.macro.test_compare -*-
"""
What a result was measured on: the machine, the versions, the commit.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.macro.peers import ANYWHERE, Peer, said
from ktcp.load.machine import machine as here


def machine() -> dict[str, Any]:
    """
    Name the machine's parts that a figure depends on; nothing that tells whose it is.
    """
    found = asdict(here())
    return {**found, "kernel": found["kernel"].partition("-")[0]}


def source(checkout: Path) -> dict[str, Any]:
    """
    Name the ktcp that is measured.
    """

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(checkout), *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    found = re.search(
        r'^__version__ = "(.+)"$', (checkout / "ktcp" / "__init__.py").read_text(), re.M
    )
    return {
        "version": found[1] if found else "?",
        "commit": git("rev-parse", "HEAD"),
        "dirty": bool(git("status", "--porcelain", "--untracked-files=no")),
    }


def tools() -> list[str]:
    """
    Name the versions of the clients.
    """
    return [said("wrk", "-v")(), said("ab", "-V")(), said("gcc", "--version")()]


def served(peers: Iterable[Peer]) -> dict[str, dict[str, str]]:
    """
    Name the version of each peer and how it was started.
    """
    return {
        peer.name: {"version": peer.version(), "command": " ".join(peer.command(ANYWHERE))}
        for peer in peers
    }
