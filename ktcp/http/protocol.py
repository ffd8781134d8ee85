# -*- test-case-name: ktcp.test.test_http_protocol -*-
"""
HTTP over a Twisted transport: who may speak when, and how a connection ends.

A connection is in one L{State} at a time; requests are taken one by one, so
answers leave in the order of their requests (RFC 9112, 9.3.2), and those to
pipelined requests in one write.

How a connection leaves the happy path:

  - bytes that are no request: the answer h11 or the door names, then a
    lingering close;
  - a handler that fails: logged once, 500, and the connection lives on; when
    the head has gone already, the connection is cut;
  - a body nobody read: a little is discarded to keep the connection, beyond
    that it is closed;
  - the client closes its side: what it has asked is answered as long as the
    handlers answer at once.  One that still thinks is cancelled, for a FIN is
    all one sees of a client that has left (nginx's 499, node.js and uvicorn
    do so too);
  - a deadline passes: see C{_deadline}, which has them all;
  - the client is gone: the handler's Deferred or coroutine is cancelled.
"""

# Longer than other modules: what is left here is one machine.  Its states, its two
# directions, its deadlines and its end read and set the same ten attributes, and each
# object put between them costs calls that the hot path (bench/micro/http_path.py) has
# no room for.  What stands alone is elsewhere: framing, bodies, deadlines' wheel, tally.

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ktcp.endpoint.buffers import BUFFERS, unsent
from ktcp.http.accesslog import Recorder
from ktcp.http.connection import HTTPConnection
from ktcp.http.errorpages import errorResponse
from ktcp.http.errors import BadRequest, BodyTooLarge, HTTPError
from ktcp.http.flow import Gate, RequestBody
from ktcp.http.message import Request, RequestHead, Response, Standing, requestsOf
from ktcp.http.rendering import CONTINUE
from ktcp.http.streaming import Stream
from ktcp.interfaces import IDescribed, IDrainable

if TYPE_CHECKING:
    from ktcp.http.factory import HTTPFactory

Handler = Callable[[Request], Response | Awaitable[Response]]


class State(Enum):
    """
    Where a connection stands.
    """

    IDLE = "between requests, or in the middle of a head"
    HANDLING = "the handler owes an answer"
    STREAMING = "the head of the answer has gone, its body is on its way"
    DISCARDING = "answered; the rest of the request's body is dropped"
    LINGERING = "answered and half-closed; what still comes is dropped"
    CLOSED = "no more to be sent or received"


# Looked up on each request: a member of an Enum costs two look-ups more.
_IDLE = State.IDLE
_HANDLING = State.HANDLING
_DISCARDING = State.DISCARDING
_LINGERING = State.LINGERING
_CLOSED = State.CLOSED


# Seconds for which a connection has been idle when it is closed in a drain.
DRAIN_IDLE = 1.0


class BodyAbandoned(Exception):
    """
    The body was asked for after its request had been answered.
    """


