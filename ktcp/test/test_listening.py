"""
Tests for L{ktcp.listening}.
"""

from __future__ import annotations

import errno
import shlex
from typing import Any

from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IProtocolFactory, IStreamServerEndpoint
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ktcp.echo import EchoFactory
from ktcp.listening import Listener, describe, placeOf
from ktcp.refusal import Refusal
from ktcp.test.support import ListeningLog


@implementer(IStreamServerEndpoint)
class FakeEndpoint:
    """
    An endpoint that listens as a test says.
    """

    def __init__(self, result: Deferred[Any]) -> None:
        self.result = result

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """
        Listen, or not.
        """
        return self.result


class ListenerTests(ListeningLog, SynchronousTestCase):
    """
    Listeners that cannot.
    """

    def listener(self, result: Deferred[Any]) -> Listener:
        """
        A listener on a fake endpoint.
        """
        return Listener(
            "echo", "--echo x", FakeEndpoint(result), EchoFactory(), MemoryReactorClock()
        )

    def test_reasons(self) -> None:
        """
        Each reason is told with the address, and with what to do.
        """
        for error, line in (
            (
                CannotListenError("127.0.0.1", 80, OSError(errno.EADDRINUSE, "In use")),
                "127.0.0.1:80 is already in use; stop what listens there (ss -ltnp sport = :80) "
                "or choose another port, 0 for any free one",
            ),
            (
                CannotListenError("::1", 80, OSError(errno.EACCES, "Permission denied")),
                "cannot listen on [::1]:80: ports below 1024 need root or CAP_NET_BIND_SERVICE "
                "([Errno 13] Permission denied); choose another port, 0 for any free one",
            ),
            (
                CannotListenError("1.2.3.4", 80, OSError(errno.EADDRNOTAVAIL, "x")),
                "cannot listen on 1.2.3.4:80; no interface has this address (see ip address)",
            ),
            (
                CannotListenError(None, b"/a b", OSError(errno.EADDRINUSE, "x")),
                "/a b is already in use; stop what listens there (ss -lx src '/a b') "
                "or choose another path",
            ),
            (
                CannotListenError("", 80, OSError(errno.ENOBUFS, "No buffer space")),
                f"cannot listen on *:80 ([Errno {errno.ENOBUFS}] No buffer space)",
            ),
            (
                CannotListenError("fe80::1", 80, OSError(errno.EINVAL, "Invalid")),
                "cannot listen on [fe80::1]:80; give its interface too, as in fe80::1%eth0",
            ),
            (
                CannotListenError("::1", 80, OSError(errno.EAFNOSUPPORT, "Not supported")),
                f"cannot listen on [::1]:80 ([Errno {errno.EAFNOSUPPORT}] Not supported); this "
                "kernel has no such addresses; give others with --interface",
            ),
            (
                CannotListenError(None, b"/a", OSError("AF_UNIX path too long")),
                "cannot listen on /a (AF_UNIX path too long); choose another path",
            ),
            (
                OSError(errno.ENOENT, "No such file"),
                "cannot listen (No such file); make its folder first",
            ),
            (OverflowError("port must\nbe"), "cannot listen (OverflowError: port must be)"),
        ):
            listener = self.listener(fail(error))
            refusal = self.assertRaises(Refusal, listener.startService)
            self.assertEqual(refusal.code, f"ktcp: --echo x: {line}")

    def test_failsLater(self) -> None:
        """
        An endpoint that fails while the service runs is a line in the log.
        """
        result: Deferred[Any] = Deferred()
        listener = self.listener(result)
        listener.startService()
        result.errback(OSError(errno.ENOENT, "No such file"))
        self.assertEqual(
            self.logged, ["ktcp: --echo x: cannot listen (No such file); make its folder first"]
        )

    def test_stoppedBefore(self) -> None:
        """
        A service that stops before an endpoint listens waits for nothing.
        """
        listener = self.listener(Deferred())
        listener.startService()
        self.successResultOf(listener.stopService())
        self.assertEqual(self.logged, [])


class DescribeTests(SynchronousTestCase):
    """
    The line that says where a listener is.
    """

    def test_addresses(self) -> None:
        """
        Each kind of address, in fields that a shell would take apart.
        """
        for address, fields in (
            (IPv4Address("TCP", "127.0.0.1", 80), "transport=tcp address=127.0.0.1 port=80"),
            (IPv6Address("TCP", "fe80::1%lo", 80), "transport=tcp address=fe80::1%lo port=80"),
            (UNIXAddress("/run/x"), "transport=unix path=/run/x"),
            (UNIXAddress("/a b"), "transport=unix path='/a b'"),
            (UNIXAddress("\0x"), "transport=unix path=@x"),
            (HostnameAddress(b"x", 1), "transport=other address='HostnameAddress("),
        ):
            said = describe(placeOf(address))
            self.assertTrue(said.startswith(fields), said)
        self.assertEqual(shlex.split(describe(placeOf(UNIXAddress("/a b"))))[1], "path=/a b")
