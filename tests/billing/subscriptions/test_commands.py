"""`offhook product`, `subscription` and `outage`, as an operator types them."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from offhook.__main__ import app
from offhook.commands import outage, product, subscription, subscription_ends, subscription_options
from offhook.exit_codes import CommandError
from provisioning import service
from tests.billing.subscriptions.contracts import customer, day, pounds
from tests.billing.subscriptions.test_conf import CONF_FOLDER

pytestmark = pytest.mark.wire


class Desk:
    """Commands on one database, on a day of its own."""

    def __init__(self, dsn: str, conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dsn, self.conf, self._monkeypatch = dsn, conf, monkeypatch
        self.on("2026-11-02")

    def on(self, when: str) -> None:
        for module in (product, subscription, subscription_ends, subscription_options, outage):
            self._monkeypatch.setattr(module, "london_today", lambda: day(when))

    def __call__(self, *words: str) -> str:
        return self._run(*words).output

    def json(self, *words: str) -> Any:
        return json.loads(self._run(*words, "--json").stdout)

    def refused(self, *words: str) -> str:
        with pytest.raises(CommandError) as refused:
            self._run(*words)
        return str(refused.value)

    def _run(self, *words: str) -> Any:
        command = [*words, "--dsn", self.dsn]
        for group, name in (
            ("subscription", "add cancel renew announce notices written"),
            ("outage", "propose appointment start"),
        ):
            if words[0] == group and words[1] in name.split():
                command += ["--conf", str(self.conf)]
        if words[:2] == ("product", "price") and "--existing" in words:
            command += ["--conf", str(self.conf)]
        ran = CliRunner().invoke(app, command, catch_exceptions=True)
        if isinstance(ran.exception, CommandError):
            raise ran.exception
        assert ran.exit_code == 0, ran.output
        return ran


@pytest.fixture
def desk(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    conf = tmp_path / "conf"
    conf.mkdir()
    shutil.copy(CONF_FOLDER / "billing.toml", conf)

    async def fill() -> None:
        async with service.connect(dsn) as db:
            await customer(db)

    asyncio.run(fill())
    return Desk(dsn, conf, monkeypatch)


LINE = (
    "product",
    "add",
    "line",
    "--title",
    "Line rental",
    "--inc-vat",
    "30.00",
    "--ex-vat",
    "25.00",
    "--from",
)


def test_a_product_is_added_priced_listed_and_withdrawn(desk: Desk) -> None:
    added = desk(
        *LINE, "2026-01-01", "--term", "12", "--leaving", "remaining:80", "--told", "Leaving early costs 80 %.",
        "--include", "UK 600:600:uk,mobile,+4420", "--setup-inc-vat", "20", "--family", "line",
    )  # fmt: skip
    for said in ("minimum term", "12 months", "80 %: Leaving", "600 minutes to uk, mobile, +4420", "£20.00"):
        assert said in added
    desk("product", "price", "line", "--inc-vat", "31.50", "--from", "2027-04-01")
    (found,) = desk.json("product", "list")
    assert [row["price"]["inc_vat_micros"] for row in found["prices"]] == [pounds(30), pounds(31.5)]
    assert "new price 1 April 2027" in desk("product", "list")
    assert "withdrawn" in desk("product", "withdraw", "line")
    assert "is not sold any more" in desk.refused("subscription", "add", "Shop", "line")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--leaving", "half"), "expected none, remaining:PERCENT"),
        (("--leaving", "remaining:80", "--term", "1"), "the words by which the customer is told"),
        (("--include", "uk"), "expected NAME:MINUTES:GROUP"),
        (("--include", "uk:5:+44x"), "prefix"),
        (("--inc-vat", "30.001"), "whole pence"),
        (("--inc-vat", "1e3"), "an amount in pounds"),
        (("--from", "yesterday"), "expected a day such as"),
    ],
)
def test_a_product_that_cannot_be_is_refused(desk: Desk, words: tuple[str, ...], why: str) -> None:
    assert why in desk.refused(*LINE, "2026-01-01", *words)


def test_a_contract_from_the_sale_to_its_end(desk: Desk) -> None:
    desk(*LINE, "2026-01-01", "--notice", "14")
    made = desk.json("subscription", "add", "Shop", "line", "--for", "01632 960123", "--quantity", "2")
    number = str(made["id"])
    assert "2 x Line rental" in desk("subscription", "list", "shop")
    shown = desk("subscription", "show", number)
    assert "Monthly price: £30.00 (including VAT)" in shown
    assert "2 x Line rental (01632 960123), 2 November 2026 to 1 December 2026" in shown
    desk.on("2026-11-17")
    desk("subscription", "change", number, "--quantity", "1")
    quoted = desk("subscription", "quote", number)
    assert "2026-12-01" in quoted
    asked = desk("subscription", "cease", number, "--by", "phone, username shop")
    assert "ends nothing until the notice is here in writing" in asked
    assert "not in writing yet" in desk("subscription", "show", number)
    final = desk.json("subscription", "written", number, "mail of 17 November", "--received", "2026-11-17")
    assert final["ceases_on"] == "2026-12-01"
    assert "ceases 2026-12-01" in desk("subscription", "list")
    (notice,) = desk.json("subscription", "notices", number)
    assert (notice["kind"], notice["way"]) == ("ending", "mail")
    desk("subscription", "stay", number)
    assert "active" in desk("subscription", "list")
    assert "there is no subscription 999" in desk.refused("subscription", "show", "999")


def test_a_sale_is_cancelled_a_term_renewed_a_change_told(desk: Desk) -> None:
    desk(*LINE, "2026-01-01", "--term", "12", "--after-term", "new_term")
    one, two = (
        str(desk.json("subscription", "add", "Shop", "line", "--told", "2026-11-02")["id"]) for _ in range(2)
    )
    desk.on("2026-11-10")
    assert "£30.00 given back" in desk("subscription", "cancel", one, "--by", "phone")
    assert "cancelled already" in desk.refused("subscription", "cancel", one, "--by", "phone")
    assert "at most 24 months" in desk.refused(
        "subscription", "renew", two, "--term", "36", "--consent", "mail"
    )
    renewed = desk.json("subscription", "renew", two, "--term", "12", "--consent", "mail of today")
    assert renewed["term_ends_on"] == "2028-11-02"
    told = desk("subscription", "announce", two, "Calls cost more.", "--from", "2027-01-01")
    assert "until 2027-01-01" in told
    refused = desk.refused("subscription", "announce", two, "Calls cost more.", "--from", "2026-12-01")
    assert "needs a month's notice" in refused
    existing = desk("product", "price", "line", "--inc-vat", "35", "--from", "2027-02-01", "--existing")
    assert "0 subscriptions were told" in existing
    assert f"subscription {two} keeps its price" in existing
    assert "line" in desk("subscription", "list", "--all").lower()


def test_letters_are_listed_until_somebody_has_posted_them(desk: Desk) -> None:
    async def forget_mail() -> None:
        connection = await asyncpg.connect(desk.dsn)
        await connection.execute("UPDATE customers SET email = ''")
        await connection.close()

    asyncio.run(forget_mail())
    desk(*LINE, "2026-01-01", "--term", "1")
    desk("subscription", "add", "Shop", "line")
    (letter,) = desk.json("subscription", "notices", "--send", "--to-post")
    assert "Its last day is 1 December 2026" in letter["body"]
    assert desk.json("subscription", "notices", "--to-post", "--posted", str(letter["id"])) == []
    assert "there is no letter 999" in desk.refused("subscription", "notices", "--posted", "999")


def test_an_outage_is_proposed_approved_and_declined(desk: Desk) -> None:
    desk(*LINE, "2026-01-01")
    for _ in range(2):
        desk("subscription", "add", "Shop", "line")
    one, two = desk.json(
        "outage", "propose", "Power failed", "--from", "2026-11-05T00:00:00Z", "--to", "2026-11-06T00:00:00Z",
        "--product", "line", "--by", "anna",
    )  # fmt: skip
    assert one["amount_micros"] == pounds(1)
    assert "approved" in desk("outage", "approve", str(one["id"]), "--by", "anna")
    desk("outage", "decline", str(two["id"]), "--reason", "was not down", "--by", "anna")
    assert "was not down" in desk("outage", "list")
    assert desk.json("outage", "list", "--open") == []
    assert "residential" in desk.refused("outage", "appointment", "1", "--missed", "2026-11-05")
    assert "residential" in desk.refused(
        "outage", "start", "1", "--promised", "2026-11-05", "--started", "2026-11-09"
    )


def test_without_billing_toml_it_says_so(desk: Desk) -> None:
    (desk.conf / "billing.toml").unlink()
    assert "there is no billing.toml" in desk.refused("subscription", "add", "Shop", "line")