@implementer(IHalfCloseableProtocol, IPushProducer, IDescribed, IDrainable)
class HTTPProtocol(Protocol):
    """
    One HTTP connection.  To its transport it is the producer of what is sent.

    @ivar factory: What all connections share.
    """

    # CPython shares the keys of instances' dicts up to 30 of them; with more, each
    # connection would have a dict of its own, some 1.5 KiB (bench/macro, memory).
    __slots__ = (
        "_advancing",
        "_ahead",
        "_batch",
        "_body",
        "_came",
        "_connection",
        "_count",
        "_draining",
        "_gate",
        "_handler",
        "_head",
        "_headSince",
        "_left",
        "_limits",
        "_mustContinue",
        "_noBody",
        "_peer",
        "_pending",
        "_reading",
        "_record",
        "_renderer",
        "_request",
        "_room",
        "_shutSince",
        "_since",
        "_state",
        "_stood",
        "_stoodHead",
        "_stream",
        "_taken",
        "_tally",
        "_unsent",
        "_wanted",
        "_wheel",
    )

    _log = Logger()
    # Any: what a stream transport is, no one interface of Twisted says.
    transport: Any

    def __init__(self, factory: HTTPFactory) -> None:
        # For all connections.
        self.factory = factory
        self._handler = factory.handler
        self._limits = factory.limits
        self._renderer = factory.renderer
        self._noBody = factory.noBody
        self._tally = factory.tally
        self._count = None if factory.counters is None else factory.counters.count
        # For this connection.
        self._request: type[Request] = Request
        self._connection = HTTPConnection(factory.door)
        self._peer: IAddress | None = None
        self._state = State.IDLE
        self._advancing = False
        self._batch: list[bytes] = []
        self._room = factory.limits.batch
        self._gate = Gate()
        self._reading = True
        self._left = factory.limits.requests
        # When what C{_state} says began, when the head that is coming did, and
        # when the gate was shut, as the wheel tells the time.
        self._wheel = factory.wheel
        self._since = 0
        self._draining = False
        self._headSince: int | None = None
        self._shutSince = 0
        # What the client had not taken when that was last looked at; L{None}: it
        # was not since then.
        self._unsent: int | None = None
        self._record: Recorder | None = None
        if factory.accessLog is not None:
            self._record = factory.accessLog.recorder()
            if self._record.isTimed:
                self._handler = self._record.timing(factory.handler)
        # The last head whose answer stands, and that.
        self._stoodHead: RequestHead | None = None
        self._stood: Standing | None = None
        # For this request.
        self._head: RequestHead | None = None
        self._body: RequestBody | None = None
        self._mustContinue = False
        self._wanted: Deferred[bytes] | None = None
        self._pending: Deferred[Any] | None = None
        self._stream: Stream | None = None
        self._taken = 0
        # See L{Tally.waits}.
        self._came = 0.0
        # What is read ahead, as BUFFERS knows it.
        self._ahead = 0

    # What the transport tells.

    def connectionMade(self) -> None:
        """
        Be told when the client does not take what is sent.
        """
        # What Twisted's TLS and ktcp's have, and no other transport.
        isSecure = hasattr(self.transport, "getPeerCertificate")
        forwarding = self.factory.forwarding
        if forwarding is not None:
            host = getattr(self.transport.getPeer(), "host", None)
            # Whoever may write to a UNIX socket's file is trusted.
            if host is not None and host not in forwarding.trusted:
                forwarding = None
        if self._record is not None:
            self._record.forwarding = forwarding
        if isSecure or forwarding is not None:
            identity = getattr(self.transport, "peerIdentity", None)
            self._request = requestsOf(identity, isSecure, forwarding)
        self.transport.registerProducer(self, True)
        self._headSince = self._wheel.now
        self._wheel.watch(self)

    def dataReceived(self, data: bytes) -> None:
        """
        Go on with what came.
        """
        state = self._state
        if state is _IDLE and self._gate.isOpen:
            head = self._connection.known(data)
            if head is not None:
                # What L{_advance} would do, less what it does in case of more.
                self._headSince = None
                date = self._renderer.date()
                stood = self._stood
                if stood is not None and head is self._stoodHead and self._left > 1:
                    answer = stood.again(date)
                    if answer is not None:
                        self._left -= 1
                        if self._record is not None:
                            self._record.again(head, self._peer, stood, date)
                        if self._count is not None:
                            self._count(head.row + stood.head.column)
                        self._since = self._wheel.now
                        self.transport.write(answer)
                        return
                answer = self._handleAtOnce(head, date)
                if answer is not None:
                    self.transport.write(answer)
                    if self._state is _CLOSED:
                        self._finish()
                return
        if state is _LINGERING or state is _CLOSED:
            return
        self._connection.receive(data)
        if state is _IDLE or self._wanted is not None or state is _DISCARDING:
            self._advance()
        if self._connection.waiting:
            self._adjustReading()
            self._measureAhead()

    def readConnectionLost(self) -> None:
        """
        The client sent FIN.
        """
        self._connection.receive(b"")
        if self._state is State.LINGERING:
            self._state = State.CLOSED
            self.transport.loseConnection()
            return
        self._advance()
        if self._state is State.HANDLING and self._pending is not None:
            # Nobody else will tell that this client has left.
            self._leave()

    def writeConnectionLost(self) -> None:
        """
        Our FIN has gone, while lingering.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Tell those who work for this connection.
        """
        if self._state is _HANDLING:
            self._tally.unanswered(self._head)
        self._state = State.CLOSED
        if self._record is not None:
            self._record.ended(False)
        self._batch.clear()
        if self._ahead:
            BUFFERS.add(self.transport, -self._ahead)
            self._ahead = 0
        self._wheel.forget(self)
        if self._stream is not None:
            stream, self._stream = self._stream, None
            stream.stop()
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.cancel()

    def pauseProducing(self) -> None:
        """
        The client is slow: answer nothing more, and take nothing more.
        """
        self._gate.shut()
        self._shutSince = self._wheel.now
        self._unsent = None
        self._wheel.watch(self)
        if self._stream is not None:
            self._stream.pause()
        self._adjustReading()

    def resumeProducing(self) -> None:
        """
        The client has taken what was sent.
        """
        self._gate.open()
        self._since = self._wheel.now
        if self._stream is not None:
            self._stream.resume()
        self._advance()
        self._adjustReading()

    def stopProducing(self) -> None:
        """
        The transport is about to tell L{connectionLost}.
        """

    def drain(self) -> None:
        """
        See L{IDrainable}.  A connection is idle if it has been of no use for a
        second: on one that has just been, a request may be on its way.
        """
        if self._state is State.LINGERING or self._state is State.CLOSED:
            return
        self._draining = True
        if self._state is State.DISCARDING:
            self._linger()
            return
        if self._state is not State.IDLE:
            # What has been asked for is answered with C{Connection: close},
            # unless that head has gone.
            if self._head is not None:
                self._head = self._head.closing()
            return
        self._left = 1
        due = self.due()
        if due is not None and due <= self._wheel.now and not self._connection.waiting:
            self._close()
        else:
            self._wheel.watch(self)

    # Requests, one by one.

    def _advance(self) -> None:
        """
        Do all that can be done with what has come.  Handlers may re-enter by
        answering at once; the outermost call does the work.
        """
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._step():
                pass
        except BadRequest as error:
            self._refuse(error)
        finally:
            self._advancing = False
            if self._batch:
                self._flush()
            if self._ahead:
                self._measureAhead()

    def _step(self) -> bool:
        """
        @return: Whether there may be more to do.
        """
        if self._state is _IDLE:
            return self._gate.isOpen and self._serve()
        if self._state is _DISCARDING:
            return self._discard()
        return self._wanted is not None and self._deliver(self._wanted)

    def _serve(self) -> bool:
        """
        Hand requests to the handler, one after the other for as long as it
        answers at once, with bytes, and they have no body.

        @return: Whether there may be more to do.
        """
        nextRequest = self._connection.nextRequest
        handleAtOnce = self._handleAtOnce
        date = self._renderer.date()
        while True:
            head = nextRequest()
            if head is None:
                if self._connection.ended:
                    self._close()
                elif self._headSince is None and self._connection.waiting:
                    self._headSince = self._wheel.now
                    self._wheel.watch(self)
                return False
            self._headSince = None
            if head.framing.hasBody:
                return self._handle(head)
            answer = handleAtOnce(head, date)
            if answer is None:
                return True
            self._batch.append(answer)
            if self._state is _CLOSED:
                self._finish()
                return False
            self._room -= len(answer)
            if self._room < 0:
                self._flush()
                return True

    def _handleAtOnce(self, head: RequestHead, date: bytes) -> bytes | None:
        """
        Hand over a request that has no body.  This is where the time of a busy
        server goes (bench/micro/http_path.py), so the way of a request that is
        answered at once, with bytes, is written out; others go on in L{_await}.

        @return: The answer, to be sent by the caller, who then closes if the
            state is C{CLOSED}; or L{None}: it will come, or has been sent.
        """
        self._left -= 1
        if not self._left:
            head = head.closing()
        self._head = head
        self._state = _HANDLING
        peer = self._peer
        if peer is None:
            self._peer = peer = self.transport.getPeer()
        try:
            response = self._handler(self._request(head, peer, self._noBody))
            if (
                response.__class__ is not Response
                or response.body.__class__ is not bytes
                or response.trailers is not None
            ):
                if response.__class__ is not Standing:
                    self._await(response)
                    return None
                answer, closes = self._stand(head, response, date)
            else:
                answer, closes = self._renderer.whole(head, response, date)
        except Exception:
            self._handlerFailed(Failure())
            return None
        if self._state is not _HANDLING:
            return None  # The handler has ended the connection.
        if self._record is not None:
            self._record.answered(head, peer, response, date)
        if self._count is not None:
            self._count(head.row + response.head.column)
        self._state = _CLOSED if closes else _IDLE
        self._since = self._wheel.now
        return answer

    def _stand(self, head: RequestHead, response: Standing, date: bytes) -> tuple[bytes, bool]:
        """
        Render an answer that stands, unless another connection has done so.
        """
        if not head.framing.keepAlive:
            return self._renderer.whole(head, response, date)
        answer, closes = response.again(date), False
        if answer is None:
            answer, closes = self._renderer.whole(head, response, date)
            if closes:
                return answer, True
            response.keep(answer, date)
        self._stoodHead, self._stood = head, response
        return answer, False

    def _handle(self, head: RequestHead) -> bool:
        """
        Hand over a request that has a body.
        """
        framing = head.framing
        self._left -= 1
        self._head = head if self._left else head.closing()
        self._body = RequestBody(self, framing.length, self._limits.body)
        self._mustContinue = framing.expectsContinue
        self._taken = 0
        self._since = self._wheel.now
        self._state = _HANDLING
        if self._peer is None:
            self._peer = self.transport.getPeer()
        try:
            self._await(self._handler(self._request(self._head, self._peer, self._body)))
        except Exception:
            self._handlerFailed(Failure())
        return True

    def _await(self, answer: Any) -> None:
        if self._record is not None:
            self._record.waits(self._head, self._peer)
        self._came = self._tally.waits()
        if isinstance(answer, Response):
            self._answer(answer)
            return
        if not isinstance(answer, Deferred):
            if not hasattr(answer, "__await__"):
                raise TypeError(f"a handler gave {answer!r}, not a Response")
            answer = Deferred.fromCoroutine(answer)
        self._pending = answer
        self._since = self._wheel.now
        answer.addCallback(self._answerLater)
        answer.addErrback(self._handlerFailed)
        if self._pending is answer:
            self._wheel.watch(self)

    def _answerLater(self, response: object) -> None:
        if self._state is not State.HANDLING:
            return
        self._pending = None
        self._tally.handled(self._came)
        if not isinstance(response, Response):
            raise TypeError(f"a handler gave {response!r}, not a Response")
        self._answer(response)
        self._advance()
        self._adjustReading()

    def _handlerFailed(self, failure: Failure) -> None:
        """
        Answer for a handler that could not.
        """
        self._pending = None
        left = self._state is not State.HANDLING
        if left and failure.check(CancelledError, BadRequest):
            return
        error = failure.value
        if not isinstance(error, HTTPError):
            error = HTTPError(500)
            self._log.failure("a handler failed for {request}", failure, request=self._requested())
        if left:
            return
        self._tally.handled(self._came)
        if isinstance(error, BadRequest):
            self._refuse(error)
            return
        if isinstance(error, BodyTooLarge):
            self._tally.limited("body")
        assert self._head is not None
        self._answer(errorResponse(error, self._head.headers.get(b"accept")))
        self._advance()
        self._adjustReading()

    def _requested(self) -> str:
        assert self._head is not None
        return ascii(b"%b %b" % (self._head.method, self._head.target))[2:-1]

    # Answers.

    def _answer(self, response: Response) -> None:
        head = self._head if self._body is None else self._lastOrNot(self._body)
        assert head is not None
        if response.body.__class__ is not bytes or response.trailers is not None:
            self._begin(head, response)
            return
        try:
            data, closes = self._renderer.whole(head, response)
        except Exception:
            self._handlerFailed(Failure())
            return
        if self._record is not None:
            self._record.answered(head, self._peer, response, self._renderer.date())
        self._tally.answered(head, response.status)
        self._write(data)
        self._tally.complete(self._came)
        self._came = 0.0
        self._answered(closes)

    def _lastOrNot(self, body: RequestBody) -> RequestHead | None:
        """
        @return: The head to answer to: where the connection cannot go on
            because of what is unread of the body, one that asks to close, so
            that the answer says so.
        """
        head = self._head
        tooMuch = body.length is not None and body.length > self._limits.drain
        if head is None or not (self._connection.inBody and (self._mustContinue or tooMuch)):
            return head
        return head.closing()

    def _write(self, data: bytes) -> None:
        if not self._advancing:
            self.transport.write(data)
            return
        self._batch.append(data)
        self._room -= len(data)
        if self._room < 0:
            self._flush()

    def _flush(self) -> None:
        batch = self._batch
        data = batch[0] if len(batch) == 1 else b"".join(batch)
        batch.clear()
        self._room = self._limits.batch
        self.transport.write(data)

    def _answered(self, closes: bool) -> None:
        """
        The answer is complete; what becomes of the connection?
        """
        self._since = self._wheel.now
        if self._body is None:
            if closes:
                self._finish()
            else:
                self._state = _IDLE
            return
        self._body = None
        if self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            wanted.errback(BodyAbandoned())
        if not self._connection.inBody:
            if closes:
                self._finish()
            else:
                self._state = State.IDLE
        elif closes:
            self._linger()
        else:
            self._state = State.DISCARDING
            self._taken = 0
            self._wheel.watch(self)

    def _refuse(self, error: HTTPError) -> None:
        """
        Answer to what cannot be understood, once, and end the connection.
        """
        if self._state is State.STREAMING or self._state is State.DISCARDING:
            # The answer has gone already; there is none to a second fault.
            self._cut()
            return
        # While the handler owes an answer, this is it: to a request that was
        # read, at least its head.
        head = self._head if self._state is State.HANDLING else None
        self._body = None
        answer = self._renderer.error(error, head)
        if self._record is not None:
            sent = len(answer.partition(b"\r\n\r\n")[2])
            self._record.refused(head, self.transport.getPeer(), error.status, sent)
        self._tally.refused(error, head)
        self._write(answer)
        self._tally.complete(self._came)
        self._came = 0.0
        self._linger()

    # Bodies of answers.

    def _begin(self, head: RequestHead, response: Response) -> None:
        try:
            data, sender = self._renderer.begin(head, response)
        except Exception:
            self._handlerFailed(Failure())
            return
        self._stream = stream = Stream(sender, self.transport, self._gate, self._record)
        self._state = State.STREAMING
        if self._record is not None:
            self._record.begun(response)
        self._tally.answered(head, response.status)
        self._write(data)
        if self._batch:
            # What follows is written at once, so nothing may wait before it.
            self._flush()
        body = response.body
        if head.method == b"HEAD":
            self._streamed(None)
            return
        if isinstance(body, bytes):
            stream.write(body)
            self._streamed(None)
            return
        try:
            streaming = stream.begin(body)
        except Exception:
            self._streamFailed(Failure())
            return
        if self._state is State.STREAMING:
            self._pending = streaming
        streaming.addCallback(self._streamed)
        streaming.addErrback(self._streamFailed)

    def _streamed(self, result: object) -> None:
        if self._state is not State.STREAMING:
            return
        assert self._stream is not None
        stream, self._stream = self._stream, None
        self._pending = None
        closes = stream.end() or self._draining
        self._tally.complete(self._came)
        self._came = 0.0
        self._answered(closes)
        self._advance()
        self._adjustReading()

    def _streamFailed(self, failure: Failure) -> None:
        """
        The head has gone, so only the end of the connection can tell.
        """
        self._pending = None
        if self._stream is not None:
            self._stream.failed()
        left = self._state is not State.STREAMING
        if not (left and failure.check(CancelledError)):
            self._log.failure("the body failed for {request}", failure, request=self._requested())
        if not left:
            self._cut()

    def _cut(self) -> None:
        # A body that has a length or is chunked is seen to be cut short; one
        # that is ended by closing must not end that way, so it is reset.
        if self._stream is None or self._stream.isDelimited:
            self._close()
        else:
            self._abort()

    # Bodies of requests.

    def availableChunk(self, body: RequestBody) -> bytes | None:
        """
        The handler wants to read.  See L{ktcp.http.flow.BodySource}.

        @raise BadRequest: The body is broken, or was cut short.
        @raise BodyAbandoned: The request has been answered.
        """
        if body is not self._body:
            raise BodyAbandoned()
        if self._wanted is not None:
            raise RuntimeError("the body is being read already")
        if self._mustContinue:
            self._mustContinue = False
            if self._state is _HANDLING:
                self._write(CONTINUE)
                if self._batch:
                    self._flush()
        chunk = self._connection.nextBody()
        if chunk:
            self._taken += len(chunk)
        elif chunk is not None:
            # From here on it is the handler who takes time.
            self._since = self._wheel.now
            body.finish(self._connection.trailers)
        return chunk

    def holding(self, count: int) -> None:
        """
        Some of the body is held.  See L{ktcp.http.flow.BodySource}.
        """
        BUFFERS.add(self.transport, count)

    def nextChunk(self, body: RequestBody) -> Deferred[bytes]:
        """
        The handler wants to read, and nothing has come.  See
        L{ktcp.http.flow.BodySource}.
        """
        wanted: Deferred[bytes] = Deferred(self._unwanted)
        self._wanted = wanted
        self._wheel.watch(self)
        self._adjustReading()
        return wanted

    def _unwanted(self, wanted: Deferred[bytes]) -> None:
        self._wanted = None

    def _deliver(self, wanted: Deferred[bytes]) -> bool:
        """
        @return: Whether there was something to deliver.
        """
        assert self._body is not None
        self._wanted = None
        try:
            chunk = self.availableChunk(self._body)
        except BadRequest:
            wanted.errback(Failure())
            return True
        if chunk is None:
            self._wanted = wanted
            return False
        wanted.callback(chunk)
        return True

    def _discard(self) -> bool:
        """
        Drop some of a body that nobody will read.

        @return: Whether there is reason to go on.
        """
        chunk = self._connection.nextBody()
        if chunk is None:
            return False
        if not chunk:
            self._state = State.IDLE
            return True
        self._taken += len(chunk)
        if self._taken > self._limits.drain:
            self._tally.limited("drain")
            self._linger()
            return False
        return True

    def _adjustReading(self) -> None:
        """
        Take bytes from the client only while there is somewhere to put them.
        """
        # What waits while nothing is answered is a part of something, within a
        # bound of its own that may be beyond readAhead's.
        reading = self._gate.isOpen and (
            self._wanted is not None
            or self._state is State.IDLE
            or self._state is State.DISCARDING
            or self._connection.waiting < self._limits.readAhead
        )
        if self._state is State.LINGERING:
            reading = True
        if reading is not self._reading and self._state is not State.CLOSED:
            self._reading = reading
            if reading:
                self.transport.resumeProducing()
            else:
                self.transport.pauseProducing()

    def _measureAhead(self) -> None:
        """
        Have what is read ahead added up, when there is some or there was.
        """
        if self._state is not _CLOSED:
            waiting = self._connection.waiting
            change = waiting - self._ahead
            if change:
                self._ahead = waiting
                BUFFERS.add(self.transport, change)

    # The end.

    def _close(self) -> None:
        """
        Send what was written, then close.
        """
        self._state = State.CLOSED
        if self._stream is not None:
            self._stream.isOver = True
        if self._batch:
            self._flush()
        self._since = self._wheel.now
        self._unsent = None
        self._wheel.watch(self)
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def _abort(self) -> None:
        """
        Reset the connection.
        """
        self._state = State.CLOSED
        if self._stream is not None:
            self._stream.isOver = True
        self.transport.abortConnection()

    def _finish(self) -> None:
        """
        Close after an answer that said so.  A client that did not ask for it,
        because this was the last request it had, may be sending another.
        """
        if self._left:
            self._close()
        else:
            self._tally.limited("requests")
            self._linger()

    def _leave(self) -> None:
        """
        The client has left: tell the handler, and close.
        """
        self._tally.unanswered(self._head)
        self._state = State.CLOSED
        assert self._pending is not None
        pending, self._pending = self._pending, None
        pending.cancel()
        self._close()

    def _linger(self) -> None:
        """
        Send what was written, then FIN, and drop what comes for a while:
        closing a socket that has unread bytes resets the connection, and with
        it the answer the client has not read yet (RFC 9112, 9.6).
        """
        self._state = State.LINGERING
        if self._batch:
            self._flush()
        if self._connection.finished:
            self._close()
            return
        self.transport.unregisterProducer()
        self._gate.open()
        self._adjustReading()
        if hasattr(type(self.transport), "loseWriteConnection"):
            self.transport.loseWriteConnection()
        else:
            # Asked of the class, as in _fileSender.  Twisted's TLS cannot, and
            # half-closing below it would cut its close_notify off.  Closing it
            # sends that, and waits for the peer's.
            self.transport.loseConnection()
        self._since = self._wheel.now
        self._wheel.watch(self)

    # Deadlines.

    def due(self) -> int | None:
        """
        See L{ktcp.http.deadlines.Watched}.
        """
        deadline = self._deadline()
        if deadline is None:
            return None
        name, since, seconds = deadline
        if name == "stall" and self._unsent is None:
            self._unsent = unsent(self.transport)
        return self._wheel.after(since, seconds)

    def _deadline(self) -> tuple[str, int, float] | None:
        """
        What has a deadline as things are.

        @return: The name of the limit that it comes from, since when it counts,
            as the wheel tells the time, and its seconds.
        """
        limits, since = self._limits, self._since
        if not self._gate.isOpen:
            return "stall", self._shutSince, limits.stall
        if self._state is State.CLOSED:
            return "stall", since, limits.stall
        if self._state is State.IDLE:
            name, seconds = "idle", limits.idle
            if self._headSince is not None:
                name, since, seconds = "headTime", self._headSince, limits.headTime
            if self._draining and not self._connection.waiting:
                seconds = DRAIN_IDLE
            return name, since, seconds
        if self._state is State.DISCARDING or self._wanted is not None:
            return "bodyRate", since, limits.bodyGrace + self._taken / limits.bodyRate
        if self._state is State.HANDLING:
            return "handlerTime", since, limits.handlerTime
        if self._state is State.LINGERING:
            return "linger", since, limits.linger
        # A body on its way, with a client that takes it.
        return None

    def expire(self) -> None:
        """
        The deadline that L{due} named has passed.
        """
        deadline = self._deadline()
        assert deadline is not None
        if deadline[0] == "stall" and self._takes():
            return
        self._tally.limited(deadline[0])
        deaf = self._state is State.LINGERING or self._state is State.CLOSED
        if deaf or not self._gate.isOpen:
            self._abort()
        elif self._state is State.DISCARDING:
            self._close()
        elif self._state is State.IDLE:
            if self._connection.waiting:
                self._refuse(HTTPError(408, "The head of the request took too long."))
            else:
                self._close()
        elif self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            wanted.errback(BadRequest("The body of the request came too slowly.", 408))
        else:
            self._log.warn("no answer in time to {request}", request=self._requested())
            pending, self._pending = self._pending, None
            self._refuse(HTTPError(503, "The answer took too long."))
            if pending is not None:
                pending.cancel()

    def _takes(self) -> bool:
        """
        Give a client more time if it has taken some of what waits for it: the gate
        is opened only when it has taken all.
        """
        waiting = unsent(self.transport)
        if self._unsent is None or waiting >= self._unsent:
            return False
        self._unsent = waiting
        self._since = self._shutSince = self._wheel.now
        self._wheel.watch(self)
        return True

    def describe(self) -> dict[str, object]:
        """
        See L{IDescribed}.
        """
        requests = self._limits.requests - self._left
        return {"state": self._state.name.lower(), "requests": requests}
