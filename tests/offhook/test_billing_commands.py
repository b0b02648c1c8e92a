"""`offhook customer`, `invoice` and `bill` against a real database."""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from offhook.supervisor.conf_home import packaged_conf
from provisioning import service
from provisioning.ledger import MovementKind
from rating.money import VatMode
from tests.billing.books import POUND, add_account, add_call, add_payment, move
from tests.billing.invoices.test_run import utc
from tests.offhook.test_commands import Offhook, conf, offhook
from tests.postgres import PostgresServer, server

__all__ = ["conf", "offhook"]

SELLER = """[seller]
name = "Example Telephones Ltd"
address = ["1 Example Street", "EX1 1EX"]
vat_number = "GB123456789"
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with server() as running:
        yield running


@pytest.fixture
def books(postgres: PostgresServer) -> Iterator[str]:
    """An account "Bakery" of October 2025 with a subscription and a call, another, "Shop", that is prepaid."""
    dsn = postgres.new_database()

    async def fill() -> None:
        async with service.connect(dsn) as db:
            account = await add_account(db, name="Bakery")
            await move(
                db, account, MovementKind.SUBSCRIPTION, -10 * POUND, "Line rental", at=utc(2025, 10, 1, 6)
            )
            await add_call(db, account, 1_003_000, ended_at=utc(2025, 10, 15, 12))
            prepaid = await add_account(db, name="Shop", is_postpaid=False, vat=VatMode.INC_VAT)
            await add_payment(db, prepaid, 12 * POUND, received_at=utc(2025, 10, 3))

    asyncio.run(fill())
    yield dsn
    postgres.drop_database(dsn)


@pytest.fixture
def billing_conf(conf: Path) -> Path:
    file = conf / "billing.toml"
    text = (packaged_conf() / "billing.toml").read_text("utf-8")
    for line in ('name = ""\n', "address = []\n", 'vat_number = ""\n'):
        assert f"\n{line}" in text
        text = text.replace(f"\n{line}", "\n", 1)
    file.write_text(text.replace("[seller]\n", SELLER, 1), "utf-8")
    return conf


def test_a_month_from_customer_to_credit_note(
    offhook: Offhook, books: str, billing_conf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    db, both = ["--dsn", books], ["--dsn", books, "--conf", billing_conf]
    ran = offhook("bill", "run", "--month", "2025-10", *both)
    assert ran.code == 1 and "offhook customer set" in ran.err
    ran = offhook(
        "customer", "set", "bakery", "--kind", "business", "--company", "Sample Bakery Ltd", "--address", "2 Road",
        "--address", "SA1 1PL", "--large-print", *db,
    )  # fmt: skip
    assert ran.code == 0 and "Sample Bakery Ltd" in ran.out
    assert "large" in offhook("customer", "list", *db).out
    ran = offhook("bill", "run", "--month", "2025-10", "--dry-run", *both)
    assert ran.code == 0 and "1 would be made" in ran.out
    ran = offhook("bill", "run", "--month", "2025-10", *both)
    assert ran.code == 0 and "INV000001" in ran.out and "£13.20 with VAT" in ran.out
    assert "nothing to invoice" in offhook("bill", "run", "--month", "2025-10", *both).out
    assert "£13.20" in offhook("invoice", "list", *db).out
    shown = offhook("invoice", "show", "INV000001", *db).out
    assert "Line rental" in shown and "VAT at 20%" in shown and "020 7946 0123" in shown
    assert (
        json.loads(offhook("invoice", "show", "INV000001", "--json", *db).out)["total_micros"] == 13_200_000
    )
    assert offhook("invoice", "pdf", "INV000001", *db).code == 0
    assert (tmp_path / "INV000001.pdf").read_bytes().startswith(b"%PDF")
    assert offhook("invoice", "calls", "INV000001", *db).out.count("\n") == 2
    ran = offhook("invoice", "credit", "INV000001", "--reason", "Too much", "--line", "1", *both)
    assert ran.code == 0 and "CRN000001 gives back £12.00" in ran.out
    ran = offhook("bill", "check", *db)
    assert ran.code == 0 and "2 documents" in ran.out


def test_a_statement_of_a_prepaid_account(
    offhook: Offhook, books: str, billing_conf: Path, tmp_path: Path
) -> None:
    where = ["--dsn", books, "--conf", billing_conf]
    ran = offhook("invoice", "statement", "Shop", "--month", "2026-10", *where)
    assert ran.code == 0 and "Statement" in ran.out
    target = tmp_path / "statement.pdf"
    assert offhook("invoice", "statement", "Shop", "--month", "2026-10", "-o", target, *where).code == 0
    assert target.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (["bill", "run", "--month", "2025-13"], 2, "expected a month such as 2026-10"),
        (["bill", "run", "--month", "2999-01"], 2, "expected a month"),
        (["bill", "run", "--month", "2099-01"], 1, "can be invoiced when it is over"),
        (["invoice", "show", "INV9"], 1, "there is no document 'INV9'"),
        (["invoice", "pdf", "INV9"], 1, "there is no document"),
        (["invoice", "send", "INV9"], 1, "there is no document"),
        (["invoice", "credit", "INV9", "--reason", "x"], 1, "there is no invoice"),
        (["invoice", "credit", "INV9", "--reason", "x", "--line", "0"], 2, "not from 1"),
        (["invoice", "list", "--since", "2026-1-1"], 2, "expected a day"),
        (["invoice", "statement", "Nobody", "--month", "2025-10"], 1, "there is no account"),
        (["customer", "show", "Shop"], 1, "offhook customer set"),
        (["customer", "set", "Shop", "--email", "x"], 2, "e-mail address"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    offhook: Offhook, books: str, billing_conf: Path, command: list[str], code: int, words: str
) -> None:
    needs_conf = command[0] == "bill" or command[1] in ("credit", "statement")
    ran = offhook(*command, "--dsn", books, *(["--conf", billing_conf] if needs_conf else []))
    assert (ran.code, ran.out) == (code, "")
    assert words in " ".join(ran.err.replace("\u2502", " ").split())


def test_without_a_seller_nothing_is_issued(offhook: Offhook, books: str, conf: Path) -> None:
    ran = offhook("bill", "run", "--month", "2025-10", "--dsn", books, "--conf", conf)
    assert ran.code == 1 and "no name and no address and no vat_number of the [seller]" in ran.err


def test_without_the_file_billing_says_so(offhook: Offhook, books: str, conf: Path) -> None:
    os.unlink(conf / "billing.toml")
    ran = offhook("bill", "run", "--month", "2025-10", "--dsn", books, "--conf", conf)
    assert ran.code == 2 and "billing.toml" in ran.err


def test_check_reads_billing_toml_too(offhook: Offhook, conf: Path) -> None:
    assert offhook("check", "--conf", conf).code == 0
    with (conf / "billing.toml").open("a", encoding="utf-8") as file:
        file.write('[invoices]\nprefix = "X"\n')
    ran = offhook("check", "--conf", conf)
    assert ran.code == 2 and "billing.toml" in ran.out + ran.err and "perhaps invoice" in ran.out + ran.err


def test_what_billing_logs_stays_out_of_the_json_of_a_command(
    offhook: Offhook, books: str, conf: Path, tmp_path: Path
) -> None:
    at = ["--conf", conf, "--data", tmp_path, "--dsn", books, "--json"]  # with nobody in [seller] yet
    ran = offhook("payment", "record", "Shop", "12.00", "--method", "cheque", "--reference", "100023", *at)
    assert ran.code == 0
    assert json.loads(ran.out)["payment"]["amount_micros"] == 12 * POUND
    assert "level=warning event=payment_without_invoice" in ran.err


def test_payments_of_an_account_that_is_not_there_are_not_none(offhook: Offhook, books: str, tmp_path: Path) -> None:
    at = ["--data", tmp_path, "--dsn", books]
    assert offhook("payment", "list", "--account", "shop", *at).code == 0
    ran = offhook("payment", "list", "--account", "Shpo", *at)
    assert (ran.code, ran.err) == (1, "offhook: there is no account 'Shpo'\n")
