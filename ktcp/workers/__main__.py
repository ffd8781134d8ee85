# -*- test-case-name: ktcp.test.test_workers_process -*-
"""
What runs in a worker: C{python -m ktcp.workers TITLE OPTIONS...}.

Not for people: the title is only for C{ps}, and what matters comes on stdin,
as JSON: the parent's pid, the module of its reactor, the descriptor to report
on, the processor to run on (or null), the listeners (what
L{ktcp.workers.sockets} calls a key, then a descriptor), the descriptor and the row of
L{ktcp.workers.ledger}, and the environment that was changed to get here.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from ktcp.prctl import endWithParent


def main() -> NoReturn:
    """
    Serve until told to stop, or until the parent is gone.
    """
    _, title, *arguments = sys.argv
    # What follows the first line is asked later, see ktcp.workers.questions.
    with open(0, "rb", buffering=0, closefd=False) as stdin:
        orders = json.loads(stdin.readline())
    endWithParent(orders["parent"], f"ktcp {title}")
    # Ctrl-C and the end of a terminal go to all processes at once; they are
    # the parent's to act on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Held until now: in the midst of imports it would be a traceback.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    if orders["core"] is not None:
        os.sched_setaffinity(0, {orders["core"]})
    restoreEnvironment(orders["environment"])
    installReactor(orders["reactor"])
    serve(orders, arguments)


def restoreEnvironment(environment: Mapping[str, str | None]) -> None:
    """
    Undo what was changed to get here.
    """
    for name, value in environment.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


def installReactor(module: str) -> None:
    """
    Install the parent's reactor.

    @param module: Where its class is; for all that can be chosen on twistd's
        command line, that module also installs it.
    """
    from twisted.python.reflect import namedModule

    # Its type says nothing of an install().
    installer: Any = namedModule(module)
    installer.install()


def announceDescriptors(listeners: Sequence[Sequence[Any]]) -> None:
    """
    Say again, in the environment and to this process, what systemd said to the
    parent (sd_listen_fds(3)).  Twisted takes out all but the names, and looks
    when its endpoints are imported.
    """
    if any(kind == "fd" for kind, *_ in listeners):
        os.environ["LISTEN_PID"] = str(os.getpid())
        os.environ["LISTEN_FDS"] = str(os.environ.get("LISTEN_FDNAMES", "").count(":") + 1)


def serve(orders: Mapping[str, Any], arguments: Sequence[str]) -> NoReturn:
    """
    Serve the protocols that the options ask for on the sockets that there are.
    """
    announceDescriptors(orders["listeners"])

    from twisted.internet import reactor as installedReactor
    from twisted.logger import globalLogBeginner

    from ktcp.counters import Counters
    from ktcp.discovery import discover
    from ktcp.options import RESERVED, optionsFor
    from ktcp.refusal import Refusal
    from ktcp.service import assemble, layoutFor
    from ktcp.signals import reopenOnSignals, stopOnSignals
    from ktcp.workers.ledger import mapRow
    from ktcp.workers.questions import Questions
    from ktcp.workers.reports import Reporter
    from ktcp.workers.sockets import Handed, InheritingReactor

    reactor: Any = installedReactor
    reporter = Reporter(orders["reports"])
    inherited = [Handed((kind, place, port), fd) for kind, place, port, fd in orders["listeners"]]
    # The parent has complained of what does not load.
    options = optionsFor(discover(RESERVED).plugins)()
    try:
        options.parseOptions(arguments)
        # The parent has waited.
        options["drain-delay"] = 0.0
        layout = layoutFor(options)
        descriptor, row = orders["counters"]
        counters = Counters(layout, mapRow(descriptor, row, layout))
        os.close(descriptor)
        inheriting = InheritingReactor(reactor, inherited)
        service = assemble(options, reactor, inheriting, announce=False, counters=counters)
        service.privilegedStartService()
        service.startService()
    except Refusal as refusal:
        reporter.report({"refusal": str(refusal.code).removeprefix("ktcp: ")})
        sys.exit(1)
    globalLogBeginner.beginLoggingTo([reporter])
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    reactor.callWhenRunning(stopOnSignals, reactor, service, (signal.SIGTERM,))
    reactor.callWhenRunning(reopenOnSignals, reactor, service, (signal.SIGUSR1,))

    reactor.addReader(Questions(0, service.inventory, reporter.report, reactor))
    reactor.callWhenRunning(reporter.report, {"ready": True})
    reactor.run()
    sys.exit(0)


if __name__ == "__main__":
    main()
