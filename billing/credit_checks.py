"""Who may pay later, and up to what: nobody without a recorded check that was positive, or somebody's word for it.

The gate stands before `postpaid` and before a higher credit limit. A check holds up to the limit that it names; a
negative one afterwards takes the permission back. Lowering a limit needs nothing.
"""

import datetime
import enum
from typing import Final

import asyncpg
import msgspec

from provisioning.problems import InvalidValue, Refused
from rating.money import format_pounds

SOURCE_CHARS_MAX: Final = 200


class CheckResult(enum.StrEnum):
    """`override`: there was no check, and somebody answers for it."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    OVERRIDE = "override"


class CreditCheck(msgspec.Struct, frozen=True):
    """One row of `credit_checks`. `source` is the agency and its reference, or the reason of an override."""

    result: CheckResult
    limit_micros: int
    source: str
    by: str
    checked_at: datetime.datetime | None = None


async def record_check(db: asyncpg.Pool | asyncpg.Connection, account_id: int, check: CreditCheck) -> None:
    """Kept for ever. Raises InvalidValue."""
    if not 0 < len(check.source.strip()) <= SOURCE_CHARS_MAX or not check.source.isprintable():
        raise InvalidValue("source or reason", check.source, f"1 to {SOURCE_CHARS_MAX} characters that print")
    if check.limit_micros < 0:
        raise InvalidValue("limit", format_pounds(check.limit_micros), "an amount of 0 or more")
    await db.execute(
        "INSERT INTO credit_checks (account_id, result, limit_micros, source, by) VALUES ($1, $2, $3, $4, $5)",
        account_id,
        check.result.value,
        check.limit_micros,
        check.source,
        check.by,
    )


async def checks_of(db: asyncpg.Pool | asyncpg.Connection, account_id: int) -> list[CreditCheck]:
    """The latest first."""
    rows = await db.fetch("SELECT * FROM credit_checks WHERE account_id = $1 ORDER BY id DESC", account_id)
    return [
        CreditCheck(
            CheckResult(row["result"]), row["limit_micros"], row["source"], row["by"], row["checked_at"]
        )
        for row in rows
    ]


async def require_check(db: asyncpg.Pool | asyncpg.Connection, account_id: int, limit_micros: int) -> None:
    """Raises Refused unless the latest check allows this credit limit."""
    latest = next(iter(await checks_of(db, account_id)), None)
    if latest is None:
        raise Refused(NO_CHECK)
    if latest.result is CheckResult.NEGATIVE:
        raise Refused(f"the credit check was negative ({latest.source}): no credit without --override REASON")
    if latest.limit_micros < limit_micros:
        raise Refused(
            f"the credit check was good for {format_pounds(latest.limit_micros)},"
            f" not for {format_pounds(limit_micros)}: check again, or --override REASON"
        )


NO_CHECK: Final = (
    "paying later needs a positive credit check: `--credit-check SOURCE`, recorded with who found it, or"
    " `--override REASON`"
)
