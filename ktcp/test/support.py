"""
What several tests of ktcp share: children, transports and certificates.
"""

from __future__ import annotations

import fcntl
import io
import os
import socket
import struct
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import SkipTest

from hypothesis import settings
from twisted.internet import reactor
from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import ProcessProtocol, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactor
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

import ktcp
from ktcp.test.peers import kernel
from ktcp.trace.__main__ import run
from ktcp.trace.kernel.namespaces import enterNetwork, unshareNetwork

# The folder that holds the ktcp under test.
ROOT = Path(ktcp.__file__).parent.parent
BIN = Path(sys.executable).parent

# What systemd does: a socket at 3, and the environment that says so.
ACTIVATE = """
import os, socket, sys
kind, address, *command = sys.argv[1:]
listener = socket.socket(getattr(socket, kind))
listener.bind(("127.0.0.1", 0) if kind == "AF_INET" else address)
listener.listen()
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="echo")
os.execv(command[0], command)
"""


def examples(count: int) -> settings:
    """
    For hypothesis: the same examples each time, and no assertion on wall time.

    @param count: How many in an ordinary run; C{KTCP_EXAMPLES} asks for more.
    """
    count = max(count, int(os.environ.get("KTCP_EXAMPLES", "0")))
    return settings(max_examples=count, deadline=None, derandomize=True, database=None)


STEADY = examples(50)


def checkout(path: str) -> Path:
    """
    Find a file that only a checkout has.

    @raise SkipTest: The ktcp under test is an installed one.
    """
    file = ROOT / path
    if not file.exists():
        raise SkipTest(f"needs ktcp's checkout: {path} is not installed")
    return file


class Child(ProcessProtocol):
    """
    A process: what it says, and how it ends.

    @ivar folder: Where it runs.
    @ivar ended: Fires with the exit status, negative for a signal.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = {1: b"", 2: b""}
        self.ended: Deferred[int] = Deferred()
        self._waiting: list[tuple[bytes, int, Deferred[str]]] = []

    def said(self, text: str, time: int = 1) -> Deferred[str]:
        """
        Wait for a whole line with some text on C{stdout}.

        @param time: 2 for the second such line, and so on.
        @return: Fires with the line, or with a failure if the process ends.
        """
        waiter: Deferred[str] = Deferred()
        self._waiting.append((text.encode(), time, waiter))
        self._look()
        return waiter

    def errors(self) -> list[str]:
        """
        The lines on C{stderr}.
        """
        return self.output[2].decode().splitlines()

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """
        Collect what the process says.
        """
        self.output[childFD] += data
        self._look()

    def processEnded(self, reason: Failure) -> None:
        """
        Tell all who wait.
        """
        status: Any = reason.value
        waiting, self._waiting = self._waiting, []
        for text, _, waiter in waiting:
            waiter.errback(AssertionError(f"ended without saying {text!r}: {self.output}"))
        self.ended.callback(-status.signal if status.signal else status.exitCode)

    def signal(self, name: str | int) -> None:
        """
        Send a signal, by name or number.
        """
        transport: Any = self.transport
        transport.signalProcess(name)

    def _look(self) -> None:
        """
        Fire the waiters whose line is there.
        """
        lines = self.output[1].split(b"\n")[:-1]
        for entry in list(self._waiting):
            text, time, waiter = entry
            found = [line for line in lines if text in line]
            if len(found) >= time:
                self._waiting.remove(entry)
                waiter.callback(found[time - 1].decode())


def spawn(
    test: TestCase, arguments: Iterable[object], environment: Mapping[str, str] | None = None
) -> Child:
    """
    Start a process in an empty folder; it does not outlive the test.
    """
    folder = Path(test.mktemp())
    folder.mkdir(parents=True)
    child = Child(folder)
    command = [str(each) for each in arguments]
    path = os.pathsep.join(filter(None, [(environment or {}).get("PYTHONPATH"), str(ROOT)]))
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("LISTEN_", "COLUMNS"))}
    transport: Any = reactor.spawnProcess(
        child,
        command[0],
        command,
        env={**inherited, **(environment or {}), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
        path=str(folder),
    )

    def reap() -> Deferred[int] | None:
        if child.ended.called:
            return None
        with suppress(ProcessExitedAlready):
            transport.signalProcess("KILL")
        return child.ended

    test.addCleanup(reap)
    return child


def opened() -> set[tuple[str, str]]:
    """
    What this process has open: numbers, and what is behind each.  What somebody else
    left open may be closed at any time, by the garbage collector; so look for more only.
    """
    found = set()
    for number in os.listdir("/proc/self/fd"):
        # That of the listing itself is closed again.
        with suppress(FileNotFoundError):
            found.add((number, os.readlink(f"/proc/self/fd/{number}")))
    return found


def stopAfter(test: TestCase, port: Any) -> None:
    """
    Close a port when a test ends, and wait until each of its connections has
    ended, with what it has left in the reactor.  Clients that are made later
    are cleaned up before.
    """
    build = port.factory.buildProtocol
    connections: list[Deferred[None]] = []

    def buildProtocol(addr: object) -> Protocol:
        protocol: Protocol = build(addr)
        ended: Deferred[None] = Deferred()
        lost = protocol.connectionLost

        def connectionLost(reason: Failure) -> None:
            lost(reason)
            ended.callback(None)

        protocol.connectionLost = connectionLost  # type: ignore[assignment]  # to hear of it
        connections.append(ended)
        return protocol

    async def stop() -> None:
        await port.stopListening()
        for ended in connections:
            await ended

    port.factory.buildProtocol = buildProtocol
    test.addCleanup(lambda: Deferred.fromCoroutine(stop()))


def portOf(line: str) -> int:
    """
    The port that a line of the log names.
    """
    return int(line.rpartition("port=")[2].partition(" ")[0])


class AwaitedClock(Clock):
    """
    A clock that can be waited for.

    @ivar asked: Fires once somebody has asked to be called, in a turn after that.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: Deferred[None] = Deferred()
        self._told = False

    def callLater(self, delay: float, callable: Any, *args: Any, **kw: Any) -> Any:
        """
        See C{IReactorTime}.
        """
        if not self._told:
            self._told = True
            reactor.callLater(0, self.asked.callback, None)
        return super().callLater(delay, callable, *args, **kw)


