# -*- test-case-name: bench.macro.test_attack -*-
"""
Clients that mean ill, while others work: does ktcp let them go in time, and do
the others notice?

    python -m bench.macro.attack --head-time 5 --stall 5

Three kinds connect at once: some send a head by one byte a second, some say
nothing, some ask for a large file and never read.  wrk runs through all of it,
in turns with runs of the same length without them.  They come from eight
addresses, as ktcp's limit for one client has it.
"""

from __future__ import annotations

import argparse
import math
import os
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TextIO

from bench.macro.clients import Wrk
from bench.macro.peers import Place, ktcp
from bench.macro.processes import CLIENT_CORES, SERVER_CORES, Server, freePort, resident, serving
from bench.macro.samples import Sample
from bench.macro.verdicts import Verdicts
from bench.macro.workloads import HELLO
from ktcp.endpoint.admission import makeRoom

MIB = 1024 * 1024

# A deadline is met within this much, by the wheel's coarseness.
LATE_SECONDS = 1.0


@dataclass(frozen=True)
class Kind:
    """
    One kind of attacker.

    @ivar says: What it sends at first.
    @ivar trickles: It sends a byte each second after that.
    @ivar reads: It reads what it is sent.
    @ivar seconds: How long the server lets it.
    """

    name: str
    count: int
    says: bytes
    trickles: bool
    reads: bool
    seconds: float


@dataclass(eq=False)
class Attacker:
    """
    One connection of them.

    @ivar began: When it was connected, and
    @ivar ended: when the server let it go, by C{time.monotonic}.
    """

    kind: Kind
    socket: socket.socket
    began: float
    ended: float | None = None

    def late(self) -> float:
        """
        @return: Seconds from its deadline to its end.
        """
        assert self.ended is not None
        return self.ended - self.began - self.kind.seconds


class Attack(Thread):
    """
    A wave of attackers, until all of them are gone.

    @ivar attackers: All of them, in the end.
    """

    def __init__(self, port: int, kinds: Sequence[Kind], ramp: float) -> None:
        """
        @param ramp: Seconds in which they connect.
        """
        super().__init__(daemon=True)
        self.attackers: list[Attacker] = []
        self._port = port
        self._ramp = ramp
        # Kinds mixed as they come.
        self._coming = deque(
            sorted(
                ((number / kind.count, kind) for kind in kinds for number in range(kind.count)),
                key=lambda pair: pair[0],
            )
        )
        self._until = time.monotonic() + ramp + max(kind.seconds for kind in kinds) + 10
        self._poll = select.epoll()
        self._open: dict[int, Attacker] = {}
        # Who sends a byte, and when; all have the same period.
        self._trickling: deque[tuple[float, Attacker]] = deque()

    def run(self) -> None:
        """
        Attack.
        """
        start = time.monotonic()
        try:
            while (self._coming or self._open) and (now := time.monotonic()) < self._until:
                while self._coming and start + self._coming[0][0] * self._ramp <= now:
                    self._connect(self._coming.popleft()[1])
                while self._trickling and self._trickling[0][0] <= now:
                    self._trickle(*self._trickling.popleft())
                for descriptor, _ in self._poll.poll(0.005):
                    self._look(self._open[descriptor])
        finally:
            self._poll.close()
            for attacker in self._open.values():
                attacker.socket.close()

    def _connect(self, kind: Kind) -> None:
        number = len(self.attackers)
        client = socket.socket()
        if not kind.reads:
            # So that the kernel, too, holds little of what is not read.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.bind((f"127.0.0.{number % 8 + 2}", 0))
        client.settimeout(10)
        client.connect(("127.0.0.1", self._port))
        client.setblocking(False)
        attacker = Attacker(kind, client, time.monotonic())
        self.attackers.append(attacker)
        self._open[client.fileno()] = attacker
        # A reset is told in any case, as EPOLLERR and EPOLLHUP.
        self._poll.register(client, select.EPOLLIN if kind.reads else 0)
        client.send(kind.says)
        if kind.trickles:
            self._trickling.append((attacker.began + 1, attacker))

    def _trickle(self, when: float, attacker: Attacker) -> None:
        if attacker.ended is None:
            try:
                attacker.socket.send(b"x")
            except OSError:
                self._end(attacker)
            else:
                self._trickling.append((when + 1, attacker))

    def _look(self, attacker: Attacker) -> None:
        try:
            if attacker.kind.reads and attacker.socket.recv(4096):
                return
        except OSError:
            pass
        self._end(attacker)

    def _end(self, attacker: Attacker) -> None:
        attacker.ended = time.monotonic()
        del self._open[attacker.socket.fileno()]
        attacker.socket.close()


@dataclass
class Measured:
    """
    What was seen.

    @ivar calm: wrk's runs without attackers, and
    @ivar attacked: with them.
    @ivar waves: The attackers of each wave.
    @ivar before: KiB resident before the first of them,
    @ivar during: at most, and
    @ivar after: when they were gone.
    """

    calm: list[Sample] = field(default_factory=list)
    attacked: list[Sample] = field(default_factory=list)
    waves: list[Attack] = field(default_factory=list)
    before: int = 0
    during: int = 0
    after: int = 0


