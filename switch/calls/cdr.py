"""The record of a call: one row for every leg of every attempt, refused ones too.

Leg 0 is the caller's and carries the money, because the caller's account pays; each target tried is a row of its own
with what it answered. Times are UTC; durations come from the monotonic clock.
"""

import msgspec

from rating.engine import Settlement
from rating.records import Cdr
from switch.calls.admission import Admission, Attempt
from switch.calls.callee_leg import CalleeLeg
from switch.calls.caller_leg import CallerLeg
from switch.calls.identity import LineCaller
from switch.calls.number_plan import E164, Emergency, Short
from switch.calls.switchboard import WallClock
from switch.calls.target import LineTarget
from switch.sip.flow import Flow


class Ending(msgspec.Struct, frozen=True):
    """How a call ended, for the caller's row. `outcome` is the metric's label."""

    outcome: str
    sip_status: int
    q850_cause: int
    words: str
    ended_by: str


TEXT_CHARS_MAX = 128
CALL_ID_CHARS_MAX = 256

STILL_OPEN = Ending("open", 0, 0, "in progress", "")


class CallFacts(msgspec.Struct):
    """What every row of one call shares."""

    call_id: str
    attempt: Attempt
    admission: Admission | None
    routing_version: str


def caller_row(
    facts: CallFacts,
    leg: CallerLeg,
    ending: Ending,
    settlement: Settlement | None,
    clock: WallClock,
    now: float,
) -> Cdr:
    """Leg 0. Without a settlement nothing was charged."""
    admission = facts.admission
    price = admission.price if admission is not None else None
    rate = price.rate if price is not None else None
    charge = settlement.charge if settlement is not None else None
    caller = facts.attempt.caller
    row = _row(facts, leg, "the caller's leg", ending, clock, now)
    if isinstance(caller, LineCaller):
        row.line = caller.line.user
        row.account_id = caller.line.account_id
    else:
        row.trunk = caller.trunk.name
    row.source_address = _remote(leg.flow)
    row.destination_address = _local(leg.flow)
    row.sip_call_id = leg.request.call_id[:CALL_ID_CHARS_MAX]
    if price is not None:
        row.payer_account_id = price.account_id
        row.tariff = price.tariff
        row.tariff_version = price.tariff_version
    if rate is not None:
        row.rate_prefix = rate.prefix
        row.per_minute_micros = rate.per_minute_micros
        row.destination_name = rate.destination
    if charge is not None and settlement is not None:
        row.billed_s = charge.billed_s
        row.connect_fee_micros = charge.connect_fee_micros
        row.usage_micros = charge.usage_micros
        row.cost_micros = charge.total_micros
        row.balance_after_micros = settlement.balance_after_micros
    return row


def callee_row(facts: CallFacts, leg: CalleeLeg, ending: Ending, clock: WallClock, now: float) -> Cdr:
    """One target that was tried. A target that failed by itself says how; an answered one ends as the call did."""
    outcome = leg.outcome
    if outcome is not None:
        ending = Ending(outcome_label(outcome.status, outcome.q850_cause), outcome.status, outcome.q850_cause,
                        outcome.words, "exchange" if outcome.is_ours or leg.is_cancelled else "callee")  # fmt: skip
    target = leg.target
    if isinstance(target, LineTarget):
        row = _row(facts, leg, f"a phone of line {target.line.user}", ending, clock, now)
        row.line = target.line.user
        row.account_id = target.line.account_id
    else:
        row = _row(facts, leg, f"trunk {target.trunk.name}", ending, clock, now)
        row.trunk = target.trunk.name
    row.source_address = _local(leg.flow)
    row.destination_address = _remote(leg.flow)
    row.sip_call_id = leg.sip_call_id
    return row


