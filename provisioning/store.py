"""Rows of the books to values and back: the SQL of accounts, lines, numbers and credit.

Functions take an asyncpg connection (or pool, where nothing has to hold together) and decide nothing;
transactions belong to the callers. CDRs have their own file, `cdr_search`; what the shipper writes stands in
`books/`.
"""

# ruff: noqa: S608 - statements are put together from constants of this file; values are always parameters

import ipaddress
from collections.abc import Iterable, Sequence

import asyncpg

from provisioning.divert_rows import LINE_DIVERTS, diverts_from_rows
from provisioning.line_addresses import parse_line_address
from provisioning.model import (
    Account,
    AccountBalance,
    AccountKind,
    CreditRow,
    DigestPolicy,
    Line,
    LineAddress,
    LineKind,
    Number,
)
from provisioning.settings import AccountSettings, LineSettings
from provisioning.settings_rows import json_from_settings, names_of, settings_assigned, settings_from_json
from provisioning.utc import ms_from_time
from provisioning.views import AccountView, LineView, Movement, NumberView
from rating.money import VatMode

ACCOUNT_COLUMNS = (
    "a.id, a.name, a.kind, a.vat, a.tariff, a.credit_limit_micros, a.is_suspended, a.calls_max, a.settings"
)
LINE_COLUMNS = (
    "l.user_part, l.account_id, l.realm, l.ha1_md5, l.ha1_sha256, l.digest, l.cli, l.emergency_number,"
    " l.emergency_address, l.withholds_cli, l.calls_max, l.kind, l.calls_per_second_max, l.settings"
)
_LINE_INSERT = [column.removeprefix("l.") for column in LINE_COLUMNS.split(", ")]
# In the spelling of parse_line_address.
LINE_ADDRESSES = (
    "ARRAY(SELECT x.transport || ':' ||"
    " CASE family(x.host) WHEN 4 THEN host(x.host) ELSE '[' || host(x.host) || ']' END || ':' || x.port"
    " FROM line_addresses x WHERE x.line = l.user_part ORDER BY x.position) AS addresses"
)
NUMBER_ORDER = "assigned_at, e164"  # a line without a CLI of its own presents its first number
NUMBER_PLAN = "coalesce((SELECT p.name FROM plans p WHERE p.id = n.plan_id), '') AS plan"
MOVEMENTS_SHOWN = 20  # one screen of `account show`


def account_from_row(row: asyncpg.Record) -> Account:
    return Account(
        id=row["id"],
        name=row["name"],
        kind=AccountKind(row["kind"]),
        vat=VatMode(row["vat"]),
        tariff=row["tariff"],
        credit_limit_micros=row["credit_limit_micros"],
        is_suspended=row["is_suspended"],
        calls_max=row["calls_max"],
        settings=settings_from_json(AccountSettings, row["settings"], row["name"]),
    )


def line_from_row(row: asyncpg.Record) -> Line:
    return Line(
        user=row["user_part"],
        account_id=row["account_id"],
        realm=row["realm"],
        ha1_md5=row["ha1_md5"],
        ha1_sha256=row["ha1_sha256"],
        digest=DigestPolicy(row["digest"]),
        cli=row["cli"],
        emergency_number=row["emergency_number"],
        emergency_address=row["emergency_address"],
        withholds_cli=row["withholds_cli"],
        calls_max=row["calls_max"],
        kind=LineKind(row["kind"]),
        addresses=tuple(parse_line_address(text) for text in row["addresses"]),
        calls_per_second_max=row["calls_per_second_max"],
        diverts=diverts_from_rows(row["diverts"]),
        settings=settings_from_json(LineSettings, row["settings"], row["user_part"]),
    )


def number_from_row(row: asyncpg.Record) -> Number:
    return Number(e164=row["e164"], line=row["line"], plan=row["plan"])


def balance_from_row(row: asyncpg.Record) -> AccountBalance:
    return AccountBalance(
        account_id=row["account_id"], balance_micros=row["balance_micros"], credit_seq=row["credit_seq"]
    )


# --- what the exchange keeps in memory: all rows, or those of some keys


