"""Bank statements: read by a mapping, taken once, matched by what was quoted (C11)."""

import datetime
from pathlib import Path

import asyncpg
import pytest

from billing.open_items import open_invoices
from billing.payments.statement import StatementLine, read_statement
from billing.payments.statement_lines import credit_line, ignore_line, import_lines, list_lines, match_lines
from billing.payments.statement_mapping import StatementMapping, load_mapping
from provisioning.problems import ImportProblems, Refused
from switch.conf_files import ConfProblems
from tests.billing.books import CONF, add_account, add_bare_invoice, add_customer
from tests.billing.payments.books import POUND, balance_of, with_books

CONF_DIR = Path(__file__).parents[3] / "conf"
SIMPLE = StatementMapping(date="Date", amount="Amount", texts=("Description",))
HEADINGS = "Date,Description,Amount\n"


def lines_of(text: str, mapping: StatementMapping = SIMPLE) -> list[StatementLine]:
    return read_statement(text.encode(), mapping)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("example", "Date,Description,Amount\n03/11/2026,INV000001 BAKERY,12.00\n04/11/2026,RENT,-900.00\n"),
        (
            "paid-in-column",
            "Transaction Date,Transaction Type,Sort Code,Account Number,Transaction Description,Debit Amount,"
            "Credit Amount,Balance\n03/11/2026,FPI,'12-34-56,12345678,INV000001 BAKERY,,12.00,112.00\n"
            "04/11/2026,DD,'12-34-56,12345678,RENT,900.00,,-788.00\n",
        ),
        (
            "counter-party",
            "Date,Counter Party,Reference,Type,Amount (GBP),Balance (GBP),Spending Category,Notes\n"
            "03/11/2026,BAKERY,INV000001,FASTER PAYMENT,12.00,112.00,INCOME,\n",
        ),
        ("no-headings", '03/11/2026,"INV000001 BAKERY",12.00\n04/11/2026,RENT,-900.00\n'),
    ],
)
def test_the_layouts_that_come_with_the_exchange(name: str, text: str) -> None:
    (line,) = read_statement(text.encode(), load_mapping(CONF_DIR, name))
    assert (line.booked_on, line.amount_micros) == (datetime.date(2026, 11, 3), 12 * POUND)
    assert "INV000001" in line.text
    assert "BAKERY" in line.payer + line.text


def test_amounts_as_banks_write_them() -> None:
    rows = {"12": 12, "12.5": 12.5, "1,234.50": 1234.5, "£12.00": 12, "+12.00": 12, "0.01": 0.01}
    text = HEADINGS + "".join(f'03/11/2026,x,"{amount}"\n' for amount in rows)
    assert [line.amount_micros for line in lines_of(text)] == [round(each * POUND) for each in rows.values()]


def test_everything_wrong_is_said_at_once_and_nothing_is_taken() -> None:
    text = HEADINGS + "03/11/2026,x,12.00\n31/02/2026,x,1.00\n03/11/2026,x,12.001\n03/11/2026,x,1e3\n\n"
    with pytest.raises(ImportProblems) as found:
        lines_of(text)
    assert [(problem.line, problem.column) for problem in found.value.problems] == [
        (3, "Date"), (4, "Amount"), (5, "Amount"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "Day,What,How much\n03/11/2026,x,1\n", "\x00", '"unclosed\n' + "x" * 200_000]
)
def test_a_file_of_another_kind_is_refused(text: str) -> None:
    with pytest.raises(ImportProblems):
        lines_of(text)


def test_bytes_of_another_encoding_are_refused() -> None:
    with pytest.raises(ImportProblems, match="utf-8"):
        read_statement(HEADINGS.encode() + b"03/11/2026,\xa312,12.00\n", SIMPLE)


