# -*- test-case-name: bench.macro.test_attack -*-
"""
Large things through a small server: a body, a directory, a file to many.

    python -m bench.macro.memory

RSS is looked at every 20 ms while they go on; what is compared with the bar is
the most that was seen, over what there was when the server had warmed up.
"""

from __future__ import annotations

import argparse
import os
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import TextIO

from bench.macro.answers import conversation, readAnswer
from bench.macro.peers import Place, ktcp
from bench.macro.processes import CLIENT_CORES, SERVER_CORES, Server, freePort, resident, serving
from bench.macro.verdicts import Verdicts
from bench.macro.workloads import HELLO

KIB = 1024
MIB = 1024 * KIB

# What a body is sent in, and a file is read in.
PIECE = 1 * MIB

# RSS that is called flat: a few reads, and the noise of the allocator.
FLAT_KIB = 2 * KIB


class Watch(Thread):
    """
    Watches a server's memory while a block runs.

    @ivar grown: KiB that it had at most, over what it had before.
    """

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._before = resident(server.pid)
        self._over = Event()
        self.grown = 0

    def run(self) -> None:
        """
        Watch.
        """
        while not self._over.wait(0.02):
            self._look()

    def _look(self) -> None:
        self.grown = max(self.grown, resident(self._server.pid) - self._before)

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self.join()
        self._look()


@contextmanager
def served(*arguments: str) -> Iterator[Server]:
    """
    Run ktcp, warm.
    """
    with TemporaryDirectory(prefix="ktcp-memory-") as folder:
        place = Place(freePort(), Path(folder))
        port = int(place.port)
        command = ktcp(*(each.format(port=port) for each in arguments))(place)
        with serving("ktcp", command, port, place.folder, SERVER_CORES) as server:
            for _ in range(100):
                with conversation(server, HELLO) as stream:
                    readAnswer(stream, b"Hello World!")
            yield server


def posted(server: Server, target: str, size: int, ask: bool) -> tuple[int, int]:
    """
    Post a body of zeros.

    @param ask: Expect 100 (Continue) first.
    @return: The status, and the bytes of the body that were sent.
    """
    head = f"POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n"
    with socket.create_connection(("127.0.0.1", server.port), 60) as client:
        client.sendall((head + ("Expect: 100-continue\r\n" if ask else "") + "\r\n").encode())
        with client.makefile("rb") as stream:
            if ask and (status := int(stream.readline().split()[1])) != 100:
                return status, 0
            piece, sent = memoryview(bytes(PIECE)), 0
            while sent < size:
                sent += client.send(piece[: size - sent])
            if ask:
                stream.readline()
            return int(stream.readline().split()[1]), sent


def bodies(size: int, verdicts: Verdicts) -> None:
    """
    A body that is refused, and one that is taken and dropped.
    """
    with served("--no-http", "--no-echo", "--bench-port", "{port}") as server:
        with Watch(server) as watch:
            status, sent = posted(server, "/", size, True)
        name = f"a POST of {size // MIB:,} MiB"
        verdicts.judge(
            f"{name} refused, 413 before the body",
            f"{status}, {sent:,} bytes of it sent",
            (status, sent) == (413, 0),
        )
        verdicts.judge(
            f"{name} refused, RSS flat", f"{watch.grown:+,} KiB", watch.grown <= FLAT_KIB
        )
        began = time.monotonic()
        with Watch(server) as watch:
            status, sent = posted(server, "/discard", size, False)
        took = time.monotonic() - began
        verdicts.judge(
            f"{name} discarded", f"{status}, {took:.1f} s", (status, sent) == (204, size)
        )
        verdicts.judge(
            f"{name} discarded, RSS flat", f"{watch.grown:+,} KiB", watch.grown <= FLAT_KIB
        )


def stallDuring(server: Server, work: Callable[[], object]) -> float:
    """
    Ask on another connection for as long as some work goes on.

    @return: Seconds of the longest answer.
    """
    other = Thread(target=work, daemon=True)
    worst = 0.0
    with socket.create_connection(("127.0.0.1", server.port), 60) as client:
        other.start()
        while other.is_alive():
            began = time.perf_counter()
            client.sendall(HELLO)
            client.recv(64 * KIB)
            worst = max(worst, time.perf_counter() - began)
            time.sleep(0.001)
    other.join()
    return worst