async def load_accounts(db: asyncpg.Connection, ids: Sequence[int] | None = None) -> list[Account]:
    some = "" if ids is None else " WHERE a.id = ANY ($1::integer[])"
    rows = await db.fetch(
        f"SELECT {ACCOUNT_COLUMNS} FROM accounts a{some} ORDER BY a.id", *([] if ids is None else [ids])
    )
    return [account_from_row(row) for row in rows]


async def load_balances(db: asyncpg.Connection) -> list[AccountBalance]:
    rows = await db.fetch(
        "SELECT account_id, balance_micros, credit_seq FROM account_balances ORDER BY account_id"
    )
    return [balance_from_row(row) for row in rows]


async def load_lines(db: asyncpg.Connection, users: Sequence[str] | None = None) -> list[Line]:
    some = "" if users is None else " WHERE l.user_part = ANY ($1::text[])"
    rows = await db.fetch(
        f"SELECT {LINE_COLUMNS}, {LINE_ADDRESSES}, {LINE_DIVERTS} FROM lines l{some}",
        *([] if users is None else [users]),
    )
    return [line_from_row(row) for row in rows]


async def load_lines_with_addresses(db: asyncpg.Connection) -> list[Line]:
    rows = await db.fetch(
        f"SELECT {LINE_COLUMNS}, {LINE_ADDRESSES}, {LINE_DIVERTS} FROM lines l"
        " WHERE l.user_part IN (SELECT line FROM line_addresses) ORDER BY l.user_part"
    )
    return [line_from_row(row) for row in rows]


async def load_numbers(db: asyncpg.Connection, e164s: Sequence[str] | None = None) -> list[Number]:
    """In the order of assignment: a line without a CLI of its own presents its first number."""
    some = "" if e164s is None else " WHERE e164 = ANY ($1::text[])"
    rows = await db.fetch(
        f"SELECT e164, line, {NUMBER_PLAN} FROM numbers n{some} ORDER BY {NUMBER_ORDER}",
        *([] if e164s is None else [e164s]),
    )
    return [number_from_row(row) for row in rows]


async def load_credits(
    db: asyncpg.Connection, account_ids: Sequence[int], known_seqs: Sequence[int]
) -> list[CreditRow]:
    """The movements by people of these accounts above the credit_seq that is known of each, in order."""
    rows = await db.fetch(
        "SELECT l.account_id, l.credit_seq, l.amount_micros FROM ledger l"
        " JOIN unnest($1::integer[], $2::bigint[]) AS k(account_id, known) ON l.account_id = k.account_id"
        " WHERE l.kind <> 'usage' AND l.credit_seq > k.known ORDER BY l.account_id, l.credit_seq",
        account_ids,
        known_seqs,
    )
    return [CreditRow(row["account_id"], row["credit_seq"], row["amount_micros"]) for row in rows]


# --- accounts


async def insert_account(db: asyncpg.Connection, account: Account) -> int:
    """The new id; `account.id` is not looked at. Raises UniqueViolationError if the name is taken."""
    account_id: int = await db.fetchval(
        "INSERT INTO accounts (name, kind, vat, tariff, credit_limit_micros, is_suspended, calls_max)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
        account.name,
        account.kind.value,
        account.vat.value,
        account.tariff,
        account.credit_limit_micros,
        account.is_suspended,
        account.calls_max,
    )
    return account_id


async def find_account(db: asyncpg.Connection, name: str, *, is_locked: bool = False) -> Account | None:
    """An account by its name in any case. `is_locked` makes other movements on it wait for this one."""
    lock = " FOR NO KEY UPDATE" if is_locked else ""
    row = await db.fetchrow(
        f"SELECT {ACCOUNT_COLUMNS} FROM accounts a WHERE lower(a.name) = lower($1){lock}", name
    )
    return None if row is None else account_from_row(row)


async def account_ids(db: asyncpg.Connection, names: Iterable[str]) -> dict[str, int]:
    """Ids by lower-case name, of those that exist."""
    rows = await db.fetch(
        "SELECT lower(name) AS name, id FROM accounts"
        " WHERE lower(name) IN (SELECT lower(n) FROM unnest($1::text[]) n)",
        list(names),
    )
    return {row["name"]: row["id"] for row in rows}


