"""
The second plane: what an operator asks of a server that strangers use.

It has listeners of its own, C{--admin-port} and C{--admin}, which serve ktcp's own
L{HTTPFactory} with L{ktcp.admin.routes}; nothing of it is on a data port.  With workers
it runs in the parent.  Its connections are not counted: Twisted's transport carries
them, and the counters are those of the clients.

L{ktcp.admin.gate} says who may ask, L{ktcp.admin.facts} knows the answers,
L{ktcp.admin.metrics} and L{ktcp.admin.live} give them to Prometheus and to the dashboard,
and L{ktcp.admin.service} is what the service starts.
"""
