"""
Tests for L{ktcp.logs}.
"""

from __future__ import annotations

import io
import json
from typing import Any

from twisted.logger import FileLogObserver, Logger
from twisted.python.failure import Failure
from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ktcp.logs import formatJSON, observing
from ktcp.test.support import BIN, spawn


class FormatTests(SynchronousTestCase):
    """
    One event, one line.
    """

    def line(self, call: str, *arguments: Any, **fields: Any) -> dict[str, Any]:
        """
        Log, and read the line.
        """
        file = io.StringIO()
        logger = Logger("a.b", observer=FileLogObserver(file, formatJSON))
        getattr(logger, call)(*arguments, **fields)
        [line] = file.getvalue().splitlines()
        read: dict[str, Any] = json.loads(line)
        return read

    def test_fields(self) -> None:
        """
        What was said, and the fields apart.
        """
        line = self.line(
            "warn", "{count} left\nof {log_many} {what!r}", count=3, log_many=9, what=[]
        )
        self.assertRegex(line.pop("time"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        text = "3 left\nof 9 []"
        self.assertEqual(line, {"level": "warn", "from": "a.b", "text": text, "count": 3})

    def test_fieldsOverwriteNothing(self) -> None:
        """
        A field called as one of ours does not stand in its place.
        """
        line = self.line("info", "said", text="other", time=1)
        self.assertEqual((line["text"], line["level"]), ("said", "info"))
        self.assertIsInstance(line["time"], str)

    def test_traceback(self) -> None:
        """
        A failure's traceback is a field, with its newlines within the line.
        """
        line = self.line("failure", "it broke", Failure(ValueError("why")))
        self.assertEqual((line["level"], line["text"]), ("critical", "it broke"))
        self.assertIn("ValueError: why\n", line["traceback"])

    def test_nothing(self) -> None:
        """
        An event without a text is no line.
        """
        self.assertIsNone(formatJSON({"log_time": 0.0, "log_format": ""}))


class ServiceTests(TestCase):
    """
    twistd's log.
    """

    timeout = 60

    async def test_json(self) -> None:
        """
        Every line is an object, and where ktcp listens is in fields.
        """
        command = [BIN / "twistd", "-n", "--pidfile=", "ktcp", "--port=0", "--no-echo"]
        child = spawn(self, [*command, "--log-format=json", "--workers=1"])
        await child.said("listening")
        child.signal("TERM")
        self.assertEqual(await child.ended, 0)
        events = [json.loads(line) for line in child.output[1].decode().splitlines()]
        [listening] = [event for event in events if "listening" in event["text"]]
        self.assertEqual((listening["protocol"], listening["transport"]), ("http", "tcp"))
        self.assertIsInstance(listening["port"], int)

    def test_file(self) -> None:
        """
        It goes where twistd's log goes.
        """
        path = self.mktemp()
        observer = namedAny(observing({"logfile": path, "nodaemon": False}))()
        Logger(observer=observer).info("said")
        with open(path) as file:
            self.assertEqual(json.load(file)["text"], "said")
