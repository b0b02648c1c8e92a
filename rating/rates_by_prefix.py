"""The rows of a tariff as one table of number prefixes: what groups of destinations and access charges stand for.

A prefix of the table has its own rows first, then those of the access charge, then those of its group. Where a group
begins inside a row's prefix, its prefix has that row's rates again, so that they know the group of the number called;
and where some group has a price, numbers of another group are not priced by it, even if its prefix is shorter and
begins theirs: then the prefix ends with STOPPED.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from rating.destinations import Destinations
from rating.rate import ACCESS, GROUP, ON_NET, Rate
from rating.special_terms import Marker, SpecialTerms
from rating.unbundled import RANGES

STOPPED: Final = Rate(
    prefix=ON_NET,
    destination="",
    connect_fee_micros=0,
    per_minute_micros=0,
    initial_s=1,
    next_s=1,
    valid_from_ms=-(2**62),
    valid_until_ms=None,
    special=SpecialTerms(marker=Marker.STOP),
)


def rates_by_prefix(
    rows: Mapping[str, list[Rate]], destinations: Destinations
) -> dict[str, tuple[Rate, ...]]:
    """`rows` has the rates of each row's prefix, the newest first; so has the answer, by prefixes of numbers."""
    table = {
        prefix: list(rates)
        for prefix, rates in rows.items()
        if not prefix.startswith(GROUP) and not prefix.startswith(ACCESS)
    }
    own = set(table)
    for prefix, rates in _access_rows(rows):
        group = destinations.group_of(prefix)
        table.setdefault(prefix, []).extend(_of_group(rate, group) for rate in rates)
    if not destinations.groups:
        return _frozen(table)
    groups = {prefix.removeprefix(GROUP): rates for prefix, rates in rows.items() if prefix.startswith(GROUP)}
    expanded = {prefix: _chain(prefix, group, table, groups) for prefix, group in destinations.groups.items()}
    if not groups:
        # Without prices of groups a prefix that no row covers needs no entry.
        expanded = {prefix: rates for prefix, rates in expanded.items() if rates or prefix in own}
    table.update(expanded)
    return _frozen(table)


def _frozen(table: Mapping[str, list[Rate]]) -> dict[str, tuple[Rate, ...]]:
    """A tuple holds its items itself: among a million prefixes that is a look into memory less than a list."""
    return {prefix: tuple(rates) for prefix, rates in table.items()}


def _access_rows(rows: Mapping[str, list[Rate]]) -> list[tuple[str, list[Rate]]]:
    """By number prefix; those that name a part of the ranges before those that stand for all."""
    parts = [
        (prefix.removeprefix(f"{ACCESS}:"), rates)
        for prefix, rates in rows.items()
        if prefix.startswith(f"{ACCESS}:")
    ]
    return [*parts, *((prefix, rows[ACCESS]) for prefix in RANGES if ACCESS in rows)]


def _chain(
    prefix: str, group: str, table: Mapping[str, list[Rate]], groups: Mapping[str, list[Rate]]
) -> list[Rate]:
    """All rates that may hold for a prefix of a group, in the order in which they are tried."""
    rates = [_of_group(rate, group) for rate in table.get(prefix, ())]
    rates += groups.get(group, ())
    for length in range(len(prefix) - 1, 0, -1):
        rates += [_of_group(rate, group) for rate in table.get(prefix[:length], ())]
    if groups:
        rates.append(STOPPED)
    return rates


def _of_group(rate: Rate, group: str) -> Rate:
    return rate if rate.group == group else msgspec.structs.replace(rate, group=group)
