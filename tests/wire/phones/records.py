"""The CDRs of one call as PostgreSQL has them, and the judgement of their times by the phones' own clocks.

Phones and exchange run on one machine, so their UTC clocks are one. What the exchange noted must lie between the moment
one phone sent something and the moment the other received what followed from it, however busy the machine is.
"""

import time
from collections.abc import Iterable
from datetime import datetime

import msgspec

from demo.ladder import summary
from demo.phone import PhoneCall
from tests.wire.phones.town import POLL_S, RECORDS_TIMEOUT_S, Town

# Records are in whole milliseconds, and the switch sets its UTC clock anew once a second.
CLOCK_MS = 20
# Where only one side of a call is a phone whose messages we see.
ONE_SIDED_MS = 2_000


class Record(msgspec.Struct, frozen=True):
    """The columns of `cdrs` that phones can judge."""

    call_id: str
    leg: int
    leg_reason: str
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
    bundled_s: int
    bundles: str


class Span(msgspec.Struct, frozen=True):
    """Not before `begin`, not after `end`, UTC seconds; None where nobody saw that side."""

    begin: float | None
    end: float | None


class Seen(msgspec.Struct, frozen=True):
    """A message of a call at one phone. `method` is the CSeq's."""

    at: float
    is_sent: bool
    method: str
    status: int  # 0 for a request


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


def check_times(records: Iterable[Record], *, caller: PhoneCall | None, callee: PhoneCall | None) -> None:
    """Every time on the rows against what the phones saw, and the durations against the rows' own times."""
    theirs, ours = _seen(callee), _seen(caller)
    for record in records:
        _within(record.setup_at, Span(_invited(ours), _at(theirs, method="INVITE", is_sent=False)), "setup")
        _within(record.ringing_at, _passed_on(theirs, ours, 180, 190), "ringing")
        _within(record.answered_at, _passed_on(theirs, ours, 200, 300), "answer")
        _within(record.ended_at, _ending(theirs, ours, is_answered=record.answered_at is not None), "end")
        if record.answered_at is None:
            assert record.duration_ms == 0
        else:
            between_ms = (record.ended_at - record.answered_at).total_seconds() * 1000
            assert abs(record.duration_ms - between_ms) <= CLOCK_MS, (record.duration_ms, between_ms)


def answered_and_ended(call: PhoneCall) -> tuple[float, float]:
    """When this phone sent or received the first 200 and the first BYE."""
    seen = _seen(call)
    answered = next(one.at for one in seen if one.method == "INVITE" and 200 <= one.status < 300)
    return answered, next(one.at for one in seen if one.method == "BYE")


def check_joined(caller: Record, callee: Record) -> None:
    """Each of the two rows names the other's Call-ID."""
    assert caller.other_sip_call_id == callee.sip_call_id
    assert callee.other_sip_call_id == caller.sip_call_id


def check_free(record: Record) -> None:
    assert record.cost_micros == record.billed_s == record.usage_micros == record.connect_fee_micros == 0


def _seen(call: PhoneCall | None) -> list[Seen]:
    if call is None:
        return []
    seen = []
    for message in call.phone.trace:
        facts = summary(message.text)
        if facts.call_id == call.sip_call_id:
            words = facts.start_line.split(" ")
            status = int(words[1]) if words[0] == "SIP/2.0" else 0
            seen.append(Seen(message.at, message.is_sent, facts.method, status))
    return seen


def _at(seen: list[Seen], *, method: str, is_sent: bool, low: int = 0, high: int = 1) -> float | None:
    """The first message of that kind with a status from `low` to below `high`; as it stands, a request."""
    for one in seen:
        if one.is_sent is is_sent and one.method == method and low <= one.status < high:
            return one.at
    return None


def _passed_on(theirs: list[Seen], ours: list[Seen], low: int, high: int) -> Span:
    """A response to INVITE from the called phone to the caller's."""
    return Span(
        _at(theirs, method="INVITE", is_sent=True, low=low, high=high),
        _at(ours, method="INVITE", is_sent=False, low=low, high=high),
    )


def _invited(ours: list[Seen]) -> float | None:
    """The INVITE that the exchange took: the last before its 100."""
    accepted = _at(ours, method="INVITE", is_sent=False, low=100, high=200)
    times = [one.at for one in ours if one.method == "INVITE" and one.is_sent and one.status == 0]
    return max((at for at in times if accepted is None or at < accepted), default=None)


def _ending(theirs: list[Seen], ours: list[Seen], *, is_answered: bool) -> Span:
    both = [*ours, *theirs]
    if is_answered:
        sent = [one.at for one in both if one.method == "BYE" and one.status == 0 and one.is_sent]
        received = [one.at for one in both if one.method == "BYE" and one.status == 0 and not one.is_sent]
        return Span(min(sent, default=None), min(received, default=None))
    refused = _at(theirs, method="INVITE", is_sent=True, low=300, high=700)
    given_up = _at(ours, method="CANCEL", is_sent=True)
    told = [one.at for one in ours if one.method == "INVITE" and not one.is_sent and one.status >= 300]
    return Span(given_up if given_up is not None else refused, max(told, default=None))


def _within(found: datetime | None, span: Span, what: str) -> None:
    if span.begin is None and span.end is None:
        assert found is None or what in ("setup", "end"), (
            f"{what}: {found} on the record, nothing at the phones"
        )
        return
    assert found is not None, f"{what}: not on the record, but the phones saw it"
    at_ms = found.timestamp() * 1000
    begin_ms = span.begin * 1000 if span.begin is not None else (span.end or 0.0) * 1000 - ONE_SIDED_MS
    end_ms = span.end * 1000 if span.end is not None else begin_ms + ONE_SIDED_MS
    assert begin_ms - CLOCK_MS <= at_ms <= end_ms + CLOCK_MS, (
        f"{what}: {found} on the record is {at_ms - begin_ms:.0f} ms after it could be first, "
        f"{end_ms - at_ms:.0f} ms before it must have been"
    )
