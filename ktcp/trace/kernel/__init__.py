"""
What the kernel is asked, and the bytes that it answers with.

  - tracepoints: C{tracefs} reads pages, which C{pages}, C{formats} and C{kallsyms} understand;
  - frames: C{ring} receives what C{bpf} lets pass, C{packet} decodes it;
  - sockets: C{diag} asks in the words of C{diagmessages}, C{tcpinfo} knows a connection's
    numbers, C{queues} a listener's;
  - C{namespaces}: of which network all of that is.

Who parses does no I/O.  Who talks to the kernel says what it lacks with
L{ktcp.trace.errors.Unavailable}.
"""
