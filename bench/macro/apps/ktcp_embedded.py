"""
ktcp as a library: the same reactor, endpoint and handler that C{twistd ktcp} picks,
nothing counted and nothing logged.
"""

import sys

from ktcp import reactor as ktcpReactor

ktcpReactor.install()

from twisted.internet import endpoints, reactor

from ktcp import HTTPFactory

where = f"ktcp:{sys.argv[1]}:interface=127.0.0.1:backlog=4096"
endpoints.serverFromString(reactor, where).listen(HTTPFactory())
reactor.run()
