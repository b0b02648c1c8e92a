"""What operators do to the books: accounts, lines, numbers, credit. Each function is one transaction.

Rules come from `rules`, SQL from `store`; here they meet. A no is a `ProvisioningProblem` whose text is for
people, and then nothing was changed. A running exchange learns of a change through the change table; these
functions never talk to it. `UNREACHABLE` is what they raise when PostgreSQL cannot be reached.
"""

from collections.abc import Sequence

import asyncpg
import msgspec

from provisioning import cdr_search, quarantine, rules, store
from provisioning.diverts import clear_diverts, list_diverts, set_diverts, switch_diverts
from provisioning.line_addresses import check_line_addresses
from provisioning.line_import import import_lines
from provisioning.model import Account, AccountKind, DigestPolicy, Line, LineAddress, LineKind
from provisioning.number_ranges import assign_numbers, unassign_numbers
from provisioning.numbers import parse_number
from provisioning.passwords import generate_password, ha1_md5, ha1_sha256
from provisioning.plans.keeping import (
    assign_plan,
    delete_plan,
    import_plan,
    list_plans,
    plans_naming,
    show_plan,
)
from provisioning.problems import (
    ImportProblem,
    ImportProblems,
    InvalidValue,
    NumberProblem,
    ProvisioningProblem,
    Refused,
    shown,
)
from provisioning.settings_text import (
    changed_account_settings,
    changed_line_settings,
    read_account_assignments,
    read_line_assignments,
)
from provisioning.views import (
    AccountDetails,
    AccountView,
    AddedLine,
    CdrQuery,
    CdrView,
    LineView,
    Movement,
    NumberView,
    QuarantinedRecord,
    TopUp,
)
from rating.money import VatMode, format_pounds

CONNECT_TIMEOUT_S = 10.0  # a person waits
COMMAND_TIMEOUT_S = 60.0  # an import of the largest allowed file takes a tenth of it
POOL_CONNECTIONS_MAX = 4  # commands run one after the other; a portal's workers share a few
OPENING_MEMO = "opening credit"

# PostgreSQL is not there, is starting or went away: worth trying again, unlike every other error.
UNREACHABLE: tuple[type[BaseException], ...] = (
    OSError,  # also TimeoutError
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
)


def connect(dsn: str) -> asyncpg.Pool:
    """A pool, to be used as `async with connect(dsn) as db:`. Raises what is in UNREACHABLE when entered."""
    return asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=POOL_CONNECTIONS_MAX,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=COMMAND_TIMEOUT_S,
    )


__all__ = [
    "UNREACHABLE",
    "AccountDetails",
    "AccountView",
    "AddedLine",
    "CdrQuery",
    "CdrView",
    "ImportProblem",
    "ImportProblems",
    "InvalidValue",
    "LineView",
    "Movement",
    "NumberProblem",
    "NumberView",
    "ProvisioningProblem",
    "QuarantinedRecord",
    "Refused",
    "TopUp",
    "add_account",
    "add_line",
    "assign_number",
    "assign_numbers",
    "assign_plan",
    "clear_diverts",
    "connect",
    "count_quarantined",
    "delete_plan",
    "import_lines",
    "import_plan",
    "lines_with_addresses",
    "lines_without_emergency",
    "list_accounts",
    "list_cdrs",
    "list_diverts",
    "list_lines",
    "list_numbers",
    "list_plans",
    "list_quarantined",
    "remove_line",
    "remove_quarantined",
    "resume_account",
    "set_diverts",
    "set_line",
    "show_account",
    "show_line",
    "show_plan",
    "show_quarantined",
    "suspend_account",
    "switch_diverts",
    "top_up",
    "unassign_number",
    "unassign_numbers",
]


# --- accounts and credit


