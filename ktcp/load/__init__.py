"""
ktcp-load: load for HTTP and echo servers, and a measurement that can be believed.

C{options} make a L{ktcp.load.job.Job} of a command line, C{perform} has it run once or many
times, L{ktcp.load.engine} runs it in processes that C{team} starts and L{ktcp.load.process}
is.  L{ktcp.load.result} is the shape of what was found, and L{ktcp.load.report} tells of it.
Nothing in here imports Twisted: a generator's loop is its own (see
L{ktcp.load.process.loop} for why).
"""
