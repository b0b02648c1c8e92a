"""Destination -> trunks and how to choose among them, as routing.toml says: the longest prefix wins. Pure.

Prefixes are written like the numbers they stand for: "+44", "+447", "+" (every E.164 number), "118"
(short codes). An empty list closes a range. Emergency calls have trunks of their own and never go by
prefix.
"""

import enum
from collections.abc import Mapping

from msgspec import Struct

from rating.prefix import PrefixTable
from switch.calls.number_plan import NumberPlan


class TrunkOrder(enum.Enum):
    """In which order a route's trunks are tried: as they are listed, or the cheapest for the number first."""

    LISTED = "listed"
    PRICE = "price"


class BelowCost(enum.Enum):
    """What becomes of a trunk that takes more for a call than the call is sold for. The later one is the stricter."""

    ALLOW = "allow"
    WARN = "warn"
    REFUSE = "refuse"


class QualityFloor(Struct, frozen=True):
    """What a trunk has to reach, lest it go behind the others. 0 asks for nothing."""

    asr_min_percent: int = 0
    acd_min_s: int = 0
    pdd_max_ms: int = 0


NO_FLOOR = QualityFloor()


class RouteRule(Struct, frozen=True):
    """One route. `groups` is the priority group of each trunk: none of a later group goes before one of an earlier.

    `is_listed`: nothing has to be compared, the trunks are tried as they stand.
    """

    prefix: str
    trunks: tuple[str, ...]
    groups: tuple[int, ...] = ()
    order: TrunkOrder = TrunkOrder.LISTED
    below_cost: BelowCost = BelowCost.ALLOW
    floor: QualityFloor = NO_FLOOR
    is_listed: bool = True


class Routing(Struct, frozen=True):
    """routing.toml as loaded. `version` is the file's, for CDRs."""

    plan: NumberPlan
    routes: PrefixTable[RouteRule]
    emergency_trunks: tuple[str, ...]
    version: str

    def rule(self, number: str) -> RouteRule | None:
        """The route of a number: E.164 with its plus, or a short code."""
        return self.routes.longest(number)

    def targets(self, number: str) -> tuple[str, ...]:
        """Names of its trunks as they are listed; empty where nothing goes."""
        rule = self.routes.longest(number)
        return () if rule is None else rule.trunks


def make_rule(
    prefix: str,
    groups: tuple[tuple[str, ...], ...],
    *,
    order: TrunkOrder = TrunkOrder.LISTED,
    below_cost: BelowCost = BelowCost.ALLOW,
    floor: QualityFloor = NO_FLOOR,
) -> RouteRule:
    """A rule from its priority groups."""
    trunks = tuple(name for group in groups for name in group)
    numbers = tuple(number for number, group in enumerate(groups) for _ in group)
    is_listed = len(trunks) < 2 or (order is TrunkOrder.LISTED and floor == NO_FLOOR)
    return RouteRule(prefix, trunks, numbers, order, below_cost, floor, is_listed)


def make_routing(
    routes: Mapping[str, tuple[str, ...] | RouteRule],
    *,
    plan: NumberPlan | None = None,
    emergency_trunks: tuple[str, ...] = (),
    version: str = "",
) -> Routing:
    """A Routing from prefixes and names, or rules."""
    rules = {
        prefix: route if isinstance(route, RouteRule) else make_rule(prefix, (route,))
        for prefix, route in routes.items()
    }
    return Routing(plan or NumberPlan(), PrefixTable(rules), emergency_trunks, version)
