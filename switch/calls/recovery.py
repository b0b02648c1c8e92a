"""After a crash: end what was up, on record and in fairness.

From the journal's state comes every call that was open. One that had been answered is charged to the last durable
heartbeat, never for more than was reserved, and nothing if the caller had not acknowledged the answer; both its legs
get their BYE. One that was ringing leaves its records and no charge; its caller is refused, its phones are cancelled.
Pure: state in, end records, dialogs and INVITEs out; run again after another crash it comes to the same, because the
end record replaces the open one in one atomic step.
"""

from collections.abc import Callable, Mapping

import msgspec

from rating.charge import charge_within
from rating.money import VatMode
from rating.rate import Rate
from rating.records import Cdr, OutboxRecord, UsageEntry
from switch.calls.bundle_uses import bundle_uses, set_bundles
from switch.calls.buying import set_buying
from switch.calls.endings import INTERRUPTED
from switch.calls.open_bundles import cost_of_covered
from switch.calls.open_call import (
    HANGUP_KEY,
    OPEN,
    OPEN_KEY,
    EarlyInvite,
    Hangup,
    OpenBuying,
    OpenCall,
    OpenPrice,
)
from switch.calls.open_price import rate_of
from switch.calls.switchboard import Put
from switch.sip.dialog_state import DialogState

HEARTBEAT_KEY = "heartbeat"

_encode = msgspec.msgpack.Encoder().encode
_decode_open = msgspec.msgpack.Decoder(OpenCall).decode
_decode_hangup = msgspec.msgpack.Decoder(Hangup).decode


class Heartbeat(msgspec.Struct, array_like=True):
    """One row a second: the process was alive then, on its monotonic clock and in UTC.

    `unacknowledged` are the calls whose answer the caller had not acknowledged by then. One that was answered later
    than the heartbeat has no time to be charged for, acknowledged or not.
    """

    mono: float
    utc_ms: int
    unacknowledged: list[str]


class EndedCall(msgspec.Struct):
    """One call that a crash cut: what to journal, which dialogs to send BYE in, which INVITEs to end."""

    call_id: str
    puts: list[Put]
    outbox: list[OutboxRecord]
    dialogs: list[DialogState]
    invites: list[EarlyInvite]


_decode_heartbeat = msgspec.msgpack.Decoder(Heartbeat).decode


def encode_heartbeat(now: float, utc_ms: int, unacknowledged: list[str]) -> bytes:
    return _encode(Heartbeat(now, utc_ms, unacknowledged))


def recover(state: Mapping[str, bytes], debit: Callable[[int, int], int | None]) -> list[EndedCall]:
    """Every call that needs an end or a BYE. `debit(account_id, micros)` takes a charge and returns the balance."""
    raw = state.get(HEARTBEAT_KEY)
    heartbeat = _decode_heartbeat(raw) if raw is not None else None
    ended = [
        _end(_decode_open(value), heartbeat, debit)
        for key, value in state.items()
        if key.startswith(OPEN_KEY)
    ]
    for key, value in state.items():
        if key.startswith(HANGUP_KEY):
            hangup = _decode_hangup(value)
            ended.append(EndedCall(key[len(HANGUP_KEY) :], [], [], hangup.dialogs, hangup.invites))
    return ended


def _end(call: OpenCall, heartbeat: Heartbeat | None, debit: Callable[[int, int], int | None]) -> EndedCall:
    duration_ms = _duration_ms(call, heartbeat)
    outbox: list[OutboxRecord] = [*call.drafts]
    _complete(call, heartbeat, duration_ms)
    for bought in call.buying:
        _set_buying(call, bought)
    if _was_acknowledged(call, heartbeat):
        if call.price is not None:
            outbox += _charge(call, call.drafts[0], call.price, duration_ms, debit)
        for meter in call.onward:
            row = next(row for row in call.drafts if row.leg == meter.leg)
            outbox += _charge(call, row, meter.price, _ms_since(meter.started_mono, heartbeat), debit)
    puts: list[Put] = [(OPEN_KEY + call.call_id, None)]
    if call.dialogs or call.invites:
        puts.append((HANGUP_KEY + call.call_id, _encode(Hangup(call.dialogs, call.invites))))
    return EndedCall(call.call_id, puts, outbox, call.dialogs, call.invites)


