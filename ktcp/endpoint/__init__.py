"""
The C{ktcp:} endpoint: listening sockets, the accept loop and a transport that
sends at once.  Nothing is imported here; see L{ktcp.endpoint.server}.
"""
