"""
From what was heard to what happened.  Pure.

C{events} are the tracepoints that are heard; C{link} finds the connection of each, C{steps}
what it was in the life of that connection, C{join} which frame it sent, and C{assemble}
makes the L{ktcp.trace.model.Trace}.  C{layers}, C{explanations} and C{lessons} are what
the lab knows of the kernel: tables, to be added to.
"""