def measure(server: Server, kinds: Sequence[Kind], rounds: int, ramp: float) -> Measured:
    """
    Have them attack, in turns with nobody.
    """
    seconds = math.ceil(ramp + max(kind.seconds for kind in kinds) + LATE_SECONDS)
    work = Wrk(HELLO)
    work.check(server)
    work.measure(server, 1)
    seen = Measured(before=resident(server.pid))
    for _ in range(rounds):
        seen.calm.append(work.measure(server, seconds))
        attack = Attack(server.port, kinds, ramp)
        watch = Thread(target=_watch, args=(server, attack, seen), daemon=True)
        attack.start()
        watch.start()
        seen.attacked.append(work.measure(server, seconds))
        attack.join()
        watch.join()
        seen.waves.append(attack)
    work.check(server)
    seen.after = resident(server.pid)
    return seen


def _watch(server: Server, attack: Attack, seen: Measured) -> None:
    while attack.is_alive():
        seen.during = max(seen.during, resident(server.pid))
        time.sleep(0.1)


def judge(seen: Measured, kinds: Sequence[Kind], verdicts: Verdicts) -> None:
    """
    Print what came of it.
    """
    attackers = [attacker for wave in seen.waves for attacker in wave.attackers]
    for kind in kinds:
        ours = [attacker for attacker in attackers if attacker.kind == kind]
        gone = [attacker.late() for attacker in ours if attacker.ended is not None]
        early, late = min(gone, default=math.nan), max(gone, default=math.nan)
        verdicts.judge(
            f"{kind.name}: all gone at their deadline of {kind.seconds:g} s, within 1 s",
            f"{len(gone)} of {len(ours)}, {early:.2f} to {late:.2f} s after it",
            len(gone) == len(ours) == kind.count * len(seen.waves)
            and early >= 0
            and late <= LATE_SECONDS,
        )
    errors = [sample.errors for sample in (*seen.calm, *seen.attacked) if sample.errors]
    count = sum(int(sample.figures["count"]) for sample in seen.attacked)
    verdicts.judge(
        "wrk: no error", f"{errors or 'none'} in {count:,} requests meanwhile", not errors
    )
    calm, attacked = (
        median(sample.figures["p99Us"] for sample in samples)
        for samples in (seen.calm, seen.attacked)
    )
    verdicts.judge(
        "wrk: p99 at most 2 x that without them",
        f"{attacked:,.0f} us / {calm:,.0f} us = {attacked / calm:.2f}",
        attacked <= 2 * calm,
    )
    verdicts.judge(
        "RSS: within 10% when they are gone",
        f"{seen.before:,} KiB before, {seen.during:,} during, {seen.after:,} after "
        f"({seen.after / seen.before - 1:+.1%})",
        seen.after <= 1.1 * seen.before,
    )


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """
    Read the command line.
    """
    parser = argparse.ArgumentParser(prog="attack", description=(__doc__ or "").split("\n")[1])
    parser.add_argument("--slow", type=int, default=1000, help="slow heads (%(default)s)")
    parser.add_argument("--silent", type=int, default=1000, help="say nothing (%(default)s)")
    parser.add_argument("--deaf", type=int, default=200, help="never read (%(default)s)")
    parser.add_argument("--head-time", type=float, default=20, help="of ktcp (%(default)s)")
    parser.add_argument("--stall", type=float, default=20, help="of ktcp (%(default)s)")
    parser.add_argument("--ramp", type=float, default=2, help="seconds of a wave (%(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="waves (%(default)s)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str], output: TextIO = sys.stdout) -> int:
    """
    Be the command.

    @return: 1 if a bar was missed.
    """
    options = parse(arguments)
    kinds = [
        Kind("slow heads", options.slow, b"GET / HTTP/1.1\r\nX: ", True, True, options.head_time),
        Kind("silent", options.silent, b"", False, True, options.head_time),
        Kind(
            "deaf",
            options.deaf,
            b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
            False,
            False,
            options.stall,
        ),
    ]
    makeRoom(sum(kind.count for kind in kinds))
    with TemporaryDirectory(prefix="ktcp-attack-") as folder:
        Path(folder, "index.html").write_bytes(b"Hello World!")
        with Path(folder, "large").open("wb") as large:
            large.truncate(100 * MIB)
        place = Place(freePort(), Path(folder))
        command = ktcp(
            *("--no-echo", "--http-port", str(place.port), "--root", folder),
            *("--limit-head-time", f"{options.head_time:g}"),
            *("--limit-stall", f"{options.stall:g}"),
        )(place)
        with serving("ktcp", command, int(place.port), place.folder, SERVER_CORES) as server:
            seen = measure(server, kinds, options.rounds, options.ramp)
    verdicts = Verdicts(output)
    judge(seen, kinds, verdicts)
    return int(bool(verdicts.missed))


if __name__ == "__main__":
    # Beside wrk, not beside the server.
    os.sched_setaffinity(0, {int(CLIENT_CORES)})
    sys.exit(main(sys.argv[1:]))