async def add_account(
    db: asyncpg.Pool,
    name: str,
    *,
    kind: AccountKind,
    vat: VatMode,
    tariff: str,
    credit_limit_micros: int = 0,
    opening_credit_micros: int = 0,
    calls_max: int = 0,
) -> AccountView:
    """A new account. Opening credit becomes its first top-up. Whether the tariff exists the caller checks."""
    account = Account(
        id=0,
        name=rules.check_account_name(name),
        kind=kind,
        vat=vat,
        tariff=rules.check_tariff(tariff),
        credit_limit_micros=rules.check_credit_limit(credit_limit_micros, kind),
        is_suspended=False,
        calls_max=rules.check_calls_max(calls_max),
    )
    if opening_credit_micros:
        rules.check_credit(opening_credit_micros)
    async with db.acquire() as connection, connection.transaction():
        try:
            account_id = await store.insert_account(connection, account)
        except asyncpg.UniqueViolationError:
            raise Refused(f"account {shown(name)} exists already") from None
        if opening_credit_micros:
            await store.insert_top_up(
                connection, account_id, opening_credit_micros, memo=OPENING_MEMO, idempotency_key=None
            )
        return await _account_view(connection, name)


async def list_accounts(db: asyncpg.Pool) -> list[AccountView]:
    """By name."""
    async with db.acquire() as connection:
        return await store.account_views(connection)


async def show_account(db: asyncpg.Pool, name: str) -> AccountDetails:
    async with db.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        view = await _account_view(connection, name)
        return AccountDetails(
            view=view,
            lines=await store.users_of_account(connection, view.account.id),
            numbers=await store.numbers_of_account(connection, view.account.id),
            movements=await store.latest_movements(connection, view.account.id),
        )


async def top_up(
    db: asyncpg.Pool, name: str, amount_micros: int, *, memo: str = "", idempotency_key: str | None = None
) -> TopUp:
    """Add credit. A repeat under the same key changes nothing and returns what the first one did."""
    rules.check_credit(amount_micros)
    rules.check_text("memo", memo)
    if idempotency_key is not None:
        rules.check_idempotency_key(idempotency_key)
    try:
        async with db.acquire() as connection, connection.transaction():
            account = await _find_account(connection, name, is_locked=True)
            if idempotency_key is not None:
                earlier = await _earlier_top_up(connection, account, amount_micros, idempotency_key)
                if earlier is not None:
                    return earlier
            credit_seq, balance = await store.insert_top_up(
                connection, account.id, amount_micros, memo=memo, idempotency_key=idempotency_key
            )
            return TopUp(account.name, amount_micros, credit_seq, balance, is_repeat=False)
    except asyncpg.UniqueViolationError:  # the same key on two accounts at the same moment
        raise Refused(
            f"idempotency key {shown(idempotency_key or '')} is in use for another top-up"
        ) from None


async def suspend_account(db: asyncpg.Pool, name: str) -> AccountView:
    """No new calls but emergency ones; those that are up go on. Suspending twice is no error."""
    return await _set_suspended(db, name, is_suspended=True)


async def resume_account(db: asyncpg.Pool, name: str) -> AccountView:
    return await _set_suspended(db, name, is_suspended=False)


# --- lines


