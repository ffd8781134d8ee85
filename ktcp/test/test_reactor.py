"""
Tests for L{ktcp.reactor}: first what Twisted asks of every reactor.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from threading import Thread
from typing import Any

from twisted.application.reactors import getReactorTypes
from twisted.internet.abstract import FileDescriptor
from twisted.python import context, log
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

import ktcp.reactor
from ktcp.reactor import KTCPReactor
from ktcp.test.twistedsuites import suites

globals().update(
    suites(
        KTCPReactor,
        __name__,
        [
            "test_core",
            "test_fdset",
            "test_process",
            "test_tcp",
            "test_threads",
            "test_time",
            "test_tls",
            "test_udp",
            "test_unix",
        ],
        {
            "test_lostFileDescriptor": "epoll forgets closed descriptors by itself",
            "test_changeUID": "run by root, it needs an interpreter that any user may run",
        },
    )
)


class LeanDispatchTests(SynchronousTestCase):
    """
    What L{KTCPReactor.doPoll} itself decides.
    """

    def setUp(self) -> None:
        """
        Make a reactor that is run a turn at a time.
        """
        self.reactor = KTCPReactor()
        self.addCleanup(self.close)

    def close(self) -> None:
        """
        Close what the reactor opened for itself.
        """
        for reader in [*self.reactor.removeAll(), *self.reactor.getReaders()]:
            self.reactor.removeReader(reader)
            reader.connectionLost(None)
        self.reactor._poller.close()

    def reader(self, onRead: Callable[[Any], object]) -> FileDescriptor:
        """
        Make a descriptor that has something to read.
        """
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        theirs.send(b"x")

        class Reader(FileDescriptor):
            lost: Failure | None = None
            fileno = ours.fileno

            def logPrefix(self) -> str:
                return "prefix"

            def doRead(self) -> object:
                return onRead(self)

            def connectionLost(self, reason: Failure) -> None:
                self.lost = reason

        made = Reader(self.reactor)
        self.reactor.addReader(made)
        self.addCleanup(self.reactor.removeReader, made)
        return made

    def test_removedInSameTurn(self) -> None:
        """
        A descriptor that another one stops watching is not read in the same
        turn either.
        """
        read = []

        def onRead(reader: FileDescriptor) -> None:
            read.append(reader)
            for other in readers:
                self.reactor.removeReader(other)

        readers = [self.reader(onRead), self.reader(onRead)]
        self.reactor.doPoll(0)
        self.assertEqual(len(read), 1)

    def test_endOfTurn(self) -> None:
        """
        What waits for the end of a turn is called once, after all reads, and
        before the next wait.
        """
        order: list[str] = []

        def onRead(reader: FileDescriptor) -> None:
            order.append("read")
            self.reactor.removeReader(reader)
            self.reactor.atEndOfTurn.append(lambda: order.append("end"))

        self.patch(ktcp.reactor, "monotonic", lambda: 0.0)
        self.reader(onRead)
        self.reader(onRead)
        self.reactor.doPoll(0)
        self.assertEqual(order, ["read", "read", "end", "end"])
        self.reactor.doPoll(0)
        self.assertEqual(len(order), 4)

    def test_longTurn(self) -> None:
        """
        In a turn that takes long, what waits is not kept waiting for its end.
        """
        order: list[str] = []
        now = [1.0]

        def onRead(reader: FileDescriptor) -> None:
            order.append("read")
            now[0] += 0.0003
            self.reactor.removeReader(reader)
            self.reactor.atEndOfTurn.append(lambda: order.append("end"))

        self.patch(ktcp.reactor, "monotonic", lambda: now[0])
        for _ in range(4):
            self.reader(onRead)
        self.reactor.doPoll(0)
        self.assertEqual(order, [*["read"] * 3, *["end"] * 3, "read", "end"])

    def test_raises(self) -> None:
        """
        An exception is logged with the prefix and ends that descriptor; the
        others are read.
        """
        read: list[object] = []
        failing = self.reader(lambda reader: 1 // 0)
        self.reader(read.append)
        events: list[Any] = []
        log.addObserver(events.append)
        self.addCleanup(log.removeObserver, events.append)
        self.reactor.doPoll(0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual([e["system"] for e in events if e["isError"]], ["prefix"])
        self.assertTrue(failing.lost.check(ZeroDivisionError))
        self.assertNotIn(failing, self.reactor.getReaders())
        self.assertEqual(len(read), 1)

    def test_logPrefix(self) -> None:
        """
        A line logged while a descriptor is read begins with its prefix; one
        logged between turns or by another thread does not.
        """
        systems: list[object] = []

        def look() -> None:
            systems.append(context.get(log.ILogContext)["system"])

        def onRead(reader: FileDescriptor) -> None:
            look()
            self.assertEqual(dict(context.get(log.ILogContext)), {"system": "prefix"})
            current = context.theContextTracker.currentContext().contexts[-1]
            thread = Thread(target=context.call, args=(current, look))
            thread.start()
            thread.join()
            self.reactor.removeReader(reader)
            self.reactor.callLater(0, look)
            self.reactor.callLater(0, self.reactor.crash)

        self.reader(onRead)
        self.reactor._started = True
        self.reactor.mainLoop()
        self.assertEqual(systems, ["prefix", "-", "-"])

    def test_install(self) -> None:
        """
        C{install} installs it, and never over another reactor.
        """
        code = (
            "from ktcp.reactor import KTCPReactor, install; install();"
            "from twisted.internet import reactor; assert type(reactor) is KTCPReactor\n"
            "try: install()\n"
            "except Exception as e: print(type(e).__name__)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        self.assertEqual(done.stdout, b"ReactorAlreadyInstalledError\n")

    def test_plugin(self) -> None:
        """
        C{twistd --reactor=ktcp} finds it.
        """
        [found] = [one for one in getReactorTypes() if one.shortName == "ktcp"]
        self.assertEqual(found.moduleName, "ktcp.reactor")
