"""
The subcommands of C{ktcp}, each a module of its name.

It has C{addArguments(parser)} and C{main(args)}, which returns the exit status.  What
several of them need is in C{arguments} (values), C{selection} (which sockets) and
C{terminal} (colour).
"""
