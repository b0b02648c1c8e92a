"""The record of a call: one row for every leg of every attempt, refused ones too.

Leg 0 is the caller's and carries the money, because the caller's account pays; each target tried is a row of its own
with what it answered. Times are UTC; durations come from the monotonic clock.
"""

from typing import Final

from provisioning.storable import storable
from rating.engine import Settlement
from rating.rated_leg import ORIGIN
from rating.records import Cdr
from switch.calls.attempt import Attempt
from switch.calls.callee_leg import CalleeLeg
from switch.calls.caller_leg import CallerLeg
from switch.calls.decisions import add_decision
from switch.calls.identity import LineCaller
from switch.calls.leg import Leg
from switch.calls.number_plan import E164, Emergency, ServiceCode, Short
from switch.calls.open_call import OPEN
from switch.calls.switchboard import WallClock
from switch.calls.target import LineTarget, VoicemailTarget
from switch.calls.terms import Admission
from switch.sip.flow import Flow
from switch.sip.host import host_port


class Ending:
    """How a call ended, for the caller's row. `outcome` is the metric's label."""

    __slots__ = ("ended_by", "outcome", "q850_cause", "sip_status", "words")

    def __init__(self, outcome: str, sip_status: int, q850_cause: int, words: str, ended_by: str) -> None:
        self.outcome = outcome
        self.sip_status = sip_status
        self.q850_cause = q850_cause
        self.words = words
        self.ended_by = ended_by


TEXT_CHARS_MAX: Final = 128
CALL_ID_CHARS_MAX: Final = 256


class CallFacts:
    """What every row of one call shares. `destination` is E.164, a short or service code, or a line's user name."""

    __slots__ = ("attempt", "call_id", "destination", "dialled", "routing_version")

    def __init__(
        self,
        call_id: str,
        attempt: Attempt,
        dialled: str,
        destination: str,
        routing_version: str,
    ) -> None:
        self.call_id = call_id
        self.attempt = attempt
        self.dialled = dialled
        self.destination = destination
        self.routing_version = routing_version


def facts_of(call_id: str, attempt: Attempt, routing_version: str) -> CallFacts:
    return CallFacts(
        call_id, attempt, _clip(attempt.dialled), _clip(_destination_of(attempt)), routing_version
    )


def caller_row(facts: CallFacts, leg: CallerLeg, clock: WallClock) -> Cdr:
    """Leg 0 as it begins: who calls, from where, and who will pay by which price."""
    caller = facts.attempt.caller
    row = _row(facts, leg, "the caller's leg", clock)
    if isinstance(caller, LineCaller):
        row.line = caller.line.user
        row.account_id = caller.line.account_id
    else:
        row.trunk = caller.trunk.name
    if facts.attempt.cli is not None:
        add_decision(row, facts.attempt.cli.words)
    row.source_address = _remote(leg.flow)
    row.destination_address = _local(leg.flow)
    row.sip_call_id = storable(leg.request.call_id[:CALL_ID_CHARS_MAX])
    row.user_agent = _clip(leg.peer_user_agent)
    return row


def set_price(row: Cdr, admission: Admission) -> None:
    """What the ladder decided, on the caller's row."""
    price = admission.price
    row.ddi = admission.route.ddi
    row.is_emergency = admission.route.is_emergency
    row.payer_account_id = price.account_id
    row.tariff = price.tariff
    row.tariff_version = price.tariff_version
    if price.rate is not None:
        row.rate_prefix = price.rate.prefix
        row.per_minute_micros = price.rate.per_minute_micros
        row.destination_name = price.rate.destination
    if price.origin:
        add_decision(row, ORIGIN + price.origin)


def callee_row(facts: CallFacts, leg: CalleeLeg, caller: Cdr, clock: WallClock) -> Cdr:
    """One target as it begins to be tried."""
    target = leg.target
    if isinstance(target, LineTarget):
        what = "a phone" if target.binding is not None else "the trunk"
        row = _row(facts, leg, f"{what} of line {target.line.user}", clock)
        row.line = target.line.user
        row.account_id = target.line.account_id
    elif isinstance(target, VoicemailTarget):
        row = _row(facts, leg, target.reason, clock)
        row.destination = target.name
        if target.line is not None:
            row.line = target.line.user
            row.account_id = target.line.account_id
    else:
        row = _row(facts, leg, _trunk_reason(leg, target.trunk.name), clock)
        row.trunk = target.trunk.name
    row.ddi = caller.ddi
    row.is_emergency = caller.is_emergency
    onward = target.onward
    if onward is not None and onward.sender is not None:
        row.leg_reason = _clip(f"{onward.sender.reason}: {row.leg_reason}")
        row.ddi = onward.route.ddi
        row.destination = onward.route.number or target.name
    row.source_address = _local(leg.flow)
    row.destination_address = _remote(leg.flow)
    row.sip_call_id = leg.sip_call_id
    return row