async def add_line(
    db: asyncpg.Pool,
    user: str,
    *,
    account_name: str,
    realm: str,
    password: str | None = None,
    digest: DigestPolicy = DigestPolicy.MD5,
    emergency_number: str = "",
    emergency_address: str = "",
    cli: str = "",
    calls_max: int = 0,
    withholds_cli: bool = False,
    kind: LineKind = LineKind.PHONE,
    addresses: Sequence[str] = (),
    calls_per_second_max: int = 0,
) -> AddedLine:
    """A new line. Without a password one is made, and the result is the only place where it can be read.

    `cli` and `emergency_number` are taken in any spelling. `calls_max` 0: the configured limit.
    `calls_per_second_max` 0: none. `addresses` are a trunk's that does not register, see `line_addresses`.
    """
    rules.check_user(user)
    rules.check_realm(realm)
    if password is not None:
        rules.check_password(password, user=user)
    secret = password if password is not None else generate_password()
    line = Line(
        user=user,
        account_id=0,
        realm=realm,
        ha1_md5=ha1_md5(user, realm, secret),
        ha1_sha256=ha1_sha256(user, realm, secret),
        digest=digest,
        cli=rules.check_number_or_none("CLI", cli),
        emergency_number=rules.check_number_or_none("emergency number", emergency_number),
        emergency_address=rules.check_text("emergency address", emergency_address),
        withholds_cli=withholds_cli,
        calls_max=rules.check_calls_max(calls_max),
        kind=rules.check_kind(kind, found := check_line_addresses(addresses)),
        addresses=found,
        calls_per_second_max=rules.check_calls_per_second_max(calls_per_second_max),
    )
    async with db.acquire() as connection, connection.transaction():
        account = await _find_account(connection, account_name)
        line = msgspec.structs.replace(line, account_id=account.id)
        if await store.existing_users(connection, [user]):
            raise Refused(f"line {shown(user)} exists already")
        await _refuse_taken_addresses(connection, line)
        try:
            await store.insert_lines(connection, [line])
        except asyncpg.UniqueViolationError:
            raise Refused(f"line {shown(user)} or its address was added at this very moment") from None
    return AddedLine(line=line, generated_password=secret if password is None else None)


async def set_line(
    db: asyncpg.Pool,
    user: str,
    *,
    password: str | None = None,
    is_password_generated: bool = False,
    digest: DigestPolicy | None = None,
    emergency_number: str | None = None,
    emergency_address: str | None = None,
    cli: str | None = None,
    calls_max: int | None = None,
    withholds_cli: bool | None = None,
    kind: LineKind | None = None,
    addresses: Sequence[str] | None = None,
    calls_per_second_max: int | None = None,
    settings: Sequence[str] = (),
) -> AddedLine:
    """Change what is not None ("" clears), leave the rest. `is_password_generated` makes a new password.

    `addresses` replace those it had; none at all: it registers from now on. `settings` are "key=value" as
    `settings_text` reads them.
    """
    assignments = read_line_assignments(settings)
    if password is not None:
        rules.check_password(password, user=user)
    generated = generate_password() if is_password_generated and password is None else None
    async with db.acquire() as connection, connection.transaction():
        line = await _find_line(connection, user, is_locked=True)
        changed = _changed_line(
            line,
            password=password if password is not None else generated,
            digest=digest,
            emergency_number=emergency_number,
            emergency_address=emergency_address,
            cli=cli,
            calls_max=calls_max,
            withholds_cli=withholds_cli,
            kind=kind,
            addresses=line.addresses if addresses is None else check_line_addresses(addresses),
            calls_per_second_max=calls_per_second_max,
        )
        changed = msgspec.structs.replace(
            changed, settings=changed_line_settings(line.settings, assignments)
        )
        if changed != line:
            await _refuse_taken_addresses(connection, changed)
            try:
                await store.update_line(connection, changed)
            except asyncpg.UniqueViolationError:
                raise Refused("one of these addresses was taken at this very moment") from None
    return AddedLine(line=changed, generated_password=generated)


async def list_lines(db: asyncpg.Pool, account_name: str | None = None) -> list[LineView]:
    """By user; those of one account if it is named."""
    async with db.acquire() as connection:
        if account_name is None:
            return await store.line_views(connection)
        account = await _find_account(connection, account_name)
        return await store.line_views(connection, account.id)


async def show_line(db: asyncpg.Pool, user: str) -> LineView:
    async with db.acquire() as connection:
        view = await store.line_view(connection, user) if user.isprintable() else None
    if view is None:
        raise Refused(f"there is no line {shown(user)}")
    return view


