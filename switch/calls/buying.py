"""What a leg costs us at its carrier: which trunk is the cheapest, whether a call is sold below cost, and the record.

A trunk of the configuration may name a deck (rating/deck.py). By it the trunks of a route are put in order, the margin
guard skips those that take more for a call than it is sold for, and each leg's record says what it has cost. A route as
it is listed, of trunks without decks, has nothing compared and no price looked up; how its trunks do is counted all the
same, as for every route, since operators are shown it (`offhook_trunk_asr_ratio` and its like).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from rating.charge import CALL_S_MAX, charge
from rating.margin import buying_micros, selling_micros
from rating.money import Micros, format_pounds
from rating.rate import Rate
from rating.records import Cdr
from switch.calls import refusal
from switch.calls.decisions import add_decision
from switch.calls.open_call import OpenBuying
from switch.calls.refusal import Refusal
from switch.calls.routing import BelowCost, RouteRule, TrunkOrder
from switch.calls.target import TrunkTarget
from switch.trunks.trunks import Skipped

if TYPE_CHECKING:
    from rating.deck import Deck
    from switch.calls.callee_leg import CalleeLeg
    from switch.calls.switchboard import Switchboard
    from switch.calls.terms import Price, Route
    from switch.trunks.quality import TrunkQuality

TOO_DEAR: Final = "takes more than the call is sold for"
BELOW_COST_WORDS: Final = "sold below cost"


class Bought:
    """What a leg that leaves by a trunk is counted and paid by. `quality` None: counted already, or not kept."""

    __slots__ = ("quality", "rate")

    def __init__(self, rate: Rate | None, quality: "TrunkQuality | None") -> None:
        self.rate = rate
        self.quality = quality


class RankedTrunk(msgspec.Struct, frozen=True):
    """One trunk of a route. `poor` is what its quality lacks, `buying_micros` what the compared call costs by it."""

    name: str
    group: int
    place: int
    poor: str
    buying_micros: Micros | None
    by: str

    def key(self, order: TrunkOrder) -> tuple[bool, int, int, int]:
        """A trunk whose price nobody knows goes behind those whose is known, in its group."""
        price = 0
        if order is TrunkOrder.PRICE:
            price = 2**62 if self.buying_micros is None else self.buying_micros
        return (bool(self.poor), self.group, price, self.place)

    def __str__(self) -> str:
        cost = (
            "no buying price"
            if self.buying_micros is None
            else f"{format_pounds(self.buying_micros)} by {self.by}"
        )
        return (
            f"{self.name}: group {self.group + 1}, {cost}{', goes behind: ' if self.poor else ''}{self.poor}"
        )


def trunks_in_order(rule: RouteRule, number: str, board: "Switchboard", now: float) -> Sequence[str]:
    """The names of the route's trunks as a call tries them."""
    if rule.is_listed:
        return rule.trunks
    return [ranked.name for ranked in ranking(rule, number, board, now)]


def ranking(rule: RouteRule, number: str, board: "Switchboard", now: float) -> list[RankedTrunk]:
    """Good ones first, by priority group, by price where the route says so, as they are listed."""
    at_ms = board.clock.ms(now)
    found = []
    for place, name in enumerate(rule.trunks):
        quality = board.trunks.qualities.known(name, rule.prefix)
        poor = "" if quality is None else quality.below(rule.floor, now)
        deck = _deck_of(name, board)
        rate = None if deck is None else deck.rate_for(number, at_ms)
        micros = None if rate is None else buying_micros(rate, at_ms)
        by = "" if deck is None or rate is None else f"{deck.name} {rate.prefix}"
        found.append(RankedTrunk(name, rule.groups[place], place, poor, micros, by))
    found.sort(key=lambda ranked: ranked.key(rule.order))
    return found


def _deck_of(trunk: str, board: "Switchboard") -> "Deck | None":
    conf = board.conf
    known = conf.trunks.get(trunk)
    return conf.decks.get(known.deck) if known is not None and known.deck else None


# The guard


