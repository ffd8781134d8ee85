"""
Tests for L{ktcp.load.process.channel}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from ktcp.load.job import Job, Share
from ktcp.load.process.channel import START, Channel, Done, Messages, Ready, framed
from ktcp.load.result import Plan
from ktcp.load.targets import targetOfAddress

SHARE = Share(Job("echo", targetOfAddress("127.0.0.1:7"), Plan()), 1, 2)


class MessagesTests(SynchronousTestCase):
    """
    Tests for L{Messages}.
    """

    def test_inPieces(self) -> None:
        """
        Messages are whole, however the pipe has cut them.
        """
        said = [Ready(), Done(1.5, False), SHARE]
        data = b"".join(map(framed, said))
        for size in (1, 7, len(data)):
            messages = Messages()
            pieces = [data[at : at + size] for at in range(0, len(data), size)]
            self.assertEqual([each for piece in pieces for each in messages.feed(piece)], said)


class ChannelTests(SynchronousTestCase):
    """
    Tests for L{Channel}.
    """

    def setUp(self) -> None:
        """
        Be the parent of a process that is not there.
        """
        inward, self.tell = os.pipe()
        self.hear, outward = os.pipe()
        for descriptor in (inward, self.hear, outward):
            self.addCleanup(os.close, descriptor)
        self.channel = Channel(inward, outward)

    def test_talk(self) -> None:
        """
        A process reads its share, says something, and reads when to start.
        """
        os.write(self.tell, framed(SHARE))
        self.assertEqual(self.channel.share(), SHARE)
        self.channel.say(Ready())
        self.assertEqual(list(Messages().feed(os.read(self.hear, 4096))), [Ready()])
        os.write(self.tell, START.pack(2**40))
        self.assertEqual(self.channel.start(), 2**40)
        os.close(self.tell)
        self.assertIsNone(self.channel.start())

    def test_parentIsGone(self) -> None:
        """
        A parent that ends while it says what to do leaves nobody waiting.
        """
        os.write(self.tell, framed(SHARE)[:-1])
        os.close(self.tell)
        self.assertRaises(EOFError, self.channel.share)