def _trunk_reason(leg: CalleeLeg, name: str) -> str:
    """The first trunk's record says which were passed over for it."""
    admission = leg.call.admission
    if leg.index > 1 or admission is None or not admission.route.skipped:
        return f"trunk {name}"
    return _clip(f"trunk {name}: {', '.join(str(trunk) for trunk in admission.route.skipped)}")


def stamp(row: Cdr, leg: Leg, clock: WallClock) -> None:
    """The times that have come by now."""
    first_sign = leg.ringing_at
    if first_sign is not None:
        row.ringing_at_ms = clock.ms(first_sign)
    if leg.answered_at is not None:
        row.answered_at_ms = clock.ms(leg.answered_at)
        first_sign = leg.answered_at if first_sign is None else first_sign
    if first_sign is not None:
        row.post_dial_delay_ms = round((first_sign - leg.setup_at) * 1000)
    if leg.peer_user_agent:
        row.user_agent = _clip(leg.peer_user_agent)


def complete(row: Cdr, leg: Leg, ending: Ending, clock: WallClock, now: float) -> None:
    """How the leg ended. A target that failed by itself says how; an answered one ends as the call did."""
    stamp(row, leg, clock)
    ended_at = leg.ended_at if leg.ended_at is not None else now
    row.ended_at_ms = clock.ms(ended_at)
    if leg.answered_at is not None:
        row.duration_ms = max(0, round((ended_at - leg.answered_at) * 1000))
    outcome = leg.outcome
    if outcome is None:
        row.outcome, row.sip_status, row.q850_cause = ending.outcome, ending.sip_status, ending.q850_cause
        row.reason, row.ended_by = _clip(ending.words), ending.ended_by
    else:
        row.outcome = outcome_label(outcome.status, outcome.q850_cause)
        row.sip_status, row.q850_cause, row.reason = outcome.status, outcome.q850_cause, _clip(outcome.words)
        row.ended_by = "exchange" if outcome.is_ours else "callee" if leg.index else "caller"


def set_charge(row: Cdr, settlement: Settlement) -> None:
    """What the call cost, on the payer's row."""
    charge = settlement.charge
    row.billed_s = charge.billed_s
    row.connect_fee_micros = charge.connect_fee_micros
    row.usage_micros = charge.usage_micros
    row.access_charge_micros = charge.access_charge_micros
    row.service_charge_micros = charge.service_charge_micros
    row.cost_micros = charge.total_micros
    row.balance_after_micros = settlement.balance_after_micros


def join_rows(rows: list[Cdr], answered_index: int | None) -> list[Cdr]:
    """Give each row the SIP Call-ID and user agent of the leg it talked to (or first rang)."""
    caller = rows[0]
    if len(rows) == 1:
        return rows
    partner = next((row for row in rows[1:] if row.leg == answered_index), rows[1])
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


def _destination_of(attempt: Attempt) -> str:
    if attempt.called_line is not None:
        return attempt.called_line.user
    destination = attempt.plan_result.destination
    if isinstance(destination, E164 | Short):
        return destination.number
    if isinstance(destination, ServiceCode):
        return destination.name
    return destination.service if isinstance(destination, Emergency) else ""


def _row(facts: CallFacts, leg: CallerLeg | CalleeLeg, leg_reason: str, clock: WallClock) -> Cdr:
    """What both kinds of row begin with; the rest is empty until it is known."""
    attempt = facts.attempt
    caller_id = attempt.caller_id
    setup_at_ms = clock.ms(leg.setup_at)
    return Cdr(
        call_id=facts.call_id, leg=leg.index, leg_reason=leg_reason,
        setup_at_ms=setup_at_ms, ringing_at_ms=None, answered_at_ms=None, ended_at_ms=setup_at_ms,
        network_number=caller_id.network_number, presentation_number=caller_id.presentation_number,
        privacy="id" if caller_id.is_withheld else "",
        dialled=facts.dialled, destination=facts.destination, destination_name="", ddi="",
        account_id=None, line="", trunk="", payer_account_id=None,
        duration_ms=0, billed_s=0, connect_fee_micros=0, usage_micros=0, cost_micros=0,
        rate_prefix="", per_minute_micros=None, tariff="", tariff_version="", balance_after_micros=None,
        sip_status=0, q850_cause=0, outcome=OPEN, reason="", ended_by="",
        source_address="", destination_address="",
        sip_call_id="", other_sip_call_id="", user_agent="", other_user_agent="",
        post_dial_delay_ms=None, is_emergency=False, is_recovered=False,
        routing_version=facts.routing_version,
    )  # fmt: skip


def _clip(text: str) -> str:
    """A peer's text on a record is as long as people need it, not as long as the peer likes."""
    return storable(text[:TEXT_CHARS_MAX])


def _remote(flow: Flow) -> str:
    return f"{flow.transport.lower()}:{host_port(flow.remote_host, flow.remote_port)}"


def _local(flow: Flow) -> str:
    return f"{flow.transport.lower()}:{host_port(flow.local_host, flow.local_port)}"