def test_a_mapping_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    (tmp_path / "statements").mkdir()
    (tmp_path / "statements" / "bad.toml").write_text(
        '[statement]\ndate = "Date"\namount = "a"\npaid_in = "b"\ndate_format = "%Q"\nwhat = 1\n',
        encoding="utf-8",
    )
    with pytest.raises(ConfProblems) as found:
        load_mapping(tmp_path, "bad")
    assert len(found.value.problems) == 4
    for name in ("missing", "../billing", "/etc/passwd"):
        with pytest.raises(ConfProblems):
            load_mapping(tmp_path, name)


def test_statements_that_overlap_are_taken_once_and_equal_lines_are_two() -> None:
    monday = "02/11/2026,BAKERY,12.00\n02/11/2026,BAKERY,12.00\n"
    tuesday = "03/11/2026,BAKERY,12.00\n"
    first = {line.hash for line in lines_of(HEADINGS + monday)}
    second = {line.hash for line in lines_of(HEADINGS + monday + tuesday)}
    assert (len(first), len(second)) == (2, 3)
    assert first < second


def test_c11_a_transfer_that_quotes_an_invoice_pays_it_once(dsn: str) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await add_account(db)
        await add_customer(db, account)
        for number in ("INV000001", "INV000002"):
            await add_bare_invoice(
                db, account, 12 * POUND, issued_on=datetime.date(2026, 10, 1), number=number
            )
        text = HEADINGS + "03/11/2026,faster payment inv 2 thank you,12.00\n03/11/2026,no idea who,7.00\n"
        first = await import_lines(db, CONF, lines_of(text), file="a.csv")
        again = await import_lines(db, CONF, lines_of(text), file="copy of a.csv")
        assert (first.new, first.matched, first.unmatched) == (2, 1, 1)
        assert (again.new, again.matched, again.unmatched) == (0, 0, 1)
        assert await balance_of(db, account) == 12 * POUND
        async with db.acquire() as connection:
            assert [each.number for each in await open_invoices(connection, account)] == ["INV000001"]
        received_at = await db.fetchval("SELECT received_at FROM payments")
        assert received_at.date() == datetime.date(2026, 11, 3), "the bank's day, not ours"

    with_books(dsn, body)


def test_a_line_that_nobody_can_match_is_decided_on_by_a_person_once(dsn: str) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await add_account(db)
        await add_customer(db, account)
        await add_bare_invoice(
            db, account, 12 * POUND, issued_on=datetime.date(2026, 10, 1), number="INV000009"
        )
        text = HEADINGS + "03/11/2026,SAMPLE BAKERY,12.00\n03/11/2026,SUPPLIER,99.00\n"
        await import_lines(db, CONF, lines_of(text), file="a.csv")
        bakery, supplier = await list_lines(db, state="unmatched")
        assert (bakery.suggested, supplier.suggested) == ("INV000009", "")
        await ignore_line(db, supplier.id, by="someone")
        done = await credit_line(db, CONF, bakery.id, account, quoted="INV000009", by="someone")
        assert not done.is_repeat
        for line in (bakery, supplier):
            with pytest.raises(Refused, match="already"):
                await credit_line(db, CONF, line.id, account, quoted="", by="someone")
        assert await balance_of(db, account) == 12 * POUND
        assert await list_lines(db, state="unmatched") == []

    with_books(dsn, body)


def test_a_line_that_came_before_its_invoice_is_matched_later(dsn: str) -> None:
    async def body(db: asyncpg.Pool) -> None:
        account = await add_account(db)
        done = await import_lines(db, CONF, lines_of(HEADINGS + "03/11/2026,INV000077,12.00\n"), file="a.csv")
        assert done.matched == 0
        await add_bare_invoice(
            db, account, 12 * POUND, issued_on=datetime.date(2026, 11, 4), number="INV000077"
        )
        assert len(await match_lines(db, CONF)) == 1
        assert await match_lines(db, CONF) == []
        assert await balance_of(db, account) == 12 * POUND

    with_books(dsn, body)
