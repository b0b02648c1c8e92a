"""The end of a call on record: the charge, a CDR for every leg, and the dialogs that still need their BYE.

The call journals all of it in one atomic step, which replaces the open record. While the process lives, what was
reserved is charged or released here and nowhere else; after a crash recovery.py comes to the same from the journal.
"""

from typing import TYPE_CHECKING

from rating.engine import Settlement
from rating.records import OutboxRecord, UsageEntry
from switch.calls.bundle_uses import bundle_uses, set_bundles
from switch.calls.buying import end_leg
from switch.calls.call_records import dialogs_to_hang_up
from switch.calls.cdr import Ending, complete, join_rows, set_charge
from switch.calls.decisions import add_decision
from switch.calls.endings import NOT_SENT_ON
from switch.calls.open_call import HANGUP_KEY, OPEN_KEY
from switch.calls.switchboard import Put
from switch.calls.trunk_endings import count_end

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.calls.meter import Meter


def end_records(
    call: "Call", ending: Ending, settled: "list[tuple[Meter, Settlement | None]]", now: float
) -> list[OutboxRecord]:
    """Every leg's row, the caller's first, and the ledger's side of each charge."""
    clock = call.board.clock
    rows = call.rows
    complete(rows[0], call.caller_leg, ending, clock, now)
    for label in call.attempt.not_sent_on:
        add_decision(rows[0], NOT_SENT_ON + label)
    for leg in call.callee_legs:
        complete(rows[leg.index], leg, ending, clock, now)
        if leg.bought is not None:
            end_leg(leg, rows[leg.index], now)
    count_end(call, rows)
    join_rows(rows, call.answered_leg.index if call.answered_leg is not None else None)
    return [*rows, *charge_records(call, settled, now)]


def charge_records(
    call: "Call", settled: "list[tuple[Meter, Settlement | None]]", now: float
) -> list[OutboxRecord]:
    """Puts each charge on its payer's row; the ledger's side of it."""
    records: list[OutboxRecord] = []
    for meter, settlement in settled:
        if settlement is None:
            continue
        set_charge(call.rows[meter.row], settlement)
        if settlement.charge.total_micros:
            records.append(_usage(call, meter, settlement, now))
        if settlement.used:
            set_bundles(call.rows[meter.row], settlement.used)
            at_ms = call.board.clock.ms(now)
            records += bundle_uses(call.id, meter.row, meter.reservation.account_id, settlement.used, at_ms)
    return records


def closing_puts(call: "Call") -> list[Put]:
    """The open record goes; the dialogs whose BYE is on its way stay until it is answered."""
    puts: list[Put] = [(OPEN_KEY + call.id, None)]
    hangup = dialogs_to_hang_up(call)
    if hangup is not None:
        puts.append((HANGUP_KEY + call.id, hangup))
    return puts


def _usage(call: "Call", meter: "Meter", settlement: Settlement, now: float) -> UsageEntry:
    assert meter.price.account_id is not None
    return UsageEntry(
        account_id=meter.price.account_id,
        call_id=call.id,
        leg=meter.row,
        amount_micros=-settlement.charge.total_micros,
        at_ms=call.board.engine.period.stamp_ms(call.board.clock.ms(now)),
    )
