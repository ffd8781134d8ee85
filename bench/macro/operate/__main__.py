# -*- test-case-name: bench.macro.test_operate -*-
"""
What an operator does to a server that serves, tried under load; each bar is
printed, and whether it was met.

    python -m bench.macro.operate rolling       # behind HAProxy, restarted in turn; 2 minutes
    python -m bench.macro.operate reload        # SIGHUP, 50 times, 2 workers; 2 minutes
    python -m bench.macro.operate kill          # kill -9 of workers
    python -m bench.macro.operate stopping      # SIGTERM with much under way
    python -m bench.macro.operate descriptors   # more clients than descriptors
    python -m bench.macro.operate buffers       # more bytes than memory
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from bench.macro.operate.reload import kill, reload
from bench.macro.operate.rolling import rolling
from bench.macro.operate.shortage import buffers, descriptors
from bench.macro.operate.stopping import stopping
from bench.macro.verdicts import Verdicts

# By name: what to run, and its parameters with what they are unless given.
COMMANDS: dict[str, tuple[Callable[..., None], dict[str, int]]] = {
    "rolling": (rolling, {"rounds": 10}),
    "reload": (reload, {"times": 50}),
    "kill": (kill, {"times": 10}),
    "stopping": (stopping, {"idle": 500, "slow": 50, "seconds": 3, "timeout": 6}),
    "descriptors": (descriptors, {"limit": 200, "clients": 1000, "established": 20}),
    "buffers": (buffers, {"ceiling": 8, "clients": 200}),
}


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """
    Read the command line.
    """
    parser = argparse.ArgumentParser(prog="operate", description=(__doc__ or "").split("\n\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (_, parameters) in COMMANDS.items():
        command = commands.add_parser(name)
        for parameter, default in parameters.items():
            command.add_argument(f"--{parameter}", type=int, default=default, help="%(default)s")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str], output: TextIO = sys.stdout) -> int:
    """
    Be the command.

    @return: 1 if a bar was missed.
    """
    options = vars(parse(arguments))
    run = COMMANDS[options.pop("command")][0]
    verdicts = Verdicts(output)
    run(verdicts, **options)
    return int(bool(verdicts.missed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
