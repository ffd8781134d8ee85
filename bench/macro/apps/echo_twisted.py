"""
Echo by a plain Twisted protocol on Twisted's epoll reactor.

C{TCP_NODELAY} is on, as it is in all the others: without it a 16 KiB echo
waits for delayed acknowledgements.
"""

import sys

from twisted.internet import epollreactor

epollreactor.install()

from twisted.internet import reactor  # noqa: E402  # the reactor first
from twisted.internet.protocol import Factory, Protocol  # noqa: E402  # the reactor first


class Echo(Protocol):
    def connectionMade(self):
        self.transport.setTcpNoDelay(True)

    def dataReceived(self, data):
        self.transport.write(data)


reactor.listenTCP(int(sys.argv[1]), Factory.forProtocol(Echo), backlog=4096, interface="127.0.0.1")
reactor.run()
