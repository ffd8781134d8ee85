# -*- test-case-name: ktcp.test.test_load_process_work -*-
"""
From a job to what the loop of one process does.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from ipaddress import ip_address
from itertools import cycle, islice

from ktcp.load.job import Job
from ktcp.load.process.connection import Work
from ktcp.load.process.requests import (
    Asked,
    EchoReader,
    HTTPReader,
    Message,
    Reader,
    patternOf,
    ring,
)
from ktcp.load.schedule import arrivals, share
from ktcp.load.targets import ENOUGH_PORTS, SOURCES, Connector, Target


def workOf(job: Job, index: int, of: int) -> Work:
    """
    Make the work of process C{index} of C{of}.
    """
    plan = job.plan
    made = Work(
        asked=_asked(job, share(plan.connections, index, of), index),
        connector=connectorOf(job, index, of),
        makeReader=_reader(job),
        keepAlive=plan.keepAlive,
        peerCloses=job.peerCloses,
        pipeline=plan.pipeline,
        timeout=plan.timeout,
        requests=None if plan.requests is None else share(plan.requests, index, of),
        seconds=plan.seconds,
        warmup=plan.warmup,
    )
    if plan.rate is not None:
        made.arrivals = arrivals(plan.arrivals, plan.rate, index, of)
    if job.target.tls is not None:
        made.wrap, made.vouch = tlsOf(job.target)
    return made


def connectorOf(job: Job, index: int, of: int) -> Connector:
    """
    Make what makes the sockets of process C{index} of C{of}.
    """
    plan = job.plan
    once = not plan.keepAlive or bool(plan.rounds)
    many = once or plan.connections > ENOUGH_PORTS
    return Connector(job.target, many, index * SOURCES // of)


def _asked(job: Job, connections: int, index: int) -> list[Asked]:
    if job.mode == "http":
        return list(islice(cycle(ring(list(job.requests))), connections))
    pattern = patternOf(job.plan.size)
    return [Message(pattern, job.plan.size, index * 17 + i) for i in range(connections)]


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
