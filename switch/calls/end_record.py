"""The end of a call on record: the charge, a CDR for every leg, and the dialogs that still need their BYE.

The call journals all of it in one atomic step, which replaces the open record. While the process lives, what was
reserved is charged or released here and nowhere else; after a crash recovery.py comes to the same from the journal.
"""

from typing import TYPE_CHECKING

from rating.engine import Settlement
from rating.records import OutboxRecord, UsageEntry
from switch.calls.call_records import dialogs_to_hang_up
from switch.calls.cdr import Ending, complete, join_rows, set_charge
from switch.calls.open_call import HANGUP_KEY, OPEN_KEY
from switch.calls.switchboard import Put

if TYPE_CHECKING:
    from switch.calls.call import Call


def settle(call: "Call", now: float, *, free: bool) -> Settlement | None:
    """Charge the talk from what was reserved and release the rest. None: the caller heard no answer, or `free`."""
    answered_at = call.caller_leg.answered_at
    if answered_at is None or free:
        call.board.engine.release(call.id)
        return None
    return call.board.engine.settle(call.id, duration_ms=round((now - answered_at) * 1000))


def end_records(
    call: "Call", ending: Ending, settlement: Settlement | None, now: float
) -> list[OutboxRecord]:
    """Every leg's row, the caller's first, and the ledger's side of the charge."""
    clock = call.board.clock
    rows = call.rows
    complete(rows[0], call.caller_leg, ending, clock, now)
    if settlement is not None:
        set_charge(rows[0], settlement)
    for leg in call.callee_legs:
        complete(rows[leg.index], leg, ending, clock, now)
    join_rows(rows, call.answered_leg.index if call.answered_leg is not None else None)
    records: list[OutboxRecord] = [*rows]
    if settlement is not None and settlement.charge.total_micros:
        records.append(_usage(call, settlement, now))
    return records


def closing_puts(call: "Call") -> list[Put]:
    """The open record goes; the dialogs whose BYE is on its way stay until it is answered."""
    puts: list[Put] = [(OPEN_KEY + call.id, None)]
    hangup = dialogs_to_hang_up(call)
    if hangup is not None:
        puts.append((HANGUP_KEY + call.id, hangup))
    return puts


def _usage(call: "Call", settlement: Settlement, now: float) -> UsageEntry:
    assert call.admission is not None
    assert call.admission.price.account_id is not None
    return UsageEntry(
        account_id=call.admission.price.account_id,
        call_id=call.id,
        leg=0,
        amount_micros=-settlement.charge.total_micros,
        at_ms=call.board.engine.period.stamp_ms(call.board.clock.ms(now)),
    )
