"""`offhook cdr list`: from what an operator asks to one parameterised statement that an index can answer.

The latest first. A call belongs to an account when the account made it or pays for it. What is typed as a
number is compared as E.164; what is not one (a line's name, a short code) as it stands. Calls whose number was withheld
are found by everything but that number.
"""

# ruff: noqa: S608 - statements are put together from constants of this file; values are always parameters

from datetime import datetime

import asyncpg
import msgspec

from provisioning.cdr_row import CDR_COLUMNS, cdr_from_row
from provisioning.media_row import MEDIA_COLUMNS, media_from_row
from provisioning.numbers import parse_number
from provisioning.problems import InvalidValue, NumberProblem
from provisioning.settings import WITHHELD
from provisioning.views import CdrQuery, CdrView
from rating.records import Cdr, MediaFigures

LIMIT_MAX = 10_000  # some megabytes in memory at once; more is an export, not a look
ORDER = "setup_at DESC, call_id DESC, leg"
_COLUMNS = ", ".join(f"c.{column}" for column in CDR_COLUMNS)

Argument = str | int | datetime


async def find_cdrs(db: asyncpg.Connection, query: CdrQuery, account_id: int | None) -> list[CdrView]:
    """`account_id` is that of `query.account`."""
    statement, arguments = cdr_statement(query, account_id)
    rows = await db.fetch(statement, *arguments)
    media = await _media_of(db, sorted({row["call_id"] for row in rows}))
    return [
        CdrView(
            without_withheld(cdr_from_row(row)),
            row["account_name"] or "",
            row["payer_name"] or "",
            media.get((row["call_id"], row["leg"]), []),
        )
        for row in rows
    ]


def without_withheld(cdr: Cdr) -> Cdr:
    """A withheld number is for nobody who looks through calls; who has to know it asks for a trace.

    An emergency call has no privacy (PECR 2003 reg. 16).
    """
    if not cdr.privacy or cdr.is_emergency:
        return cdr
    return msgspec.structs.replace(
        cdr,
        network_number=WITHHELD if cdr.network_number else "",
        presentation_number=WITHHELD if cdr.presentation_number else "",
    )


async def _media_of(db: asyncpg.Connection, call_ids: list[str]) -> dict[tuple[str, int], list[MediaFigures]]:
    """What the relay counted on each leg of these calls."""
    found: dict[tuple[str, int], list[MediaFigures]] = {}
    statement = f"SELECT {', '.join(MEDIA_COLUMNS)} FROM call_media WHERE call_id = ANY($1) ORDER BY medium"
    for row in await db.fetch(statement, call_ids):
        found.setdefault((row["call_id"], row["leg"]), []).append(media_from_row(row))
    return found


def cdr_statement(query: CdrQuery, account_id: int | None) -> tuple[str, list[Argument]]:
    """The statement and its arguments. Raises InvalidValue for a limit, a naive time or unprintable text."""
    if not 1 <= query.limit <= LIMIT_MAX:
        raise InvalidValue("limit", str(query.limit), f"1 to {LIMIT_MAX}")
    arguments: list[Argument] = []
    conditions: list[str] = []

    def demand(condition: str, argument: Argument) -> None:
        arguments.append(argument)
        conditions.append(f"{condition} ${len(arguments)}")

    if query.since is not None:
        demand("setup_at >=", _aware("since", query.since))
    if query.until is not None:
        demand("setup_at <", _aware("until", query.until))
    if query.cli:
        demand("network_number =", _number_or_text("CLI", query.cli))
        conditions.append("(privacy = '' OR is_emergency)")
    if query.called:
        demand("destination =", _number_or_text("called", query.called))
    if query.call_id:
        demand("call_id =", _typable("call id", query.call_id))
    if account_id is None:
        found = _select(conditions, query.limit)
    else:
        arguments.append(account_id)
        own = f"account_id = ${len(arguments)}"
        paid = f"payer_account_id = ${len(arguments)} AND payer_account_id IS DISTINCT FROM account_id"
        # Two ordered look-ups, each by its own index; one condition with OR would read all calls of a large
        # account.
        own, paid = _select([own, *conditions], query.limit), _select([paid, *conditions], query.limit)
        found = f"({own}) UNION ALL ({paid})"
    statement = (
        f"SELECT {_COLUMNS}, a.name AS account_name, p.name AS payer_name FROM ({found}) c"
        " LEFT JOIN accounts a ON a.id = c.account_id LEFT JOIN accounts p ON p.id = c.payer_account_id"
        f" ORDER BY {ORDER} LIMIT {query.limit}"
    )
    return statement, arguments


def _select(conditions: list[str], limit: int) -> str:
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT * FROM cdrs{where} ORDER BY {ORDER} LIMIT {limit}"


def _number_or_text(what: str, text: str) -> str:
    try:
        return parse_number(text)
    except NumberProblem:
        return _typable(what, text)


def _typable(what: str, text: str) -> str:
    if not text.isprintable():
        raise InvalidValue(what, text, "printable characters")
    return text


def _aware(what: str, at: datetime) -> datetime:
    if at.tzinfo is None:
        raise InvalidValue(what, at.isoformat(), "a time with its offset from UTC")
    return at