def guard(route: "Route", price: "Price", board: "Switchboard", now: float) -> Refusal | None:
    """Skips the trunks that take more than the call is sold for, or notes them, as tariff and route say.

    A call that is free for the caller (080, 116) is free by law, whatever it costs us; emergency calls do not come
    here. A trunk whose price nobody knows is let through.
    """
    rule, rate = route.rule, price.rate
    if rule is None or rate is None or rate.is_free:
        return None
    tariffs = board.conf.below_cost.get(price.tariff, BelowCost.ALLOW)
    verdict = _stricter(rule.below_cost, tariffs)
    if verdict is BelowCost.ALLOW:
        return None
    at_ms = board.clock.ms(now)
    sold_micros = selling_micros(rate, board.conf.vat, at_ms)
    dear = {
        name: cost
        for name in rule.trunks
        if (cost := _cost_micros(name, route.number, board, at_ms)) is not None and cost > sold_micros
    }
    if not dear:
        return None
    counted = board.trunks.below_cost
    if verdict is BelowCost.WARN:
        route.below_cost = dear
        return None
    for name in dear:
        counted[name, verdict.value] += 1
    route.skipped = [*route.skipped, *(Skipped(name, TOO_DEAR) for name in dear)]
    route.stages = [stage for stage in route.stages if _name_of(stage) not in dear]
    return None if route.stages else refusal.BELOW_COST


def _stricter(one: BelowCost, other: BelowCost) -> BelowCost:
    if BelowCost.REFUSE in (one, other):
        return BelowCost.REFUSE
    return BelowCost.WARN if BelowCost.WARN in (one, other) else BelowCost.ALLOW


def _cost_micros(trunk: str, number: str, board: "Switchboard", at_ms: int) -> Micros | None:
    deck = _deck_of(trunk, board)
    rate = None if deck is None else deck.rate_for(number, at_ms)
    return None if rate is None else buying_micros(rate, at_ms)


def _name_of(stage: "Sequence[object]") -> str:
    target = stage[0]
    return target.trunk.name if isinstance(target, TrunkTarget) else ""


# Each leg


def begin_leg(leg: "CalleeLeg", row: Cdr, now: float) -> None:
    """A leg is about to leave by a trunk: by which price, and for which route it counts."""
    target, board = leg.target, leg.board
    if not isinstance(target, TrunkTarget):
        return
    route = leg.terms.route
    if route.is_emergency:
        return  # whatever a deck says or fails to say
    name = target.trunk.name
    rule = route.rule
    quality = None if rule is None else board.trunks.qualities.of(name, rule.prefix, now)
    deck = board.conf.decks.get(target.trunk.deck) if target.trunk.deck else None
    rate = None if deck is None else deck.rate_for(route.number, row.setup_at_ms)
    if rate is not None and deck is not None:
        row.buy_micros = 0
        row.buy_prefix, row.deck, row.deck_version = rate.prefix, deck.name, deck.version
        if name in route.below_cost:
            board.trunks.below_cost[name, BelowCost.WARN.value] += 1
            add_decision(row, BELOW_COST_WORDS)
    if rate is not None or quality is not None:
        leg.bought = Bought(rate, quality)


def end_leg(leg: "CalleeLeg", row: Cdr, now: float) -> None:
    """The leg is over: what it has cost, from the same duration as its record, and how its trunk has done."""
    bought = leg.bought
    if bought is None:
        return
    if bought.rate is not None:
        set_buying(row, bought.rate)
    count_try(leg, now)


def count_try(leg: "CalleeLeg", now: float) -> None:
    """Once, when the leg has failed or ended."""
    bought = leg.bought
    if bought is None or bought.quality is None:
        return
    quality, bought.quality = bought.quality, None
    answered_at = leg.answered_at
    first_sign = leg.ringing_at if leg.ringing_at is not None else answered_at
    quality.count(
        talk_s=None if answered_at is None else (leg.ended_at or now) - answered_at,
        delay_ms=None if first_sign is None else round((first_sign - leg.setup_at) * 1000),
        now=now,
    )


def set_buying(row: Cdr, rate: Rate) -> None:
    """Live and after a crash. `row` is complete but for this."""
    at_ms = row.answered_at_ms if row.answered_at_ms is not None else row.setup_at_ms
    row.buy_micros = charge(rate, min(row.duration_ms, CALL_S_MAX * 1000), at_ms=at_ms).total_micros


def open_buying(legs: "Sequence[CalleeLeg]") -> list[OpenBuying]:
    """What a later process needs to do the same."""
    return [
        OpenBuying(
            leg.index,
            leg.bought.rate.connect_fee_micros,
            leg.bought.rate.per_minute_micros,
            leg.bought.rate.initial_s,
            leg.bought.rate.next_s,
        )
        for leg in legs
        if leg.bought is not None and leg.bought.rate is not None
    ]
