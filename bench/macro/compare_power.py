# -*- test-case-name: bench.macro.test_compare -*-
"""
How long must C{ktcp-load compare} look to see that a server became 5% slower?

A server is compared with itself, and with one that spends 5% more processor time on each
request; both turn by turn.  What is counted: verdicts of a difference where there
is none (false alarms), and of the 5% where they are (seen), by the number of turns.

    python -m bench.macro.compare_power --state power.json --minutes 3    # again, until it is done
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.macro.compare import stopOnTerm
from bench.macro.peers import Place, ktcp
from bench.macro.processes import CLIENT_CORES, SERVER_CORES, Server, freePort, serving
from ktcp.load.engine import run
from ktcp.load.options import httpJob, httpParser
from ktcp.load.result import Result
from ktcp.load.stats import CONFIDENCE, Verdict, pairedRatio, verdict

SLOWER = 1.05
# Loop turns of each request of the base: some 20 us, so that 5% can be set finely.
BASE_TURNS = 1000
CONNECTIONS = 20
FEWEST_TURNS = 4


def command(place: Place, turns: int) -> list[str]:
    """
    Make the command of a server that works so much for each request.
    """
    options = ("--no-http", "--no-echo", "--bench-port", "{port}", "--bench-work", str(turns))
    return ktcp(*options)(place)


@contextmanager
def working(*turns: int) -> Iterator[list[Server]]:
    """
    Have servers that work so much for each request, on one core.
    """
    with ExitStack() as stack:
        found = []
        for number in turns:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="ktcp-power-")))
            place = Place(freePort(), folder)
            started = serving("ktcp", command(place, number), int(place.port), folder, SERVER_CORES)
            found.append(stack.enter_context(started))
        yield found


def measured(server: Server, seconds: float) -> Result:
    """
    Load a server for so long.

    @raise SystemExit: Something went wrong: such a run says nothing.
    """
    arguments = [f"http://127.0.0.1:{server.port}/", "-c", str(CONNECTIONS), "-d", f"{seconds}s"]
    parser = argparse.ArgumentParser()
    httpParser(parser)
    result = run(httpJob(parser.parse_args(arguments), ("compare_power",)))
    if result.failed or not result.counts.good:
        raise SystemExit(f"compare_power: {dict(result.errors)}")
    return result


def calibrate(seconds: float) -> dict[str, Any]:
    """
    Find how many loop turns make a request cost 5% more.

    By processor time for a request, which neighbours disturb less than the rate.
    """

    def cost(server: Server) -> float:
        measured(server, seconds / 4)
        before = server.cpuSeconds()
        result = measured(server, seconds)
        return (server.cpuSeconds() - before) / result.counts.good

    with working(BASE_TURNS, 2 * BASE_TURNS) as (base, double):
        pairs = [(cost(base), cost(double)) for _ in range(5)]
    # The least of several: what disturbs only adds.
    base_, double_ = (min(each) for each in zip(*pairs, strict=True))
    turns = round(BASE_TURNS + (SLOWER - 1) * base_ * BASE_TURNS / (double_ - base_))
    return {"baseUs": base_ * 1e6, "doubleUs": double_ * 1e6, "turns": turns}


def compared(turns: int, pairs: int, seconds: float) -> list[list[float]]:
    """
    Compare the base with a server of so many loop turns: the rates of each turn.

    Who goes first changes from turn to turn: A B, B A.
    """
    rates = []
    with working(BASE_TURNS, turns) as servers:
        for server in servers:
            measured(server, seconds)
        for number in range(pairs):
            order = (0, 1) if number % 2 == 0 else (1, 0)
            found = {place: measured(servers[place], seconds).rate for place in order}
            rates.append([found[0], found[1]])
    return rates


def shown(rates: Sequence[Sequence[float]], turns: int) -> Verdict:
    """
    What C{compare} says after so many turns.
    """
    base, other = zip(*rates[:turns], strict=True)
    return verdict(pairedRatio(other, base))


def report(state: dict[str, Any]) -> str:
    """
    Count verdicts by the number of turns.
    """
    options = state["options"]
    same, slower = state["same"], state["slower"]
    lines = [
        f"{options['seconds']:g} s a run, {CONNECTIONS} connections, intervals of"
        f" {100 * CONFIDENCE:g}%; a request costs {state['calibration']['baseUs']:.1f} us,"
        f" {BASE_TURNS} and {state['calibration']['turns']} loop turns",
        "turns  seconds in all  false alarms  5% seen",
    ]
    for turns in range(FEWEST_TURNS, options["turns"] + 1, 2):
        alarms = sum(shown(rates, turns) is not Verdict.NONE for rates in same)
        seen = sum(shown(rates, turns) is Verdict.LOWER for rates in slower)
        lines.append(
            f"{turns:5}  {2 * turns * options['seconds']:14g}"
            f"  {f'{alarms} of {len(same)}':>12}  {f'{seen} of {len(slower)}':>7}"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """
    Be the command; exit status 3: there is more to do, run it again.
    """
    parser = argparse.ArgumentParser(
        prog="compare_power", description=__doc__.strip().split("\n")[0]
    )
    parser.add_argument("--state", type=Path, required=True, help="what was measured so far")
    parser.add_argument("--minutes", type=float, default=3.5, help="then stop (%(default)s)")
    parser.add_argument("--same", type=int, default=20, help="comparisons A/A (%(default)s)")
    parser.add_argument("--slower", type=int, default=10, help="of the 5%% (%(default)s)")
    parser.add_argument("--turns", type=int, default=16, help="of a comparison (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.4, help="of a run (%(default)s)")
    options = parser.parse_args(arguments)
    stopOnTerm()
    deadline = time.monotonic() + 60 * options.minutes
    os.sched_setaffinity(0, {int(CLIENT_CORES)})
    if options.state.exists():
        state = json.loads(options.state.read_text())
    else:
        state = {
            "options": {"turns": options.turns, "seconds": options.seconds},
            "calibration": calibrate(4 * options.seconds),
            "same": [],
            "slower": [],
        }
    how, longest = state["options"], 0.0
    # Both kinds in turn, so that a state that is not done says something of each.
    wanted = {"same": options.same, "slower": options.slower}
    while any(len(state[kind]) < count for kind, count in wanted.items()):
        kind = min(wanted, key=lambda each: len(state[each]) / wanted[each])
        began = time.monotonic()
        if began + longest > deadline:
            break
        turns = BASE_TURNS if kind == "same" else state["calibration"]["turns"]
        state[kind].append(compared(turns, how["turns"], how["seconds"]))
        options.state.write_text(json.dumps(state) + "\n")
        longest = max(longest, time.monotonic() - began)
    print(report(state))
    done = all(len(state[kind]) >= count for kind, count in wanted.items())
    return 0 if done else 3


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
