"""What a call costs: charge(rate, duration) -> Charge, and the other way round, how long a budget lasts.

From answered milliseconds to micros, in this order. `at_ms` is the instant of the first second (UTC), for prices that
depend on it; `covered_s` are the first seconds of the call that a bundle pays for:
  1. a duration of 0 ms is no call: nothing is billed, not even the connect fee;
  2. any longer one counts in whole seconds, begun ones in full (UK retail: one-second units, at least one
  second);
  3. the first `initial_s` seconds are billed in full, after them intervals of `next_s`, begun ones in full;
  4. usage = billed seconds x price per minute / 60, rounded once, down (`round_charge_part`);
  5. of a call that a bundle has covered in part, the usage is what the seconds after the covered ones add to the whole
  call's, rounded once;
  6. the connect fee is added once to every call of 1 ms or more.

Time bands, included seconds, minimum charge, cap and the access and service charge of 084, 087, 09 and 118 replace
steps 4 to 6 by special_charge.py.

Usage is always computed from the call's whole billed seconds, never as a sum of increments: so what was
reserved step by step for n seconds is, to the micro, what n seconds cost.
"""

from typing import Final

import msgspec

from rating.money import Micros, round_charge_part
from rating.rate import Rate
from rating.special_charge import SECONDS_PER_MINUTE, affordable_special_s, special_parts

# No call lasts a week; other switches have billed 71,582,788 seconds after a counter wrapped. It also keeps
# every product of seconds and price far inside 64 bits, where the records end up.
CALL_S_MAX: Final = 7 * 86_400


class Charge(msgspec.Struct, frozen=True, gc=False):
    """The parts of a call's price. They stay apart on CDR and bill; an unbundled price has the last two only."""

    billed_s: int
    connect_fee_micros: Micros
    usage_micros: Micros
    access_charge_micros: Micros = 0
    service_charge_micros: Micros = 0

    @property
    def total_micros(self) -> Micros:
        return (
            self.connect_fee_micros
            + self.usage_micros
            + self.access_charge_micros
            + self.service_charge_micros
        )


NOTHING_CHARGED: Final = Charge(billed_s=0, connect_fee_micros=0, usage_micros=0)


def charge(rate: Rate, duration_ms: int, *, at_ms: int = 0, covered_s: int = 0) -> Charge:
    """The price of a call that was up for `duration_ms` (0 to CALL_S_MAX seconds, else ValueError)."""
    if not 0 <= duration_ms <= CALL_S_MAX * 1000:
        raise ValueError(f"a call of {duration_ms} ms: expected 0 to {CALL_S_MAX * 1000}")
    return charge_billed(
        rate, whole_intervals_s(rate, -(-duration_ms // 1000)), at_ms=at_ms, covered_s=covered_s
    )


def charge_within(
    rate: Rate, duration_ms: int, *, granted_s: int, at_ms: int = 0, covered_s: int = 0
) -> Charge:
    """The price of a call that may not cost more than `granted_s` paid seconds do, however long it was.

    For the settlement of a reservation, live or found in the journal after a crash.
    """
    return charge(rate, min(duration_ms, granted_s * 1000), at_ms=at_ms, covered_s=covered_s)


def charge_billed(rate: Rate, billed_s: int, *, at_ms: int = 0, covered_s: int = 0) -> Charge:
    """The price of whole intervals, as `whole_intervals_s` and `affordable_s` give them; 0 s cost nothing."""
    if billed_s == 0:
        return NOTHING_CHARGED
    special = rate.special
    if special is not None:
        fee, usage, access, service = special_parts(rate, special, billed_s, at_ms, covered_s)
        return Charge(billed_s, fee, usage, access, service)
    usage_micros = round_charge_part(
        max(0, billed_s - covered_s) * rate.per_minute_micros, divisor=SECONDS_PER_MINUTE
    )
    return Charge(billed_s, rate.connect_fee_micros, usage_micros)


def whole_intervals_s(rate: Rate, seconds: int) -> int:
    """The seconds billed for a call of so many: initial interval, then next intervals, begun ones in full."""
    if seconds <= 0:
        return 0
    beyond_s = seconds - rate.initial_s
    if beyond_s <= 0:
        return rate.initial_s
    return rate.initial_s + -(-beyond_s // rate.next_s) * rate.next_s


def affordable_s(rate: Rate, budget_micros: Micros, *, at_ms: int = 0, covered_s: int = 0) -> int:
    """The most whole intervals, in seconds, whose charge is within the budget; 0 if not even the first is.

    Never more than CALL_S_MAX: what costs nothing per minute lasts no longer either. Nor more than the cap of a call
    that ends there.
    """
    special = rate.special
    if special is not None:
        return affordable_special_s(
            rate, special, budget_micros, at_ms=at_ms, covered_s=covered_s, seconds_max=CALL_S_MAX
        )
    usage_budget_micros = budget_micros - rate.connect_fee_micros
    if usage_budget_micros < 0:
        return 0
    paid_s = CALL_S_MAX
    if rate.per_minute_micros > 0:
        # The last second whose usage, rounded down, is within the budget: n * price / 60 < budget + 1.
        last_s = (SECONDS_PER_MINUTE * (usage_budget_micros + 1) - 1) // rate.per_minute_micros
        paid_s = min(covered_s + last_s, CALL_S_MAX)
    if paid_s < rate.initial_s:
        return 0
    return paid_s - (paid_s - rate.initial_s) % rate.next_s
