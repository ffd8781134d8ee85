# -*- test-case-name: bench.macro.test_compare -*-
"""
Run a row: the servers side by side, the rounds interleaved (A B C A B C).

Only one server is asked at a time; the others wait in epoll and cost nothing.
What drifts while a row runs, such as the machine's clock or its neighbours,
then meets all of them, and the ratio of a round is of figures taken seconds apart.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.macro.answers import WrongAnswer
from bench.macro.peers import Peer, Place
from bench.macro.processes import (
    ALL_CORES,
    SERVER_CORES,
    ClientFailed,
    Server,
    ServerFailed,
    freePort,
    serving,
)
from bench.macro.samples import Sample
from bench.macro.workloads import Row


@dataclass(frozen=True)
class Options:
    """
    How much is measured.

    @ivar rounds: Timed rounds; one more before them warms up and is discarded.
    @ivar seconds: The length of one timed run.
    """

    rounds: int = 5
    seconds: float = 2.0


@dataclass
class Outcome:
    """
    What came of a row.

    @ivar samples: Of each peer, one for every round, in order.
    @ivar failures: One line each; with any of them the row has failed.
    """

    row: Row
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, peer: Peer, sample: Sample) -> None:
        """
        Keep a sample, and what went wrong in it.
        """
        self.samples.setdefault(peer.name, []).append(sample)
        for kind, count in sample.errors.items():
            self.failures.append(f"{peer.name}: {count} {kind}")


def progress(text: str) -> None:
    """
    Say on standard error how far it is; the report goes to standard output.
    """
    print(text, file=sys.stderr, flush=True)


def measureRow(row: Row, peers: Sequence[Peer], options: Options) -> Outcome:
    """
    Measure some peers at a row's work.
    """
    outcome = Outcome(row)
    run = _runFresh if row.fresh else _runSideBySide
    try:
        run(outcome, peers, options)
    except (ServerFailed, WrongAnswer) as error:
        outcome.failures.append(str(error))
    return outcome


def _start(stack: ExitStack, row: Row, peer: Peer) -> Server:
    """
    Start a server, and look at its answer.
    """
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="ktcp-bench-")))
    place = Place(freePort(), folder)
    peer.prepare(place)
    cores = ALL_CORES if row.spread else SERVER_CORES
    server = stack.enter_context(
        serving(peer.name, peer.command(place), int(place.port), folder, cores)
    )
    with _blaming(peer):
        row.client.check(server)
    return server


@contextmanager
def _blaming(peer: Peer) -> Iterator[None]:
    """
    Say in an error whom it is about.
    """
    try:
        yield
    except (ClientFailed, WrongAnswer) as error:
        raise WrongAnswer(f"{peer.name}: {error}") from error


def _runSideBySide(outcome: Outcome, peers: Sequence[Peer], options: Options) -> None:
    row = outcome.row
    with ExitStack() as stack:
        servers = [(peer, _start(stack, row, peer)) for peer in peers]
        for number in range(options.rounds + 1):
            progress(f"{row.name}: {f'round {number}' if number else 'warm-up'}")
            for peer, server in servers:
                with _blaming(peer):
                    sample = row.client.measure(server, options.seconds)
                if number or sample.errors:
                    outcome.add(peer, sample)
        for peer, server in servers:
            with _blaming(peer):
                row.client.check(server)


def _runFresh(outcome: Outcome, peers: Sequence[Peer], options: Options) -> None:
    row = outcome.row
    for number in range(1, options.rounds + 1):
        progress(f"{row.name}: round {number}")
        for peer in peers:
            with ExitStack() as stack:
                server = _start(stack, row, peer)
                with _blaming(peer):
                    outcome.add(peer, row.client.measure(server, options.seconds))
