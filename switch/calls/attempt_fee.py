"""The fee of an attempt: what some tariffs take for each call that is tried, answered or not. A row `attempt:`.

It is charged when the call begins, whatever becomes of it, and has a record of its own, as a text has: a leg on which
nobody talked. Only a line that calls outside by itself pays one: no divert does, no call that costs nothing (freephone
and helplines are free to who calls them), and never an emergency call.
"""

from typing import TYPE_CHECKING, Final

import msgspec

from rating.engine import Shortage
from rating.rate import Rate
from rating.records import UsageEntry
from rating.tariff import Tariff

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.calls.terms import Price, Route

# Beside the legs of the call, and above all that it can have.
ATTEMPT_LEG: Final = 10_000
REASON: Final = "the fee of the attempt"
EVENT_MS: Final = 1  # it has a price and no duration
CHARGED: Final = "charged"


def attempt_rate(tariff: Tariff, route: "Route", rate: Rate | None, at_ms: int) -> Rate | None:
    """What this attempt costs besides; None: nothing."""
    if route.line is not None or rate is None or rate.is_free:
        return None
    fee: Rate | None = tariff.attempt_rate_for(route.number, at_ms)
    return None if fee is None or fee.is_free else fee


def charge_attempt(call: "Call", price: "Price", now: float) -> Shortage | None:
    """Take the fee and put it on record; a Shortage where the account cannot pay it."""
    rate, account_id, board = price.attempt, price.account_id, call.board
    assert rate is not None
    assert account_id is not None
    key = f"{call.id}/attempt"
    held = board.engine.reserve(key, account_id, rate, initial_ahead_s=1)
    if isinstance(held, Shortage):
        return held
    settlement = board.engine.settle(key, duration_ms=EVENT_MS)
    fee_micros = settlement.charge.total_micros
    row = msgspec.structs.replace(
        call.rows[0],
        leg=ATTEMPT_LEG,
        leg_reason=REASON,
        payer_account_id=account_id,
        rate_prefix=rate.prefix,
        per_minute_micros=None,
        destination_name=rate.destination,
        connect_fee_micros=fee_micros,
        cost_micros=fee_micros,
        balance_after_micros=settlement.balance_after_micros,
        outcome=CHARGED,
        decisions="",
    )
    at_ms = board.engine.period.stamp_ms(board.clock.ms(now))
    board.record([], [row, UsageEntry(account_id, call.id, ATTEMPT_LEG, -fee_micros, at_ms)])
    return None
