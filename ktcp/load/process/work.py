# -*- test-case-name: ktcp.test.test_load_process_work -*-
"""
What the loop of one process is to do, made of its share of a job.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import cycle, islice

from ktcp.load.job import Job, Share
from ktcp.load.process.requests import (
    Asked,
    EchoReader,
    HTTPReader,
    Message,
    Reader,
    patternOf,
    ring,
)
from ktcp.load.schedule import arrivals
from ktcp.load.targets import SOURCES, Connector, Target, enoughPorts


@dataclass
class Work:
    """
    What a loop is to do.

    @ivar asked: For each connection the request before its first.
    @ivar connector: Makes its sockets.
    @ivar makeReader: Makes what looks at a connection's answers.
    @ivar wrap: Puts TLS around a connected socket, or C{None}.
    @ivar vouch: Looks at who the peer of a finished handshake is.
    @ivar keepAlive: False: a connection for each request.
    @ivar peerCloses: With a connection for each request the server is the one that closes it.
    @ivar requests: How many, or C{None}: C{seconds} says.
    @ivar arrivals: Of an open loop: the planned times, nanoseconds from the warm-up's start.
    """

    asked: list[Asked]
    connector: Connector
    makeReader: Callable[[], Reader]
    wrap: Callable[[socket.socket], ssl.SSLSocket] | None = None
    vouch: Callable[[ssl.SSLSocket], None] = lambda sock: None
    keepAlive: bool = True
    peerCloses: bool = True
    pipeline: int = 1
    timeout: float = 10.0
    requests: int | None = None
    seconds: float | None = None
    warmup: float = 0.0
    arrivals: Iterator[int] | None = None


def workOf(share: Share) -> Work:
    """
    Make the work of one process.
    """
    job, plan = share.job, share.job.plan
    made = Work(
        asked=_asked(share),
        connector=connectorOf(share),
        makeReader=_reader(job),
        keepAlive=plan.keepAlive,
        peerCloses=job.peerCloses,
        pipeline=plan.pipeline,
        timeout=plan.timeout,
        requests=None if plan.requests is None else share.part(plan.requests),
        seconds=plan.seconds,
        warmup=plan.warmup,
    )
    if plan.rate is not None:
        made.arrivals = arrivals(plan.arrivals, plan.rate, share.index, share.of)
    if job.target.tls is not None:
        made.wrap, made.vouch = tlsOf(job.target)
    return made


def connectorOf(share: Share) -> Connector:
    """
    Make what makes the sockets of one process.
    """
    plan = share.job.plan
    once = not plan.keepAlive or bool(plan.rounds)
    many = once or plan.connections > enoughPorts()
    return Connector(share.job.target, many, share.index * SOURCES // share.of)


def _asked(share: Share) -> list[Asked]:
    job = share.job
    connections = share.part(job.plan.connections)
    if job.mode == "http":
        return list(islice(cycle(ring(list(job.requests))), connections))
    pattern = patternOf(job.plan.size)
    return [Message(pattern, job.plan.size, share.index * 17 + i) for i in range(connections)]


def _reader(job: Job) -> Callable[[], Reader]:
    if job.mode == "http":
        return lambda: HTTPReader(job.checks)
    return EchoReader


def tlsOf(
    target: Target,
) -> tuple[Callable[[socket.socket], ssl.SSLSocket], Callable[[ssl.SSLSocket], None]]:
    """
    Make what puts TLS around a socket, and what looks at who is there.

    The chain is OpenSSL's to verify; whether it belongs to the host is
    service-identity's (RFC 9525), once for each certificate that is seen.

    @raise OSError: The file of certificates cannot be read, or holds none.
    """
    tls = target.tls
    assert tls is not None
    context = ssl.create_default_context(cafile=tls.cafile)
    context.check_hostname = False
    # No ALPN: without it a server speaks HTTP/1.1, and one that does not know it may refuse.
    if tls.insecure:
        context.verify_mode = ssl.CERT_NONE
    vouched: set[bytes] = set()

    def wrap(sock: socket.socket) -> ssl.SSLSocket:
        name = None if _isAddress(target.host) else target.host
        return context.wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)

    def vouch(sock: ssl.SSLSocket) -> None:
        certificate = sock.getpeercert(binary_form=True)
        if tls.insecure or certificate in vouched:
            return
        assert certificate is not None, "OpenSSL let a peer without a certificate pass"
        identify(certificate, target.host)
        vouched.add(certificate)

    return wrap, vouch


def identify(certificate: bytes, host: str) -> None:
    """
    See that a certificate names a host.

    @param certificate: In DER.
    @raise ssl.CertificateError: It does not.
    """
    # Heavy, and for TLS only.
    from cryptography.x509 import load_der_x509_certificate
    from service_identity import CertificateError, VerificationError
    from service_identity.cryptography import (
        verify_certificate_hostname,
        verify_certificate_ip_address,
    )

    verify = verify_certificate_ip_address if _isAddress(host) else verify_certificate_hostname
    try:
        verify(load_der_x509_certificate(certificate), host)
    except (CertificateError, VerificationError) as error:
        raise ssl.CertificateError(f"the certificate is not {host}'s") from error


def _isAddress(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