async def update_account(db: asyncpg.Connection, account: Account) -> None:
    await db.execute(
        "UPDATE accounts SET tariff = $2, credit_limit_micros = $3, calls_max = $4,"
        f" {settings_assigned('$5', '$6')} WHERE id = $1",
        account.id,
        account.tariff,
        account.credit_limit_micros,
        account.calls_max,
        names_of(AccountSettings),
        json_from_settings(account.settings),
    )


async def set_suspended(db: asyncpg.Connection, account_id: int, *, is_suspended: bool) -> None:
    await db.execute("UPDATE accounts SET is_suspended = $2 WHERE id = $1", account_id, is_suspended)


_ACCOUNT_VIEW = f"""
    SELECT {ACCOUNT_COLUMNS}, a.created_at, b.balance_micros, (SELECT count(*) FROM lines l WHERE l.account_id
    = a.id) AS lines, (SELECT count(*) FROM numbers n JOIN lines l ON l.user_part = n.line WHERE l.account_id
    = a.id) AS numbers FROM accounts a JOIN account_balances b ON b.account_id = a.id
"""


def _account_view(row: asyncpg.Record) -> AccountView:
    return AccountView(
        account=account_from_row(row),
        balance_micros=row["balance_micros"],
        lines=row["lines"],
        numbers=row["numbers"],
        created_at_ms=ms_from_time(row["created_at"]),
    )


async def account_views(db: asyncpg.Connection) -> list[AccountView]:
    return [_account_view(row) for row in await db.fetch(f"{_ACCOUNT_VIEW} ORDER BY lower(a.name)")]


async def account_view(db: asyncpg.Connection, name: str) -> AccountView | None:
    row = await db.fetchrow(f"{_ACCOUNT_VIEW} WHERE lower(a.name) = lower($1)", name)
    return None if row is None else _account_view(row)


# --- credit


async def insert_top_up(
    db: asyncpg.Connection, account_id: int, amount_micros: int, *, memo: str, idempotency_key: str | None
) -> tuple[int, int]:
    """Post a top-up under the next credit_seq; that and the new balance. The account must be locked."""
    row = await db.fetchrow(
        "INSERT INTO ledger (account_id, kind, amount_micros, credit_seq, memo, idempotency_key)"
        " SELECT account_id, 'top_up', $2, credit_seq + 1, $3, $4 FROM account_balances WHERE account_id = $1"
        " RETURNING credit_seq",
        account_id,
        amount_micros,
        memo,
        idempotency_key,
    )
    balance = await db.fetchval(
        "SELECT balance_micros FROM account_balances WHERE account_id = $1", account_id
    )
    return row["credit_seq"], balance


async def find_credit(db: asyncpg.Connection, idempotency_key: str) -> asyncpg.Record | None:
    return await db.fetchrow(
        "SELECT l.account_id, l.kind, l.amount_micros, l.credit_seq, b.balance_micros"
        " FROM ledger l JOIN account_balances b USING (account_id) WHERE l.idempotency_key = $1",
        idempotency_key,
    )


async def latest_movements(db: asyncpg.Connection, account_id: int) -> list[Movement]:
    rows = await db.fetch(
        "SELECT kind, amount_micros, at, memo, call_id, credit_seq FROM ledger"
        " WHERE account_id = $1 ORDER BY id DESC LIMIT $2",
        account_id,
        MOVEMENTS_SHOWN,
    )
    return [
        Movement(
            kind=row["kind"],
            amount_micros=row["amount_micros"],
            at_ms=ms_from_time(row["at"]),
            memo=row["memo"] or "",
            call_id=row["call_id"] or "",
            credit_seq=row["credit_seq"],
        )
        for row in rows
    ]


# --- lines


