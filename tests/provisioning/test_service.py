"""What an operator can do to the books, and what they answer."""

import asyncio

import asyncpg
import pytest

from provisioning import service
from provisioning.model import AccountKind, DigestPolicy
from provisioning.passwords import GENERATED_CHARS, ha1_md5, ha1_sha256
from provisioning.service import ImportProblem, ImportProblems, InvalidValue, Refused
from rating.money import VatMode
from tests.provisioning.databases import add_prepaid, in_database

pytestmark = pytest.mark.wire

REALM = "sip.example.com"
HEADING = "user,account,password,numbers\n"


@in_database
async def test_opening_credit_is_the_first_top_up_of_the_ledger(db: asyncpg.Pool) -> None:
    view = await add_prepaid(db, "Shop", credit_micros=12_345_678)
    assert view.balance_micros == 12_345_678
    details = await service.show_account(db, "SHOP")
    assert [(row.kind, row.amount_micros, row.credit_seq) for row in details.movements] == [
        ("top_up", 12_345_678, 1)
    ]
    empty = await add_prepaid(db, "Empty", credit_micros=0)
    assert empty.balance_micros == 0
    assert (await service.show_account(db, "Empty")).movements == []


@in_database
async def test_a_postpaid_account_has_a_credit_limit_and_so_a_floor(db: asyncpg.Pool) -> None:
    view = await service.add_account(
        db,
        "Corp",
        kind=AccountKind.POSTPAID,
        vat=VatMode.EX_VAT,
        tariff="business",
        credit_limit_micros=50_000_000,
        calls_max=30,
    )
    assert view.account.floor_micros == -50_000_000
    assert (view.account.vat, view.account.tariff, view.account.calls_max) == (VatMode.EX_VAT, "business", 30)


@in_database
async def test_names_that_differ_by_case_alone_are_one_name(db: asyncpg.Pool) -> None:
    await add_prepaid(db, "Shop")
    with pytest.raises(Refused, match="'shop' exists already"):
        await add_prepaid(db, "shop")
    assert [view.account.name for view in await service.list_accounts(db)] == ["Shop"]
    assert await db.fetchval("SELECT count(*) FROM ledger") == 1


@in_database
async def test_whatever_somebody_asks_for_that_does_not_exist_is_refused_in_words(db: asyncpg.Pool) -> None:
    for name in ("nobody", "", "a\0b", "\udc80", "x" * 10_000, "'; DROP TABLE accounts; --"):
        with pytest.raises(Refused, match="there is no account"):
            await service.show_account(db, name)
        with pytest.raises(Refused, match="there is no account"):
            await service.top_up(db, name, 1)
        with pytest.raises(Refused, match="there is no line"):
            await service.show_line(db, name)
        with pytest.raises(Refused, match="there is no line"):
            await service.remove_line(db, name)
        with pytest.raises(Refused, match="there is no line"):
            await service.assign_number(db, "01632 960001", name)
    with pytest.raises(Refused, match="is not assigned"):
        await service.unassign_number(db, "01632 960001")


@in_database
async def test_a_hundred_top_ups_at_once_are_numbered_without_a_gap(db: asyncpg.Pool) -> None:
    await add_prepaid(db, credit_micros=0)
    top_ups = await asyncio.gather(*[service.top_up(db, "Shop", 1_000) for _ in range(100)])
    assert sorted(top_up.credit_seq for top_up in top_ups) == list(range(1, 101))
    assert max(top_up.balance_micros for top_up in top_ups) == 100_000


@in_database
async def test_a_repeated_top_up_under_one_key_counts_once(db: asyncpg.Pool) -> None:
    await add_prepaid(db, credit_micros=0)
    await add_prepaid(db, "Other", credit_micros=0)
    key = "payment-1"
    top_ups = await asyncio.gather(*[service.top_up(db, "Shop", 500, idempotency_key=key) for _ in range(20)])
    assert {top_up.credit_seq for top_up in top_ups} == {1}
    assert [top_up.is_repeat for top_up in top_ups].count(False) == 1
    with pytest.raises(Refused, match="was used for another movement"):
        await service.top_up(db, "Shop", 501, idempotency_key=key)
    with pytest.raises(Refused, match="was used for another movement"):
        await service.top_up(db, "Other", 500, idempotency_key=key)
    assert (await service.show_account(db, "Shop")).view.balance_micros == 500


