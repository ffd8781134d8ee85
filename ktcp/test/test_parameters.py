"""
Tests for L{ktcp.parameters}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from ktcp.parameters import (
    backlog,
    directory,
    fileName,
    headerValue,
    integerBetween,
    interface,
    oneOf,
    port,
    workers,
)


class CheckTests(SynchronousTestCase):
    """
    From text to a value, or a sentence that says what it must be.
    """

    def test_integer(self) -> None:
        """
        Both ends of the range are in it.
        """
        check = integerBetween(3, 5)
        self.assertEqual([check(text) for text in ("3", "4", "05")], [3, 4, 5])

    def test_notAnInteger(self) -> None:
        """
        What Python takes for a number, and an operator does not, is refused.
        """
        check = integerBetween(0, 10**9)
        for text in (
            "",
            " 1",
            "1_0",
            "+1",
            "-1",
            "1.0",
            "0x1",
            "\u0663",
            "\u00b2",
            "1" * 5000,
            "1\n",
        ):
            error = self.assertRaises(ValueError, check, text)
            self.assertEqual(str(error), "a whole number from 0 to 1000000000")

    def test_ranges(self) -> None:
        """
        Ports and backlogs go from what the kernel takes to what it takes.
        """
        self.assertEqual((port("0"), port("65535")), (0, 65535))
        self.assertRaises(ValueError, port, "65536")
        self.assertEqual(backlog("2147483647"), 2**31 - 1)
        self.assertRaises(ValueError, backlog, "2147483648")

    def test_oneOf(self) -> None:
        """
        A word is one of those there are, in the same case.
        """
        check = oneOf("one", "two")
        self.assertEqual([check("one"), check("two")], ["one", "two"])
        for text in ("", "One", "three", "one "):
            error = self.assertRaises(ValueError, check, text)
            self.assertEqual(str(error), "one or two")

    def test_fileName(self) -> None:
        """
        A name leads to no other directory.
        """
        self.assertEqual(fileName("index.htm"), "index.htm")
        for text in ("", ".", "..", "a/b", "/a", "a\0"):
            error = self.assertRaises(ValueError, fileName, text)
            self.assertEqual(str(error), "the name of a file, with no slash")

    def test_headerValue(self) -> None:
        """
        A value of a header cannot end it, and is read as it was written.
        """
        self.assertEqual(headerValue("my server/1.0 (x)"), "my server/1.0 (x)")
        for text in ("", " ", " a", "a ", "a\r\nb: c", "a\tb", "a\0", "\xe9", "\u0435"):
            self.assertRaises(ValueError, headerValue, text)

    def test_workers(self) -> None:
        """
        A number of processes, or as many as there are processors to run on.
        """
        self.assertEqual((workers("1"), workers("1024")), (1, 1024))
        self.patch(os, "sched_getaffinity", lambda pid: {3, 5, 8})
        self.assertEqual(workers("auto"), 3)
        for text in ("0", "1025", "AUTO", "", "-1"):
            error = self.assertRaises(ValueError, workers, text)
            self.assertEqual(str(error), "auto or a whole number from 1 to 1024")

    def test_directory(self) -> None:
        """
        A directory is one that is there, and keeps its place when twistd moves.
        """
        self.assertEqual(directory("/"), "/")
        self.assertEqual(directory("."), os.getcwd())
        for text in ("", "/no/such/place", __file__):
            error = self.assertRaises(ValueError, directory, text)
            self.assertEqual(str(error), "a directory that can be read")

    def test_interface(self) -> None:
        """
        An interface is an address of either kind, never a name.
        """
        for text in ("127.0.0.1", "0.0.0.0", "::", "::1", "fe80::1%eth0"):
            self.assertEqual(interface(text), text)
        for text in ("", "localhost", "eth0", "127.0.0.1:80", "[::1]", "256.0.0.1", "127.1"):
            error = self.assertRaises(ValueError, interface, text)
            self.assertIn("an IPv4 or IPv6 address", str(error))
