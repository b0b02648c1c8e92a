"""Tariffs as they were: every version that an exchange has loaded is kept in the books, and never changes."""

import asyncpg
import msgspec

from provisioning.problems import Refused, shown
from rating.money import VatMode
from rating.tariff import Tariff, TariffProblems, load_tariff

KIND = "tariff"  # of conf_versions


class NoTariff(msgspec.Struct, frozen=True):
    """Why a version cannot be had, in words."""

    why: str


class TariffVersions:
    """Reads each version once. What a version says of VAT is the account's word: the two must agree, and calls of an
    account are refused where they do not."""

    __slots__ = ("_db", "_latest", "_read")

    def __init__(self, db: asyncpg.Connection) -> None:
        self._db = db
        self._latest: dict[str, str] = {}
        self._read: dict[tuple[str, str, VatMode], Tariff | NoTariff] = {}

    async def find(self, name: str, version: str, vat: VatMode) -> Tariff | NoTariff:
        key = (name, version, vat)
        if key not in self._read:
            self._read[key] = await self._load(name, version, vat)
        return self._read[key]

    async def latest(self, name: str) -> str:
        """The version that was loaded last; "" where none ever was."""
        if name not in self._latest:
            found = await self._db.fetchval(
                "SELECT version FROM conf_loads WHERE kind = $1 AND name = $2 ORDER BY valid_from DESC LIMIT 1",
                KIND,
                name,
            )
            self._latest[name] = found or ""
        return self._latest[name]

    async def _load(self, name: str, version: str, vat: VatMode) -> Tariff | NoTariff:
        content = await self._db.fetchval(
            "SELECT content FROM conf_versions WHERE kind = $1 AND name = $2 AND version = $3", KIND, name, version
        )
        if content is None:
            return NoTariff(f"tariff {name} {version or 'of any version'} is not in the books")
        try:
            return load_tariff(name, content, vat.value)
        except (TariffProblems, ValueError) as problem:
            return NoTariff(f"tariff {name} {version} cannot be read: {problem}"[:400])


async def keep_version(db: asyncpg.Connection, name: str, version: str, content: str) -> None:
    """A tariff that no exchange has loaded yet, so that what is charged by it can be proved for ever."""
    await db.execute(
        "INSERT INTO conf_versions (kind, name, version, content) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        KIND,
        name,
        version,
        content,
    )


async def version_by(db: asyncpg.Connection, name: str, version: str) -> str:
    """The version that is meant by so many of its first digits, or by none: the one loaded last."""
    if not version:
        found = await TariffVersions(db).latest(name)
        if not found:
            raise Refused(f"no version of tariff {shown(name)} was ever loaded")
        return found
    rows = await db.fetch(
        "SELECT version FROM conf_versions WHERE kind = $1 AND name = $2 AND starts_with(version, $3)",
        KIND,
        name,
        version,
    )
    if len(rows) != 1:
        many = "several versions begin" if rows else "no version begins"
        raise Refused(f"tariff {shown(name)}: {many} with {shown(version)}")
    return str(rows[0]["version"])
