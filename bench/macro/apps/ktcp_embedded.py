"""
ktcp as a library: the same reactor, endpoint and handler that C{twistd ktcp} picks,
nothing counted and nothing logged.
"""

import sys

from ktcp import reactor as ktcpReactor

ktcpReactor.install()

from twisted.internet import endpoints, reactor  # noqa: E402  # the reactor first

from ktcp import HTTPFactory  # noqa: E402  # the reactor first

where = f"ktcp:{sys.argv[1]}:interface=127.0.0.1:backlog=4096"
endpoints.serverFromString(reactor, where).listen(HTTPFactory())
reactor.run()
