# -*- test-case-name: ktcp.test.test_trace_kernel_packet -*-
"""
What is in a frame, layer by layer, for people.

Each header is a table of names and formats (as in dpkt).  Whatever the bytes
are, the answer is a list of layers: what cannot be read is a L{Layer.note},
not an exception, and no loop here outlasts the bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

# All in network order.  Lengths in bytes are in the format.
ETHERNET = (("destination", "6s"), ("source", "6s"), ("type", "H"))
VLAN = (("tag", "H"), ("type", "H"))
ARP = (
    ("hardware", "H"),
    ("protocol", "H"),
    ("hardwareSize", "B"),
    ("protocolSize", "B"),
    ("operation", "H"),
    ("senderHardware", "6s"),
    ("sender", "4s"),
    ("targetHardware", "6s"),
    ("target", "4s"),
)
# RFC 791, 3.1
IPV4 = (
    ("version", "B"),
    ("tos", "B"),
    ("length", "H"),
    ("identification", "H"),
    ("fragment", "H"),
    ("ttl", "B"),
    ("protocol", "B"),
    ("checksum", "H"),
    ("source", "4s"),
    ("destination", "4s"),
)
# RFC 8200, 3
IPV6 = (
    ("version", "I"),
    ("length", "H"),
    ("protocol", "B"),
    ("hopLimit", "B"),
    ("source", "16s"),
    ("destination", "16s"),
)
# RFC 9293, 3.1
TCP = (
    ("sourcePort", "H"),
    ("destinationPort", "H"),
    ("sequence", "I"),
    ("acknowledgment", "I"),
    ("flags", "H"),
    ("window", "H"),
    ("checksum", "H"),
    ("urgent", "H"),
)
UDP = (("sourcePort", "H"), ("destinationPort", "H"), ("length", "H"), ("checksum", "H"))
ICMP = (("type", "B"), ("code", "B"), ("checksum", "H"))

ETHERTYPES = {0x0800: "IPv4", 0x0806: "ARP", 0x86DD: "IPv6", 0x8100: "VLAN", 0x88A8: "VLAN"}
PROTOCOLS = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6"}
# RFC 8200, 4: each says which follows, and how long it is.
EXTENSIONS = {0: "hop-by-hop", 43: "routing", 44: "fragment", 60: "destination"}
# From the lowest bit; ECE and CWR are RFC 3168's, AE (once NS) is AccECN's.
FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "AE")
ICMP_TYPES = {0: "echo reply", 3: "unreachable", 8: "echo request", 11: "time exceeded"}
ICMPV6_TYPES = {
    1: "unreachable",
    2: "packet too big",
    3: "time exceeded",
    128: "echo request",
    129: "echo reply",
    133: "router solicitation",
    134: "router advertisement",
    135: "neighbour solicitation",
    136: "neighbour advertisement",
}
# https://www.iana.org/assignments/tcp-parameters
TCP_OPTIONS = {2: "mss", 3: "wscale", 4: "sackOK", 5: "sack", 8: "timestamps", 34: "fastopen"}


@dataclass
class Layer:
    """
    A header, or what is carried.

    @ivar start: Where it begins in the frame.
    @ivar length: How many of the frame's bytes are its own.
    @ivar fields: Numbers, text, and lists of those, fit for JSON.
    @ivar note: What is wrong with it; empty when nothing is.
    """

    name: str
    start: int
    length: int
    fields: dict[str, Any] = field(default_factory=dict)
    note: str = ""


# What a decoder knows of the frame from here on: its bytes, this layer's place
# and the end of what the layer below carries.
_Decoder = Callable[[bytes, int, int], tuple[Layer, str, int]]


def decode(data: bytes, first: str = "Ethernet") -> list[Layer]:
    """
    Take a frame apart.

    @param data: All of it or its beginning.
    @param first: The outermost layer: C{"Ethernet"}, C{"IPv4"} or C{"IPv6"}.
    @return: From outside in; the last is C{"data"} if anything is carried.
    """
    layers: list[Layer] = []
    name, place, end = first, 0, len(data)
    while name in _DECODERS and place < end:
        layer, name, end = _DECODERS[name](data, place, end)
        layers.append(layer)
        # A header has a byte or more, so this ends.
        place += layer.length
        if layer.note:
            break
    if place < end:
        layers.append(Layer("data", place, end - place))
    return layers


def _unpack(
    name: str, table: Sequence[tuple[str, str]], data: bytes, start: int, end: int
) -> Layer:
    """
    Read a header by its table.
    """
    format = "!" + "".join(each for _, each in table)
    size = struct.calcsize(format)
    if end - start < size:
        return Layer(name, start, end - start, note=f"cut short: {end - start} of {size} bytes")
    values = struct.unpack_from(format, data, start)
    return Layer(name, start, size, dict(zip((key for key, _ in table), values, strict=True)))


def _ethernet(data: bytes, start: int, end: int) -> tuple[Layer, str, int]:
    """
    IEEE 802.3.
    """
    layer = _unpack("Ethernet", ETHERNET, data, start, end)
    return layer, _etherType(layer), end


def _vlan(data: bytes, start: int, end: int) -> tuple[Layer, str, int]:
    """
    IEEE 802.1Q.
    """
    layer = _unpack("VLAN", VLAN, data, start, end)
    if not layer.note:
        layer.fields["id"] = layer.fields.pop("tag") & 0xFFF
    return layer, _etherType(layer), end


def _etherType(layer: Layer) -> str:
    """
    What an Ethernet header says follows.  Its addresses become text.
    """
    fields = layer.fields
    for key in ("source", "destination"):
        if key in fields:
            fields[key] = fields[key].hex(":")
    return ETHERTYPES.get(fields.get("type", -1), "data")


def _arp(data: bytes, start: int, end: int) -> tuple[Layer, str, int]:
    """
    RFC 826, for IPv4 on Ethernet.
    """
    layer = _unpack("ARP", ARP, data, start, end)
    fields = layer.fields
    if not layer.note:
        for key in ("senderHardware", "targetHardware"):
            fields[key] = fields[key].hex(":")
        for key in ("sender", "target"):
            fields[key] = str(ip_address(fields[key]))
        if (fields["hardwareSize"], fields["protocolSize"]) != (6, 4):
            layer.note = "not for IPv4 on Ethernet"
    # What follows is padding to Ethernet's 60 bytes.
    return layer, "", start + layer.length


def _ipv4(data: bytes, start: int, end: int) -> tuple[Layer, str, int]:
    """
    The header, with its options.
    """
    layer = _unpack("IPv4", IPV4, data, start, end)
    fields = layer.fields
    if layer.note:
        return layer, "", end
    version, words = fields["version"] >> 4, fields["version"] & 15
    fields["version"], fields["headerLength"] = version, 4 * words
    fields["source"] = str(ip_address(fields["source"]))
    fields["destination"] = str(ip_address(fields["destination"]))
    offset = 8 * (fields["fragment"] & 0x1FFF)
    fields["dontFragment"] = bool(fields["fragment"] & 0x4000)
    fields["moreFragments"] = bool(fields["fragment"] & 0x2000)
    fields["fragment"] = offset
    if version != 4 or words < 5 or start + 4 * words > end:
        layer.note = f"version {version}, header of {4 * words} bytes"
        return layer, "", end
    layer.length = 4 * words
    # 0: the card is to cut it into segments (TSO), and the kernel leaves the length to it.
    if fields["length"] >= layer.length:
        end = min(end, start + fields["length"])
    # Only the first fragment has the next header.
    return layer, "data" if offset else PROTOCOLS.get(fields["protocol"], "data"), end


def _ipv6(data: bytes, start: int, end: int) -> tuple[Layer, str, int]:
    """
    The header, with its extension headers.
    """
    layer = _unpack("IPv6", IPV6, data, start, end)
    fields = layer.fields
    if layer.note:
        return layer, "", end
    first = fields["version"]
    fields["version"] = first >> 28
    fields["trafficClass"], fields["flowLabel"] = first >> 20 & 0xFF, first & 0xFFFFF
    fields["source"] = str(ip_address(fields["source"]))
    fields["destination"] = str(ip_address(fields["destination"]))
    if fields["version"] != 6:
        layer.note = f"version {fields['version']}"
        return layer, "", end
    # 0: a jumbogram, or left to the card.
    if fields["length"]:
        end = min(end, start + layer.length + fields["length"])
    protocol, layer.length = _extensions(data, start + layer.length, end, layer)
    layer.length -= start
    return layer, PROTOCOLS.get(protocol, "data"), end


def _extensions(data: bytes, place: int, end: int, layer: Layer) -> tuple[int, int]:
    """
    Skip IPv6's extension headers.

    @return: The number of what follows, and where it begins.
    """
    protocol: int = layer.fields["protocol"]
    while protocol in EXTENSIONS and place + 8 <= end:
        layer.fields.setdefault("extensions", []).append(EXTENSIONS[protocol])
        size = 8 if protocol == 44 else 8 * (data[place + 1] + 1)
        if protocol == 44 and int.from_bytes(data[place + 2 : place + 4], "big") & 0xFFF8:
            # Only the first fragment has the next header.
            return 59, place + size
        protocol, place = data[place], min(place + size, end)
    return protocol, place


def _tcp(data: bytes, start: int, end: int) -> tuple[Layer, str, int]:
    """
    The header, with its options.
    """
    layer = _unpack("TCP", TCP, data, start, end)
    fields = layer.fields
    if layer.note:
        return layer, "", end
    length = 4 * (fields["flags"] >> 12)
    fields["flags"] = [name for bit, name in enumerate(FLAGS) if fields["flags"] >> bit & 1]
    fields["headerLength"] = length
    if length < layer.length:
        layer.note = f"header of {length} bytes"
        return layer, "", end
    if start + length > end:
        layer.note = "options cut short"
    options = data[start + layer.length : min(start + length, end)]
    layer.length = min(length, end - start)
    fields["options"] = tcpOptions(options)
    fields["payload"] = end - start - layer.length
    return layer, "data", end


def tcpOptions(data: bytes) -> dict[str, Any]:
    """
    The options of a TCP header (RFC 9293, 3.1), but for padding.

    @return: By name, or C{"option N"}: a number, or a list of them, or True
        where there is nothing to say, or hexadecimal text.
    """
    options: dict[str, Any] = {}
    place = 0
    while place < len(data):
        kind = data[place]
        if kind == 0:
            break
        if kind == 1:
            place += 1
            continue
        size = data[place + 1] if place + 1 < len(data) else 0
        if size < 2 or place + size > len(data):
            options["malformed"] = data[place:].hex()
            break
        name = TCP_OPTIONS.get(kind, f"option {kind}")
        options[name] = _optionValue(name, data[place + 2 : place + size])
        place += size
    return options


def _optionValue(name: str, value: bytes) -> Any:
    """
    What an option says.
    """
    if name in ("mss", "wscale"):
        return int.from_bytes(value, "big")
    if name in ("sack", "timestamps") and len(value) % 4 == 0:
        return list(struct.unpack(f"!{len(value) // 4}I", value))
    return value.hex() or True


def _udp(data: bytes, start: int, end: int) -> tuple[Layer, str, int]:
    """
    RFC 768.
    """
    return _unpack("UDP", UDP, data, start, end), "data", end


def _icmp(name: str, types: dict[int, str]) -> _Decoder:
    """
    A decoder of either version.
    """

    def decodeICMP(data: bytes, start: int, end: int) -> tuple[Layer, str, int]:
        layer = _unpack(name, ICMP, data, start, end)
        if not layer.note:
            layer.fields["meaning"] = types.get(layer.fields["type"], "")
        return layer, "data", end

    return decodeICMP


_DECODERS: dict[str, _Decoder] = {
    "Ethernet": _ethernet,
    "VLAN": _vlan,
    "ARP": _arp,
    "IPv4": _ipv4,
    "IPv6": _ipv6,
    "TCP": _tcp,
    "UDP": _udp,
    "ICMP": _icmp("ICMP", ICMP_TYPES),
    "ICMPv6": _icmp("ICMPv6", ICMPV6_TYPES),
}


def summary(layers: Sequence[Layer]) -> str:
    """
    A frame on a line.
    """
    if not layers:
        return "nothing"
    by = {layer.name: layer.fields for layer in layers}
    headers = [layer for layer in layers if layer.name != "data"] or layers
    last = headers[-1]
    text = _describe(last, by)
    return f"{text} [{last.note}]" if last.note else text


def _describe(last: Layer, by: dict[str, dict[str, Any]]) -> str:
    """
    What the innermost header says, with the addresses around it.
    """
    fields = last.fields
    ip = by.get("IPv4") or by.get("IPv6") or {}
    source, destination = ip.get("source", "?"), ip.get("destination", "?")
    if "sourcePort" in fields:
        source = endpoint(source, fields["sourcePort"])
        destination = endpoint(destination, fields["destinationPort"])
    if last.name == "TCP" and fields:
        return f"{source} > {destination} {_describeTCP(fields)}"
    if last.name == "ARP" and fields:
        if fields["operation"] == 1:
            return f"ARP who has {fields['target']}? tell {fields['sender']}"
        return f"ARP {fields['sender']} is at {fields['senderHardware']}"
    if ip:
        meaning = f" {fields['meaning']}" if fields.get("meaning") else ""
        return f"{source} > {destination} {last.name}{meaning}"
    return last.name


def _describeTCP(fields: dict[str, Any]) -> str:
    """
    A segment without its addresses.
    """
    flags = " ".join(fields["flags"]) or "no flags"
    parts = [f"{flags}", f"seq={fields['sequence']}"]
    if "ACK" in fields["flags"]:
        parts.append(f"ack={fields['acknowledgment']}")
    parts.append(f"win={fields['window']}")
    options = fields.get("options", {})
    parts += [f"{name}={options[name]}" for name in ("mss", "wscale") if name in options]
    parts.append(f"len={fields.get('payload', 0)}")
    return " ".join(parts)


def endpoint(address: str, port: int) -> str:
    """
    An address with its port.
    """
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def endpointsOf(layers: Sequence[Layer]) -> tuple[str, str]:
    """
    Source and destination of a frame with a TCP segment.
    """
    by = {layer.name: layer.fields for layer in layers}
    ip, tcp = by.get("IPv4") or by.get("IPv6") or {}, by.get("TCP") or {}
    if "sourcePort" not in tcp or "source" not in ip:
        return "", ""
    return (
        endpoint(ip["source"], tcp["sourcePort"]),
        endpoint(ip["destination"], tcp["destinationPort"]),
    )