async def remove_line(db: asyncpg.Pool, user: str) -> None:
    """Refused while numbers ring it: they would be left without an answer, or go with it by surprise."""
    async with db.acquire() as connection, connection.transaction():
        line = await _find_line(connection, user, is_locked=True)
        numbers = await store.numbers_of_line(connection, user)
        if numbers:
            raise Refused(f"line {shown(user)} still has {_listed(numbers)}: unassign it first")
        plans = await plans_naming(connection, line.account_id, user)
        if plans:
            raise Refused(f"plan {shown(plans[0])} names line {shown(user)}: import it without that first")
        await store.delete_line(connection, user)


async def lines_without_emergency(db: asyncpg.Pool) -> list[LineView]:
    """Lines whose emergency number or address is missing."""
    async with db.acquire() as connection:
        return await store.views_without_emergency(connection)


async def lines_with_addresses(db: asyncpg.Pool) -> list[Line]:
    """Trunks that are known by where they are."""
    async with db.acquire() as connection:
        return await store.load_lines_with_addresses(connection)


# --- numbers


async def assign_number(db: asyncpg.Pool, number: str, user: str) -> NumberView:
    """Let a number ring a line. Assigning it again to the same line is no error; to another line it is."""
    (view,) = await assign_numbers(db, parse_number(number), user)
    return view


async def unassign_number(db: asyncpg.Pool, number: str) -> NumberView:
    """Take a number from its line; what it was is returned. What forbids it: see `unassign_numbers`."""
    (view,) = await unassign_numbers(db, parse_number(number))
    return view


async def list_numbers(db: asyncpg.Pool) -> list[NumberView]:
    """By number."""
    async with db.acquire() as connection:
        return await store.number_views(connection)


# --- calls


async def list_cdrs(db: asyncpg.Pool, query: CdrQuery) -> list[CdrView]:
    """The latest first, all legs of an attempt together only if they match too."""
    async with db.acquire() as connection:
        account_id = None
        if query.account:
            account_id = (await _find_account(connection, query.account)).id
        return await cdr_search.find_cdrs(connection, query, account_id)


async def count_quarantined(db: asyncpg.Pool) -> int:
    """Records that no table could take. More than none: somebody must look."""
    async with db.acquire() as connection:
        return await quarantine.count(connection)


async def list_quarantined(db: asyncpg.Pool, limit: int) -> list[QuarantinedRecord]:
    """The latest first."""
    async with db.acquire() as connection:
        return await quarantine.latest(connection, limit)


async def show_quarantined(db: asyncpg.Pool, record_id: int) -> QuarantinedRecord:
    async with db.acquire() as connection:
        record = await quarantine.find(connection, record_id)
    if record is None:
        raise Refused(f"there is no record {record_id} in quarantine")
    return record


async def remove_quarantined(db: asyncpg.Pool, record_id: int) -> QuarantinedRecord:
    """What was removed: nothing else has it any more."""
    async with db.acquire() as connection:
        record = await quarantine.remove(connection, record_id)
    if record is None:
        raise Refused(f"there is no record {record_id} in quarantine")
    return record


# --- what they share


async def set_account(
    db: asyncpg.Pool,
    name: str,
    *,
    tariff: str | None = None,
    credit_limit_micros: int | None = None,
    calls_max: int | None = None,
    settings: Sequence[str] = (),
) -> AccountView:
    """Change an account; what is None stays. Whether the tariff exists, and fits its VAT mode, the caller checks.

    `settings` are "key=value" as `settings_text` reads them.
    """
    assignments = read_account_assignments(settings)
    async with db.acquire() as connection, connection.transaction():
        account = await _find_account(connection, name, is_locked=True)
        changed = msgspec.structs.replace(
            account,
            tariff=account.tariff if tariff is None else rules.check_tariff(tariff),
            credit_limit_micros=account.credit_limit_micros
            if credit_limit_micros is None
            else rules.check_credit_limit(credit_limit_micros, account.kind),
            calls_max=account.calls_max if calls_max is None else rules.check_calls_max(calls_max),
            settings=changed_account_settings(account.settings, assignments),
        )
        if changed != account:
            await store.update_account(connection, changed)
        return await _account_view(connection, name)