async def insert_lines(db: asyncpg.Connection, lines: Sequence[Line]) -> None:
    """Raises UniqueViolationError if one exists already, or one of their addresses."""
    rows = [
        (
            line.user,
            line.account_id,
            line.realm,
            line.ha1_md5,
            line.ha1_sha256,
            line.digest.value,
            line.cli,
            line.emergency_number,
            line.emergency_address,
            line.withholds_cli,
            line.calls_max,
            line.kind.value,
            line.calls_per_second_max,
            json_from_settings(line.settings),
        )
        for line in lines
    ]
    await db.copy_records_to_table("lines", records=rows, columns=_LINE_INSERT)
    await _insert_addresses(db, lines)


async def update_line(db: asyncpg.Connection, line: Line) -> None:
    """Everything of a line but its user and its account. Raises UniqueViolationError for an address of another's."""
    await db.execute(
        "UPDATE lines SET realm = $2, ha1_md5 = $3, ha1_sha256 = $4, digest = $5, cli = $6,"
        " emergency_number = $7, emergency_address = $8, withholds_cli = $9, calls_max = $10, kind = $11,"
        f" calls_per_second_max = $12, {settings_assigned('$13', '$14')} WHERE user_part = $1",
        line.user,
        line.realm,
        line.ha1_md5,
        line.ha1_sha256,
        line.digest.value,
        line.cli,
        line.emergency_number,
        line.emergency_address,
        line.withholds_cli,
        line.calls_max,
        line.kind.value,
        line.calls_per_second_max,
        names_of(LineSettings),
        json_from_settings(line.settings),
    )
    await db.execute("DELETE FROM line_addresses WHERE line = $1", line.user)
    await _insert_addresses(db, [line])


async def _insert_addresses(db: asyncpg.Connection, lines: Sequence[Line]) -> None:
    rows = [
        (line.user, position, address.transport, ipaddress.ip_address(address.host), address.port)
        for line in lines
        for position, address in enumerate(line.addresses)
    ]
    if rows:
        columns = ["line", "position", "transport", "host", "port"]
        await db.copy_records_to_table("line_addresses", records=rows, columns=columns)


async def find_line(db: asyncpg.Connection, user: str, *, is_locked: bool = False) -> Line | None:
    lock = " FOR UPDATE" if is_locked else ""
    row = await db.fetchrow(
        f"SELECT {LINE_COLUMNS}, {LINE_ADDRESSES}, {LINE_DIVERTS} FROM lines l WHERE l.user_part = $1{lock}",
        user,
    )
    return None if row is None else line_from_row(row)


async def user_at(db: asyncpg.Connection, address: LineAddress) -> str | None:
    """The line that is known by this address."""
    same_port = (
        " AND transport = 'udp' AND port = $2"
        if address.is_datagram
        else " AND transport <> 'udp' AND $2 > 0"
    )
    user: str | None = await db.fetchval(
        f"SELECT line FROM line_addresses WHERE host = $1{same_port}",
        ipaddress.ip_address(address.host),
        address.port,
    )
    return user


async def existing_users(db: asyncpg.Connection, users: Sequence[str]) -> set[str]:
    rows = await db.fetch("SELECT user_part FROM lines WHERE user_part = ANY ($1::text[])", users)
    return {row["user_part"] for row in rows}


async def delete_line(db: asyncpg.Connection, user: str) -> None:
    await db.execute("DELETE FROM lines WHERE user_part = $1", user)


_LINE_VIEW = f"""
    SELECT {LINE_COLUMNS}, {LINE_ADDRESSES}, {LINE_DIVERTS}, l.created_at, a.name AS account,
    ARRAY(SELECT n.e164 FROM numbers n WHERE n.line = l.user_part ORDER BY n.assigned_at, n.e164) AS numbers
    FROM lines l JOIN accounts a ON a.id = l.account_id
"""


def _line_view(row: asyncpg.Record) -> LineView:
    return LineView(
        user=row["user_part"],
        account=row["account"],
        realm=row["realm"],
        digest=DigestPolicy(row["digest"]),
        cli=row["cli"],
        withholds_cli=row["withholds_cli"],
        emergency_number=row["emergency_number"],
        emergency_address=row["emergency_address"],
        calls_max=row["calls_max"],
        numbers=row["numbers"],
        created_at_ms=ms_from_time(row["created_at"]),
        kind=LineKind(row["kind"]),
        addresses=row["addresses"],
        calls_per_second_max=row["calls_per_second_max"],
        diverts=list(diverts_from_rows(row["diverts"])),
        settings=settings_from_json(LineSettings, row["settings"], row["user_part"]),
    )


