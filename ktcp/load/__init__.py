"""
ktcp-load: load for HTTP and echo servers, and a measurement that can be believed.

L{ktcp.load.result} is the shape of what a run found, L{ktcp.load.engine} makes
one, and everything else either feeds the engine or tells of the result.
Nothing in here imports Twisted: a generator's loop is its own (see
L{ktcp.load.loop} for why).
"""