class SlowTransport(FileDescriptor):
    """
    Twisted's own buffering, over a kernel that takes as much as a test says.

    @ivar sent: What the kernel took.
    """

    def __init__(self, protocol: Protocol) -> None:
        self.memoryReactor: Any = MemoryReactor()
        super().__init__(self.memoryReactor)
        self.sent = bytearray()
        self.room = 0
        self.connected = 1
        self.protocol = protocol
        self.startReading()
        protocol.makeConnection(self)

    def writeSomeData(self, data: bytes) -> int:
        """
        Take what there is room for.
        """
        taken = min(self.room, len(data))
        self.room -= taken
        self.sent += data[:taken]
        return taken

    def drain(self, room: int) -> None:
        """
        Make room, and run as a reactor would.
        """
        self.room = room
        while self.room and self in self.memoryReactor.getWriters():
            if self.doWrite() is not None:
                self.connectionLost(None)

    def isReading(self) -> bool:
        """
        Whether the reactor is to read.
        """
        return self in self.memoryReactor.getReaders()

    def buffered(self) -> int:
        """
        How many bytes wait.
        """
        return len(self.dataBuffer) - self.offset + self._tempDataLen


@implementer(IHalfCloseableProtocol)
class Client(Protocol):
    """
    A client that keeps what it gets.

    @ivar closed: Fires with the reason, an exception, when the connection is gone.
    """

    def __init__(self) -> None:
        self.received = bytearray()
        self.closed: Deferred[Any] = Deferred()
        self.half: Deferred[None] = Deferred()
        self._wanted: tuple[int, Deferred[bytes]] | None = None

    def dataReceived(self, data: bytes) -> None:
        """
        Keep it.
        """
        self.received += data
        self._look()

    def got(self, count: int) -> Deferred[bytes]:
        """
        Wait for that many bytes.
        """
        waiter: Deferred[bytes] = Deferred()
        self._wanted = (count, waiter)
        self._look()
        return waiter

    def drop(self) -> Deferred[Any] | None:
        """
        Close, whatever the server does; for the end of a test.
        """
        if self.closed.called:
            return None
        transport: Any = self.transport
        transport.abortConnection()
        return self.closed

    def _look(self) -> None:
        """
        Fire the waiter whose bytes are there.
        """
        if self._wanted is not None and len(self.received) >= self._wanted[0]:
            waiter, self._wanted = self._wanted[1], None
            waiter.callback(bytes(self.received))

    def readConnectionLost(self) -> None:
        """
        The server sent FIN.
        """
        self.half.callback(None)
        transport: Any = self.transport
        transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """
        We sent FIN.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        It is over.
        """
        self.closed.callback(reason.value)


class ListeningLog(SynchronousTestCase):
    """
    Keeps what listeners log.
    """

    def setUp(self) -> None:
        """
        Listen to the log.
        """
        self.logged: list[str] = []
        observe: Any = self.observe
        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)

    def observe(self, event: Any) -> None:
        """
        Keep a line.
        """
        if event["log_namespace"] == "ktcp.listening":
            self.logged.append(event["log_format"].format(**event))


def makePEM() -> bytes:
    """
    Make a private key and a certificate for C{localhost}, for these tests.
    """
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(datetime.datetime(2120, 1, 1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return certificate.public_bytes(pem) + key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def enterNamespace(test: SynchronousTestCase) -> None:
    """
    Give a test a network of its own: only a loopback, and counters from 0.

    @raise SkipTest: That takes root.
    """
    kernel("network namespaces")
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    test.addCleanup(os.close, home)
    unshareNetwork()
    test.addCleanup(enterNetwork, home)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        # SIOCSIFFLAGS (netdevice(7)) with IFF_UP and IFF_RUNNING.
        fcntl.ioctl(asking, 0x8914, struct.pack("16sH22x", b"lo", 0x41))


def runKtcp(test: SynchronousTestCase, *arguments: object) -> tuple[int, str, str]:
    """
    Run C{ktcp} in this process, with nothing on C{stdin}.

    @return: The exit status, and what it wrote to C{stdout} and C{stderr}.
    """
    streams = {"stdin": io.StringIO(), "stdout": io.StringIO(), "stderr": io.StringIO()}
    for name, stream in streams.items():
        test.patch(sys, name, stream)
    try:
        status = run([str(each) for each in arguments])
    except SystemExit as ended:
        # argparse's way to refuse, and to end --help.
        status = int(ended.code or 0)
    return status, streams["stdout"].getvalue(), streams["stderr"].getvalue()
