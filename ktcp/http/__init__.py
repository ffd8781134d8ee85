# -*- test-case-name: ktcp.test.test_init -*-
"""
HTTP/1.1 (RFC 9110, RFC 9112) for Twisted.

The way of a request, room by room::

    protocol.py    transport, states, order, closing
    connection.py  bytes to request heads and bodies      (no Twisted)
    door.py        what a request head must look like     (no Twisted)
    chunks.py      what a chunked body must look like     (no Twisted)
    message.py     Request and Response                   (no Twisted)
    headers.py     Headers                                (no Twisted)
    errors.py      errors that stand for an answer        (no Twisted)
    errorpages.py  what a client is told of an error      (no Twisted)
    rendering.py   responses to bytes, by h11             (no Twisted)
    flow.py        bodies that move no faster than their reader
    targets.py     what a request target is made of       (no Twisted)
    router.py      which handler answers which path       (no Twisted)
    diagnostics.py handlers to try clients and networks with
    accesslog.py   a line for each answer, in batches

The public names are exported by L{ktcp}; nothing is imported here, so that
C{ktcp.http.limits} can be read without h11.
"""
