"""A log as the struct that travels, is stored, drawn and exported (traces/call_trace.py)."""

from switch.sip.flow import Flow
from switch.tracing.call_log import CallLog, read_items
from traces.call_trace import UNKNOWN_LEG, CallTrace, TraceFlow, TraceMessage


def flow_of(flow: Flow) -> TraceFlow:
    return TraceFlow(flow.transport, flow.remote_host, flow.remote_port, flow.local_host, flow.local_port)


def trace_of(log: CallLog, why: str = "") -> CallTrace:
    """A call that is up ends with its last message."""
    indexes: dict[Flow, int] = {}
    messages = []
    is_call = bool(log.call_id)
    for now, code, flow, data in read_items(log):
        index = indexes.setdefault(flow, len(indexes))
        leg = code // 2 if is_call else UNKNOWN_LEG
        messages.append(TraceMessage(_us(now, log), bool(code & 1), leg, index, data))
    return CallTrace(
        call_id=log.call_id or log.sip_call_ids[0],
        started_at_us=_us(log.started_at, log),
        ended_at_us=_us(log.last_at if log.ended_at is None else log.ended_at, log),
        why=why or ", ".join(log.why),
        flows=[flow_of(flow) for flow in indexes],
        messages=messages,
        dropped=log.dropped,
        partners=list(log.partners),
    )


def _us(now: float, log: CallLog) -> int:
    return int((now + log.offset_s) * 1_000_000)
