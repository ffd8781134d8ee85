"""
The kernel lab: what the kernel does for a connection, as commands of C{ktcp}.

No kernel module, BPF, kprobe or perf binary is needed.  A module here either
parses and builds (C{packet}, C{bpf}, C{pcapng}, C{tcpinfo}, C{diagmessages}),
and then does no I/O, or talks to the kernel (C{capture}, C{diag}, C{queues},
...), and then says what it lacks with L{ktcp.trace.errors.Unavailable}.
"""
