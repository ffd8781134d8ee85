# -*- test-case-name: ktcp.test.test_trace_commands_capture -*-
"""
C{ktcp capture}: see the packets of a port, and keep them as pcapng.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from typing import BinaryIO

from ktcp import __version__
from ktcp.trace.commands.arguments import portNumber, positiveSeconds, wholeNumber
from ktcp.trace.commands.terminal import paint
from ktcp.trace.errors import TraceError
from ktcp.trace.kernel import packet
from ktcp.trace.kernel.ring import (
    BLOCK_SIZE,
    BLOCK_TIMEOUT_MS,
    BLOCKS,
    DIRECTIONS,
    SNAP_LENGTH,
    Capture,
    Frame,
    Ring,
    silent,
)
from ktcp.trace.report import pcapng


def addArguments(parser: argparse.ArgumentParser) -> None:
    """
    Declare the options.
    """
    parser.epilog = (
        "Ends with --for, --count or Ctrl-C, and then says how many frames the ring had no room"
        " for."
    )
    parser.add_argument(
        "--port", type=portNumber, required=True, metavar="P", help="TCP port, at either end"
    )
    parser.add_argument("-i", "--interface", default="lo", metavar="IF", help="where (default: lo)")
    parser.add_argument("-w", "--write", metavar="FILE", help="keep the frames, as pcapng")
    parser.add_argument(
        "--direction",
        choices=DIRECTIONS,
        default="",
        help="default: in on lo, which sends each frame to itself, and both elsewhere",
    )
    parser.add_argument(
        "--for", type=positiveSeconds, dest="seconds", metavar="TIME", help="such as 5s, 200ms, 2m"
    )
    parser.add_argument("--count", type=wholeNumber, metavar="N", help="end after N frames")
    parser.add_argument(
        "--snap",
        type=wholeNumber,
        default=SNAP_LENGTH,
        metavar="BYTES",
        help=f"keep that much of each frame (default: {SNAP_LENGTH})",
    )
    parser.add_argument(
        "--block-size",
        type=wholeNumber,
        default=BLOCK_SIZE,
        metavar="BYTES",
        help=f"of a block of the ring (default: {BLOCK_SIZE})",
    )
    parser.add_argument(
        "--blocks",
        type=wholeNumber,
        default=BLOCKS,
        metavar="N",
        help=f"in the ring (default: {BLOCKS})",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no line for each frame")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell the five steps")


def main(args: argparse.Namespace) -> int:
    """
    Capture until told to stop.
    """
    tally = Tally()
    # The most that a BPF program can return.
    snap = min(args.snap, 2**32 - 1)
    with ExitStack() as stack:
        stop = stack.enter_context(stopping())
        # The interface and the rights first: a mistake there leaves no empty file.
        capture = stack.enter_context(
            Capture(
                args.interface,
                args.port,
                direction=args.direction,
                snapLength=snap,
                ring=Ring(args.block_size, args.blocks),
                say=_tell if args.verbose else silent,
            )
        )
        writer = None
        if args.write:
            file = stack.enter_context(_create(args.write))
            writer = pcapng.Writer(file, args.interface, snap, f"ktcp {__version__}")
        _tell(f"capturing TCP port {args.port} on {args.interface}")
        _follow(capture, args, writer, tally, stop)
        capture.count()
        if writer is not None:
            writer.writeStatistics(time.time_ns(), capture.seen, capture.drops)
    _tell(f"{tally.frames} frames captured, {capture.drops} dropped for want of room in the ring")
    if capture.drops:
        _tell("a larger ring loses less: --blocks, --block-size, or -q, which reads faster")
    return 0


@contextmanager
def stopping() -> Iterator[Event]:
    """
    Let Ctrl-C, and SIGTERM (C{timeout}, service managers), set this instead of
    ending the program between two frames.
    """
    stop = Event()
    numbers = signal.SIGINT, signal.SIGTERM
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


class Tally:
    """
    How far a capture has got.
    """

    frames = 0


def _follow(
    capture: Capture,
    args: argparse.Namespace,
    writer: pcapng.Writer | None,
    tally: Tally,
    stop: Event,
) -> None:
    """
    Take frames until there are enough of them, it has been long enough, or
    somebody says so.
    """
    end = time.monotonic() + args.seconds if args.seconds else float("inf")
    while not stop.is_set() and (left := end - time.monotonic()) > 0:
        # A signal does not end the wait (PEP 475).
        capture.wait(min(left, 0.1))
        if _take(capture, args, writer, tally):
            return
    # The kernel still has a block that waits to be full.
    time.sleep(2 * BLOCK_TIMEOUT_MS / 1000)
    _take(capture, args, writer, tally)


def _take(
    capture: Capture, args: argparse.Namespace, writer: pcapng.Writer | None, tally: Tally
) -> bool:
    """
    Tell of the frames that are there, and keep them.

    @return: Whether there have been enough.
    """
    for frame in capture.frames():
        if writer is not None:
            writer.write(frame.timeNs, frame.data, frame.length, frame.outgoing)
        if not args.quiet:
            print(line(frame))
        tally.frames += 1
        if tally.frames == args.count:
            return True
    sys.stdout.flush()
    return False


def line(frame: Frame) -> str:
    """
    A frame, for people.
    """
    seconds, nanoseconds = divmod(frame.timeNs, 1_000_000_000)
    stamp = time.strftime("%H:%M:%S", time.localtime(seconds))
    way = "out" if frame.outgoing else "in "
    shown = paint(f"{stamp}.{nanoseconds:09}", "faint", sys.stdout)
    return f"{shown} {way} {packet.summary(packet.decode(frame.data))}"


def _create(path: str) -> BinaryIO:
    """
    Open the file to write.

    @raise TraceError: It cannot be written.
    """
    try:
        return Path(path).open("wb")
    except OSError as error:
        raise TraceError(f"cannot write {path}: {error.strerror}") from None


def _tell(text: str) -> None:
    """
    Say something that is not a frame.
    """
    print(text, file=sys.stderr, flush=True)
