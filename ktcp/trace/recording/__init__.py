"""
Making a trace: a workload, and everything that the kernel says of it meanwhile.

C{session} is the whole, from start to L{ktcp.trace.model.Trace}; C{lab} is where the
workload runs, C{children} and C{client} are what runs there, C{collect} listens.
C{perffile} makes a trace of what perf has recorded, with C{perftext}.
"""
