"""
Tests for L{ktcp.trace.analysis.layers} and L{ktcp.trace.analysis.explanations}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ktcp.test import recorded
from ktcp.trace.analysis.explanations import EXPLANATIONS
from ktcp.trace.analysis.layers import LAYERS, layerOf, trim
from ktcp.trace.report.timeline import attribution


class LayerTests(SynchronousTestCase):
    """
    Tests for L{layerOf} and L{trim}.
    """

    def test_layers(self) -> None:
        """
        Functions that a reader knows are where the reader expects them.
        """
        for name, layer in (
            ("__x64_sys_connect", "syscall"),
            ("sock_def_readable", "syscall"),
            ("tcp_v4_rcv", "tcp"),
            ("inet_csk_destroy_sock", "tcp"),
            ("__ip_queue_xmit", "ip"),
            ("nf_hook_slow", "netfilter"),
            ("arp_solicit", "arp"),
            ("neigh_resolve_output", "arp"),
            ("__dev_queue_xmit", "device"),
            ("loopback_xmit", "device"),
            ("net_rx_action", "softirq"),
            ("process_backlog", "softirq"),
            ("filemap_map_pages", ""),
        ):
            self.assertEqual(layer, layerOf(name), name)

    def test_recorded(self) -> None:
        """
        Of the functions in a real connection's stacks one in a hundred at most has no layer.
        """
        total, unknown = attribution(recorded.trace())
        self.assertGreater(total, 1000)
        self.assertLessEqual(unknown, total // 100)

    def test_explained(self) -> None:
        """
        What is explained has a layer, and the explanation is a sentence.
        """
        known = {layer.id for layer in LAYERS}
        for name, text in EXPLANATIONS.items():
            self.assertIn(layerOf(name), known, name)
            self.assertTrue(text.endswith(".") and text[0].isupper() | text[0].islower(), name)

    def test_trim(self) -> None:
        """
        The tracer's functions are no part of the way, nor is what an interrupt interrupted.
        """
        names = ["trace_event_raw_event_tcp_probe", "tcp_rcv_established", "net_rx_action"]
        outer = ["asm_common_interrupt", "filemap_map_pages"]
        self.assertEqual([*names[1:], outer[0]], trim([*names, *outer]))
        self.assertEqual([], trim([]))
