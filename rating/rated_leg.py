"""A leg that was charged, as its record has it, and what it costs by a tariff: re-rating, simulating, proving.

Which row of a tariff a leg meets follows from how it was priced when it was made: as a text, as an attempt, as a call
that came in, as a call between lines of this exchange, or by the number that was called. The row is the one that held
when the leg was set up; its seconds are those that the meter charged.

A bundle's seconds stay what they were: who re-rates a call does not open a bundle again.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from rating.bundle_terms import BundleTerms
from rating.charge import CALL_S_MAX, NOTHING_CHARGED, Charge, affordable_s, charge_within, whole_intervals_s
from rating.rate import ATTEMPT, INCOMING, INTERVAL_S_MAX, ON_NET, TEXT, Rate
from rating.rated_cover import charge_by_cover, percent_for, pieces_of
from rating.tariff import Tariff

ALL_THE_CREDIT: Final = 10**15  # micros: more than any call costs
EVENT_MS: Final = 1  # a text or an attempt has a price and no duration
CHARGED_EVENTS: Final = frozenset({"delivered", "kept", "charged"})
A_MESSAGE: Final = "a message"  # `leg_reason` of a text
ANSWERED: Final = "answered"
ORIGIN: Final = "incoming call from "  # the decision on the record of a call that came in: where from


class RatedLeg(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The part of a CDR that its price comes of. Times are UTC milliseconds, money is micros.

    `started_at_ms` is when its meter began to count; None where nobody answered. Tariff, row and amounts are what is in
    force: the record's, or those of the latest re-rating, which is `run_id` (0: there was none). `origin` is the
    caller's, of a call that came in.
    """

    call_id: str
    leg: int
    leg_reason: str
    account_id: int
    setup_at_ms: int
    ended_at_ms: int
    started_at_ms: int | None
    duration_ms: int
    billed_s: int
    bundled_s: int
    bundles: str
    outcome: str
    is_recovered: bool
    destination: str
    destination_name: str
    rate_prefix: str
    tariff: str
    tariff_version: str
    cost_micros: int
    connect_fee_micros: int
    usage_micros: int
    access_charge_micros: int
    service_charge_micros: int
    origin: str = ""
    run_id: int = 0

    @property
    def is_on_net(self) -> bool:
        """Between lines of this exchange; free without a row. Any other leg with a payer has one."""
        return self.rate_prefix in ("", ON_NET, TEXT + ON_NET)

    @property
    def has_no_seconds(self) -> bool:
        """A text or an attempt, whose record has a price and no duration."""
        return self.leg_reason == A_MESSAGE or self.rate_prefix.startswith(ATTEMPT)


class Unratable(msgspec.Struct, frozen=True):
    """Why a leg has no price by a tariff, in words for people."""

    why: str


class Priced(msgspec.Struct, frozen=True):
    """What a leg costs by a tariff. `rate` None is a call between lines that the tariff has no row for: free."""

    rate: Rate | None
    charge: Charge


def priced(
    leg: RatedLeg, tariff: Tariff, own: Tariff | None = None, grants: Sequence[BundleTerms] = ()
) -> Priced | Unratable:
    """What the leg costs by `tariff`. `own` is the one that it was charged by, where that is known: it tells how long
    the meter ran. `grants` are the account's bundles and discounts."""
    rate = rate_of(leg, tariff)
    if rate is None:
        if leg.is_on_net:
            return Priced(None, NOTHING_CHARGED)
        where = leg.destination or "where it went"
        return Unratable(f"tariff {tariff.name} {tariff.version} had no price for {where} at that time")
    duration_ms = charged_ms(leg, None if own is None else rate_of(leg, own))
    if duration_ms == 0:
        return Priced(rate, NOTHING_CHARGED)
    at_ms = leg.setup_at_ms if leg.started_at_ms is None else leg.started_at_ms
    try:
        return Priced(rate, _charge(leg, rate, duration_ms, at_ms, grants))
    except ValueError as problem:  # a record that no call can have left
        return Unratable(str(problem))


def _charge(leg: RatedLeg, rate: Rate, duration_ms: int, at_ms: int, grants: Sequence[BundleTerms]) -> Charge:
    granted_s = CALL_S_MAX
    if rate.special is not None and rate.special.ends_at_cap:
        granted_s = affordable_s(rate, ALL_THE_CREDIT, at_ms=at_ms, covered_s=leg.bundled_s)
    if leg.has_no_seconds or not (grants or leg.bundles):
        return charge_within(rate, duration_ms, granted_s=granted_s, at_ms=at_ms)
    number = "" if leg.rate_prefix.startswith(INCOMING) else leg.destination
    pieces, percent = pieces_of(leg.bundles), percent_for(rate, number, at_ms, grants)
    if not pieces and not percent:
        return charge_within(rate, duration_ms, granted_s=granted_s, at_ms=at_ms)
    return charge_by_cover(
        rate, duration_ms, granted_s=granted_s, pieces=pieces, percent=percent, grants=grants, at_ms=at_ms
    )


def rate_of(leg: RatedLeg, tariff: Tariff) -> Rate | None:
    """The row that prices such a leg at the time when it was set up."""
    at_ms = leg.setup_at_ms
    if leg.leg_reason == A_MESSAGE:
        return tariff.text_rate_for(ON_NET if leg.is_on_net else leg.destination, at_ms)
    if leg.rate_prefix.startswith(ATTEMPT):
        return tariff.attempt_rate_for(leg.destination, at_ms)
    if leg.rate_prefix.startswith(INCOMING):
        return tariff.incoming_rate_for(leg.destination, leg.origin, at_ms)
    return tariff.rate_for(ON_NET if leg.is_on_net else leg.destination, at_ms)


def charged_ms(leg: RatedLeg, own: Rate | None) -> int:
    """The milliseconds that the leg was charged for, or would have been at a rate that is not free.

    A record has how long its leg was up. The meter's time is another one where the call was cut at its last paid
    second, went on after a transfer, or was ended by a crash: there the billed seconds are what is known of it.
    """
    if leg.has_no_seconds:
        return EVENT_MS if leg.cost_micros or leg.outcome in CHARGED_EVENTS else 0
    if leg.billed_s:
        return leg.duration_ms if _is_metered(leg, own) else leg.billed_s * 1000
    was_free = leg.outcome == ANSWERED and not leg.is_recovered
    return leg.duration_ms if was_free else 0


def _is_metered(leg: RatedLeg, own: Rate | None) -> bool:
    """Whether the meter ran as long as the leg was up."""
    talked_s = -(-leg.duration_ms // 1000)
    if talked_s <= leg.bundled_s:
        return True
    if own is None:
        return 0 <= leg.billed_s * 1000 - leg.duration_ms < INTERVAL_S_MAX * 1000
    return whole_intervals_s(own, talked_s) == leg.billed_s
