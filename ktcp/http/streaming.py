# -*- test-case-name: ktcp.test.test_http_streaming -*-
"""
Bodies of answers that are not there at once: their head has gone, and they
follow as the client takes them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from ktcp.http.accesslog import Recorder
from ktcp.http.flow import BodyConsumer, Gate, pour
from ktcp.http.rendering import Sender


class Stream:
    """
    The body of one answer, from a producer, an asynchronous iterable or bytes
    that have trailers to them.

    @ivar isOver: What is still written goes nowhere.
    """

    __slots__ = ("_gate", "_producer", "_record", "_sender", "_transport", "isOver")

    def __init__(self, sender: Sender, transport: Any, gate: Gate, record: Recorder | None) -> None:
        """
        @param sender: Frames it.
        @param gate: Shut while the client takes nothing.
        @param record: Is told how much has gone.
        """
        self._sender = sender
        self._transport = transport
        self._gate = gate
        self._record = record
        self._producer: Any = None
        self.isOver = False

    @property
    def isDelimited(self) -> bool:
        """
        Whether the client sees it if the body is cut short by closing.
        """
        return self._sender.delimited

    def begin(self, body: Any) -> Deferred[Any]:
        """
        Have the body written.

        @return: Fires when it has been, and fails if it cannot be.
        """
        if hasattr(body, "startProducing"):
            self._producer = body
            streaming: Deferred[Any] = body.startProducing(
                BodyConsumer(self.write, self._fileSender())
            )
            return streaming
        return Deferred.fromCoroutine(pour(body, self.write, self._gate))

    def write(self, data: bytes) -> None:
        """
        Send some of it.
        """
        if self.isOver:
            return
        sent = self._sender.data(data)
        if self._record is not None:
            self._record.sent(len(data))
        if sent:
            self._transport.writeSequence(sent)

    def _fileSender(self) -> Callable[[int, int, int], int] | None:
        """
        @return: What sends a part of a file past this process, if that may be.
        """
        # Asked of the class: TLS and other wrappers hand on the attributes of
        # the transport below, and the file would go out past them.
        able = hasattr(type(self._transport), "sendFile") and not self._sender.chunked
        return self._sendFile if able else None

    def _sendFile(self, descriptor: int, offset: int, count: int) -> int:
        if self.isOver:
            return 0
        sent: int = self._transport.sendFile(descriptor, offset, count)
        # The transport may have been lost in it.
        if sent and not self.isOver:
            self._sender.passed(sent)
            if self._record is not None:
                self._record.sent(sent)
        return sent

    def pause(self) -> None:
        """
        The client is slow.
        """
        if self._producer is not None:
            self._producer.pauseProducing()

    def resume(self) -> None:
        """
        The client has taken what was sent.
        """
        if self._producer is not None:
            self._producer.resumeProducing()

    def end(self) -> bool:
        """
        All of the body was written: send what comes behind it.

        @return: Whether the connection is to be closed.
        """
        self.isOver = True
        data, closes = self._sender.end()
        if self._record is not None:
            self._record.ended(True)
        if data:
            self._transport.write(data)
        return closes

    def failed(self) -> None:
        """
        The producer has given up, so it is told nothing more.
        """
        self._producer = None

    def stop(self) -> None:
        """
        The connection is lost.
        """
        self.isOver = True
        if self._producer is not None:
            producer, self._producer = self._producer, None
            producer.stopProducing()
