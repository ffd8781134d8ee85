"""
C{--workers N}: one parent that owns the sockets, and N children that serve.

The parent opens every listener and never accepts.  A TCP listener is a group
of sockets with SO_REUSEPORT (socket(7)), one for each worker, among which the
kernel spreads new connections; any other listener is one socket, which the
workers share.  The parent keeps all of them for its whole life.  An accept
queue belongs to the socket, so a worker may be killed and its successor finds
in the queue what came in between: nobody is refused.

B{How an endpoint gets its socket.}  Both sides run the same endpoints from the
same command line, and what differs is the reactor that the endpoints are given
(L{ktcp.workers.sockets}).  The parent's opens sockets where it is asked to
listen, and only keeps them; a child's answers the same calls with what it
inherited.  An endpoint ends in one of those calls whatever it wraps around the
factory, so TLS, PROXY and endpoints of other packages work unchanged, and the
parent meets every error of an endpoint where one process would: before
anything is served, and in the same words.  The other way, to take the socket
out of the endpoint's port in the parent and to adopt it in the child, was not
taken: a child would have to know which wrappers stood around the factory.

B{A child is a fresh interpreter}, C{python -m ktcp.workers 1/2 OPTIONS}, not a
fork: the parent's reactor, timers and descriptors do not leak into it, and it
holds what serving needs and no more.  It gets its orders as JSON on stdin and
sends reports, which are lines of JSON, on a pipe of their own: that it serves,
why it does not, and each of its log's events (L{ktcp.workers.reports}).  What it
prints goes to the parent's log as well.

B{No orphan.}  A child asks the kernel to kill it when its parent dies
(PR_SET_PDEATHSIG, prctl(2)), then looks whether the parent is there still.  A
pipe that ends with the parent would say the same, but only to a child that
looks: one stuck in a handler would live on, and so would all of them if another
process had inherited the pipe's other end.

L{ktcp.workers.team} decides who is started and stopped when,
L{ktcp.workers.processes} starts processes, and C{ktcp.workers.__main__} is what
runs in one.
"""
