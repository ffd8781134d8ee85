# -*- test-case-name: ktcp.test.test_edge -*-
"""
The options of what stands between a listener and its protocol: TLS, and the
word of a load balancer.

Light, because the command line is made of it; what the options ask for is
imported when they are acted upon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ktcp import parameters
from ktcp.parameters import Parameter

if TYPE_CHECKING:
    from ktcp.certificates import Pair
    from ktcp.tls import Certificates

TLS = (
    Parameter(
        "tls-cert",
        "A file in PEM with a certificate and the chain behind it.  May be given again, each "
        "with its --tls-key; the name that a client asks for decides, and the first is for all "
        "others.",
        (),
        parameters.path,
        "PATH",
        repeatable=True,
    ),
    Parameter(
        "tls-key",
        "The file in PEM with the certificate's key, not encrypted.",
        (),
        parameters.path,
        "PATH",
        repeatable=True,
    ),
    Parameter(
        "tls-client-ca",
        "Serve only clients with a certificate of an authority in this file.",
        None,
        parameters.path,
        "PATH",
    ),
    Parameter(
        "tls-self-signed",
        "Make a certificate, for trying out; the log has its fingerprint.",
        False,
        None,
    ),
    Parameter(
        "tls-handshake-time",
        "Seconds for a client to complete its handshake.",
        10.0,
        parameters.seconds,
        "SECONDS",
    ),
)


PROXY = (
    Parameter(
        "proxy-protocol",
        "Every connection begins with a PROXY header, version 1 or 2, from a proxy that is "
        "trusted; others are closed.  It comes before TLS.",
        False,
        None,
    ),
    Parameter(
        "proxy-trust",
        "Proxies whose word is taken, an address or a network such as 10.0.0.0/8: for who the "
        "client is, by the PROXY protocol or by X-Forwarded headers.  May be given again.",
        (),
        parameters.network,
        "CIDR",
        repeatable=True,
    ),
    Parameter(
        "proxy-headers",
        "Which headers trusted proxies write: x-forwarded (-For, -Proto, -Host), as HAProxy and "
        "nginx do, or forwarded (RFC 7239).  The others are the client's, and are not read.",
        "x-forwarded",
        parameters.oneOf("x-forwarded", "forwarded"),
        "KIND",
    ),
)


def contradiction(options: Mapping[str, Any], asked: Sequence[str]) -> str | None:
    """
    Say which options do not go together.

    @param options: All of them.
    @param asked: The options that ask for a TLS port, as users know them.
    """
    if options["proxy-headers"] != "x-forwarded" and not options["proxy-trust"]:
        return "--proxy-headers: nobody's are read; give --proxy-trust too"
    if options["proxy-protocol"] and not options["proxy-trust"]:
        return "--proxy-protocol: trusts nobody; give --proxy-trust too"
    certs, keys = options["tls-cert"], options["tls-key"]
    if len(certs) != len(keys):
        return (
            f"--tls-cert: {len(certs)} given, but {len(keys)} --tls-key; each needs the other, "
            "in the same order"
        )
    if options["tls-self-signed"]:
        if certs:
            return "--tls-self-signed: contradicts --tls-cert; give one of the two"
        if options["workers"] is not None:
            return (
                "--tls-self-signed: each worker would have a certificate of its own; give "
                "--tls-cert and --tls-key, or no --workers"
            )
    hasPair = bool(certs or options["tls-self-signed"])
    if asked and not hasPair:
        return f"--{asked[0]}: needs --tls-cert and --tls-key, or --tls-self-signed"
    if not asked:
        for name in ("tls-cert", "tls-self-signed", "tls-client-ca"):
            if options[name]:
                return f"--{name}: nothing is served over TLS; give --tls-port too"
    return None


def certificatesOf(options: Mapping[str, Any]) -> Certificates:
    """
    Read the certificates that were asked for.

    @raise ValueError: One cannot be used; one line.
    """
    from ktcp.certificates import loadPair, selfSigned
    from ktcp.tls import Certificates

    if options["tls-self-signed"]:
        made = [selfSigned([options["interface"]])]
        return Certificates(lambda: made, options["tls-client-ca"])

    def load() -> list[Pair]:
        return list(map(loadPair, options["tls-cert"], options["tls-key"]))

    return Certificates(load, options["tls-client-ca"])
