"""What a period would have cost by another tariff, per account and destination; whether it cost what its own says."""

from collections.abc import AsyncIterator, Callable
from typing import Final

import asyncpg
import msgspec

from provisioning.rerating.legs import Scope, charged_legs, count_legs
from provisioning.rerating.repricing import Choice, PricedLeg, Repricer, load_grants, load_vats
from provisioning.rerating.tariff_versions import TariffVersions
from rating.money import Micros
from rating.rated_leg import Unratable

REPORTED_EACH: Final = 1_000
PROBLEMS_SHOWN: Final = 1_000  # more have one cause

Progress = Callable[[int, int], None]  # legs done, of how many


class Difference(msgspec.Struct):
    """Of one account and destination: what its legs cost, and what they would."""

    account_id: int
    destination: str
    legs: int = 0
    old_micros: Micros = 0
    new_micros: Micros = 0

    @property
    def diff_micros(self) -> Micros:
        return self.new_micros - self.old_micros


class Problem(msgspec.Struct, frozen=True):
    """One leg that has no price, or another one than its record says."""

    call_id: str
    leg: int
    account_id: int
    why: str


class Comparison(msgspec.Struct):
    """`problems` are the first PROBLEMS_SHOWN of `problems_count`; those legs count as what they had cost."""

    legs: int = 0
    differences: dict[tuple[int, str], Difference] = {}
    problems: list[Problem] = []
    problems_count: int = 0

    def take(self, found: PricedLeg) -> None:
        leg = found.leg
        self.add(leg.account_id, leg.destination_name, leg.cost_micros, found.new_micros)
        if isinstance(found.result, Unratable):
            self.object_to(found, found.result.why)

    def add(self, account_id: int, destination: str, old_micros: Micros, new_micros: Micros) -> None:
        self.legs += 1
        key = account_id, destination
        difference = self.differences.get(key)
        if difference is None:
            difference = self.differences[key] = Difference(*key)
        difference.legs += 1
        difference.old_micros += old_micros
        difference.new_micros += new_micros

    def object_to(self, found: PricedLeg, why: str) -> None:
        leg = found.leg
        self.note(Problem(leg.call_id, leg.leg, leg.account_id, why))

    def note(self, problem: Problem) -> None:
        self.problems_count += 1
        if len(self.problems) < PROBLEMS_SHOWN:
            self.problems.append(problem)


async def compare(db: asyncpg.Pool, scope: Scope, choice: Choice, progress: Progress | None = None) -> Comparison:
    """Nothing is written."""
    comparison = Comparison()
    async for found in priced_legs(db, scope, choice, progress):
        comparison.take(found)
    return comparison


async def check(db: asyncpg.Pool, scope: Scope, progress: Progress | None = None) -> Comparison:
    """Whether every charge in force is, to the micro and part by part, what its own tariff version says."""
    comparison = Comparison()
    async for found in priced_legs(db, scope, Choice(is_own=True), progress):
        comparison.take(found)
        if (why := contradiction(found)) is not None:
            comparison.object_to(found, why)
    return comparison


def contradiction(found: PricedLeg) -> str | None:
    """What the record says otherwise than its tariff."""
    leg, result = found.leg, found.result
    if isinstance(result, Unratable):
        return None
    rate, charge = result.rate, result.charge
    prefix = "" if rate is None else rate.prefix
    # What is free is not metered: its record has no billed seconds.
    billed_s = charge.billed_s if charge.total_micros or leg.billed_s else 0
    if leg.has_no_seconds:
        billed_s = 0
    said = (
        leg.rate_prefix, leg.billed_s, leg.connect_fee_micros, leg.usage_micros, leg.access_charge_micros,
        leg.service_charge_micros, leg.cost_micros,
    )  # fmt: skip
    owed = (
        prefix, billed_s, charge.connect_fee_micros, charge.usage_micros, charge.access_charge_micros,
        charge.service_charge_micros, charge.total_micros,
    )  # fmt: skip
    if said == owed:
        return None
    names = ("row", "billed seconds", "connect fee", "usage", "access charge", "service charge", "total")
    wrong = [
        f"{name} {one!r} on record, {other!r} by the tariff"
        for name, one, other in zip(names, said, owed, strict=True)
        if one != other
    ]
    return f"tariff {leg.tariff} {leg.tariff_version}: {'; '.join(wrong)}"


async def priced_legs(
    db: asyncpg.Pool, scope: Scope, choice: Choice, progress: Progress | None = None
) -> AsyncIterator[PricedLeg]:
    """One connection streams the legs, as they were at one moment, another one reads tariffs meanwhile."""
    async with db.acquire() as streaming, db.acquire() as reading, streaming.transaction(
        isolation="repeatable_read", readonly=True
    ):
        versions, vats, grants = TariffVersions(reading), await load_vats(reading), await load_grants(reading)
        repricer = Repricer(choice, versions, vats, grants)
        total = await count_legs(streaming, scope) if progress is not None else 0
        done = 0
        async for leg in charged_legs(streaming, scope):
            yield await repricer.price(leg)
            done += 1
            if progress is not None and done % REPORTED_EACH == 0:
                progress(done, total)
        if progress is not None:
            progress(done, total)
