"""
The benchmarks' own protocol for C{twistd ktcp}: an application with a handler.
"""

from ktcp.parameters import Parameter, integerBetween
from ktcp.plugin import ProtocolPlugin

bench = ProtocolPlugin(
    "bench",
    "What bench/macro serves: a handler that is called for every request",
    "ktcp_app.makeFactory",
    parameters=[
        Parameter(
            "bench-work",
            "Loop turns of pure Python that a request costs; 15000 are about 200 us.",
            default=0,
            check=integerBetween(0, 10_000_000),
            metavar="TURNS",
        ),
        Parameter("bench-plain", "Read every head anew: no memo.", False, check=None),
    ],
)
