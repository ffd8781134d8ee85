"""
The kernel lab: what the kernel does for a connection, as commands of C{ktcp}.

No kernel module, BPF, kprobe or perf binary is needed.  The way of an event: L{ktcp.trace.kernel}
reads it, while L{ktcp.trace.recording} runs a workload; L{ktcp.trace.analysis} finds out whose
it is and makes a L{ktcp.trace.model.Trace}; L{ktcp.trace.report} shows that.
L{ktcp.trace.commands} are the command line.
"""
