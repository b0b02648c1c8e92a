"""The CDRs of one call as PostgreSQL has them, and the judgement of their times by the phones' own clocks.

Phones and exchange run on one machine, so their UTC clocks are one; what remains is the way of a message and a busy
processor, both below TOLERANCE_MS.
"""

import time
from datetime import datetime

import msgspec

from demo.ladder import SipSummary, summary
from demo.phone import PhoneCall
from demo.phone_messages import SipSeen
from tests.wire.phones.town import POLL_S, RECORDS_TIMEOUT_S, Town

TOLERANCE_MS = 400


class Record(msgspec.Struct, frozen=True):
    """The columns of `cdrs` that phones can judge."""

    call_id: str
    leg: int
    setup_at: datetime
    ringing_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime
    network_number: str
    presentation_number: str
    privacy: str
    dialled: str
    destination: str
    destination_name: str
    ddi: str
    line: str
    trunk: str
    duration_ms: int
    billed_s: int
    connect_fee_micros: int
    usage_micros: int
    cost_micros: int
    rate_prefix: str
    balance_after_micros: int | None
    sip_status: int
    q850_cause: int
    outcome: str
    reason: str
    ended_by: str
    source_address: str
    destination_address: str
    sip_call_id: str
    other_sip_call_id: str
    user_agent: str
    other_user_agent: str
    post_dial_delay_ms: int | None
    is_emergency: bool
    is_recovered: bool


class Moments(msgspec.Struct, frozen=True):
    """When a phone saw what of its call, UTC seconds; None for what did not happen."""

    invited: float
    rang: float | None
    answered: float | None
    ended: float | None


def records_of(town: Town, sip_call_id: str, *, legs: int) -> list[Record]:
    """The rows of the call that a phone knows by this Call-ID, leg 0 first. Exactly so many."""
    deadline = time.monotonic() + RECORDS_TIMEOUT_S
    while True:
        rows = town.query(
            "SELECT * FROM cdrs WHERE call_id = "
            "(SELECT call_id FROM cdrs WHERE sip_call_id = %s LIMIT 1) ORDER BY leg",
            sip_call_id,
        )
        if rows:  # all rows of a call are shipped in one transaction
            assert len(rows) == legs, f"{len(rows)} records: {rows}"
            return msgspec.convert(rows, list[Record])
        assert time.monotonic() < deadline, f"no record of {sip_call_id} after {RECORDS_TIMEOUT_S:g} s"
        time.sleep(POLL_S)


def moments(call: PhoneCall) -> Moments:
    """What this phone sent and received for the call. The INVITE that counts is the last before a sign of life."""
    mine = [
        (seen, facts)
        for seen in call.phone.trace
        for facts in [summary(seen.text)]
        if facts.call_id == call.sip_call_id
    ]
    rang = _first(mine, "SIP/2.0 18")
    answered = _first(mine, "SIP/2.0 200")
    first_sign = rang or answered
    invited = [
        seen.at
        for seen, facts in mine
        if facts.method == "INVITE" and (first_sign is None or seen.at < first_sign)
    ]
    return Moments(invited[-1], rang, answered, _first(mine, "BYE "))


def check_times(record: Record, call: PhoneCall) -> None:
    """The record's times against the phone's, and its duration against its own times."""
    seen = moments(call)
    _close(record.setup_at, seen.invited, "setup")
    _close(record.ringing_at, seen.rang, "ringing")
    if seen.answered is not None and seen.ended is not None:
        _close(record.answered_at, seen.answered, "answer")
        _close(record.ended_at, seen.ended, "end")
        assert record.answered_at is not None
        between_ms = (record.ended_at - record.answered_at).total_seconds() * 1000
        assert abs(record.duration_ms - between_ms) <= 2, (record.duration_ms, between_ms)
        talked_ms = (seen.ended - seen.answered) * 1000
        assert abs(record.duration_ms - talked_ms) < TOLERANCE_MS
    else:
        assert record.answered_at is None
        assert record.duration_ms == 0


def check_joined(caller: Record, callee: Record) -> None:
    """Each of the two rows names the other's Call-ID."""
    assert caller.other_sip_call_id == callee.sip_call_id
    assert callee.other_sip_call_id == caller.sip_call_id


def check_free(record: Record) -> None:
    assert record.cost_micros == record.billed_s == record.usage_micros == record.connect_fee_micros == 0


def _close(found: datetime | None, expected: float | None, what: str) -> None:
    if expected is None or found is None:
        assert found is None and expected is None, f"{what}: {found} on the record, {expected} at the phone"
        return
    apart_ms = abs(found.timestamp() - expected) * 1000
    assert apart_ms < TOLERANCE_MS, f"{what}: {found} on the record is {apart_ms:.0f} ms off"


def _first(messages: list[tuple[SipSeen, SipSummary]], beginning: str) -> float | None:
    return next((seen.at for seen, facts in messages if facts.start_line.startswith(beginning)), None)
