"""
Adds daytime to C{twistd ktcp}.  Imported to print help: loads no protocol.
"""

from ktcp.parameters import Parameter
from ktcp.plugin import ProtocolPlugin

daytime = ProtocolPlugin(
    name="daytime",
    description="Daytime: the date and time, then close (RFC 867)",
    maker="daytime.makeDaytime",
    parameters=[
        Parameter(
            "daytime-format",
            "How to write the date and time, as for strftime(3); the time is UTC.",
            default="%A, %B %d, %Y %H:%M:%S-UTC",
            metavar="FORMAT",
        ),
    ],
)
