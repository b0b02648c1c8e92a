"""What a trace must have: every datagram of a call that reached the exchange or left it, each with its leg, in order.

The link is the witness: it has all that was sent, and nothing of it comes from what is tested.
"""

import re
from itertools import pairwise

from switch.tracing.exported import trace_of
from tests.switch.house import EXCHANGE, House
from traces.call_trace import CallTrace

_CALL_ID = re.compile(rb"\r\n(?:Call-ID|i)\s*:\s*([^\r\n]+)\r\n", re.IGNORECASE)


def call_id_of(data: bytes) -> str:
    match = _CALL_ID.search(data)
    return match[1].decode() if match else ""


def trace(house: House, call_id: str) -> CallTrace:
    log = house.exchange.tracer.find(call_id)
    assert log is not None, call_id
    return trace_of(log)


def assert_all_traced(house: House) -> list[CallTrace]:
    """Of every call on record: each message of each leg, once, in order, with its leg and direction."""
    by_call: dict[str, dict[str, int]] = {}
    for row in house.journal.cdrs():
        by_call.setdefault(row.call_id, {})[row.sip_call_id] = row.leg
    assert by_call
    found = []
    for call_id, legs in by_call.items():
        kept = trace(house, call_id)
        assert not kept.dropped
        expected = [
            (is_sent, legs[call_id_of(data)], data)
            for is_sent, data in seen_by_exchange(house)
            if call_id_of(data) in legs
        ]
        noted = sorted((each.is_sent, each.leg, each.data) for each in kept.messages)
        assert noted == sorted(expected)
        assert all(one.at_us <= other.at_us for one, other in pairwise(kept.messages))
        found.append(kept)
    return found


def seen_by_exchange(house: House) -> list[tuple[bool, bytes]]:
    """Whether it was sent, and the octets."""
    sent = [(True, datagram.data) for datagram in house.link.sent if datagram.source == EXCHANGE]
    return sent + [(False, data) for address, data in house.link.delivered if address == EXCHANGE]


def start_lines(kept: CallTrace) -> list[str]:
    """ "> 0 INVITE": to the exchange on leg 0; "< 0 100": from it."""
    lines = []
    for message in kept.messages:
        words = message.data.split(b" ", 2)
        name = words[1] if words[0].startswith(b"SIP/") else words[0]
        lines.append(f"{'<' if message.is_sent else '>'} {message.leg} {name.decode()}")
    return lines