async def line_views(db: asyncpg.Connection, account_id: int | None = None) -> list[LineView]:
    """All lines, or those of one account."""
    rows = await db.fetch(
        f"{_LINE_VIEW} WHERE $1::integer IS NULL OR l.account_id = $1 ORDER BY l.user_part", account_id
    )
    return [_line_view(row) for row in rows]


async def line_view(db: asyncpg.Connection, user: str) -> LineView | None:
    row = await db.fetchrow(f"{_LINE_VIEW} WHERE l.user_part = $1", user)
    return None if row is None else _line_view(row)


async def views_with_diverts(db: asyncpg.Connection) -> list[LineView]:
    rows = await db.fetch(
        f"{_LINE_VIEW} WHERE l.user_part IN (SELECT line FROM diverts) ORDER BY l.user_part"
    )
    return [_line_view(row) for row in rows]


async def views_without_emergency(db: asyncpg.Connection) -> list[LineView]:
    rows = await db.fetch(
        f"{_LINE_VIEW} WHERE l.emergency_number = '' OR l.emergency_address = '' ORDER BY l.user_part"
    )
    return [_line_view(row) for row in rows]


# --- numbers


async def insert_numbers(db: asyncpg.Connection, numbers: Sequence[Number]) -> None:
    """Raises UniqueViolationError if one is assigned already."""
    rows = [(number.e164, number.line) for number in numbers]
    await db.copy_records_to_table("numbers", records=rows, columns=["e164", "line"])


async def lines_of_numbers(db: asyncpg.Connection, numbers: Sequence[str]) -> dict[str, str]:
    """The line of each of these numbers that is assigned."""
    rows = await db.fetch("SELECT e164, line FROM numbers WHERE e164 = ANY ($1::text[])", numbers)
    return {row["e164"]: row["line"] for row in rows}


async def numbers_of_line(db: asyncpg.Connection, user: str) -> list[str]:
    rows = await db.fetch(f"SELECT e164 FROM numbers WHERE line = $1 ORDER BY {NUMBER_ORDER}", user)
    return [row["e164"] for row in rows]


async def numbers_of_account(db: asyncpg.Connection, account_id: int) -> list[str]:
    rows = await db.fetch(
        "SELECT n.e164 FROM numbers n JOIN lines l ON l.user_part = n.line"
        " WHERE l.account_id = $1 ORDER BY n.e164",
        account_id,
    )
    return [row["e164"] for row in rows]


async def users_of_account(db: asyncpg.Connection, account_id: int) -> list[str]:
    rows = await db.fetch("SELECT user_part FROM lines WHERE account_id = $1 ORDER BY user_part", account_id)
    return [row["user_part"] for row in rows]


async def delete_numbers(db: asyncpg.Connection, numbers: Sequence[str]) -> None:
    await db.execute("DELETE FROM numbers WHERE e164 = ANY ($1::text[])", numbers)


_NUMBER_VIEW = f"""
    SELECT n.e164, n.line, n.assigned_at, a.name AS account, {NUMBER_PLAN}
    FROM numbers n JOIN lines l ON l.user_part = n.line JOIN accounts a ON a.id = l.account_id
"""


def _number_view(row: asyncpg.Record) -> NumberView:
    return NumberView(
        row["e164"], row["line"], row["account"], ms_from_time(row["assigned_at"]), row["plan"]
    )


async def number_views(db: asyncpg.Connection, numbers: Sequence[str] | None = None) -> list[NumberView]:
    """All that are assigned, or those of these that are."""
    some = "" if numbers is None else " WHERE n.e164 = ANY ($1::text[])"
    rows = await db.fetch(f"{_NUMBER_VIEW}{some} ORDER BY n.e164", *([] if numbers is None else [numbers]))
    return [_number_view(row) for row in rows]
