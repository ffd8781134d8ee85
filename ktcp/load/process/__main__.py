# -*- test-case-name: ktcp.test.test_load_engine -*-
"""
One process of a run: C{python -m ktcp.load.process}, for L{ktcp.load.team} only.

It reads a share of a job from C{stdin}, says that it is ready, reads when to start, works,
and says what it counted.  The end of C{stdin} stops it at any time: so it cannot
outlive who started it.
"""

from __future__ import annotations

import gc
import os
import signal
import sys

from ktcp.load.job import Share
from ktcp.load.process.barrier import Barrier, messageOf
from ktcp.load.process.channel import Channel, Done, Failed, Ready
from ktcp.load.process.loop import Loop
from ktcp.load.process.work import connectorOf, workOf


def work(channel: Channel) -> None:
    """
    Do one share.
    """
    share = channel.share()
    if share.job.mode == "barrier":
        barrier(channel, share)
        return
    loop = Loop(workOf(share), channel.say, channel.inward)
    channel.say(Ready())
    start = channel.start()
    if start is not None:
        # The loop makes no cycles, and a collection in its middle would be in a latency.
        gc.collect()
        gc.disable()
        seconds = loop.run(start)
        channel.say(Done(seconds, loop.interrupted))


def barrier(channel: Channel, share: Share) -> None:
    """
    Do one share of a barrier's rounds.
    """
    plan = share.job.plan
    connector = connectorOf(share)
    for number in range(plan.rounds):
        messages = [
            messageOf(plan.size, number, share.index, i)
            for i in range(share.part(plan.connections))
        ]
        round = Barrier(connector, messages, plan.timeout)
        round.connect()
        channel.say(Ready())
        start = channel.start()
        if start is None:
            round.abandon()
            channel.say(Done(0.0, True))
            return
        channel.say(round.send(start))
    channel.say(Done(0.0, False))


def main() -> None:
    """
    Be a process of a run.
    """
    # A terminal's Ctrl-C goes to all of them; the parent tells them what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    outward = os.dup(1)
    os.dup2(2, 1)  # Whatever prints, prints not among the messages.
    channel = Channel(0, outward)
    try:
        work(channel)
    except (BrokenPipeError, EOFError):  # Nobody is there to hear of it.
        sys.exit(1)
    except Exception as error:
        channel.say(Failed(f"{type(error).__name__}: {error}"))
        raise


if __name__ == "__main__":
    main()
