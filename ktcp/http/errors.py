# -*- test-case-name: ktcp.test.test_http_errors -*-
"""
The errors that stand for an answer.  What their clients read is L{ktcp.http.errorpages}'s.
"""

from __future__ import annotations

from ktcp.http.headers import Headers, HeadersLike


class HTTPError(Exception):
    """
    A request that cannot be answered as it wishes.  A handler that raises one
    has the client answered with its status, and nothing is logged::

        raise HTTPError(404, "There is no such user.")

    @ivar status: The status of the answer, 400 to 599.
    @ivar reason: One sentence for the client.
    @ivar headers: What the answer's have besides: Allow, Retry-After and the like.
    """

    def __init__(self, status: int, reason: str = "", headers: HeadersLike | None = None) -> None:
        """
        @raise ValueError: The status is that of no error, or a header would split.
        """
        if not 400 <= status <= 599:
            raise ValueError(f"not the status of an error: {status!r}")
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.headers = Headers.of(headers)


class BadRequest(HTTPError):
    """
    What came in is no HTTP/1.1 request that can be understood without doubt:
    answer C{status}, then close (RFC 9112, 2.2 and 9.6).
    """

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(status, reason)


class IncompleteBody(BadRequest):
    """
    The peer closed its side before the end of the body.
    """


class BodyTooLarge(HTTPError):
    """
    The body is larger than its reader takes (413).
    """

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"The body may have {limit} bytes at most.")
        self.limit = limit
