"""
The kernel lab: what the kernel does for one connection, seen without a kernel
module, BPF, kprobes or a perf binary.
"""
