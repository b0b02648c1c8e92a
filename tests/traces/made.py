"""Traces as a switch would give them, with everything that does not matter filled in."""

import msgspec

from traces.call_trace import CallTrace, TraceFlow, TraceMessage

AT_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
DAY_US = 86_400_000_000
FLOW = TraceFlow("UDP", "192.0.2.1", 5060, "198.51.100.1", 5060)


def message(number: int = 0, **facts: object) -> TraceMessage:
    data = f"OPTIONS sip:{number}@example.com SIP/2.0\r\nContent-Length: 0\r\n\r\n".encode()
    made = TraceMessage(at_us=AT_US + number * 1000, is_sent=bool(number % 2), leg=0, flow=0, data=data)
    return msgspec.structs.replace(made, **facts)


def trace(call_id: str, *, messages: int = 2, **facts: object) -> CallTrace:
    made = CallTrace(
        call_id=call_id,
        started_at_us=AT_US,
        ended_at_us=AT_US + 5_000_000,
        why="failed",
        flows=[FLOW],
        messages=[message(number) for number in range(messages)],
    )
    return msgspec.structs.replace(made, **facts)
