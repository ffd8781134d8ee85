"""
What becomes of a result: words, tables, curves, a page, and the files they are kept in.

All of it reads L{ktcp.load.result} and changes nothing.  What may be concluded from
several results is in L{ktcp.load.stats} and L{ktcp.load.compare}.
"""