@in_database
async def test_a_key_used_for_two_accounts_at_once_tops_up_one(db: asyncpg.Pool) -> None:
    for number in range(8):
        await add_prepaid(db, f"A{number}", credit_micros=0)
    results = await asyncio.gather(
        *[service.top_up(db, f"A{number}", 7, idempotency_key="k") for number in range(8)],
        return_exceptions=True,
    )
    assert [isinstance(result, Refused) for result in results].count(False) == 1
    assert await db.fetchval("SELECT sum(balance_micros) FROM account_balances") == 7


@in_database
async def test_suspending_and_resuming_are_seen_and_may_be_repeated(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    for _ in range(2):
        assert (await service.suspend_account(db, "shop")).account.is_suspended
    seq = await db.fetchval("SELECT max(seq) FROM changes")
    await service.suspend_account(db, "shop")
    assert await db.fetchval("SELECT max(seq) FROM changes") == seq  # nothing changed, so nothing is told
    assert not (await service.resume_account(db, "Shop")).account.is_suspended


@in_database
async def test_only_the_hashes_of_a_password_are_stored(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    added = await service.add_line(db, "alice", account_name="shop", realm=REALM, password="correct horse")
    assert added.generated_password is None
    assert added.line.ha1_md5 == ha1_md5("alice", REALM, "correct horse")
    assert added.line.ha1_sha256 == ha1_sha256("alice", REALM, "correct horse")
    row = await db.fetchrow("SELECT * FROM lines")
    assert "correct horse" not in str(row)


@in_database
async def test_a_generated_password_is_shown_once_and_is_what_was_hashed(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    added = await service.add_line(db, "alice", account_name="Shop", realm=REALM)
    assert added.generated_password is not None
    assert len(added.generated_password) == GENERATED_CHARS
    assert added.line.ha1_md5 == ha1_md5("alice", REALM, added.generated_password)
    assert added.generated_password not in str(await service.show_line(db, "alice"))


@in_database
async def test_a_line_is_changed_only_where_it_is_asked_to(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    before = await service.add_line(
        db,
        "alice",
        account_name="Shop",
        realm=REALM,
        digest=DigestPolicy.BOTH,
        emergency_number="01632 960001",
        emergency_address="1 High Street, Anytown",
        cli="01632 960002",
        calls_max=3,
        withholds_cli=True,
    )
    unchanged = await service.set_line(db, "alice")
    assert unchanged.line == before.line
    changed = await service.set_line(db, "alice", cli="", calls_max=0, emergency_address="2 High Street")
    view = await service.show_line(db, "alice")
    assert (view.cli, view.calls_max, view.emergency_address) == ("", 0, "2 High Street")
    assert (view.emergency_number, view.withholds_cli, view.digest) == (
        "+441632960001",
        True,
        DigestPolicy.BOTH,
    )
    assert changed.line.ha1_md5 == before.line.ha1_md5
    renewed = await service.set_line(db, "alice", is_password_generated=True)
    assert renewed.generated_password is not None
    assert renewed.line.ha1_md5 == ha1_md5("alice", REALM, renewed.generated_password)
    with pytest.raises(InvalidValue, match="emergency number"):
        await service.set_line(db, "alice", emergency_number="999")


@in_database
async def test_a_line_exists_once(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    await service.add_line(db, "alice", account_name="Shop", realm=REALM)
    with pytest.raises(Refused, match="'alice' exists already"):
        await service.add_line(db, "alice", account_name="Shop", realm=REALM)


@in_database
async def test_a_line_with_numbers_is_not_removed(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    await service.add_line(db, "alice", account_name="Shop", realm=REALM)
    await service.assign_number(db, "01632 960001", "alice")
    with pytest.raises(Refused, match=r"still has \+441632960001"):
        await service.remove_line(db, "alice")
    await service.unassign_number(db, "01632960001")
    await service.remove_line(db, "alice")
    assert await service.list_lines(db) == []


@in_database
async def test_a_number_rings_one_line(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    for user in ("alice", "bob"):
        await service.add_line(db, user, account_name="Shop", realm=REALM)
    for spelling in ("01632 960001", "+44 1632 960001"):
        view = await service.assign_number(db, spelling, "alice")
        assert (view.e164, view.line, view.account) == ("+441632960001", "alice", "Shop")
    with pytest.raises(Refused, match="assigned to line 'alice'"):
        await service.assign_number(db, "01632 960001", "bob")
    assert [number.e164 for number in await service.list_numbers(db)] == ["+441632960001"]


@in_database
async def test_a_number_is_given_to_one_of_many_who_ask_at_once(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    for number in range(8):
        await service.add_line(db, f"u{number}", account_name="Shop", realm=REALM)
    results = await asyncio.gather(
        *[service.assign_number(db, "01632 960001", f"u{number}") for number in range(8)],
        return_exceptions=True,
    )
    assert [isinstance(result, Refused) for result in results].count(False) == 1


@in_database
async def test_a_number_that_999_would_be_shown_is_not_taken_away(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    await service.add_line(
        db, "alice", account_name="Shop", realm=REALM, emergency_number="01632 960001", cli="01632 960002"
    )
    for number in ("01632 960001", "01632 960002"):
        await service.assign_number(db, number, "alice")
    with pytest.raises(Refused, match="emergency number of line 'alice'"):
        await service.unassign_number(db, "01632 960001")
    with pytest.raises(Refused, match="CLI of line 'alice'"):
        await service.unassign_number(db, "01632 960002")


@in_database
async def test_lines_without_an_emergency_number_or_address_are_found(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    for user, number, address in (
        ("a", "01632 960001", "1 High St"),
        ("b", "", "1 High St"),
        ("c", "01632960001", ""),
    ):
        await service.add_line(
            db, user, account_name="Shop", realm=REALM, emergency_number=number, emergency_address=address
        )
    assert [line.user for line in await service.lines_without_emergency(db)] == ["b", "c"]


@in_database
async def test_an_import_brings_all_lines_and_their_numbers(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    text = HEADING + "alice,shop,correct horse,01632 960001;01632 960002\nbob,SHOP,,\n"
    added = await service.import_lines(db, text, realm=REALM)
    assert [(new.line.user, new.generated_password is None) for new in added] == [
        ("alice", True),
        ("bob", False),
    ]
    lines = {line.user: line for line in await service.list_lines(db, "Shop")}
    assert lines["alice"].numbers == ["+441632960001", "+441632960002"]
    assert added[0].line.ha1_md5 == ha1_md5("alice", REALM, "correct horse")
    assert lines["bob"].numbers == []


@in_database
async def test_an_import_with_any_problem_brings_nothing_and_names_all(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    await service.add_line(db, "alice", account_name="Shop", realm=REALM)
    await service.assign_number(db, "01632 960001", "alice")
    text = HEADING + "new,shop,,01632 960002\nalice,shop,,01632 960001\nBob,shop,,\ncarol,nobody,,\n"
    with pytest.raises(ImportProblems) as caught:
        await service.import_lines(db, text, realm=REALM)
    assert caught.value.problems == [
        ImportProblem(3, "user", "alice", "a line that does not exist yet"),
        ImportProblem(3, "numbers", "+441632960001", "a number that is free; it rings line 'alice'"),
        ImportProblem(4, "user", "Bob", caught.value.problems[2].expected),
        ImportProblem(5, "account", "nobody", "an account that exists"),
    ]
    assert [line.user for line in await service.list_lines(db)] == ["alice"]
    assert str(caught.value).startswith("line 3, user: found 'alice', expected")


@in_database
async def test_ten_thousand_lines_are_imported_in_one_transaction(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    rows = [f"u{number},Shop,a password {number},01632 9{number:05}" for number in range(10_000)]
    added = await service.import_lines(db, HEADING + "\n".join(rows), realm=REALM)
    assert len(added) == 10_000
    assert await db.fetchval("SELECT count(*) FROM numbers") == 10_000
    assert await db.fetchval("SELECT count(DISTINCT xmin::text) FROM lines") == 1


def test_a_database_that_is_not_there_is_an_unreachable_one() -> None:
    async def body() -> None:
        async with service.connect("postgresql://offhook@/offhook?host=/nowhere"):
            pass

    with pytest.raises(service.UNREACHABLE):
        asyncio.run(body())
