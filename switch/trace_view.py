"""What the control socket says of traces: one call's, and how it stands with all of them."""

from typing import TYPE_CHECKING, Final

from switch.tracing.exported import trace_of
from traces.call_trace import CallTrace
from traces.redaction import redacted_trace

if TYPE_CHECKING:
    from switch.process import SwitchProcess
    from switch.tracing.tracer import Tracer

# What a person reads, and what the process that calls go through has time for: each costs it some 50 us.
REFUSED_MAX: Final = 100
REFUSED_OCTETS_MAX: Final = 1024 * 1024


def call_trace(tracer: "Tracer", call_id: str) -> CallTrace | None:
    """Of a call that is up or has ended lately, or of a refused INVITE by its SIP Call-ID; redacted as on the disk."""
    log = tracer.find(call_id)
    return None if log is None else redacted_trace(trace_of(log))


def refused_invites(tracer: "Tracer", sip_call_id: str = "") -> list[CallTrace]:
    """INVITEs that became no call, the latest first, redacted: the one with this SIP Call-ID, or the latest of all."""
    tracer.enter()
    ring = tracer.ring
    if sip_call_id:
        log = ring.strangers.get(sip_call_id) or ring.refused.get(sip_call_id)
        return [] if log is None else [redacted_trace(trace_of(log))]
    logs = sorted((*ring.strangers.values(), *ring.refused.values()), key=lambda log: -log.started_at)
    found: list[CallTrace] = []
    octets = 0
    for log in logs[:REFUSED_MAX]:
        octets += log.octets
        if octets > REFUSED_OCTETS_MAX:
            break
        found.append(redacted_trace(trace_of(log)))
    return found


def trace_state(process: "SwitchProcess") -> str:
    """A word or two for `offhook status`."""
    tracer, link = process.exchange.tracer, process.traces
    if not tracer.is_on:
        return "off"
    if link is None or not link.is_here:
        return "nobody stores them: the process for traces is away"
    return f"not stored: {link.counts.problem}" if link.counts.problem else "ok"


def trace_status(process: "SwitchProcess") -> dict[str, object]:
    """Numbers and words by name; nothing from the wire."""
    tracer, link = process.exchange.tracer, process.traces
    ring = tracer.ring
    return {
        "state": trace_state(process),
        "octets": ring.octets,
        "octets_max": ring.octets_max,
        "calls": len(ring.live),
        "ended": len(ring.good),
        "waiting": len(ring.waiting),
        "strangers": len(ring.strangers) + len(ring.refused),
        "messages": ring.messages,
        "messages_dropped": ring.messages_dropped,
        "kept": dict(tracer.kept),
        "over_budget": tracer.over_budget,
        "lost": ring.lost + tracer.not_stored,
        "stored": tracer.stored,
        "disk_bytes": 0 if link is None else link.counts.disk_bytes,
        "disk_days": 0 if link is None else link.counts.days,
    }
