"""
What one process of a run does: L{ktcp.load.team} starts it, and hears what it counted.

From the pipe to the socket: C{__main__} gets its share of the job (C{channel}), C{work}
makes of it what a loop needs, C{loop} and C{connections} do it (C{barrier} instead, for a
run of that kind), C{requests} and C{responses} are what is said on a connection, and
C{frames} what is counted.

Light, so that many start at once: nothing here needs a package from elsewhere, but for
TLS.  Telling of results is in L{ktcp.load.report}.
"""
