"""[routes] of routing.toml: the beginning of a number -> trunks, as a list or as a table that says how to choose.

    "+44" = ["carrier_a", "carrier_b"]
    "+1" = { trunks = [["carrier_a", "carrier_b"], ["carrier_c"]], order = "price", below_cost = "refuse" }

Of a list of lists the trunks of the first one go before those of the next: priority groups.
"""

from collections.abc import Callable
from typing import Annotated

from msgspec import Meta, Struct

from switch.calls.routing import BelowCost, QualityFloor, RouteRule, TrunkOrder, make_rule
from switch.conf_files import ConfFile, shown
from switch.conf_reader import as_table, read_struct
from switch.conf_values import LIST_ITEMS_MAX, Expected, Reads

Groups = tuple[tuple[str, ...], ...]


def _read_anything(value: object) -> object:
    """Trunks are read when it is known which there are."""
    return value


class _Route(Struct, frozen=True):
    """A route as a table."""

    trunks: Annotated[object, Reads(_read_anything)] = ()
    order: TrunkOrder = TrunkOrder.LISTED
    below_cost: BelowCost = BelowCost.ALLOW
    asr_min_percent: Annotated[int, Meta(ge=0, le=100)] = 0
    acd_min_s: Annotated[int, Meta(ge=0, le=3600)] = 0
    pdd_max_ms: Annotated[int, Meta(ge=0, le=60_000)] = 0


def read_routes(
    file: ConfFile, read_prefix: Callable[[str], str], read_trunks: Callable[[object], tuple[str, ...]]
) -> dict[str, RouteRule]:
    """Every route by its prefix. Wrong ones are noted and left out."""
    routes: dict[str, RouteRule] = {}
    for key, value in as_table(file, file.table.get("routes", {}), ("routes",)).items():
        try:
            prefix = read_prefix(key)
        except Expected as problem:
            file.note(("routes", key), found=shown(key), expected=problem.expected)
            continue
        try:
            routes[prefix] = _read_route(file, prefix, value, ("routes", key), read_trunks)
        except Expected as problem:
            file.note(("routes", key), found=problem.found or shown(value), expected=problem.expected)
    return routes


def _read_route(
    file: ConfFile,
    prefix: str,
    value: object,
    path: tuple[str, str],
    read_trunks: Callable[[object], tuple[str, ...]],
) -> RouteRule:
    if not isinstance(value, dict):
        return make_rule(prefix, (read_trunks(value),))
    if "trunks" not in value:
        raise Expected("trunks = [...] in it", "a route without trunks")
    route = read_struct(file, _Route, value, path)
    groups = _read_groups(value["trunks"], read_trunks)
    floor = QualityFloor(route.asr_min_percent, route.acd_min_s, route.pdd_max_ms)
    return make_rule(prefix, groups, order=route.order, below_cost=route.below_cost, floor=floor)


def _read_groups(value: object, read_trunks: Callable[[object], tuple[str, ...]]) -> Groups:
    """A list of trunks, or a list of such lists; no trunk twice."""
    if not (isinstance(value, list) and value and all(isinstance(item, list) for item in value)):
        return (read_trunks(value),)
    if len(value) > LIST_ITEMS_MAX:
        raise Expected(f"at most {LIST_ITEMS_MAX} groups", f"{len(value)} groups")
    groups = tuple(read_trunks(group) for group in value)
    read_trunks([name for group in groups for name in group])
    return groups
