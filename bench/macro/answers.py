# -*- test-case-name: bench.macro.test_compare -*-
"""
An answer is looked at once before it is timed: here, by a plain client of our own.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from bench.macro.processes import Server

PATIENCE_SECONDS = 10.0


class WrongAnswer(Exception):
    """
    A server's answer is not the one that is to be timed.
    """


def readAnswer(stream: BinaryIO, body: bytes, status: int = 200) -> None:
    """
    Read one answer, which is to have this status and this body.

    @raise WrongAnswer: It is another one.
    """
    line = stream.readline()
    if line[:13] not in (b"HTTP/1.1 %d " % status, b"HTTP/1.0 %d " % status):
        raise WrongAnswer(f"not {status} but {line!r}")
    # An answer 304 has no body, whatever length it names (RFC 9110, 15.4.5).
    length = -1 if status != 304 else 0
    for line in stream:
        if line == b"\r\n":
            break
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length" and status != 304:
            length = int(value)
    if length != len(body):
        raise WrongAnswer(f"Content-Length {length}, not {len(body)}")
    got = stream.read(length)
    if got != body:
        raise WrongAnswer(f"the body is {got[:80]!r}")


# What both sides choose where both are OpenSSL; a row over TLS times nothing else.
CIPHER = ("TLS_AES_256_GCM_SHA384", "TLSv1.3")


def overTLS(connection: socket.socket) -> socket.socket:
    """
    Shake hands, with a server whose certificate was made for the row.

    @raise WrongAnswer: The cipher is another one.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    secured = context.wrap_socket(connection)
    cipher = secured.cipher()
    if cipher is None or cipher[:2] != CIPHER:
        raise WrongAnswer(f"the cipher is {cipher}")
    return secured


@contextmanager
def conversation(server: Server, request: bytes, tls: bool = False) -> Iterator[BinaryIO]:
    """
    Connect, send, and give the file to read the answers from.

    @raise WrongAnswer: The server closed, reset or fell silent.
    """
    address = ("127.0.0.1", server.port)
    try:
        plain = socket.create_connection(address, PATIENCE_SECONDS)
        with overTLS(plain) if tls else plain as connection:
            connection.sendall(request)
            with connection.makefile("rb") as stream:
                yield stream
    except OSError as error:
        raise WrongAnswer(str(error)) from error
