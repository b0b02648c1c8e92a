"""A call's trace as a pcapng file that Wireshark opens and shows as a VoIP call.

Each message has its real addresses and its time. What came by UDP or TCP, with 5060 the lower of its ports, is
written as IP packets. Everything else is written as what Wireshark calls an exported PDU, on an interface of its own:
the decrypted SIP with the addresses beside it. As IP, a message on port 5061 or 443 would be taken for TLS, and one
whose peer happens to have port 1900 or 2123 for something else again: Wireshark asks the lower port first, and about a
hundred below 5060 have an owner there.
"""

import ipaddress
import re
import struct
from collections.abc import Iterator
from typing import Final

from care.export.packets import (
    SEGMENT_BYTES,
    Address,
    Endpoint,
    tcp_packet,
    udp_fits,
    udp_packet,
)
from care.export.pcapng_blocks import RAW_IP, UPPER_PDU, interface, packet, section_header
from care.story import CallStory
from switch.sip.host import host_port
from traces.call_trace import TraceFlow, TraceMessage

SIP_PORT: Final = 5060
_IP_INTERFACE: Final = 0
_PDU_INTERFACE: Final = 1

# Tags of an exported PDU (wsutil/exported_pdu_tlvs.h): numbers big-endian, values padded to four octets.
_DISSECTOR: Final = 12
_IPV4_SOURCE: Final = 20
_IPV4_DESTINATION: Final = 21
_IPV6_SOURCE: Final = 22
_IPV6_DESTINATION: Final = 23
_PORT_TYPE: Final = 24
_SOURCE_PORT: Final = 25
_DESTINATION_PORT: Final = 26
_PORT_TYPE_TCP: Final = 2
_PORT_TYPE_UDP: Final = 3

_LENGTH: Final = re.compile(
    rb"(?:^|\n)(?:Content-Length|l)[ \t]*:[ \t]*([0-9]{1,7})[ \t]*\r?\n", re.IGNORECASE
)
_UNSPECIFIED: Final = ipaddress.IPv4Address(0)
# Where a stream that nobody saw begin starts to be counted.
_FIRST_SEQ: Final = 1


def pcapng_file(story: CallStory) -> bytes:
    """The whole file; one without packets where there is no trace."""
    what = f"SIP of call {story.call_id}, as Offhook saw it"
    blocks = [
        section_header(what),
        interface("offhook", RAW_IP),
        interface("offhook-decrypted", UPPER_PDU),
    ]
    return b"".join([*blocks, *_packets(story)])


def _packets(story: CallStory) -> Iterator[bytes]:
    trace = story.trace
    if trace is None:
        return
    streams: dict[int, _Stream] = {}
    for message in trace.messages:
        if not 0 <= message.flow < len(trace.flows):
            continue
        flow = trace.flows[message.flow]
        source, destination = _ends(flow, is_sent=message.is_sent)
        comment = _comment(story, message, flow)
        if not _is_packet(flow, message, source, destination):
            yield packet(_PDU_INTERFACE, message.at_us, _pdu(flow, source, destination, message.data),
                         comment=comment, is_sent=message.is_sent)  # fmt: skip
            continue
        if flow.transport == "UDP":
            packets = [udp_packet(source, destination, message.data)]
        else:
            packets = streams.setdefault(message.flow, _Stream()).packets(message, source, destination)
        for data in packets:
            yield packet(_IP_INTERFACE, message.at_us, data, comment=comment, is_sent=message.is_sent)


class _Stream:
    """How far each way of a TCP connection has been counted."""

    __slots__ = ("_received", "_sent")

    def __init__(self) -> None:
        self._sent = self._received = _FIRST_SEQ

    def packets(self, message: TraceMessage, source: Endpoint, destination: Endpoint) -> list[bytes]:
        seq, ack = (self._sent, self._received) if message.is_sent else (self._received, self._sent)
        made = []
        for at in range(0, len(message.data), SEGMENT_BYTES):
            piece = message.data[at : at + SEGMENT_BYTES]
            made.append(tcp_packet(source, destination, piece, seq=(seq + at) & 0xFFFFFFFF, ack=ack))
        seq = (seq + len(message.data)) & 0xFFFFFFFF
        if message.is_sent:
            self._sent = seq
        else:
            self._received = seq
        return made


def _is_packet(flow: TraceFlow, message: TraceMessage, source: Endpoint, destination: Endpoint) -> bool:
    """Whether Wireshark, left to itself, takes the packet for SIP and for this message alone."""
    if source.host.version != destination.host.version or min(source.port, destination.port) != SIP_PORT:
        return False
    if flow.transport == "UDP":
        return udp_fits(message.data, source.host)
    # A message that is not as long as it says (its body was left out) would swallow the next one of its stream.
    return flow.transport == "TCP" and _is_whole(message.data)


def _is_whole(data: bytes) -> bool:
    head, _, body = data.partition(b"\r\n\r\n")
    found = _LENGTH.search(head + b"\r\n")
    return found is not None and found[1].lstrip(b"0") == (b"%d" % len(body)).lstrip(b"0")


def _ends(flow: TraceFlow, *, is_sent: bool) -> tuple[Endpoint, Endpoint]:
    remote = Endpoint(_address(flow.remote_host), flow.remote_port & 0xFFFF)
    local = Endpoint(_address(flow.local_host), flow.local_port & 0xFFFF)
    return (local, remote) if is_sent else (remote, local)


def _address(host: str) -> Address:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return _UNSPECIFIED


def _pdu(flow: TraceFlow, source: Endpoint, destination: Endpoint, data: bytes) -> bytes:
    """The message for the dissector "sip", and whence and whither."""
    kind = _PORT_TYPE_UDP if flow.transport == "UDP" else _PORT_TYPE_TCP
    tags = [
        _tag(_DISSECTOR, b"sip\0"),
        _tag(_IPV4_SOURCE if source.host.version == 4 else _IPV6_SOURCE, source.host.packed),
        _tag(
            _IPV4_DESTINATION if destination.host.version == 4 else _IPV6_DESTINATION, destination.host.packed
        ),
        _tag(_PORT_TYPE, struct.pack("!I", kind)),
        _tag(_SOURCE_PORT, struct.pack("!I", source.port)),
        _tag(_DESTINATION_PORT, struct.pack("!I", destination.port)),
        _tag(0, b""),
    ]
    return b"".join(tags) + data


def _tag(code: int, value: bytes) -> bytes:
    return struct.pack("!HH", code, len(value)) + value


def _comment(story: CallStory, message: TraceMessage, flow: TraceFlow) -> str:
    """Which call and leg, whose it is, and what stands here in place of the wire."""
    said = [f"call {story.call_id}"]
    if message.leg >= 0:
        row = next((view.cdr for view in story.legs if view.cdr.leg == message.leg), None)
        whose = "" if row is None else row.line or row.trunk
        said.append(f"leg {message.leg} ({whose})" if whose else f"leg {message.leg}")
    if flow.transport != "UDP":
        what = (
            "a stream put together from messages"
            if flow.transport == "TCP"
            else f"came by {flow.transport}, shown decrypted"
        )
        said.append(what)
    for host, port in ((flow.remote_host, flow.remote_port), (flow.local_host, flow.local_port)):
        if _address(host) is _UNSPECIFIED:
            said.append(f"{host_port(host, port)} is no IP address")
    return "; ".join(said)
