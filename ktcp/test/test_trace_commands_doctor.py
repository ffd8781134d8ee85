"""
Tests for L{ktcp.trace.commands.doctor}.
"""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ktcp.test.peers import kernel
from ktcp.test.support import runKtcp
from ktcp.trace.commands import doctor
from ktcp.trace.commands.doctor import Finding
from ktcp.trace.errors import Unavailable
from ktcp.trace.kernel.tracefs import TraceFS


class CommandTests(SynchronousTestCase):
    """
    What C{ktcp doctor} says.
    """

    def probes(self, *names: str) -> None:
        """
        Let there be only these probes, named for what they find.
        """

        def missing() -> Finding:
            raise Unavailable("a moon", "ktcp tide", "go to Earth")

        known = {
            "ok": lambda: Finding("all there"),
            "low": lambda: Finding("2", "more is better; add 1"),
            "missing": missing,
        }
        self.patch(doctor, "PROBES", {name: known[name] for name in names})

    def test_lines(self) -> None:
        """
        A line for each need: its state, its name, why, and how to get it.
        """
        self.probes("ok", "low", "missing")
        status, output, _ = runKtcp(self, "doctor")
        self.assertEqual(status, 77)
        self.assertEqual(
            [line.split(maxsplit=2) for line in output.splitlines()],
            [
                ["ok", "ok", "all there"],
                ["low", "low", "2; more is better; add 1"],
                ["missing", "missing", "a moon is missing, for ktcp tide; go to Earth"],
            ],
        )

    def test_json(self) -> None:
        """
        The same for programs.
        """
        self.probes("missing")
        status, output, _ = runKtcp(self, "doctor", "--json")
        self.assertEqual(status, 77)
        self.assertEqual(
            json.loads(output),
            [
                {
                    "name": "missing",
                    "state": "missing",
                    "why": "a moon is missing, for ktcp tide",
                    "remedy": "go to Earth",
                }
            ],
        )

    def test_low(self) -> None:
        """
        What is there, if little, is no failure.
        """
        self.probes("ok", "low")
        self.assertEqual(runKtcp(self, "doctor")[0], 0)

    def test_here(self) -> None:
        """
        Whatever this machine has, each need is told, and nothing is raised.
        """
        needs = doctor.examine()
        self.assertEqual([need.name for need in needs], list(doctor.PROBES))
        for need in needs:
            self.assertIn(need.state, ("ok", "low", "missing"))
            self.assertEqual(need.state == "ok", not need.remedy)


class TracefsTests(SynchronousTestCase):
    """
    What is in a tracefs.
    """

    def mount(self, *events: str) -> None:
        """
        Something that looks like it.
        """
        place = Path(self.mktemp())
        (place / "instances").mkdir(parents=True)
        for event in events:
            (place / "events" / event).mkdir(parents=True)
        self.patch(doctor, "TraceFS", lambda: TraceFS(str(place)))

    def test_tracepoints(self) -> None:
        """
        A kernel without some events is told of by name; without all, it is missing.
        """
        names = [each.name for each in doctor.TRACEPOINTS]
        self.mount(*names)
        self.assertEqual(doctor.probeTracepoints(), Finding(f"{len(names)} of {len(names)}"))
        self.mount(*names[1:])
        first = names[0].replace("/", ":")
        self.assertIn(f"lacks {first}:", doctor.probeTracepoints().advice)
        self.mount()
        self.assertRaises(Unavailable, doctor.probeTracepoints)


class LimitTests(SynchronousTestCase):
    """
    Numbers that may be too low.
    """

    def test_sysctl(self) -> None:
        """
        A low one says what that costs, and what raises it.
        """
        place = Path(self.mktemp())
        (place / "core").mkdir(parents=True)
        self.patch(doctor, "SYSCTLS", place)
        probe = doctor.sysctlProbe("core/somaxconn", 4096, "why")
        (place / "core/somaxconn").write_text("128\n")
        self.assertEqual(
            probe(),
            Finding("net.core.somaxconn = 128", "why; as root, sysctl -w net.core.somaxconn=4096"),
        )
        (place / "core/somaxconn").write_text("4096\n")
        self.assertEqual(probe().advice, "")
        (place / "core/somaxconn").unlink()
        self.assertRaises(Unavailable, probe)

    def test_files(self) -> None:
        """
        Few files are few connections.
        """
        for soft, low in ((1024, True), (65536, False), (resource.RLIM_INFINITY, False)):
            self.patch(resource, "getrlimit", lambda number, soft=soft: (soft, soft))
            self.assertEqual(bool(doctor.probeFiles().advice), low)


class ProbeTests(SynchronousTestCase):
    """
    Probes of the kernel leave nothing behind.
    """

    def test_namespace(self) -> None:
        """
        Asking for a network namespace does not move us into one.
        """
        kernel("network namespaces")
        before = os.readlink("/proc/thread-self/ns/net")
        doctor.probeNamespace()
        self.assertEqual(os.readlink("/proc/thread-self/ns/net"), before)

    def test_destroy(self) -> None:
        """
        Asking for the right to end sockets does it, on one of our own.
        """
        kernel("inet_diag destroy")
        self.assertEqual(doctor.probeDestroy(), Finding("ends sockets"))