def directory(entries: int, verdicts: Verdicts) -> None:
    """
    A directory of many files, while somebody else is served.
    """
    with TemporaryDirectory(prefix="ktcp-memory-") as root:
        Path(root, "index.html").write_bytes(b"Hello World!")
        many = Path(root, "many")
        many.mkdir()
        for number in range(entries):
            os.close(os.open(many / f"{number:06}.txt", os.O_CREAT))
        arguments = ("--no-echo", "--http-port", "{port}", "--root", root)
        for kind in ("text/html", "application/json"):
            seen: list[int] = []

            def read(server: Server, kind: str = kind, seen: list[int] = seen) -> None:
                head = (
                    f"GET /many/ HTTP/1.1\r\nHost: a\r\nAccept: {kind}\r\nConnection: close\r\n\r\n"
                )
                with conversation(server, head.encode()) as stream:
                    seen.append(sum(line.count(b'.txt"') for line in stream))

            with served(*arguments) as server, Watch(server) as watch:
                worst = stallDuring(server, lambda server=server: read(server))
            name = f"a listing of {entries:,} entries as {kind}"
            verdicts.judge(
                f"{name} stalls nobody for 50 ms",
                f"{worst * 1e3:.1f} ms, {seen[0]:,} entries of it seen",
                worst <= 0.05 and seen[0] >= entries,
            )
            verdicts.note(f"{name}: {watch.grown:+,} KiB RSS")


def readAll(server: Server, clients: int) -> int:
    """
    Have a file read by many at once.

    @return: How many bytes came, heads and all.
    """
    ask = b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    total, scratch = 0, bytearray(PIECE)
    with select.epoll() as poll:
        ours = {}
        for _ in range(clients):
            client = socket.create_connection(("127.0.0.1", server.port), 60)
            client.sendall(ask)
            ours[client.fileno()] = client
            poll.register(client, select.EPOLLIN)
        while ours:
            for descriptor, _ in poll.poll(10):
                # MSG_TRUNC drops what came, uncopied (tcp(7)).
                count = ours[descriptor].recv_into(scratch, PIECE, socket.MSG_TRUNC)
                total += count
                if not count:
                    poll.unregister(descriptor)
                    ours.pop(descriptor).close()
    return total


def file(size: int, clients: int, verdicts: Verdicts) -> None:
    """
    A large file to many clients at once.
    """
    with TemporaryDirectory(prefix="ktcp-memory-") as root:
        Path(root, "index.html").write_bytes(b"Hello World!")
        with Path(root, "large").open("wb") as large:
            large.truncate(size)
        with served("--no-echo", "--http-port", "{port}", "--root", root) as server:
            began = time.monotonic()
            with Watch(server) as watch:
                total = readAll(server, clients)
            took = time.monotonic() - began
    name = f"a file of {size // MIB:,} MiB to {clients} clients"
    verdicts.judge(
        name,
        f"{total // MIB:,} MiB in {took:.1f} s",
        size * clients <= total < size * clients + MIB,
    )
    verdicts.judge(f"{name}: at most 5 MiB of RSS", f"{watch.grown:+,} KiB", watch.grown <= 5 * KIB)


def main(arguments: Sequence[str], output: TextIO = sys.stdout) -> int:
    """
    Be the command.

    @return: 1 if a bar was missed.
    """
    parser = argparse.ArgumentParser(prog="memory", description=(__doc__ or "").split("\n")[1])
    parser.add_argument("--body", type=int, default=10 * KIB, help="MiB (%(default)s)")
    parser.add_argument("--entries", type=int, default=100_000, help="%(default)s")
    parser.add_argument("--file", type=int, default=KIB, help="MiB (%(default)s)")
    parser.add_argument("--clients", type=int, default=100, help="%(default)s")
    options = parser.parse_args(arguments)
    verdicts = Verdicts(output)
    bodies(options.body * MIB, verdicts)
    directory(options.entries, verdicts)
    file(options.file * MIB, options.clients, verdicts)
    return int(bool(verdicts.missed))


if __name__ == "__main__":
    # Not beside the server.
    os.sched_setaffinity(0, {int(CLIENT_CORES)})
    sys.exit(main(sys.argv[1:]))
