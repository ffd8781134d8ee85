"""
What becomes of a trace: text, a page, flame graphs, a comparison, and the files they are kept in.

All of it reads L{ktcp.trace.model} and changes nothing.
"""
