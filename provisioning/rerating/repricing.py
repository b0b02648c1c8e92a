"""A leg by another tariff, or by its own: which version prices it, and what it costs by that."""

import asyncpg
import msgspec

from provisioning.bundle_rows import load_bundles
from provisioning.rerating.tariff_versions import NoTariff, TariffVersions
from rating.bundle_terms import BundleTerms
from rating.money import VatMode
from rating.rated_leg import Priced, RatedLeg, Unratable, priced
from rating.tariff import Tariff


class Choice(msgspec.Struct, frozen=True):
    """The tariff that prices a leg. Without a name it is that of the leg's own record: in the version loaded last, or
    (`is_own`) in the very version. `vat` is whether a named one contains VAT, where that is known; `tariff` is one that
    is not in the books."""

    name: str = ""
    version: str = ""
    vat: VatMode | None = None
    is_own: bool = False
    tariff: Tariff | None = None


class PricedLeg(msgspec.Struct, frozen=True):
    """`tariff` is None where there is none, and `result` says why."""

    leg: RatedLeg
    tariff: Tariff | None
    result: Priced | Unratable

    @property
    def new_micros(self) -> int:
        """What it costs now; what it did where nobody can say."""
        return self.result.charge.total_micros if isinstance(self.result, Priced) else self.leg.cost_micros


class Repricer:
    """Reads tariffs by a connection of its own, while another one streams the legs."""

    __slots__ = ("_choice", "_grants", "_vats", "_versions")

    def __init__(
        self,
        choice: Choice,
        versions: TariffVersions,
        vats: dict[int, VatMode],
        grants: dict[int, list[BundleTerms]],
    ) -> None:
        self._choice = choice
        self._versions = versions
        self._vats = vats
        self._grants = grants

    async def price(self, leg: RatedLeg) -> PricedLeg:
        vat = self._vats.get(leg.account_id)
        if vat is None:
            return PricedLeg(leg, None, Unratable(f"account {leg.account_id} is not in the books"))
        tariff = await self._tariff(leg, vat)
        if isinstance(tariff, NoTariff):
            return PricedLeg(leg, None, Unratable(tariff.why))
        own: Tariff | NoTariff = tariff
        if not self._choice.is_own:
            own = await self._versions.find(leg.tariff, leg.tariff_version, vat)
        known = None if isinstance(own, NoTariff) else own
        return PricedLeg(leg, tariff, priced(leg, tariff, known, self._grants.get(leg.account_id, ())))

    async def _tariff(self, leg: RatedLeg, vat: VatMode) -> Tariff | NoTariff:
        choice = self._choice
        if not choice.name:
            version = leg.tariff_version if choice.is_own else await self._versions.latest(leg.tariff)
            return await self._versions.find(leg.tariff, version, vat)
        if choice.vat is not None and choice.vat is not vat:
            return NoTariff(f"tariff {choice.name} is {choice.vat.value} and the account is {vat.value}")
        if choice.tariff is not None:
            return choice.tariff
        return await self._versions.find(choice.name, choice.version, vat)


async def load_grants(db: asyncpg.Connection) -> dict[int, list[BundleTerms]]:
    """Every bundle and discount there ever was, by its account."""
    ids = [row["id"] for row in await db.fetch("SELECT id FROM bundles")]
    found: dict[int, list[BundleTerms]] = {}
    for balance in await load_bundles(db, ids):
        found.setdefault(balance.terms.account_id, []).append(balance.terms)
    return found


async def load_vats(db: asyncpg.Connection) -> dict[int, VatMode]:
    """Of every account, by its id."""
    return {row["id"]: VatMode(row["vat"]) for row in await db.fetch("SELECT id, vat FROM accounts")}