def _set_buying(call: OpenCall, bought: OpenBuying) -> None:
    """What the carrier takes for the leg, whatever its caller pays."""
    row = next(row for row in call.drafts if row.leg == bought.leg)
    rate = Rate(
        prefix=row.buy_prefix,
        destination="",
        connect_fee_micros=bought.connect_fee_micros,
        per_minute_micros=bought.per_minute_micros,
        initial_s=bought.initial_s,
        next_s=bought.next_s,
        valid_from_ms=0,
        valid_until_ms=None,
        vat=VatMode.EX_VAT,
    )
    set_buying(row, rate)


def _charge(
    call: OpenCall, row: Cdr, price: OpenPrice, duration_ms: int, debit: Callable[[int, int], int | None]
) -> list[OutboxRecord]:
    """On the payer's row; the ledger's side of it, where it is anything."""
    at_ms = row.setup_at_ms if row.answered_at_ms is None else row.answered_at_ms
    if price.special is not None:
        at_ms = price.special.at_ms
    cover = next((cover for cover in call.covers if cover.leg == row.leg), None)
    if cover is not None:
        charged, used = cost_of_covered(cover, rate_of(price), duration_ms, granted_s=price.granted_s, at_ms=at_ms)
    else:
        charged, used = charge_within(rate_of(price), duration_ms, granted_s=price.granted_s, at_ms=at_ms), ()
    row.billed_s = charged.billed_s
    row.connect_fee_micros = charged.connect_fee_micros
    row.usage_micros = charged.usage_micros
    row.access_charge_micros = charged.access_charge_micros
    row.service_charge_micros = charged.service_charge_micros
    row.cost_micros = charged.total_micros
    row.balance_after_micros = debit(price.account_id, charged.total_micros)
    records: list[OutboxRecord] = []
    if used:
        set_bundles(row, used)
        records += bundle_uses(call.call_id, row.leg, price.account_id, used, row.ended_at_ms)
    if charged.total_micros:
        records.append(UsageEntry(price.account_id, call.call_id, row.leg, -charged.total_micros, row.ended_at_ms))
    return records


def _was_acknowledged(call: OpenCall, heartbeat: Heartbeat | None) -> bool:
    """Whether the caller had said that it heard the answer: without that nothing is charged."""
    return (
        call.answered_mono is not None
        and heartbeat is not None
        and call.call_id not in heartbeat.unacknowledged
    )


def _duration_ms(call: OpenCall, heartbeat: Heartbeat | None) -> int:
    """Answer to the last sign of life of the process, both on its own clock; 0 if it died before the next one."""
    return 0 if call.answered_mono is None else _ms_since(call.answered_mono, heartbeat)


def _ms_since(mono: float, heartbeat: Heartbeat | None) -> int:
    return 0 if heartbeat is None else max(0, int((heartbeat.mono - mono) * 1000))


def _complete(call: OpenCall, heartbeat: Heartbeat | None, duration_ms: int) -> None:
    """Turn the drafts into records."""
    answered = call.answered_mono is not None
    for row in call.drafts:
        if row.outcome != OPEN:
            continue  # that end had left before
        row.is_recovered = True
        row.ended_by = "exchange"
        if answered and row.leg == 0 and row.answered_at_ms is None:
            # The answer was durable but not passed on; the draft was made just before.
            row.answered_at_ms = _answer_time(call)
        if row.answered_at_ms is not None:
            row.duration_ms = duration_ms
            row.ended_at_ms = row.answered_at_ms + duration_ms
            _say(
                row,
                "answered",
                200,
                "the exchange restarted during the call; charged to its last sign of life",
            )
        elif row.sip_status == 0:
            row.ended_at_ms = max(row.setup_at_ms, heartbeat.utc_ms if heartbeat is not None else 0)
            _say(row, INTERRUPTED, 500, "the exchange restarted before an answer")


def _answer_time(call: OpenCall) -> int | None:
    times = [row.answered_at_ms for row in call.drafts if row.answered_at_ms is not None]
    return times[0] if times else None


def _say(row: Cdr, outcome: str, status: int, words: str) -> None:
    row.outcome = outcome
    row.sip_status = status
    row.q850_cause = 41
    row.reason = words
