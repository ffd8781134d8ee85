# -*- test-case-name: ktcp.test.test_trace_analysis_layers -*-
"""
Which layer a function of the kernel belongs to, and what some of them do.
Pure tables: to teach the lab a function, add a line.

The patterns are matched in order against the whole name, the first that fits
decides; so the narrow stand before the wide.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from ktcp.trace.model import Layer

LAYERS = (
    Layer("syscall", "system call and socket"),
    Layer("tcp", "TCP segment"),
    Layer("ip", "IP datagram"),
    Layer("netfilter", "netfilter"),
    Layer("arp", "ARP and neighbours"),
    Layer("device", "qdisc and device frame"),
    Layer("softirq", "softirq and NAPI"),
)

_PATTERNS = {
    "netfilter": (
        r"nf_.*",
        r"nft_.*",
        r"ipt_.*|ip6t_.*|xt_.*|iptable_.*",
        r"ipv[46]_(conntrack|confirm|helper).*",
        r"__nf_.*|___nf_.*",
    ),
    "arp": (
        r"arp_.*",
        r"__arp_.*",
        r"neigh_.*|__neigh_.*",
        r"ndisc_.*",
        r"__ipv4_neigh_.*|ip_neigh_.*",
    ),
    "softirq": (
        r"handle_softirqs|__do_softirq|do_softirq.*|__softirqentry.*|invoke_softirq",
        r"run_ksoftirqd|smpboot_thread_fn|kthread|ret_from_fork.*",
        r"__?local_bh_enable.*|_?_?raw_spin_unlock_bh",
        r"net_rx_action|net_tx_action|__napi_.*|napi_.*",
        r"process_backlog|enqueue_to_backlog",
        r"skb_defer_free_flush|skb_attempt_defer_free|gro_.*|dev_gro_.*|tcp4_gro_.*|inet_gro_.*",
        r"(asm_)?(common_interrupt|sysvec_.*|exc_.*)|__common_interrupt|(asm_)?fred_.*",
        r"_?_?irq_exit.*|handle_irq.*|__handle_irq.*|handle_edge_irq|generic_handle_.*",
        r"run_timer_softirq|__run_timer.*|call_timer_fn|timer_expire.*|tmigr_.*|hrtimer_.*|__hrtimer_.*|expire_timers",
        r"rcu_core.*|rcu_do_batch|tasklet_.*|irq_work_.*|__sysvec_.*",
    ),
    "device": (
        r"_?_?dev_.*",
        r"netif_.*|_?__netif_.*",
        r"net(dev|if)_.*",
        r"loopback_xmit",
        r"veth_.*",
        r"(virtnet|virtqueue|vring|e1000|igb|ixgbe|i40e|ice|mlx[45]|ena|tg3|r8169)_.*",
        r"br_.*|vlan_.*|bond_.*|tun_.*|macvlan_.*",
        r"(__)?qdisc_.*|sch_direct_xmit",
        r"(pfifo|fq|fq_codel|codel|noqueue|tbf|htb|mq)_.*",
        r"validate_xmit.*",
        r"eth_.*",
        r"packet_rcv.*|tpacket_rcv|deliver_skb|packet_.*|tpacket_.*",
        r"skb_(mac|vlan|checksum|segment|gso).*|__skb_gso_.*",
    ),
    "ip": (
        r"_?_?ip_.*",
        r"_?_?ip6_.*|ipv6_.*|inet6_csk_.*",
        r"dst_.*|__dst_.*|rt_.*|rt6_.*|fib_.*|fib6_.*",
        r"icmp_.*|__icmp_.*|icmpv6_.*",
    ),
    "tcp": (
        r"_?_?tcp_.*",
        r"__?inet_lookup.*|inet_csk_.*|inet_ehash.*|inet_hash.*|inet_twsk.*|inet_reqsk.*",
        r"reqsk_.*|cookie_v[46]_.*|mptcp_.*",
        r"(bictcp|cubictcp|bbr|reno|tcp4|tcp6)_.*",
        r"inet_sk_(set_state|state_store)",
        r"sk_stream_.*",
    ),
    "syscall": (
        r"__(x64|arm64|se|do|ia32|riscv|s390x?)_sys_.*|ksys_.*|__sys_.*|___sys_.*",
        r"do_syscall_.*|entry_SYSCALL.*|x64_sys_call|el0_.*|invoke_syscall.*|el0t_.*",
        r"syscall_.*|__syscall_.*|exit_to_user_mode.*",
        r"_?_?sock_.*|____sys_.*|sockfd_.*|security_socket.*",
        r"inet_.*|inet6_.*|__inet.*",
        r"_?_?sk_.*|_?_?release_sock|lock_sock.*|__lock_sock.*",
        r"skb_.*|__skb_.*|_?_?kfree_skb.*|_?_?consume_skb.*|__?alloc_skb.*|call_trace_sock.*",
        r"ep_.*|__?ep_.*|do_epoll.*|eventpoll_.*|do_poll.*|do_sys_poll|do_select|core_sys_select",
        r"_?_?fput.*|____fput|task_work_run|filp_.*|__close.*|do_exit|do_group_exit|get_signal",
        r"vfs_.*|do_iter_.*|do_(read|write)v.*|new_sync_.*|io_.*",
        r"_?_?wake_up.*|try_to_wake_up|ttwu_.*|autoremove_wake.*|default_wake_function|pollwake",
        r"schedule.*|__schedule.*|wait_woken|woken_wake_.*|preempt_schedule.*|arch_do_signal.*",
        r"(__)?copy_.*|_copy_.*|kernel_clone|do_fork|_do_fork|wake_up_new_task|ret_from_.*",
    ),
}

# Where a softirq begins: further out in a stack is what it interrupted.
SOFTIRQS = frozenset({"handle_softirqs", "__do_softirq", "net_rx_action"})

_COMPILED = [
    (layer, re.compile("|".join(f"(?:{each})" for each in patterns)))
    for layer, patterns in _PATTERNS.items()
]


@lru_cache(maxsize=4096)
def layerOf(name: str) -> str:
    """
    The layer of a function.

    @param name: Without what a compiler added, see L{ktcp.trace.kernel.kallsyms.plainName}.
    @return: An C{id} of L{LAYERS}; empty if the table does not know it.
    """
    for layer, pattern in _COMPILED:
        if pattern.fullmatch(name):
            return layer
    return ""


def trim(names: Sequence[str]) -> list[str]:
    """
    Leave out of a stack what is not the way of the data: the tracer's own
    functions, innermost, and the code that an interrupt interrupted, outermost.
    """
    start = 0
    while start < len(names) and _TRACER.fullmatch(names[start]):
        start += 1
    for index in range(start, len(names)):
        if _INTERRUPT.fullmatch(names[index]):
            return list(names[start : index + 1])
    return list(names[start:])


_TRACER = re.compile(r"trace_event_raw_event_.*|perf_trace_.*|ftrace_syscall_.*|__traceiter_.*")
_INTERRUPT = re.compile(r"asm_(common_interrupt|sysvec_\w+)")
