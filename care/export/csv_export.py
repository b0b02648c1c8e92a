"""A call as CSV for a spreadsheet: one row a leg, or one a message. No cell is anybody's formula (csv_output.py)."""

from typing import Final

from care.export.moments import utc_text, utc_text_ms
from care.ladder import Ladder, ladder_of
from care.story import CallStory
from provisioning.csv_output import Amount, Cell, csv_text
from provisioning.views import CdrView
from switch.sip.host import host_port

LEG_HEADS: Final = (
    "call_id", "leg", "what", "setup_utc", "ringing_utc", "answered_utc", "ended_utc", "talked_ms", "from", "dialled",
    "to", "account", "line", "trunk", "outcome", "sip_status", "q850_cause", "reason", "ended_by", "post_dial_delay_ms",
    "payer", "cost_pounds", "source", "destination", "sip_call_id", "user_agent", "decisions",
)  # fmt: skip
MESSAGE_HEADS: Final = (
    "number", "at_utc", "since_ms", "leg", "direction", "transport", "remote", "local", "message", "cseq", "repeat",
    "error", "facts",
)  # fmt: skip


def legs_csv(story: CallStory) -> str:
    """One row a leg."""
    return csv_text(LEG_HEADS, [_leg(view) for view in story.legs]) + "\r\n"


def messages_csv(story: CallStory) -> str:
    """One row a message of the trace, in order of time."""
    return csv_text(MESSAGE_HEADS, _messages(story, ladder_of(story))) + "\r\n"


def _leg(view: CdrView) -> list[Cell]:
    cdr = view.cdr
    return [
        cdr.call_id, cdr.leg, cdr.leg_reason, utc_text_ms(cdr.setup_at_ms), utc_text_ms(cdr.ringing_at_ms),
        utc_text_ms(cdr.answered_at_ms), utc_text_ms(cdr.ended_at_ms), cdr.duration_ms,
        cdr.presentation_number or cdr.network_number, cdr.dialled, cdr.destination, view.account, cdr.line, cdr.trunk,
        cdr.outcome, cdr.sip_status, cdr.q850_cause, cdr.reason, cdr.ended_by,
        "" if cdr.post_dial_delay_ms is None else cdr.post_dial_delay_ms, view.payer, Amount(cdr.cost_micros),
        cdr.source_address, cdr.destination_address, cdr.sip_call_id, cdr.user_agent, cdr.decisions,
    ]  # fmt: skip


def _messages(story: CallStory, ladder: Ladder) -> list[list[Cell]]:
    trace = story.trace
    if trace is None:
        return []
    rows: list[list[Cell]] = []
    for rung in ladder.rungs:
        if rung.is_event:
            continue
        message = trace.messages[rung.message]
        flow = trace.flows[message.flow] if 0 <= message.flow < len(trace.flows) else None
        rows.append(
            [
                rung.message, utc_text(rung.at_us), rung.since_us // 1000, rung.leg,
                "sent" if message.is_sent else "received",
                "" if flow is None else flow.transport,
                "" if flow is None else host_port(flow.remote_host, flow.remote_port),
                "" if flow is None else host_port(flow.local_host, flow.local_port),
                rung.label, rung.cseq, rung.repeat, "yes" if rung.is_error else "", "; ".join(rung.facts),
            ]
        )  # fmt: skip
    return rows
