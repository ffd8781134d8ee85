# -*- test-case-name: bench.macro.test_compare -*-
"""
Draw the course's two pictures for echo: ktcp, plain Twisted, asyncio and C.

C{barrier.png} is kecho's C{make plot}: 1000 connections that all send at once, and the
time of each.  C{concurrency.png} is throughput, latency and processor time against the
number of connections.  The figures stand in a C{.json} beside each.

    python -m bench.macro.plot docs/images
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.macro import machine
from bench.macro.clients import KtcpLoad
from bench.macro.compare import stopOnTerm
from bench.macro.measure import progress
from bench.macro.peers import ECHO, Place
from bench.macro.processes import CLIENT_CORES, SERVER_CORES, ClientRun, Server, freePort, serving
from bench.macro.samples import Sample, parseResult
from ktcp.load.engine import run
from ktcp.load.options import echoJob, echoParser
from ktcp.load.report.tables import barrierTimes
from ktcp.load.stats import meanEstimate

PEERS = ("ktcp", "Twisted", "asyncio", "C epoll")
COLOURS = {"ktcp": "#c0392b", "Twisted": "#2980b9", "asyncio": "#27ae60", "C epoll": "#7f8c8d"}
HELD = 1000
CONCURRENCIES = (1, 3, 10, 30, 100, 300, 1000)


@dataclass(frozen=True)
class Options:
    """
    How much is measured; the defaults take under four minutes.

    @ivar barriers: Rounds of a barrier.
    @ivar rounds: Runs at each number of connections, if there is time for so many.
    @ivar seconds: Of each.
    @ivar budget: Seconds that all of the rounds may take; a slow machine makes fewer.
    """

    barriers: int = 20
    rounds: int = 8
    seconds: float = 0.3
    budget: float = 170.0


@contextmanager
def servers(cores: str) -> Iterator[dict[str, Server]]:
    """
    Have all of the servers until the block ends; the one that is not asked only waits.
    """
    with ExitStack() as stack:
        found = {}
        for name in PEERS:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="ktcp-plot-")))
            place = Place(freePort(), folder)
            command = ECHO[name].command(place)
            found[name] = stack.enter_context(
                serving(name, command, int(place.port), folder, cores)
            )
        yield found


def barriers(options: Options) -> dict[str, Any]:
    """
    Measure kecho's picture.
    """
    times = {}
    with servers(SERVER_CORES) as found:
        for name, server in found.items():
            progress(f"barrier: {name}")
            client = KtcpLoad("echo", ("--barrier", str(HELD), "--rounds", str(options.barriers)))
            result, _ = client.run(server, float(options.barriers))
            if result.failed:
                raise SystemExit(f"plot: {name}: {errorsText(result.errors)}")
            times[name] = {
                "us": [round(us, 1) for us in barrierTimes(result)],
                "means": [each.mean / 1000 for each in result.rounds],
                "worst": [each.worst / 1000 for each in result.rounds],
            }
    return {"connections": HELD, "rounds": options.barriers, "times": times}


def errorsText(errors: Any) -> str:
    """
    Name errors with their counts.
    """
    return ", ".join(f"{count} {kind}" for kind, count in errors.items())


def echoing(server: Server, connections: int, seconds: float) -> Sample:
    """
    Run ktcp-load once, from here: of 200 short runs a process each would take most of the time.
    """
    parser = argparse.ArgumentParser()
    echoParser(parser)
    address = f"127.0.0.1:{server.port}"
    given = [address, "-c", str(connections), "-d", f"{seconds}s", "--warmup", "50ms"]
    began, before = time.monotonic(), server.cpuSeconds()
    result = run(echoJob(parser.parse_args(given), ("plot",)))
    used = server.cpuSeconds() - before
    return parseResult(result, ClientRun("", time.monotonic() - began, 0.0, used))


def sweep(options: Options) -> dict[str, Any]:
    """
    Measure throughput against concurrency, the rounds interleaved.
    """
    samples: dict[str, dict[int, list[dict[str, float]]]] = {name: {} for name in PEERS}
    began, longest, made = time.monotonic(), 0.0, 0
    with servers(SERVER_CORES) as found:
        while made < options.rounds and time.monotonic() - began + longest < options.budget:
            started = time.monotonic()
            progress(f"concurrency: round {made + 1} of {options.rounds}")
            for connections in CONCURRENCIES:
                for name, server in found.items():
                    sample = echoing(server, connections, options.seconds)
                    if sample.errors:
                        raise SystemExit(f"plot: {name}: {errorsText(sample.errors)}")
                    samples[name].setdefault(connections, []).append(sample.figures)
            longest = max(longest, time.monotonic() - started)
            made += 1
    return {"rounds": made, "seconds": options.seconds, "samples": samples}


def _caption(where: dict[str, Any]) -> str:
    return (
        f"echo on 127.0.0.1, server on one core, ktcp-load on another; {where['cpu']},"
        f" {where['cores']} cores, {where['kernel']}, {where['python']}"
    )


def drawBarriers(figures: dict[str, Any], path: Path) -> None:
    """
    Draw the time of each connection.
    """
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(9, 5.2))
    for name, found in figures["times"].items():
        centre, (low, high) = meanEstimate(found["means"])
        label = (
            f"{name}: mean {centre / 1000:.1f} ms (95%: {low / 1000:.1f} to {high / 1000:.1f}),"
            f" worst {max(found['worst']) / 1000:.1f} ms"
        )
        milliseconds = [us / 1000 for us in found["us"]]
        axis.plot(milliseconds, ".", markersize=3, color=COLOURS[name], label=label)
    axis.set_xlabel("connection, in the order of the answers")
    axis.set_ylabel(f"time, mean of {figures['rounds']} rounds (ms)")
    axis.set_title(f"{figures['connections']} connections that send at once", fontsize=11)
    _finish(figure, axis, path, figures)


def _finish(figure: Any, axis: Any, path: Path, figures: dict[str, Any]) -> None:
    from matplotlib import pyplot

    axis.set_xlim(left=0)
    axis.set_ylim(bottom=0)
    axis.legend(fontsize=9, loc="upper left")
    axis.grid(True, alpha=0.3)
    figure.text(0.5, 0.01, _caption(figures["machine"]), ha="center", fontsize=7, color="#555")
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


# Of the second picture: the figure, its factor and what its axis says.
_PANELS = (
    ("rate", 1e-3, "echoes a second (thousands)", "linear"),
    ("meanUs", 1.0, "mean time of an echo (us)", "log"),
    ("maxUs", 1.0, "worst time of an echo (us)", "log"),
    ("serverCpu", 100.0, "server's processor time (% of a core)", "linear"),
)


def drawSweep(figures: dict[str, Any], path: Path) -> None:
    """
    Draw throughput, mean, worst and processor time; bands are 95% intervals of the mean.
    """
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(11, 8))
    for axis, (key, factor, label, scale) in zip(axes.flat, _PANELS, strict=True):
        for name, points in figures["samples"].items():
            at = [int(connections) for connections in points]
            found = [
                meanEstimate([factor * sample[key] for sample in samples])
                for samples in points.values()
            ]
            middles = [estimate.value for estimate in found]
            # On a logarithmic axis zero is infinitely far: a band ends at a tenth of the mean.
            lows = [max(e.interval.low, 0.1 * e.value) for e in found]
            highs = [estimate.interval.high for estimate in found]
            axis.plot(at, middles, "o-", markersize=3, color=COLOURS[name], label=name)
            axis.fill_between(at, lows, highs, color=COLOURS[name], alpha=0.15, linewidth=0)
        axis.set_xscale("log")
        axis.set_yscale(scale)
        if scale == "linear":
            axis.set_ylim(bottom=0)
        axis.set_xticks(CONCURRENCIES, [str(each) for each in CONCURRENCIES])
        axis.minorticks_off()
        axis.set_xlabel("connections")
        axis.set_ylabel(label)
        axis.grid(True, alpha=0.3)
    axes[0][0].legend(fontsize=9)
    figure.suptitle(
        f"64-byte echo against concurrency: {figures['rounds']} runs of {figures['seconds']} s"
        " each, bands: 95% of the mean",
        fontsize=11,
    )
    figure.text(0.5, 0.01, _caption(figures["machine"]), ha="center", fontsize=7, color="#555")
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


_PICTURES = {"barrier": (barriers, drawBarriers), "concurrency": (sweep, drawSweep)}


def main(arguments: Sequence[str]) -> int:
    """
    Be the command.
    """
    parser = argparse.ArgumentParser(prog="plot", description=__doc__.strip().split("\n")[0])
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--only", choices=sorted(_PICTURES), help="only this picture")
    parser.add_argument(
        "--again", action="store_true", help="measure nothing, draw the .json that is there"
    )
    options = parser.parse_args(arguments)
    stopOnTerm()
    where = machine.machine()
    # Our own processes and ktcp-load's; the servers choose theirs themselves.
    os.sched_setaffinity(0, {int(CLIENT_CORES)})
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, (measure, draw) in _PICTURES.items():
        if options.only not in (None, name):
            continue
        path = options.folder / f"{name}.json"
        if not options.again:
            figures = {
                "command": shlex.join(["python", "-m", "bench.macro.plot", *arguments]),
                "machine": where,
                **measure(Options()),
            }
            path.write_text(json.dumps(figures) + "\n")
        draw(json.loads(path.read_text()), options.folder / f"{name}.png")
        print(options.folder / f"{name}.png")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
