"""A call that leaves by a carrier, and the price of any call: for the line that calls and for one that diverts."""

from collections.abc import Sequence

import msgspec

from rating.tariff import ON_NET, Rate, Tariff
from switch.calls import refusal
from switch.calls.attempt import Attempt
from switch.calls.attempt_fee import attempt_rate
from switch.calls.buying import guard, trunks_in_order
from switch.calls.identity import Caller, LineCaller, TrunkCaller
from switch.calls.refusal import Refusal
from switch.calls.routing import BelowCost
from switch.calls.switchboard import Switchboard
from switch.calls.terms import Price, Route
from switch.trunks.carrier import FULL, TOO_FAST
from switch.trunks.trunks import Skipped


def route_outside(number: str, attempt: Attempt, board: Switchboard, now: float) -> Route | Refusal:
    """By the carriers. `attempt.caller` is who sends the call there: the line that calls, or that diverts."""
    rule = board.conf.routing.rule(number)
    if rule is None or not rule.trunks:
        return refusal.NOT_IN_USE
    names = rule.trunks if rule.is_listed else trunks_in_order(rule, number, board, now)
    stages, skipped = board.trunks.ways(names, board.of_trunk, now, is_emergency=False)
    if not stages:
        return _no_trunk(skipped)
    relay_prefix = attempt.plan_result.relay_prefix
    return Route(number, "", None, stages, relay_prefix=relay_prefix, skipped=skipped, rule=rule)


def _no_trunk(skipped: Sequence[Skipped]) -> Refusal:
    """Every trunk of the route was passed over: for want of room, or because one cannot be reached."""
    if all(trunk.why in (FULL, TOO_FAST) for trunk in skipped):
        return refusal.TRUNK_FULL
    return msgspec.structs.replace(
        refusal.TRUNK_UNAVAILABLE, words=f"no trunk: {', '.join(str(trunk) for trunk in skipped)}"
    )


def account_refusal(caller: LineCaller, board: Switchboard) -> Refusal | None:
    """Whether the line's account may have one call more that it pays for."""
    account = caller.account
    if account is None:
        return refusal.ACCOUNT_MISSING
    if account.is_suspended:
        return refusal.SUSPENDED
    limit = account.calls_max or board.conf.calls.calls_per_account_max
    return refusal.ACCOUNT_FULL if board.of_account[account.id] >= limit else None


def price_of(caller: Caller, route: Route, board: Switchboard, now: float) -> Price | Refusal:
    """The rate of the caller's tariff. Without one the call is refused, never free; on-net is free by default."""
    if isinstance(caller, TrunkCaller) or caller.account is None or route.is_service:
        return Price()
    account = caller.account
    tariff = board.conf.tariffs.get(account.tariff)
    if tariff is None:
        return refusal.NO_TARIFF
    if tariff.vat is not account.vat:
        return refusal.VAT_MISMATCH
    at_ms = board.clock.ms(now)
    rate = _rate(tariff, route, at_ms)
    if rate is None and route.line is None:
        return refusal.NO_RATE
    if rate is not None and not rate.is_free and board.journal.is_failed:
        return refusal.JOURNAL_FAILED
    attempt = attempt_rate(tariff, route, rate, at_ms) if tariff.has_attempts else None
    price = Price(account.id, rate, tariff.name, tariff.version, attempt=attempt)
    if route.rule is not None and (route.rule.below_cost is not BelowCost.ALLOW or board.conf.below_cost):
        return guard(route, price, board, now) or price
    return price


def _rate(tariff: Tariff, route: Route, at_ms: int) -> Rate | None:
    return tariff.rate_for(ON_NET if route.line is not None else route.number, at_ms)
