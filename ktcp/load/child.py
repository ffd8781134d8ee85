# -*- test-case-name: ktcp.test.test_load_processes -*-
"""
One process of a run: C{python -m ktcp.load.child}, for L{ktcp.load.processes} only.

It reads a share of a job from C{stdin}, says that it is ready, reads when to start, works,
and says what it counted.  The end of C{stdin} stops it at any time: so it cannot
outlive who started it.
"""

from __future__ import annotations

import gc
import os
import signal
import sys

from ktcp.load.channel import Channel, Done, Failed, Ready
from ktcp.load.loop import Loop
from ktcp.load.work import workOf


def work(channel: Channel) -> None:
    """
    Do one share.
    """
    share = channel.share()
    loop = Loop(workOf(share.job, share.index, share.of), channel.say, channel.inward)
    channel.say(Ready())
    start = channel.start()
    if start is not None:
        # The loop makes no cycles, and a collection in its middle would be in a latency.
        gc.collect()
        gc.disable()
        seconds = loop.run(start)
        channel.say(Done(seconds, loop.interrupted))


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
    except BrokenPipeError:
        sys.exit(1)
    except Exception as error:
        channel.say(Failed(f"{type(error).__name__}: {error}"))
        raise


if __name__ == "__main__":
    main()