async def _set_suspended(db: asyncpg.Pool, name: str, *, is_suspended: bool) -> AccountView:
    async with db.acquire() as connection, connection.transaction():
        account = await _find_account(connection, name, is_locked=True)
        if account.is_suspended != is_suspended:
            await store.set_suspended(connection, account.id, is_suspended=is_suspended)
        return await _account_view(connection, name)


async def _earlier_top_up(
    connection: asyncpg.Connection, account: Account, amount_micros: int, idempotency_key: str
) -> TopUp | None:
    row = await store.find_credit(connection, idempotency_key)
    if row is None:
        return None
    if row["account_id"] != account.id or row["amount_micros"] != amount_micros:
        raise Refused(
            f"idempotency key {shown(idempotency_key)} was used for another movement"
            f" ({format_pounds(row['amount_micros'])})"
        )
    return TopUp(account.name, amount_micros, row["credit_seq"], row["balance_micros"], is_repeat=True)


async def _find_account(connection: asyncpg.Connection, name: str, *, is_locked: bool = False) -> Account:
    # What is not printable cannot be a name, and some of it (NUL, lone surrogates) cannot even be asked for.
    account = await store.find_account(connection, name, is_locked=is_locked) if name.isprintable() else None
    if account is None:
        raise Refused(f"there is no account {shown(name)}")
    return account


async def _account_view(connection: asyncpg.Connection, name: str) -> AccountView:
    view = await store.account_view(connection, name) if name.isprintable() else None
    if view is None:
        raise Refused(f"there is no account {shown(name)}")
    return view


async def _find_line(connection: asyncpg.Connection, user: str, *, is_locked: bool = False) -> Line:
    line = await store.find_line(connection, user, is_locked=is_locked) if user.isprintable() else None
    if line is None:
        raise Refused(f"there is no line {shown(user)}")
    return line


def _changed_line(
    line: Line,
    *,
    password: str | None,
    digest: DigestPolicy | None,
    emergency_number: str | None,
    emergency_address: str | None,
    cli: str | None,
    calls_max: int | None,
    withholds_cli: bool | None,
    kind: LineKind | None,
    addresses: tuple[LineAddress, ...],
    calls_per_second_max: int | None,
) -> Line:
    """The line with what is not None in place of what it had."""
    keep = line.emergency_number, line.emergency_address, line.cli
    number, address, own_cli = (
        old if new is None else new
        for old, new in zip(keep, (emergency_number, emergency_address, cli), strict=True)
    )
    return msgspec.structs.replace(
        line,
        ha1_md5=line.ha1_md5 if password is None else ha1_md5(line.user, line.realm, password),
        ha1_sha256=line.ha1_sha256 if password is None else ha1_sha256(line.user, line.realm, password),
        digest=digest or line.digest,
        emergency_number=rules.check_number_or_none("emergency number", number),
        emergency_address=rules.check_text("emergency address", address),
        cli=rules.check_number_or_none("CLI", own_cli),
        calls_max=line.calls_max if calls_max is None else rules.check_calls_max(calls_max),
        withholds_cli=line.withholds_cli if withholds_cli is None else withholds_cli,
        kind=rules.check_kind(kind or line.kind, addresses),
        addresses=addresses,
        calls_per_second_max=line.calls_per_second_max
        if calls_per_second_max is None
        else rules.check_calls_per_second_max(calls_per_second_max),
    )


async def _refuse_taken_addresses(connection: asyncpg.Connection, line: Line) -> None:
    """Who calls from an address is one line's; the table's constraints say so, too."""
    for address in line.addresses:
        owner = await store.user_at(connection, address)
        if owner is not None and owner != line.user:
            raise Refused(f"the address {address} belongs to line {shown(owner)}")


def _listed(numbers: Sequence[str]) -> str:
    first = ", ".join(numbers[:3])
    return first if len(numbers) <= 3 else f"{first} and {len(numbers) - 3} more"