def join_rows(rows: list[Cdr], answered_index: int | None) -> list[Cdr]:
    """Give each row the SIP Call-ID and user agent of the leg it talked to (or first rang)."""
    caller = rows[0]
    partner = next((row for row in rows[1:] if row.leg == answered_index), rows[1] if len(rows) > 1 else None)
    if partner is not None:
        caller.other_sip_call_id = partner.sip_call_id
        caller.other_user_agent = partner.user_agent
    for row in rows[1:]:
        row.other_sip_call_id = caller.sip_call_id
        row.other_user_agent = caller.user_agent
    return rows


def outcome_label(status: int, cause: int) -> str:
    """The few words a chart is drawn by."""
    if 200 <= status < 300:
        return "answered"
    if status in (486, 600):
        return "busy"
    if status == 487:
        return "cancelled"
    if status == 603:
        return "declined"
    if cause == 19 or status == 408:
        return "no_answer"
    if status == 404:
        return "not_found"
    if status == 480:
        return "unavailable"
    return "failed"


def destination_of(attempt: Attempt, admission: Admission | None) -> str:
    """The normalised destination: E.164, a short code, or the line's user name."""
    if admission is not None and admission.route.number:
        return admission.route.number
    if attempt.called_line is not None:
        return attempt.called_line.user
    destination = attempt.plan_result.destination
    if isinstance(destination, E164 | Short):
        return destination.number
    return destination.service if isinstance(destination, Emergency) else ""


def _row(
    facts: CallFacts,
    leg: CallerLeg | CalleeLeg,
    leg_reason: str,
    ending: Ending,
    clock: WallClock,
    now: float,
) -> Cdr:
    """The fields that both kinds of row fill in alike; the rest are empty."""
    attempt = facts.attempt
    admission = facts.admission
    caller_id = attempt.caller_id
    ended_at = leg.ended_at if leg.ended_at is not None else now
    first_sign = leg.ringing_at if leg.ringing_at is not None else leg.answered_at
    return Cdr(
        call_id=facts.call_id,
        leg=leg.index,
        leg_reason=leg_reason,
        setup_at_ms=clock.ms(leg.setup_at),
        ringing_at_ms=_ms(clock, leg.ringing_at),
        answered_at_ms=_ms(clock, leg.answered_at),
        ended_at_ms=clock.ms(ended_at),
        network_number=caller_id.network_number,
        presentation_number=caller_id.presentation_number,
        privacy="id" if caller_id.is_withheld else "",
        dialled=_clip(attempt.dialled),
        destination=destination_of(attempt, admission),
        destination_name="",
        ddi=admission.route.ddi if admission is not None else "",
        account_id=None,
        line="",
        trunk="",
        payer_account_id=None,
        duration_ms=0 if leg.answered_at is None else max(0, round((ended_at - leg.answered_at) * 1000)),
        billed_s=0,
        connect_fee_micros=0,
        usage_micros=0,
        cost_micros=0,
        rate_prefix="",
        per_minute_micros=None,
        tariff="",
        tariff_version="",
        balance_after_micros=None,
        sip_status=ending.sip_status,
        q850_cause=ending.q850_cause,
        outcome=ending.outcome,
        reason=_clip(ending.words),
        ended_by=ending.ended_by,
        source_address="",
        destination_address="",
        sip_call_id="",
        other_sip_call_id="",
        user_agent=_clip(leg.peer_user_agent),
        other_user_agent="",
        post_dial_delay_ms=None if first_sign is None else round((first_sign - leg.setup_at) * 1000),
        is_emergency=admission is not None and admission.route.is_emergency,
        is_recovered=False,
        routing_version=facts.routing_version,
    )


def _clip(text: str) -> str:
    """A peer's text on a record is as long as people need it, not as long as the peer likes."""
    return text[:TEXT_CHARS_MAX]


def _ms(clock: WallClock, at: float | None) -> int | None:
    return None if at is None else clock.ms(at)


def _remote(flow: Flow) -> str:
    return f"{flow.transport.lower()}:{flow.remote_host}:{flow.remote_port}"


def _local(flow: Flow) -> str:
    return f"{flow.transport.lower()}:{flow.local_host}:{flow.local_port}"
